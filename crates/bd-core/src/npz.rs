//! numpy's `.npz`: a zip of `.npy` members. Written uncompressed and without dates, so that the same tensors give the
//! same bytes.
//!
//! Format: numpy's documentation, `numpy.lib.format`, version 1.0.

use std::io::{Cursor, Write};
use std::path::Path;

use tch::{Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::{Error, Result};
use crate::files::{host_bytes, write_atomic};
use crate::named::kind_name;

/// Writes named tensors as an `.npz` file in one step.
pub fn save_npz(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(true);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in tensors {
        let member = npy(name, tensor)?;
        zip.start_file(format!("{name}.npy"), options)
            .and_then(|()| zip.write_all(&member).map_err(Into::into))
            .map_err(|error| Error::Config(format!("{name} cannot be written to an npz file: {error}")))?;
    }
    let content = zip.finish().map_err(|error| Error::Config(format!("the npz file cannot be finished: {error}")))?;
    write_atomic(path, content.get_ref())
}

/// The content of an `.npy` file.
fn npy(name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let descr = match tensor.kind() {
        Kind::Float => "<f4",
        Kind::Double => "<f8",
        Kind::Int => "<i4",
        Kind::Int64 => "<i8",
        Kind::Uint8 => "|u1",
        Kind::Bool => "|b1",
        other => return Err(Error::Config(format!("{name}: {} cannot be written as npy", kind_name(other)))),
    };
    let shape: String = tensor.size().iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take ten bytes, the last one is a newline, and the data begin at a multiple of 64.
    let padding = (64 - (header.len() + 11) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend_from_slice(&u16::try_from(header.len()).expect("a header of a few dimensions").to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content.extend_from_slice(&host_bytes(tensor)?);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tch's own reader is the independent one.
    #[test]
    fn another_reader_finds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.npz");
        let tensors = vec![
            ("a".to_owned(), Tensor::from_slice(&[0.1f64, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape([2, 3]).transpose(0, 1)),
            ("b".to_owned(), Tensor::from_slice(&[1.5f32])),
            ("c".to_owned(), Tensor::from_slice(&[i64::MIN, 7]).reshape([1, 2, 1])),
            ("scalar".to_owned(), Tensor::from(3.5f64)),
        ];
        save_npz(&path, &tensors).unwrap();
        let first = std::fs::read(&path).unwrap();
        let back = Tensor::read_npz(&path).unwrap();
        assert_eq!(back.len(), tensors.len());
        for (name, saved) in &tensors {
            let (_, loaded) = back.iter().find(|(known, _)| known == name).unwrap();
            assert!(saved.equal(loaded), "{name}");
        }
        save_npz(&path, &tensors).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first, "the same tensors give the same bytes");
    }

    #[test]
    fn data_begin_at_a_multiple_of_64() {
        for rank in 0..6 {
            let tensor = Tensor::zeros(vec![1; rank], (Kind::Float, tch::Device::Cpu));
            assert_eq!((npy("t", &tensor).unwrap().len() - 4) % 64, 0, "rank {rank}");
        }
    }
}
