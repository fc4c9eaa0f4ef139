//! Files made by h5py and pynwb (`scripts/fixtures/hdf5`) against what these read of them.

use std::path::PathBuf;

use crate::{Arrays, Clock};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/hdf5")).join(name)
}

fn read(name: &str) -> Arrays {
    Arrays::read(&fixture(name)).unwrap()
}

/// Every array of the npz file is in the other, of the same dtype and shape, with the same bytes.
fn assert_same(file: &str, npz: &str) {
    let (found, expected) = (read(file), read(npz));
    for name in expected.names() {
        if let Some(text) = expected.text(name) {
            assert_eq!(found.text(name), Some(text), "{file}: {name}");
            continue;
        }
        let array = expected.get(name).unwrap().unwrap();
        let read = found.get(name).unwrap_or_else(|error| panic!("{error}"));
        let read = read.unwrap_or_else(|| panic!("{file} lacks {name}; there are {}", found.describe()));
        assert_eq!((read.kind(), read.size()), (array.kind(), array.size()), "{file}: {name}");
        let bytes = |tensor| crate::files::host_bytes(tensor).unwrap();
        assert!(bytes(read) == bytes(array), "{file}: {name} is not the same");
    }
}

#[test]
fn arrays_are_those_of_h5py() {
    assert_same("plain.h5", "plain.npz");
    assert_same("latest.h5", "plain.npz");
}

#[test]
fn spikes_are_those_of_the_npz_file() {
    assert_same("digits.h5", "digits.npz");
    assert_same("digits_f8.h5", "digits_f8.npz");
}

#[test]
fn recordings_are_those_of_pynwb() {
    assert_same("recording.nwb", "recording.npz");
    let arrays = read("recording.nwb");
    let clock = |name: &str| arrays.clock(name).unwrap().unwrap();
    assert_eq!(clock("acquisition/lfp"), Clock::Even { start_s: 1.5, dt_s: 1.0 / 250.0 });
    let Clock::Times(times) = clock("acquisition/pupil") else { panic!("it has timestamps") };
    assert_eq!((times.len(), times[0], times[299]), (300, 3.0, 299.0 * 0.02 + 3.0));
    assert!(arrays.clock("acquisition/lfp/data").is_none());
}

#[test]
fn variables_are_those_of_matlab() {
    assert_same("matlab.mat", "matlab.npz");
    assert!(read("matlab.mat").drops_trailing_ones());
}

/// What is no array of numbers or text is refused where it is wanted, by its name and with a way out.
#[test]
fn what_is_no_array_is_refused_by_name() {
    let told = |file: &str, name: &str| read(file).get(name).unwrap_err().to_string();
    for (name, words) in [
        ("odd/records", "odd/records: it holds records, of which each field may be saved as an array of its own"),
        ("odd/complex", "odd/complex: it holds complex numbers"),
        ("odd/great", "its number 1 (counted from 0) is 9223372036854775808, which is more than int64 holds"),
        ("odd/rows", "odd/rows: it holds rows of several lengths"),
        ("odd/lzf", "odd/lzf: it is compressed by a filter that is not read"),
        ("odd/null", "odd/null: it is empty, of no dimensions"),
        ("odd/huge", "odd/huge: its 8796093022208 bytes are more than the"),
        ("session/subject", "session/subject is text [24], and no numbers"),
    ] {
        for file in ["plain.h5", "latest.h5"] {
            let error = told(file, name);
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
    for (name, words) in [
        ("mixed", "mixed: cell 0 (counted from 0) is no text"),
        ("none", "none: it is empty"),
        ("words", "words is text [2], and no numbers"),
    ] {
        let error = told("matlab.mat", name);
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    let error = Arrays::read_trials(&fixture("recording.nwb"), Some("epochs")).unwrap_err().to_string();
    assert!(
        error.ends_with("no table of intervals is called 'epochs' (`data.arrays.trials`); there are: trials"),
        "{error}"
    );
}

/// Beginnings of other formats, and nothing at all.
#[test]
fn other_files_are_refused_with_the_line_that_converts() {
    let folder = tempfile::tempdir().unwrap();
    let error = Arrays::read(&fixture("old.mat")).unwrap_err().to_string();
    assert!(error.contains("version 5 to 7, and 7.3 is read") && error.contains("save('new.mat', '-v7.3')"), "{error}");
    for (name, content, words) in [
        ("a.h5", &b"\x0e\x03\x13\x01rest"[..], "it is HDF4, and HDF5 is read; convert it: h4toh5convert OLD NEW"),
        ("a.nwb", b"CDF\x01rest", "it is netCDF 3"),
        ("a.h5", b"PK\x03\x04", "it is a zip archive"),
        ("a.mat", b"\x00\x00\x00\x00\x01\x00\x00\x00", "it is no MATLAB file of version 7.3"),
        ("a.hdf5", b"", "it is empty"),
        ("a.h5", b"t,v\n1,2\n", "it is no HDF5 file, or damaged"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = Arrays::read(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    let whole = std::fs::read(fixture("recording.nwb")).unwrap();
    let path = folder.path().join("cut.nwb");
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = Arrays::read(&path).unwrap_err().to_string();
    assert!(error.ends_with("it is cut off: it has 109199 of 109200 bytes"), "{error}");
    let error = Arrays::read_trials(&fixture("digits.h5"), Some("trials")).unwrap_err().to_string();
    assert!(error.contains("it is no NWB file"), "{error}");
}

/// Links that lead nowhere or to other files are passed over; groups that hold themselves are listed once.
#[test]
fn links_are_followed_within_the_file() {
    let arrays = read("plain.h5");
    assert!(arrays.has("again") && !arrays.has("nowhere") && !arrays.has("elsewhere"));
    assert!(arrays.has("session/v") && !arrays.has("session/itself/v"));
    assert!(arrays.names().count() < 100, "{}", arrays.names().count());
}

/// As they are, with their paths: what has a meaning for training has none here.
#[test]
fn datasets_are_those_of_the_file() {
    let found = crate::hdf5_datasets(&fixture("digits.h5")).unwrap();
    let expected = read("digits.npz");
    let (_, labels) = found.iter().find(|(path, _)| path == "labels").unwrap();
    let Ok(crate::Member::Numbers(labels)) = labels else { panic!("labels are numbers") };
    assert!(labels.numel() > 0 && expected.names().count() > 0);
    let (_, times) = found.iter().find(|(path, _)| path == "spikes/times").unwrap();
    assert!(times.as_ref().unwrap_err().starts_with("spikes/times: it holds rows of several lengths"));
    assert!(crate::hdf5_datasets(&fixture("none.h5")).is_err());
}
