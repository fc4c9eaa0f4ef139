//! [`State`]: how a run stands.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::folder::LOCK;
use crate::manifest::Status;

/// How a run stands, by its manifest and by whether a process holds its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Ended as it should.
    Finished,
    /// A process is at work in the folder.
    Running {
        /// The process, in words; empty if it is not known.
        owner: String,
    },
    /// Begun and not ended, and no process is at work: it was killed.
    CutOff,
    /// Stopped by a signal.
    Stopped,
    /// A loss or gradient was not finite.
    Diverged,
    /// Ended by another error.
    Failed,
}

impl State {
    pub(super) fn of(folder: &Path, status: Status) -> Self {
        match status {
            Status::Done => Self::Finished,
            Status::Stopped => Self::Stopped,
            Status::Diverged => Self::Diverged,
            Status::Failed => Self::Failed,
            Status::Running => holder(folder).map_or(Self::CutOff, |owner| Self::Running { owner }),
        }
    }

    /// Whether there will be no more of it by itself, and it has come to its end.
    pub fn is_finished(&self) -> bool {
        *self == Self::Finished
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Running { .. } => "running",
            Self::CutOff => "cut off",
            Self::Stopped => "stopped",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who holds the lock of a folder, if anybody does. It is tried for a moment, and nothing is written.
fn holder(folder: &Path) -> Option<String> {
    let path = folder.join(LOCK);
    match File::open(&path).ok()?.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(fs::read_to_string(&path).unwrap_or_default().trim().to_owned()),
        _ => None,
    }
}
