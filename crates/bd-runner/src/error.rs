//! What can go wrong: when a run is opened, and in a step.

use std::path::{Path, PathBuf};

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// A file that is not what it should be.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A model that cannot be run in steps, in words.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    pub(crate) fn bad_file(path: &Path, reason: impl ToString) -> Self {
        Self::BadFile { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// Why a step was not made. The state is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// Another number of inputs.
    #[error("a step takes {expected} numbers, and {found} were given")]
    Length {
        /// Numbers of all lanes.
        expected: usize,
        /// Numbers that were given.
        found: usize,
    },

    /// An input that is no finite number, or none in the model's dtype.
    #[error("input {index} of lane {lane} is not a finite number")]
    NotFinite {
        /// Which sequence.
        lane: usize,
        /// Which input, from 0.
        index: usize,
    },
}
