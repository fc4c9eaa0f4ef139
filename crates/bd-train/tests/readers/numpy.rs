//! Files as numpy writes them, from numbers that the test knows.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// How an array is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// numpy's code of the dtype, such as `f4`.
    pub(crate) code: &'static str,
    pub(crate) is_big_endian: bool,
    pub(crate) is_fortran: bool,
}

/// A member of an `.npz` file.
#[derive(Debug, Clone)]
pub(crate) enum Member {
    Numbers {
        form: Form,
        shape: Vec<usize>,
        values: Vec<f64>,
    },
    /// `U`, or `S` where it is ASCII and `is_bytes`.
    Text {
        shape: Vec<usize>,
        items: Vec<String>,
        is_bytes: bool,
    },
}

impl Member {
    fn npy(&self) -> Vec<u8> {
        match self {
            Self::Numbers { form, shape, values } => {
                let order = match (form.code, form.is_big_endian) {
                    ("i1" | "u1" | "b1", _) => '|',
                    (_, true) => '>',
                    _ => '<',
                };
                let places: Vec<usize> = if form.is_fortran { by_columns(shape) } else { (0..values.len()).collect() };
                let mut data = Vec::new();
                for place in places {
                    let mut bytes = number(form.code, values[place]);
                    if order == '>' {
                        bytes.reverse();
                    }
                    data.extend(bytes);
                }
                npy(&format!("{order}{}", form.code), form.is_fortran, shape, &data)
            }
            Self::Text { shape, items, is_bytes: true } => {
                let width = items.iter().map(String::len).max().unwrap_or(0).max(1);
                let filled = |item: &String| item.bytes().chain(std::iter::repeat(0)).take(width).collect::<Vec<_>>();
                npy(&format!("|S{width}"), false, shape, &items.iter().flat_map(filled).collect::<Vec<_>>())
            }
            Self::Text { shape, items, is_bytes: false } => {
                let width = items.iter().map(|item| item.chars().count()).max().unwrap_or(0).max(1);
                let points = |item: &String| {
                    item.chars().map(u32::from).chain(std::iter::repeat(0)).take(width).collect::<Vec<_>>()
                };
                let data: Vec<u8> = items.iter().flat_map(points).flat_map(u32::to_le_bytes).collect();
                npy(&format!("<U{width}"), false, shape, &data)
            }
        }
    }
}

/// Places in the order of rows, in the order of columns.
fn by_columns(shape: &[usize]) -> Vec<usize> {
    let count: usize = shape.iter().product();
    let place = |mut at: usize| {
        let (mut place, mut stride) = (0, count);
        for &size in shape {
            stride /= size;
            place += (at % size) * stride;
            at /= size;
        }
        place
    };
    (0..count).map(place).collect()
}

/// The bytes of a number, the least first.
fn number(code: &str, value: f64) -> Vec<u8> {
    match code {
        "f2" => half(value as f32).to_le_bytes().to_vec(),
        "f4" => (value as f32).to_le_bytes().to_vec(),
        "f8" => value.to_le_bytes().to_vec(),
        "i1" => (value as i8).to_le_bytes().to_vec(),
        "i2" => (value as i16).to_le_bytes().to_vec(),
        "i4" => (value as i32).to_le_bytes().to_vec(),
        "i8" => (value as i64).to_le_bytes().to_vec(),
        "u1" | "b1" => (value as u8).to_le_bytes().to_vec(),
        "u2" => (value as u16).to_le_bytes().to_vec(),
        "u4" => (value as u32).to_le_bytes().to_vec(),
        "u8" => (value as u64).to_le_bytes().to_vec(),
        other => panic!("no dtype {other}"),
    }
}

/// IEEE 754 binary16 of a number that it holds exactly, or of one that is none.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent, fraction) = ((bits >> 16) & 0x8000, (bits >> 23) & 0xff, bits & 0x7f_ffff);
    let bits = match exponent {
        0 => sign,
        0xff => sign | 0x7c00 | (fraction >> 13),
        _ => sign | ((exponent + 15 - 127) << 10) | (fraction >> 13),
    };
    bits as u16
}

pub(crate) fn npy(descr: &str, is_fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let order = if is_fortran { "True" } else { "False" };
    let shape: String = shape.iter().map(|n| format!("{n},")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// An `.npz` file, as `numpy.savez` or `numpy.savez_compressed` writes it.
pub(crate) fn npz(members: &[(String, Member)], is_deflated: bool) -> Vec<u8> {
    let method = if is_deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    zipped(members.iter().map(|(name, member)| (name.as_str(), member.npy())), method)
}

/// An archive of `.npy` files.
pub(crate) fn zipped<'a>(
    members: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
    method: zip::CompressionMethod,
) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
