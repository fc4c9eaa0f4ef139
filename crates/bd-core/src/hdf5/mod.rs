//! Arrays of HDF5 files, in this module alone through the crate `hdf5-reader`: plain ones by their paths, spikes as the Heidelberg data
//! sets have them, recordings in NWB, and what MATLAB saves with `-v7.3`.
//!
//! Nothing is read before somebody asks for it, and nothing larger than the file can hold. Files from elsewhere are read without trust:
//! what the crate panics at is an error of the array or of the file.

mod file;
mod found;
mod matlab;
mod nwb;
mod ragged;
mod read;
mod tensors;
#[cfg(test)]
mod tests;
mod trials;

use std::path::Path;

use self::file::Hdf5;
pub use self::found::Clock;
pub(crate) use self::found::{Found, Later};
use crate::error::{Error, Result};
use crate::stored::Member;

/// Names of files that are HDF5.
pub(crate) const ENDINGS: [&str; 4] = ["h5", "hdf5", "nwb", "mat"];

/// A dataset by its path without the first slash, or why it cannot be read, in a sentence that begins with the path.
pub type NamedMember = (String, std::result::Result<Member, String>);

/// Every dataset of an HDF5 file as it is, for formats that are made of them. Of all together no more is read than the file can hold.
///
/// Fails with [`Error::Storage`] if the file cannot be opened, and with [`Error::BadFile`] if it is no HDF5, or cut off.
pub fn hdf5_datasets(path: &Path) -> Result<Vec<NamedMember>> {
    let content = std::fs::File::open(path).map_err(Error::storage("read", path))?;
    let bad = |reason| Error::bad_file(path, reason);
    file::refuse_others(&content, false).map_err(bad)?;
    let file = Hdf5::open(content).map_err(bad)?;
    let found = file.datasets().iter().map(|entry| Found::dataset(&file, entry));
    Ok(found
        .map(|Found { name, later }| {
            let read = (later.read)();
            (name, read)
        })
        .collect())
}

/// What [`open`] finds.
pub(crate) struct Opened {
    /// Arrays that have a meaning first, then all others by their paths.
    pub(crate) arrays: Vec<Found>,
    /// How many have a meaning.
    pub(crate) meant: usize,
    /// What to do where an array is missing, in words.
    pub(crate) advice: Option<String>,
    /// Whether trailing dimensions of length 1 are dropped, as MATLAB does.
    pub(crate) of_matlab: bool,
}

/// The arrays of a file. `trials` names the table of intervals of an NWB file that says where samples begin and end.
pub(crate) fn open(path: &Path, content: std::fs::File, trials: Option<&str>) -> Result<Opened> {
    opened(path, content, trials).map_err(|reason| Error::bad_file(path, reason))
}

fn opened(path: &Path, content: std::fs::File, trials: Option<&str>) -> Result<Opened, String> {
    let found = found(path, content, trials)?;
    match found.arrays.is_empty() {
        true => Err("there is no dataset in it".into()),
        false => Ok(found),
    }
}

fn found(path: &Path, content: std::fs::File, trials: Option<&str>) -> Result<Opened, String> {
    let is_mat = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mat"));
    file::refuse_others(&content, is_mat)?;
    let file = Hdf5::open(content)?;
    if is_mat || file.is_matlab() {
        return Ok(Opened { arrays: matlab::arrays(&file), meant: 0, advice: advice(), of_matlab: true });
    }
    let mut opened = Opened { arrays: Vec::new(), meant: 0, advice: advice(), of_matlab: false };
    if file.is_nwb() {
        let recording = nwb::recording(&file, trials)?;
        opened = Opened { arrays: recording.arrays, advice: recording.advice, ..opened };
    } else if let Some(table) = trials {
        return Err(format!("it is no NWB file, and has no table of trials ({table})"));
    } else {
        opened.arrays = ragged::digits(&file);
        opened.arrays.extend(parts(&file));
    }
    let plain = file.datasets().iter().map(|entry| Found::dataset(&file, entry));
    let plain: Vec<Found> = plain.filter(|plain| opened.arrays.iter().all(|other| other.name != plain.name)).collect();
    opened.meant = opened.arrays.len();
    opened.arrays.extend(plain);
    Ok(opened)
}

/// The arrays in folders `train` and `test`, such as `train/x`, as those of the parts, such as `x_train`: where inputs are among them.
fn parts(file: &Hdf5) -> Vec<Found> {
    let has_inputs = |part: &str| file.within(part).any(|(name, _)| ["x", "times"].contains(&name));
    let parts = ["train", "test"].into_iter().filter(|part| has_inputs(part));
    let of = |part: &'static str| {
        let called = move |name: &str| format!("{name}_{part}");
        file.within(part).map(move |(name, entry)| Found { name: called(name), ..Found::dataset(file, entry) })
    };
    parts.flat_map(of).collect()
}

/// Of arrays that are called by whoever has written the file.
fn advice() -> Option<String> {
    Some("name the input and the target with `data.arrays.x` and `data.arrays.y`".into())
}
