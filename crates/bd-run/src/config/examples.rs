//! Files of examples in a configuration: what layers say of them, how they are read, and whether they still are what a run has read.

use std::path::{Path, PathBuf};

use bd_core::files::sha256_of;
use bd_core::{Error, Result};
use bd_train::data::dataset::{Accept, ArrayNames, Dataset, Reading, TargetsOf, Use};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::check_sha256;
use super::layers::absolute;
use super::overlay::typed;

/// What the strongest layer says that says something at a JSON pointer.
pub(super) fn said<'a>(layers: &'a [Value], pointer: &str) -> Option<&'a Value> {
    layers.iter().rev().find_map(|layer| layer.pointer(pointer))
}

/// The same as a value, or the default of its type.
fn said_as<T: DeserializeOwned + Default>(layers: &[Value], pointer: &str) -> Result<T> {
    let name = pointer.trim_start_matches('/').replace('/', ".");
    said(layers, pointer).map_or(Ok(T::default()), |value| typed(value.clone(), &name))
}

/// What the layers say of the names of arrays.
pub(super) fn array_names(layers: &[Value]) -> Result<ArrayNames> {
    let said = |name: &str| said_as(layers, &format!("/data/arrays/{name}"));
    Ok(ArrayNames { x: said("x")?, y: said("y")?, trials: said("trials")? })
}

/// How the file is to be read, by what the layers say.
pub(super) fn reading(accept: Accept, layers: &[Value]) -> Result<Reading> {
    let test_file: Option<PathBuf> = said_as(layers, "/data/test_file")?;
    Ok(Reading {
        accept,
        test_file: test_file.map(|path| absolute(&path)),
        test: said_as(layers, "/data/test")?,
        group: said_as(layers, "/data/group")?,
        targets_of: said_as(layers, "/data/targets_of")?,
        seed: said_as(layers, "/seed")?,
        names: array_names(layers)?,
    })
}

/// The examples of a file. Where a model of numbers is given spikes with times, it says which job learns from them.
pub(super) fn read(file: &Path, reading: &Reading) -> Result<Dataset> {
    let of_spikes = Reading { accept: Accept::SpikesAndNumbers, ..reading.clone() };
    Dataset::read(file, reading).map_err(|error| match Dataset::read(file, &of_spikes) {
        Ok(spikes) if reading.accept == Accept::Numbers && spikes.train.events().is_some() => Error::bad_file(
            file,
            "it has spikes with times (times_train), which bd train snn, esn and conv learn from, and no x_train",
        ),
        _ => error,
    })
}

/// The hash of a test file that a stronger layer replaces is void.
pub(super) fn forget_other_tests(layers: &mut [Value]) {
    let Some(named) = layers.iter().rposition(|layer| layer.pointer("/data/test_file").is_some()) else { return };
    for layer in &mut layers[..named] {
        if let Some(data) = layer.get_mut("data").and_then(Value::as_object_mut) {
            data.shift_remove("test_sha256");
            data.shift_remove("test");
        }
    }
}

/// What a configuration says of its file of examples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExamplesFile<'a> {
    pub(crate) sha256: Option<&'a String>,
    pub(crate) test_file: Option<&'a PathBuf>,
    pub(crate) test_sha256: Option<&'a String>,
    /// Fraction of a file of `x` and `y` only that is for testing.
    pub(crate) test: Option<f64>,
    pub(crate) group: Option<&'a String>,
    pub(crate) arrays: &'a ArrayNames,
    pub(crate) targets_of: Option<TargetsOf>,
    /// Fraction of the training part that no model of the run has learned from.
    pub(crate) held_out: f64,
    pub(crate) seed: u64,
}

impl ExamplesFile<'_> {
    /// How it is read.
    pub(crate) fn reading(&self, accept: Accept) -> Reading {
        Reading {
            accept,
            test_file: self.test_file.cloned(),
            test: self.test,
            group: self.group.cloned(),
            targets_of: self.targets_of,
            seed: self.seed,
            names: self.arrays.clone(),
        }
    }

    /// Refuses what was read if it is not what the run has read.
    pub(crate) fn check_hashes(&self, file: &Path, data: &Dataset) -> Result<()> {
        check_sha256(file, "data.sha256", self.sha256, &data.sha256)?;
        data.test_file
            .as_ref()
            .map_or(Ok(()), |(file, found)| check_sha256(file, "data.test_sha256", self.test_sha256, found))
    }

    /// Refuses two test parts.
    pub(crate) fn check(&self) -> Result<()> {
        if self.test.is_some() && self.test_file.is_some() {
            return Err(Error::Config(
                "data.test divides a file, but data.test_file names one with the test part: set one of them".into(),
            ));
        }
        Ok(())
    }

    /// Whether a file is the one that the run has read and divided.
    pub(crate) fn has_divided(&self, path: &Path) -> Result<bool> {
        let (Some(_), Some(known)) = (self.test, self.sha256) else { return Ok(false) };
        let found = sha256_of(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
        Ok(found == *known)
    }

    /// What each sample of a file is for, if it is the one that the run has read and divided.
    pub(crate) fn uses(&self, path: &Path, accept: Accept) -> Result<Option<Vec<Use>>> {
        if !self.has_divided(path)? {
            return Ok(None);
        }
        Dataset::read(path, &self.reading(accept))?.uses(self.held_out, self.seed)
    }
}
