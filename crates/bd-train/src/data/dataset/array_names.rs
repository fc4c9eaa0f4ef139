//! [`ArrayNames`]: which arrays of a file are the inputs and the targets, where they are called otherwise.

use std::path::Path;

use bd_core::{Arrays, Result};
use serde::{Deserialize, Serialize};

use super::read::named;

/// What arrays of a file are called. Beside `x_train` and `x_test` they are `<name>_train` and `<name>_test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrayNames {
    /// The inputs, such as `session/voltage` in an HDF5 file. Null: `x`.
    pub x: Option<String>,
    /// The targets, such as a column of the trials of an NWB file. Null: `y`.
    pub y: Option<String>,
    /// The table of intervals of an NWB file whose rows are samples. Null: `trials`.
    pub trials: Option<String>,
}

impl ArrayNames {
    /// The arrays of a file that is learned from, inputs and targets as `x` and `y`. Fails if there are none of these names.
    pub(super) fn read(&self, path: &Path) -> Result<Arrays> {
        let mut arrays = Arrays::read_trials(path, self.trials.as_deref())?;
        for (name, called) in self.both() {
            arrays = match called_so(arrays, name, called)? {
                (arrays, true) => arrays,
                (arrays, false) => arrays.with_name(name, called)?,
            };
        }
        Ok(arrays)
    }

    /// The same of a file for a model that has learned: one that calls its arrays `x` and `y`, or has no table of trials, will do too.
    pub fn read_other(&self, path: &Path) -> Result<Arrays> {
        let is_nwb = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("nwb"));
        let mut arrays = Arrays::read_trials(path, self.trials.as_deref().filter(|_| is_nwb))?;
        for (name, called) in self.both() {
            arrays = called_so(arrays, name, called)?.0;
        }
        Ok(arrays)
    }

    fn both(&self) -> impl Iterator<Item = (&str, &str)> {
        let both = [(&self.x, "x"), (&self.y, "y")].into_iter();
        both.filter_map(|(name, called)| Some((name.as_deref()?, called)))
    }
}

/// With the arrays of all parts called so, and whether there were any.
fn called_so(mut arrays: Arrays, name: &str, called: &str) -> Result<(Arrays, bool)> {
    let mut found = false;
    for suffix in ["", "train", "test"] {
        let there = named(name, suffix);
        if arrays.has(&there) {
            arrays = arrays.with_name(&there, &named(called, suffix))?;
            found = true;
        }
    }
    Ok((arrays, found))
}
