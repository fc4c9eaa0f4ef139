//! [`ArrayNames`]: which arrays of a file are the inputs and the targets, where they are called otherwise.

use std::path::Path;

use bd_core::{Arrays, Result};
use serde::{Deserialize, Serialize};

use super::read::named;

/// What arrays of a file are called. Beside `x_train` and `x_test` they are `<name>_train` and `<name>_test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// What the inputs are called.
    pub fn inputs(&self) -> &str {
        self.x.as_deref().unwrap_or("x")
    }

    /// The arrays of a file that is learned from, inputs and targets as `x` and `y`. Fails if there are none of these names.
    pub(super) fn read(&self, path: &Path) -> Result<Arrays> {
        let mut arrays = Arrays::read_trials(path, self.trials.as_deref())?;
        for (name, called) in self.both() {
            arrays = match called_so(arrays, name, called)? {
                (arrays, true) => arrays,
                (arrays, false) => arrays.with_name(name, called)?,
            };
        }
        self.beside(arrays)
    }

    /// The same of a file for a model that has learned: one that calls its arrays `x` and `y`, or has no table of trials, will do too.
    pub fn read_other(&self, path: &Path) -> Result<Arrays> {
        let is_nwb = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("nwb"));
        let mut arrays = Arrays::read_trials(path, self.trials.as_deref().filter(|_| is_nwb))?;
        for (name, called) in self.both() {
            arrays = called_so(arrays, name, called)?.0;
        }
        self.beside(arrays)
    }

    /// With the lengths and the names of classes that stand in the folder of the inputs, where there are none without a folder.
    fn beside(&self, mut arrays: Arrays) -> Result<Arrays> {
        let Some((folder, _)) = self.inputs().rsplit_once('/') else { return Ok(arrays) };
        for name in ["len", "classes", "class_names"] {
            let there = format!("{folder}/{name}");
            if arrays.has(&there) && !arrays.has(name) {
                arrays = arrays.with_name(&there, name)?;
            }
        }
        Ok(arrays)
    }

    fn both(&self) -> impl Iterator<Item = (&str, &str)> {
        let both = [(&self.x, "x"), (&self.y, "y")].into_iter();
        both.filter_map(|(name, called)| Some((name.as_deref()?, called)))
    }
}

/// With the arrays of all parts called so, and whether there were any: then what was called so is hidden, and beside inputs spikes with
/// times.
fn called_so(mut arrays: Arrays, name: &str, called: &str) -> Result<(Arrays, bool)> {
    let suffixes = ["", "train", "test"];
    let there = |arrays: &Arrays, suffix: &str| arrays.has(&named(name, suffix));
    let found: Vec<&str> = suffixes.into_iter().filter(|suffix| there(&arrays, suffix)).collect();
    if found.is_empty() {
        return Ok((arrays, false));
    }
    let replaced: &[&str] = if called == "x" { &["x", "times"] } else { &["y"] };
    for hidden in replaced.iter().flat_map(|what| suffixes.map(|suffix| named(what, suffix))) {
        if !found.iter().any(|suffix| named(name, suffix) == hidden) {
            arrays = arrays.without(&hidden);
        }
    }
    for suffix in found {
        arrays = arrays.with_name(&named(name, suffix), &named(called, suffix))?;
    }
    Ok((arrays, true))
}
