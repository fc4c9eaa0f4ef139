//! [`Reading`]: what is said of a file of samples before it is read.

use std::path::PathBuf;

use bd_core::text::plural;
use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::array_names::ArrayNames;
use super::read::Accept;
use super::subset::{Binning, Subset};
use super::targets::Targets;

/// The fraction of a file without a test part that is for testing, where nobody says otherwise.
pub const USUAL_TEST: f64 = 0.2;

/// What targets that are numbers `[sample, n]` are of, where a sequence has `n` steps, too, so that sizes leave both open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TargetsOf {
    /// One number for each step.
    Steps,
    /// `n` numbers for each sequence.
    Sequences,
}

/// What a file of samples is read for, and where its test part comes from.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which inputs the model takes.
    pub accept: Accept,
    /// What targets `[sample, n]` are of; `None` is steps, where sequences have so many, with a note.
    pub targets_of: Option<TargetsOf>,
    /// A file with the test part: its `x_test`, or else its `x`. `None`: the file itself has it, or is divided.
    pub test_file: Option<PathBuf>,
    /// The fraction of a file that has only `x` and `y` that is for testing; `None` is [`USUAL_TEST`].
    pub test: Option<f64>,
    /// An array `[sample]` of whole numbers or text beside `x`, by its name: samples of one group, such as a subject, are for one purpose
    /// only. Beside `x_train` it is called `<name>_train`, beside `x_test` `<name>_test`: a test part of the same groups is refused.
    pub group: Option<String>,
    /// What decides which samples are for what.
    pub seed: u64,
    /// What inputs and targets are called.
    pub names: ArrayNames,
}

impl Reading {
    /// For a model that takes these inputs; a file without a test part is divided by seed 0.
    pub fn new(accept: Accept) -> Self {
        Self {
            accept,
            targets_of: None,
            test_file: None,
            test: None,
            group: None,
            seed: 0,
            names: ArrayNames::default(),
        }
    }

    /// Refuses a fraction that is none, and one of a file that is not divided.
    pub(super) fn check(&self, is_divided: bool) -> Result<()> {
        match self.test {
            Some(test) if !(test > 0.0 && test < 1.0) => {
                Err(Error::setting("data.test", test, "a fraction between 0 and 1"))
            }
            Some(test) if !is_divided => Err(Error::Config(format!(
                "data.test is {test}, which divides a file of x and y, but there is a test part already"
            ))),
            _ => Ok(()),
        }
    }

    /// How a file of `count` samples was divided, in a sentence.
    pub(super) fn note(&self, test: &Subset, count: usize, fraction: f64) -> String {
        let how = match (&self.group, &test.groups) {
            (Some(name), Some(groups)) => {
                let mut groups = groups.clone();
                groups.sort_unstable();
                groups.dedup();
                format!("all samples of {}, by {name}", plural(groups.len(), "group"))
            }
            _ if test.targets.dim() == 1 => "an equal share of each class".to_owned(),
            _ => "at random".to_owned(),
        };
        format!(
            "the file has no test part: {} of {count} samples are for testing, {how}, by seed {} (data.test is {})",
            test.count(),
            self.seed,
            fraction
        )
    }
}

/// What a trained model has learned, for the reading of other data.
#[derive(Debug, Clone, Copy)]
pub struct Learned<'a> {
    /// Channels of the data.
    pub channels: i64,
    /// What kind of targets it was trained on.
    pub targets: Targets,
    /// The names of the classes, if they have some: labels of another file are those of their names.
    pub classes: Option<&'a [String]>,
    /// What events are put in.
    pub binning: Option<Binning>,
    /// What inputs and targets are called; `None`: `x` and `y`.
    pub arrays: Option<&'a ArrayNames>,
}

/// How a file without a test part was divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Division {
    /// The fraction that was to be for testing.
    pub fraction: f64,
    /// How many samples the file has.
    pub samples: usize,
}

/// What a sample of a divided file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Use {
    /// It was trained on.
    Training = 0,
    /// It said when training was to stop.
    Validation = 1,
    /// For the test.
    Test = 2,
}
