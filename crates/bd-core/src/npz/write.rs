//! Writing: uncompressed and without dates, so that the same tensors give the same bytes.

use std::io::{Cursor, Write};
use std::path::Path;

use tch::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{DTYPES, MAGIC};
use crate::error::{Error, Result};
use crate::files::{host_bytes, write_atomic};
use crate::named::kind_name;
use crate::stored::Stored;

/// Writes named tensors as an `.npz` file in one step.
pub fn save_npz(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    save_npz_with_text(path, tensors, &[])
}

/// The same with lists of text behind them, each under its name as an array of numpy's dtype `U`.
pub fn save_npz_with_text(path: &Path, tensors: &[(String, Tensor)], texts: &[(&str, &[String])]) -> Result<()> {
    write_atomic(path, &npz_to_bytes(tensors, texts)?)
}

/// The content of an `.npz` file with these tensors, and these lists of text behind them.
pub fn npz_to_bytes(tensors: &[(String, Tensor)], texts: &[(&str, &[String])]) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(true);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let numbers = tensors.iter().map(|(name, tensor)| npy(name, tensor).map(|member| (name.as_str(), member)));
    let texts = texts.iter().map(|(name, items)| Ok((*name, npy_of_text(items))));
    for member in numbers.chain(texts) {
        let (name, member) = member?;
        zip.start_file(format!("{name}.npy"), options)
            .and_then(|()| zip.write_all(&member).map_err(Into::into))
            .map_err(|error| Error::Config(format!("{name} cannot be written to an npz file: {error}")))?;
    }
    let content = zip.finish().map_err(|error| Error::Config(format!("the npz file cannot be finished: {error}")))?;
    Ok(content.into_inner())
}

/// The content of an `.npy` file, version 1.0.
pub(super) fn npy(name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let kind = tensor.kind();
    let Some((code, _)) = DTYPES.iter().find(|(_, known)| *known == Stored::As(kind)) else {
        return Err(Error::Config(format!("{name}: {} cannot be written as npy", kind_name(kind))));
    };
    let order = if kind.elt_size_in_bytes() == 1 { '|' } else { '<' };
    Ok(with_header(&format!("{order}{code}"), &tensor.size(), &host_bytes(tensor)?))
}

/// A list of text, of as many code points each as the longest has.
fn npy_of_text(items: &[String]) -> Vec<u8> {
    let longest = items.iter().map(|item| item.chars().count()).max().unwrap_or(0).max(1);
    let filled =
        |item: &String| item.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>();
    let data: Vec<u8> = items.iter().flat_map(filled).flat_map(u32::to_le_bytes).collect();
    with_header(&format!("<U{longest}"), &[items.len() as i64], &data)
}

fn with_header(descr: &str, shape: &[i64], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take ten bytes, the last one is a newline, and the data begin at a multiple of 64.
    let padding = (64 - (header.len() + 11) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut content = [MAGIC.as_slice(), &[1, 0]].concat();
    content.extend_from_slice(&u16::try_from(header.len()).expect("a header of a few dimensions").to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content.extend_from_slice(data);
    content
}
