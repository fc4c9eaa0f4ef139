//! What MATLAB saves with `-v7.3`: HDF5 with the dimensions in reverse, text as numbers, and classes in attributes.
//!
//! In MATLAB everything has two dimensions at least: what is `[1, n]` or `[n, 1]` is a list here.

use hdf5_reader::{Dataset, Datatype};
use tch::Kind;

use super::file::{Entry, Hdf5, attribute, guarded, number};
use super::found::Found;
use super::read::{bytes, member, shape_of, stored, take};
use super::tensors::told;
use crate::stored::{Member, Read, Stored, Text};

const NUMBERS: [&str; 11] =
    ["double", "single", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "logical"];

/// Variables, and fields of structs by `name/field`.
pub(super) fn arrays(file: &Hdf5) -> Vec<Found> {
    // What cells refer to stands in groups of MATLAB's own.
    file.datasets().iter().filter(|entry| !entry.path.starts_with('#')).map(|entry| variable(file, entry)).collect()
}

fn variable(file: &Hdf5, entry: &Entry) -> Found {
    let dataset = match &entry.dataset {
        Ok(dataset) => dataset.clone(),
        Err(_) => return Found::dataset(file, entry),
    };
    let of_class = class(&dataset);
    let is_text = matches!(of_class.as_deref(), Some("char" | "cell"));
    let shape = shape_of(&dataset).ok().filter(|_| !is_text).map(|shape| as_list(shape.into_iter().rev().collect()));
    let file = file.clone();
    let mut found = Found::new(entry.path.clone(), shape, move || read(&file, &dataset));
    found.later.is_text = is_text;
    found
}

fn class(dataset: &Dataset) -> Option<String> {
    attribute(dataset, "MATLAB_class").and_then(|found| guarded(|| found.read_string()).ok())
}

fn read(file: &Hdf5, dataset: &Dataset) -> Read {
    if number(dataset, "MATLAB_empty").is_some_and(|empty| empty != 0.0) {
        return Err("it is empty".into());
    }
    match class(dataset).as_deref() {
        Some("char") => characters(file, dataset).map(Member::Text),
        Some("cell") => cells(file, dataset).map(Member::Text),
        Some("logical") => numbers(file, dataset, Some(Stored::As(Kind::Bool))),
        Some(known) if !NUMBERS.contains(&known) => Err(format!(
            "it is of MATLAB's class {known}; numbers, logical, char and cells of char are read, and fields of a struct by their names \
             (s/field)"
        )),
        _ if matches!(dataset.dtype(), Datatype::String { .. }) => member(file, dataset),
        _ => numbers(file, dataset, None),
    }
}

/// Dimensions without those of length 1 that every vector has.
fn as_list(shape: Vec<i64>) -> Vec<i64> {
    match shape[..] {
        [1, n] | [n, 1] => vec![n],
        _ => shape,
    }
}

fn numbers(file: &Hdf5, dataset: &Dataset, of: Option<Stored>) -> Read {
    let stored = match (of, stored(dataset.dtype())?) {
        (Some(of), found) if of.size() == found.size() => of,
        (_, found) => found,
    };
    let data = bytes(file, dataset, stored)?;
    let shape = shape_of(dataset)?;
    let tensor = stored.tensor(&data, &shape)?;
    file.take(data.len() as u64)?;
    told(|| {
        let reversed = tensor.f_permute((0..shape.len() as i64).rev().collect::<Vec<_>>())?.f_contiguous()?;
        Ok(Member::Numbers(reversed.f_reshape(as_list(reversed.size()))?))
    })
}

/// A text for each row of characters, as UTF-16.
fn characters(file: &Hdf5, dataset: &Dataset) -> Result<Text, String> {
    let (Stored::U16, [length, rows]) = (stored(dataset.dtype())?, &shape_of(dataset)?[..]) else {
        return Err(format!("it is text {:?}; a text, or one in each row, is read", dataset.shape()));
    };
    let (length, rows) = (*length as usize, *rows as usize);
    let data = bytes(file, dataset, Stored::U16)?;
    take(file, dataset, 8)?;
    let units: Vec<u16> = data.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let row = |row: usize| {
        let text: Vec<u16> = (0..length).map(|at| units[at * rows + row]).collect();
        let text = String::from_utf16(&text).map_err(|_| format!("its text {row} (counted from 0) is no Unicode"))?;
        // Rows are filled up with spaces to one length.
        Ok(if rows > 1 { text.trim_end_matches(' ').to_owned() } else { text })
    };
    Ok(Text { shape: vec![rows as i64], items: (0..rows).map(row).collect::<Result<_, String>>()? })
}

/// A text for each cell.
fn cells(file: &Hdf5, dataset: &Dataset) -> Result<Text, String> {
    let Datatype::Reference { size: 8, .. } = dataset.dtype() else { return Err("its cells cannot be found".into()) };
    let count = take(file, dataset, 8 + 32)?;
    let references = guarded(|| dataset.read_raw_bytes())?;
    let cell = |(at, reference): (usize, &[u8; 8])| {
        let wrong = || {
            format!("cell {at} (counted from 0) is no text; cells of char are read, and numbers as arrays of their own")
        };
        let dataset =
            file.at_address(u64::from_le_bytes(*reference)).filter(|cell| class(cell).as_deref() == Some("char"));
        let text = characters(file, dataset.ok_or_else(wrong)?)?;
        match &text.items[..] {
            [item] => Ok(item.clone()),
            _ => Err(wrong()),
        }
    };
    let items: Vec<String> =
        references.as_chunks::<8>().0.iter().enumerate().map(cell).collect::<Result<_, String>>()?;
    match items.len() as u64 == count {
        true => Ok(Text { shape: vec![count as i64], items }),
        false => Err(format!("it holds {} bytes of references", references.len())),
    }
}
