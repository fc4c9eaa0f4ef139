//! Wrong and odd files through every command that reads data: each ends with its code and one sentence that names the file, what is wrong with
//! it and where, and leaves nothing behind.

mod inputs;
mod samples;
mod series;
mod spikes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bd_core::npz::save_npz;
use tch::Tensor;

use crate::common::{Desk, refusal};

/// Stands for the name of the file among arguments.
const FILE: &str = "FILE";

/// What a file is.
enum Content {
    Bytes(Vec<u8>),
    Arrays(Vec<(String, Tensor)>),
    /// Zeros that take no place on the disk.
    Hole(u64),
    Folder,
    /// There is none.
    Absent,
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<(String, Tensor)>> for Content {
    fn from(arrays: Vec<(String, Tensor)>) -> Self {
        Self::Arrays(arrays)
    }
}

impl Content {
    fn write(&self, path: &Path) {
        match self {
            Self::Bytes(bytes) => fs::write(path, bytes).unwrap(),
            Self::Arrays(arrays) => save_npz(path, arrays).unwrap(),
            Self::Hole(bytes) => fs::File::create(path).unwrap().set_len(*bytes).unwrap(),
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Absent => {}
        }
    }

    /// What tells files apart.
    fn identity(&self, path: &Path) -> Vec<u8> {
        match self {
            Self::Bytes(_) | Self::Arrays(_) => {
                self.write(path);
                fs::read(path).unwrap()
            }
            Self::Hole(bytes) => bytes.to_le_bytes().into(),
            Self::Folder => b"folder".into(),
            Self::Absent => b"absent".into(),
        }
    }
}

/// A file, the command that is given it, the code it ends with, and what it says.
struct Odd {
    name: &'static str,
    content: Content,
    args: Vec<&'static str>,
    code: i32,
    words: String,
}

impl Odd {
    fn new(
        name: &'static str,
        content: impl Into<Content>,
        args: Vec<&'static str>,
        code: i32,
        words: impl Into<String>,
    ) -> Self {
        Self { name, content: content.into(), args, code, words: words.into() }
    }

    /// What is not as it should be.
    fn fault(&self, desk: &Desk) -> Option<String> {
        let path = desk.path(self.name);
        self.content.write(&path);
        let args: Vec<_> = self.args.iter().map(|&arg| if arg == FILE { self.name } else { arg }).collect();
        let found = refusal(desk, &[], &args, self.code, &self.words);
        match self.content {
            Content::Absent => {}
            Content::Folder => fs::remove_dir(&path).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        match found {
            Err(fault) => Some(fault),
            Ok(said) if self.code == 7 && !said.contains(self.name) => {
                Some(format!("it does not name the file: {said}"))
            }
            Ok(_) => None,
        }
    }
}

/// Gives each file to its command.
fn refuse_all(desk: &Desk, all: &[Odd]) {
    let faults: Vec<String> = all.iter().filter_map(|odd| odd.fault(desk)).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
}

#[test]
fn tables_are_refused() {
    refuse_all(&Desk::new(), &series::texts());
}

#[test]
fn arrays_of_series_are_refused() {
    refuse_all(&Desk::new(), &series::arrays());
}

#[test]
fn files_of_samples_are_refused() {
    refuse_all(&Desk::new(), &samples::all());
}

#[test]
fn files_of_spikes_are_refused() {
    refuse_all(&Desk::new(), &spikes::all());
}

#[test]
fn inputs_of_trained_runs_are_refused() {
    let desk = Desk::new();
    inputs::train(&desk);
    refuse_all(&desk, &inputs::all());
    inputs::refuse_changed(&desk);
}

/// The tables do not shrink unseen: so many different files at least, of every job and every command.
#[test]
fn a_hundred_files_are_different() {
    let desk = Desk::new();
    let all: Vec<Odd> = [series::texts(), series::arrays(), samples::all(), spikes::all(), inputs::all()]
        .into_iter()
        .flatten()
        .collect();
    let different: BTreeSet<Vec<u8>> = all.iter().map(|odd| odd.content.identity(&desk.path(odd.name))).collect();
    assert!(different.len() >= 100, "{} files", different.len());
    for command in [["train", "ngrc"], ["train", "rnn"], ["train", "snn"]] {
        assert!(all.iter().filter(|odd| odd.args.starts_with(&command)).count() >= 15, "{command:?}");
    }
    for command in ["predict", "eval"] {
        assert!(all.iter().filter(|odd| odd.args[0] == command).count() >= 10, "{command}");
    }
}
