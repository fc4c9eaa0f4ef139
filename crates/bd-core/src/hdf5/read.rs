//! A dataset as an array of numbers or of text.

use hdf5_reader::{ByteOrder, Dataset, Datatype, StringPadding, StringSize, VarLenKind};
use tch::Kind;

use super::file::{Hdf5, guarded};
use crate::stored::{Member, Read, Stored, Text};

/// Texts of one array that are read: each is a string of its own, which takes many times the bytes of a short one.
const MOST_TEXTS: u64 = 1 << 22;
/// What a string takes beside its bytes.
const BYTES_OF_A_TEXT: u64 = 32;

/// Dimensions as libtorch counts them.
pub(super) fn shape_of(dataset: &Dataset) -> Result<Vec<i64>, String> {
    let shape = dataset.shape().iter().map(|&size| i64::try_from(size).map_err(|_| too_large(dataset)));
    shape.collect()
}

fn too_large(dataset: &Dataset) -> String {
    format!("it is {:?}, more than any file can hold", dataset.shape())
}

/// Whether elements are text of any length.
pub(super) fn is_text(of: &Datatype) -> bool {
    matches!(of, Datatype::VarLen { base, kind: VarLenKind::String, .. } if base.is_vlen_string_base())
}

/// How many elements there are, after those whose reading takes `bytes_each` are taken from what may be read.
pub(super) fn take(file: &Hdf5, dataset: &Dataset, bytes_each: u64) -> Result<u64, String> {
    let count = guarded(|| dataset.num_elements())?;
    file.take(count.checked_mul(bytes_each).ok_or_else(|| too_large(dataset))?)?;
    Ok(count)
}

/// What is read of a dataset.
pub(super) fn member(file: &Hdf5, dataset: &Dataset) -> Read {
    match dataset.dtype() {
        Datatype::String { size: StringSize::Fixed(width), padding, .. } => {
            fixed_texts(file, dataset, *width as usize, *padding).map(Member::Text)
        }
        Datatype::String { size: StringSize::Variable, .. } => texts(file, dataset).map(Member::Text),
        of if is_text(of) => texts(file, dataset).map(Member::Text),
        of => {
            let stored = of_dataset(dataset, of)?;
            let data = bytes(file, dataset, stored)?;
            stored.tensor(&data, &shape_of(dataset)?).map(Member::Numbers)
        }
    }
}

/// The bytes of numbers, the least first.
pub(super) fn bytes(file: &Hdf5, dataset: &Dataset, stored: Stored) -> Result<Vec<u8>, String> {
    let count = take(file, dataset, stored.size() as u64)?;
    if count == 0 && dataset.shape().is_empty() {
        return Err("it is empty, of no dimensions".into());
    }
    let mut data = guarded(|| dataset.read_native_bytes())?;
    if data.len() as u64 != count * stored.size() as u64 {
        return Err(format!("it holds {} bytes in place of {}", data.len(), count * stored.size() as u64));
    }
    if stored == Stored::As(Kind::Bool) {
        data.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
    }
    Ok(data)
}

/// The same of a dataset, whose floats of two bytes may be of two kinds, and all floats of none that is known.
fn of_dataset(dataset: &Dataset, of: &Datatype) -> Result<Stored, String> {
    let (stored, Datatype::FloatingPoint { .. }) = (stored(of)?, of) else { return stored(of) };
    // The message of a type: 8 bytes, offset and precision, place of the exponent, and at 13 how many bits it has.
    let exponent_bits = guarded(|| dataset.raw_datatype())?.get(13).copied();
    match (stored, exponent_bits) {
        (Stored::F16, Some(5)) | (Stored::As(Kind::Float), Some(8)) | (Stored::As(Kind::Double), Some(11)) => {
            Ok(stored)
        }
        (Stored::F16, Some(8)) => Ok(Stored::BF16),
        _ => Err(format!(
            "it holds floats with {exponent_bits:?} bits of exponent; float16, bfloat16, float32 and float64 are read"
        )),
    }
}

/// Turns the bytes of each number around where the last is the least.
pub(super) fn native(of: &Datatype, data: &mut [u8]) {
    match of {
        Datatype::VarLen { base, .. } | Datatype::Enum { base, .. } => native(base, data),
        Datatype::FixedPoint { size, byte_order: ByteOrder::BigEndian, .. }
        | Datatype::FloatingPoint { size, byte_order: ByteOrder::BigEndian } => {
            data.chunks_exact_mut(usize::from(*size).max(1)).for_each(<[u8]>::reverse);
        }
        _ => {}
    }
}

/// The number type of a dataset; what is none is refused in words.
pub(super) fn stored(of: &Datatype) -> Result<Stored, String> {
    let refused = |what: &str| Err(format!("it holds {what}; numbers and text are read"));
    match of {
        Datatype::FixedPoint { size, signed, .. } => Ok(match (size, signed) {
            (1, true) => Stored::As(Kind::Int8),
            (2, true) => Stored::As(Kind::Int16),
            (4, true) => Stored::As(Kind::Int),
            (8, true) => Stored::As(Kind::Int64),
            (1, false) => Stored::As(Kind::Uint8),
            (2, false) => Stored::U16,
            (4, false) => Stored::U32,
            (8, false) => Stored::U64,
            _ => return refused(&format!("whole numbers of {size} bytes")),
        }),
        Datatype::FloatingPoint { size, .. } => Ok(match size {
            2 => Stored::F16,
            4 => Stored::As(Kind::Float),
            8 => Stored::As(Kind::Double),
            _ => return refused(&format!("floats of {size} bytes")),
        }),
        Datatype::Enum { base, members } => {
            let names = |member: &hdf5_reader::EnumMember| {
                member.name.eq_ignore_ascii_case("true") || member.name.eq_ignore_ascii_case("false")
            };
            match stored(base)? {
                Stored::As(Kind::Int8 | Kind::Uint8) if !members.is_empty() && members.iter().all(names) => {
                    Ok(Stored::As(Kind::Bool))
                }
                stored => Ok(stored),
            }
        }
        Datatype::Compound { fields, .. } => {
            let names: Vec<String> = fields.iter().map(|field| field.name.to_lowercase()).collect();
            match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["r" | "real", "i" | "imag"] => {
                    refused("complex numbers, of which real and imaginary parts may be saved as two arrays")
                }
                _ => refused("records, of which each field may be saved as an array of its own"),
            }
        }
        Datatype::VarLen { .. } => {
            refused("rows of several lengths, of which only spikes/times and spikes/units have a meaning")
        }
        Datatype::Reference { .. } => refused("references to other arrays, as MATLAB's cells do"),
        Datatype::Array { .. } => refused("elements that are arrays"),
        Datatype::Bitfield { .. } => refused("bit fields"),
        _ => refused("bytes without a meaning"),
    }
}

fn check_texts(count: u64) -> Result<(), String> {
    match count > MOST_TEXTS {
        true => {
            Err(format!("it is {count} texts; at most {MOST_TEXTS} are read. Save numbers in place of so many texts"))
        }
        false => Ok(()),
    }
}

/// Text of one width.
fn fixed_texts(file: &Hdf5, dataset: &Dataset, width: usize, padding: StringPadding) -> Result<Text, String> {
    check_texts(guarded(|| dataset.num_elements())?)?;
    let count = take(file, dataset, width as u64 + BYTES_OF_A_TEXT)?;
    let data = guarded(|| dataset.read_raw_bytes())?;
    if data.len() as u64 != count * width as u64 || width == 0 {
        return Err(format!("it holds {} bytes of text in place of {count} times {width}", data.len()));
    }
    let items = data.chunks_exact(width).enumerate().map(|(at, text)| unicode(at, text, padding));
    Ok(Text { shape: shape_of(dataset)?, items: items.collect::<Result<_, _>>()? })
}

/// Text of any width: each element is a reference to where it is.
fn texts(file: &Hdf5, dataset: &Dataset) -> Result<Text, String> {
    check_texts(guarded(|| dataset.num_elements())?)?;
    let width = dataset.vlen_reference_size();
    let count = take(file, dataset, width as u64 + BYTES_OF_A_TEXT)?;
    let references = guarded(|| dataset.read_raw_bytes())?;
    if references.len() as u64 != count * width as u64 {
        return Err(format!("it holds {} bytes of references in place of {count} times {width}", references.len()));
    }
    let mut items = Vec::new();
    for (at, reference) in references.chunks_exact(width).enumerate() {
        file.take(u64::from(length_of(reference)))?;
        let text = guarded(|| dataset.resolve_vlen_reference_bytes(reference, 1))?;
        items.push(unicode(at, &text, StringPadding::NullTerminate)?);
    }
    Ok(Text { shape: shape_of(dataset)?, items })
}

/// Elements that a reference to a row tells of, its first four bytes.
pub(super) fn length_of(reference: &[u8]) -> u32 {
    reference.first_chunk().map_or(0, |length| u32::from_le_bytes(*length))
}

fn unicode(at: usize, bytes: &[u8], padding: StringPadding) -> Result<String, String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end])
        .map_err(|_| format!("its text {at} (counted from 0) is neither Unicode nor UTF-8"))?;
    Ok(match padding {
        StringPadding::SpacePad => text.trim_end_matches(' ').to_owned(),
        _ => text.to_owned(),
    })
}
