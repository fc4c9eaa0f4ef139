//! Round trips, files that numpy wrote, files that are wrong.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use tch::{Device, Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::read::{Source, read_npy, read_npz};
use super::write::npy;
use super::*;
use crate::error::Result;

fn named(name: &str, tensor: Tensor) -> (String, Tensor) {
    (name.to_owned(), tensor)
}

fn assert_same(found: &[(String, Tensor)], expected: &[(String, Tensor)]) {
    assert_eq!(found.len(), expected.len());
    for ((name, got), (wanted, want)) in found.iter().zip(expected) {
        assert_eq!((name, got.size(), got.kind()), (wanted, want.size(), want.kind()));
        assert!(got.is_contiguous() && got.equal(want), "{name}");
    }
}

fn parse(content: &[u8]) -> Result<Tensor> {
    read_npy(&Source { path: Path::new("a.npy"), member: None }, &mut Cursor::new(content), &mut { u64::MAX })
}

fn unzip(content: &[u8]) -> Result<Vec<(String, Tensor)>> {
    read_npz(Path::new("a.npz"), Cursor::new(content), MAX_BYTES)
}

/// An `.npy` file by hand.
fn by_hand(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    [MAGIC.as_slice(), &[version, 0], &length[..if version == 1 { 2 } else { 4 }], header.as_bytes(), data].concat()
}

fn zipped(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn everything_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.npz");
    let mut tensors = vec![
        named("b", Tensor::from_slice(&[0.1f64, -0.0, 3.0, 4.0, 5.0, f64::INFINITY]).reshape([2, 3]).transpose(0, 1)),
        named("a", Tensor::from_slice(&[i64::MIN, 7]).reshape([1, 2, 1])),
        named("layer/scalar", Tensor::from(3.5f64)),
        named("empty", Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))),
    ];
    for (code, stored) in DTYPES {
        let Stored::As(kind) = stored else { continue };
        tensors.push(named(code, Tensor::from_slice(&[0i64, 1, 1, 0]).to_kind(kind)));
    }
    save_npz(&path, &tensors).unwrap();
    assert_same(&load_npz(&path).unwrap(), &tensors);
    for (name, tensor) in &tensors {
        let path = folder.path().join("one.npy");
        fs::write(&path, npy(name, tensor).unwrap()).unwrap();
        assert_same(&[(name.clone(), load_npy(&path).unwrap())], &[(name.clone(), tensor.shallow_clone())]);
    }
}

/// tch's own reader is the independent one.
#[test]
fn another_reader_finds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.npz");
    let tensors = vec![
        named("a", Tensor::from_slice(&[0.1f64, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape([2, 3]).transpose(0, 1)),
        named("b", Tensor::from_slice(&[1.5f32])),
        named("c", Tensor::from_slice(&[i64::MIN, 7]).reshape([1, 2, 1])),
        named("scalar", Tensor::from(3.5f64)),
    ];
    save_npz(&path, &tensors).unwrap();
    let first = fs::read(&path).unwrap();
    let back = Tensor::read_npz(&path).unwrap();
    assert_eq!(back.len(), tensors.len());
    for (name, saved) in &tensors {
        let (_, loaded) = back.iter().find(|(known, _)| known == name).unwrap();
        assert!(saved.equal(loaded), "{name}");
    }
    save_npz(&path, &tensors).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "the same tensors give the same bytes");
}

#[test]
fn data_begin_at_a_multiple_of_64() {
    for rank in 0..6 {
        let tensor = Tensor::zeros(vec![1; rank], (Kind::Float, Device::Cpu));
        assert_eq!((npy("t", &tensor).unwrap().len() - 4) % 64, 0, "rank {rank}");
    }
}

/// numpy 2.5.5, and 1.24.4 to the byte: `savez_compressed(f, x=arange(6, dtype="<f4").reshape(2, 3),
/// y=asfortranarray(arange(6, dtype="<i2").reshape(3, 2)), z=array(True))`.
const FROM_NUMPY: &str = "504b03042d0000000800000021004fe9002affffffffffffffff05001400782e6e707901001000980000000000000055000000000000009b\
     ec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a\
     463a0ac69a3a0ab50a64032e063068b007120e4004c40d40bcc00100504b03042d000000080000002100eb92839dffffffffffffffff0500\
     1400792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a4aea3a09e\
     965f54529498179f5f94920a120f292a4d050a17672416a402b91ac63a0a469a3a0ab50ae4032e06062606160646066606560600504b0304\
     2d000000080000002100822df8d3ffffffffffffffff050014007a2e6e707901001000810000000000000043000000000000009bec17ea1b\
     10c9c850c650ad9e925a9c5ca46ea5a05e9364a8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a9a3a0ab5\
     0a14012e4600504b01022d032d0000000800000021004fe9002a5500000098000000050000000000000000000000800100000000782e6e70\
     79504b01022d032d000000080000002100eb92839d510000008c00000005000000000000000000000080018c000000792e6e7079504b0102\
     2d032d000000080000002100822df8d343000000810000000500000000000000000000008001140100007a2e6e7079504b05060000000003\
     000300990000008e0100000000";

#[test]
fn files_of_numpy_are_read() {
    let digits = FROM_NUMPY.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let content: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let expected = [
        named("x", Tensor::from_slice(&[0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0]).reshape([2, 3])),
        named("y", Tensor::from_slice(&[0i16, 1, 2, 3, 4, 5]).reshape([3, 2])),
        named("z", Tensor::from(true)),
    ];
    assert_same(&unzip(&content).unwrap(), &expected);
    // Whatever a byte of it becomes, the numbers of a name are right or refused: checksums see to that.
    for (at, flip) in (0..content.len()).flat_map(|at| [0x01, 0x80, 0xff].map(|flip| (at, flip))) {
        let mut changed = content.clone();
        changed[at] ^= flip;
        if let Ok(found) = unzip(&changed) {
            for (name, got) in found {
                let want = expected.iter().find(|(known, _)| *known == name);
                assert!(want.is_none_or(|(_, want)| got.equal(want)), "byte {at}");
            }
        }
    }
    for length in 0..content.len() {
        assert!(unzip(&content[..length]).is_err(), "cut after {length} bytes");
    }
}

#[test]
fn both_orders_and_every_version() {
    let expected = Tensor::from_slice(&[1i8, 2, 3, 4, 5, 6]).reshape([1, 2, 3]);
    let header = |order| format!("{{'descr': '|i1', 'fortran_order': {order}, 'shape': (1, 2, 3), }}\n");
    for version in [1, 2, 3] {
        for (order, data) in [("False", [1, 2, 3, 4, 5, 6]), ("True", [1, 4, 2, 5, 3, 6])] {
            let found = parse(&by_hand(version, &header(order), &data)).unwrap();
            assert_same(&[named("", found)], &[named("", expected.shallow_clone())]);
        }
    }
}

#[test]
fn an_npy_file_cut_anywhere_is_refused() {
    let content = npy("t", &Tensor::from_slice(&[1.0f32, 2.0])).unwrap();
    for length in 0..content.len() {
        assert!(parse(&content[..length]).is_err(), "cut after {length} bytes");
        let mut changed = content.clone();
        changed[length] ^= 0xff;
        let _ = parse(&changed); // it may be another array, but never a panic
    }
}

#[test]
fn arrays_that_are_refused_say_what_is_wrong() {
    let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    let (one, huge) = (header("(1,)"), header("(1099511627776, 1024)"));
    let booleans = "{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}";
    let texts = "{'descr': '|S1', 'fortran_order': False, 'shape': (4194305,)}";
    let objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}";
    for (content, words) in [
        (by_hand(1, &one, &[0; 3]), "its data ends after 3 of 4 bytes"),
        (by_hand(1, &one, &[0; 5]), "it goes on after the 4 bytes"),
        (by_hand(1, &huge, &[0; 9]), "its data ends after 9 of 4503599627370496 bytes"),
        (by_hand(1, booleans, &[2]), "a bool of it is neither 0 nor 1"),
        // Before a byte of them: as strings they would take 24 times the memory.
        (by_hand(1, texts, &[]), "it is 4194305 texts; at most 4194304 are read"),
        (by_hand(1, objects, &[0x80]), "Python objects, which only pickle can read"),
        (by_hand(4, &one, &[0; 4]), "npy version 4.0; 1.0, 2.0 and 3.0"),
        (by_hand(2, &" ".repeat(70_000), &[]), "its header would have 70000 bytes; at most 65536"),
        (b"PK\x03\x04 and so on".to_vec(), "it does not begin as numpy writes it"),
        (vec![], "its start ends after 0 of 8 bytes"),
    ] {
        let message = parse(&content).unwrap_err().to_string();
        assert!(message.starts_with("a.npy: ") && message.contains(words), "{words}: {message}");
        let stored = zipped(&[("w.npy", &content)], CompressionMethod::Stored);
        let message = unzip(&stored).unwrap_err().to_string();
        assert!(message.starts_with("a.npz: member \"w.npy\": "), "{message}");
    }
    let message = load_npy(Path::new("/nowhere/w.npy")).unwrap_err().to_string();
    assert!(message.starts_with("/nowhere/w.npy: cannot be read: "), "{message}");
}

#[test]
fn zips_that_are_refused_say_what_is_wrong() {
    let array = npy("t", &Tensor::from_slice(&[1.0f32])).unwrap();
    let refused = |content: &[u8]| unzip(content).unwrap_err().to_string();
    assert!(refused(&array).starts_with("a.npz: not an npz file: "), "{}", refused(&array));
    let text = zipped(&[("w.npy", &array), ("notes.txt", b"hello")], CompressionMethod::Stored);
    assert_eq!(unzip(&text).unwrap().len(), 1); // what is no array is passed over
    let mut altered = zipped(&[("w.npy", &array)], CompressionMethod::Stored);
    let value = altered.windows(4).position(|four| four == 1.0f32.to_le_bytes()).unwrap();
    altered[value] = 1;
    assert!(refused(&altered).contains("hecksum"), "{}", refused(&altered));
    let mut twice = zipped(&[("v.npy", &array), ("w.npy", &array)], CompressionMethod::Stored);
    for at in 0..twice.len() - 5 {
        if &twice[at..at + 5] == b"v.npy" {
            twice[at] = b'w';
        }
    }
    assert_eq!(refused(&twice), "a.npz: two members have one name");
    let mut shared = zipped(&[("v.npy", &array), ("w.npy", &array)], CompressionMethod::Stored);
    let entry = shared.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    shared[entry + 42..entry + 46].fill(0); // where the second member begins
    assert_eq!(refused(&shared), "a.npz: its members overlap");
}

/// A thousand times the size of the file: read where it may be, refused before a byte of it where not.
#[test]
fn what_members_expand_to_together_is_limited() {
    let zeros = Tensor::zeros([1 << 20], (Kind::Uint8, Device::Cpu));
    let content = npy("t", &zeros).unwrap();
    let zip = zipped(&[("v.npy", &content), ("w.npy", &content)], CompressionMethod::Deflated);
    assert!(zip.len() < 10_000);
    let with = |left| read_npz(Path::new("a.npz"), Cursor::new(&zip), left);
    assert_same(&with(2 << 20).unwrap(), &[named("v", zeros.shallow_clone()), named("w", zeros)]);
    let message = with((2 << 20) - 1).unwrap_err().to_string();
    assert!(
        message.contains("member \"w.npy\": its 1048576 bytes are more than the 1048575 that are left"),
        "{message}"
    );
}
