//! Reading arrays that others wrote.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use tch::Tensor;
use zip::ZipArchive;

use super::MAGIC;
use super::header::{Element, Header};
use crate::error::{Error, Result};
use crate::stored::{self, Member, Text};

/// What the members of one `.npz` file may expand to together, 8 GiB, or the file's own length where that is more: a
/// deflated member can hold a thousand times its length.
pub const MAX_BYTES: u64 = 8 << 30;

/// Texts of one array that are read: each is a string of its own, which takes many times the bytes of a short one.
const MAX_TEXTS: u64 = 1 << 22;

/// Only fields of records make a header longer than some hundred bytes, and these are not read.
const MAX_HEADER: u64 = 1 << 16;

/// Reads every array of numbers of an `.npz` file, stored or deflated, in the file's order, on the host. One that is not there is
/// a bad file too, and so is one with an array that cannot be read; [`Arrays`](crate::Arrays) passes those over, and reads text too.
pub fn load_npz(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let file = open(path)?;
    let length = file.metadata().map_or(0, |meta| meta.len());
    read_npz(path, BufReader::new(file), MAX_BYTES.max(length))
}

/// Reads an `.npy` file, on the host. One that is not there is a bad file too.
pub fn load_npy(path: &Path) -> Result<Tensor> {
    let source = Source { path, member: None };
    read_npy(&source, &mut BufReader::new(open(path)?), &mut { u64::MAX })
}

/// The array of an `.npy` file of this content.
pub(crate) fn npy_of_bytes(path: &Path, content: &[u8]) -> Result<Member> {
    read_member(&Source { path, member: None }, &mut std::io::Cursor::new(content), &mut { u64::MAX })
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))
}

/// What is being read, for messages.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) member: Option<&'a str>,
}

impl Source<'_> {
    fn bad(&self, reason: impl Display) -> Error {
        match self.member {
            Some(member) => Error::bad_file(self.path, format!("member {member:?}: {reason}")),
            None => Error::bad_file(self.path, reason.to_string()),
        }
    }
}

/// All arrays, each of which can be read.
pub(super) fn read_npz(path: &Path, file: impl Read + Seek, left: u64) -> Result<Vec<(String, Tensor)>> {
    let all = members(path, file, left)?.into_iter();
    let numbers = |(name, array): (String, stored::Read)| match array {
        Ok(Member::Numbers(tensor)) => Some(Ok((name, tensor))),
        Ok(Member::Text(_)) => None,
        Err(reason) => Some(Err(Error::bad_file(path, reason))),
    };
    all.filter_map(numbers).collect()
}

/// All arrays by name, or why one cannot be read. `left` is what they may expand to together. What is no array is passed over: folders,
/// texts, and what macOS adds to every archive.
pub(crate) fn members(path: &Path, file: impl Read + Seek, mut left: u64) -> Result<Vec<(String, stored::Read)>> {
    let whole = Source { path, member: None };
    let mut zip = ZipArchive::new(file).map_err(|error| whole.bad(format!("not an npz file: {error}")))?;
    if zip.has_duplicate_names() {
        return Err(whole.bad("two members have one name"));
    }
    // Members that share their bytes would be read as often as they are listed.
    if zip.has_overlapping_entries().map_err(|error| whole.bad(format!("not an npz file: {error}")))? {
        return Err(whole.bad("its members overlap"));
    }
    let mut tensors = Vec::new();
    for i in 0..zip.len() {
        let name = match zip.name_for_index(i) {
            Some(Ok(name)) => name.into_owned(),
            _ => return Err(whole.bad(format!("the name of member {i} cannot be read"))),
        };
        let source = Source { path, member: Some(&name) };
        let Some(array) = name.strip_suffix(".npy").filter(|_| !name.starts_with("__MACOSX/")) else { continue };
        let read = zip.by_index(i).map_err(|error| source.bad(error));
        match read.and_then(|mut member| read_member(&source, &mut member, &mut left)) {
            Ok(member) => tensors.push((array.to_owned(), Ok(member))),
            Err(Error::BadFile { reason, .. }) => tensors.push((array.to_owned(), Err(reason))),
            Err(error) => return Err(error),
        }
    }
    Ok(tensors)
}

/// Reads an array of numbers that ends where `reader` ends, and takes its length from `left`.
pub(super) fn read_npy(source: &Source, reader: &mut impl Read, left: &mut u64) -> Result<Tensor> {
    match read_member(source, reader, left)? {
        Member::Numbers(tensor) => Ok(tensor),
        Member::Text(Text { shape, .. }) => Err(source.bad(format!("it is text {shape:?}, and no numbers"))),
    }
}

/// Reads an array that ends where `reader` ends, and takes its length from `left`.
fn read_member(source: &Source, reader: &mut impl Read, left: &mut u64) -> Result<Member> {
    let start = read_exactly(source, reader, 8, "start")?;
    if &start[..6] != MAGIC {
        return Err(source.bad("not an npy file: it does not begin as numpy writes it"));
    }
    let width = match (start[6], start[7]) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        (major, minor) => {
            return Err(source.bad(format!("it is npy version {major}.{minor}; 1.0, 2.0 and 3.0 can be read")));
        }
    };
    let length = read_exactly(source, reader, width, "header")?;
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | u64::from(byte));
    if length > MAX_HEADER {
        return Err(source.bad(format!("its header would have {length} bytes; at most {MAX_HEADER} are read")));
    }
    let text = read_exactly(source, reader, length, "header")?;
    let header = Header::parse(&String::from_utf8_lossy(&text)).map_err(|reason| source.bad(reason))?;
    let texts = header.bytes / header.element.size().max(1) as u64;
    if !matches!(header.element, Element::Number(_)) && texts > MAX_TEXTS {
        return Err(source.bad(format!(
            "it is {texts} texts; at most {MAX_TEXTS} are read. Save numbers in place of so many texts"
        )));
    }
    let Some(rest) = left.checked_sub(header.bytes) else {
        return Err(source.bad(format!(
            "its {} bytes are more than the {left} that are left of what the members of one file may expand to",
            header.bytes
        )));
    };
    *left = rest;
    let mut data = read_exactly(source, reader, header.bytes, "data")?;
    // This last look also makes the zip reader compare the checksum.
    if reader.take(1).read_to_end(&mut Vec::new()).map_err(|error| trouble(source, error))? > 0 {
        return Err(source.bad(format!("it goes on after the {} bytes that its header tells of", header.bytes)));
    }
    if header.big_endian {
        data.chunks_exact_mut(header.element.unit()).for_each(<[u8]>::reverse);
    }
    let stored = match header.element {
        Element::Number(stored) => stored,
        _ => return text_of(&header, &data).map(Member::Text).map_err(|reason| source.bad(reason)),
    };
    // libtorch copies as many bytes as the shape says; `data` has just that many.
    let tensor = |shape: &[i64]| stored.tensor(&data, shape).map_err(|reason| source.bad(reason));
    if !header.fortran_order {
        return tensor(&header.shape).map(Member::Numbers);
    }
    let reversed: Vec<i64> = header.shape.iter().rev().copied().collect();
    let dims: Vec<i64> = (0..reversed.len() as i64).rev().collect();
    Ok(Member::Numbers(tensor(&reversed)?.f_permute(dims)?.f_contiguous()?))
}

/// The text of `data`, without the zeros at the end of each element.
fn text_of(header: &Header, data: &[u8]) -> std::result::Result<Text, String> {
    if header.fortran_order && header.shape.len() > 1 {
        return Err("it is text in the order of columns; save numpy.ascontiguousarray of it".into());
    }
    let element = |(at, bytes): (usize, &[u8])| {
        let read = match header.element {
            Element::Unicode(_) => {
                let points = bytes.as_chunks::<4>().0.iter().map(|point| char::from_u32(u32::from_le_bytes(*point)));
                points.collect::<Option<String>>()
            }
            _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
        };
        let text = read.ok_or_else(|| format!("its text {at} (counted from 0) is neither Unicode nor UTF-8"))?;
        Ok(text.trim_end_matches('\0').to_owned())
    };
    let items = data.chunks_exact(header.element.size()).enumerate().map(element);
    Ok(Text { shape: header.shape.clone(), items: items.collect::<std::result::Result<_, String>>()? })
}

/// Memory grows with what is read, whatever length a header claims.
fn read_exactly(source: &Source, reader: &mut impl Read, length: u64, what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length).read_to_end(&mut bytes).map_err(|error| trouble(source, error))?;
    if bytes.len() as u64 != length {
        return Err(source.bad(format!("its {what} ends after {} of {length} bytes", bytes.len())));
    }
    Ok(bytes)
}

fn trouble(source: &Source, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::OutOfMemory => Error::OutOfMemory(source.bad("it does not fit into memory").to_string()),
        _ => source.bad(format!("cannot be read: {error}")),
    }
}
