//! Reports of runs of `bd`: one file of HTML that a browser shows without anything else, with or without network, and that prints.
//!
//! ```no_run
//! use bd_report::Report;
//! # fn main() -> bd_core::Result<()> {
//! let report = Report::of(&["runs/my-run".into()])?;
//! report.save("my-run.html".as_ref())?;
//! # Ok(())
//! # }
//! ```
//!
//! | module | purpose |
//! |---|---|
//! | `summary` | what a run is, how good it is and how it ended, in sentences |
//! | `results`, `settings` | its numbers and its configuration as tables |
//! | `figures` | its figures, with what they show in words and numbers |
//! | `compare` | several runs side by side |
//! | `page` | all of that as HTML: templates that escape whatever they are given |

mod compare;
pub mod figures;
mod page;
mod results;
mod run;
mod save;
mod settings;
mod summary;
mod table;
mod words;

use std::path::{Path, PathBuf};

use bd_core::{Error, Result};
use bd_run::record::{Record, Several};

pub use self::save::usual_file;

/// No report is larger, in bytes: what would make it so is left out, and the report says so.
pub const MOST_BYTES: usize = 500_000;
/// Runs of a report at most.
pub const MOST_RUNS: usize = 100;

/// A report of one run, or of several with a comparison first.
#[derive(Debug, Clone)]
pub struct Report {
    html: String,
}

impl Report {
    /// Of run folders: of trainings, also of one that is at work, was stopped or has failed, and of simulations. The folder of a sweep, or of a
    /// choice among jobs, stands for the runs in it.
    ///
    /// # Errors
    /// [`Error::Config`] without a folder or with more than [`MOST_RUNS`]; [`Error::Storage`] and [`Error::BadFile`] as of [`Record::read`].
    pub fn of(folders: &[PathBuf]) -> Result<Self> {
        let html = match folders {
            [] => return Err(Error::Config("a report is of at least one run".into())),
            [folder] => match Several::read(folder)? {
                Some(several) => page::of_several(&several)?,
                None => page::of_run(&Record::read(folder)?)?,
            },
            several => page::of_runs(&records(several)?)?,
        };
        Ok(Self { html })
    }

    /// The file, as text.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Writes the file: it appears whole or not at all. An earlier report is replaced, and nothing else.
    ///
    /// # Errors
    /// [`Error::Storage`] if there is something else of this name, or the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        save::save(self.html(), file)
    }
}

/// Those of all folders, with the runs of a folder of several in its place.
fn records(folders: &[PathBuf]) -> Result<Vec<Record>> {
    let mut paths = Vec::new();
    for folder in folders {
        match Several::read(folder)? {
            Some(several) => paths.extend(several.runs()),
            None => paths.push(folder.clone()),
        }
    }
    if paths.len() > MOST_RUNS {
        return Err(Error::Config(format!("these are {} runs; a report compares at most {MOST_RUNS}", paths.len())));
    }
    paths.iter().map(Record::read).collect()
}
