//! [`Labelled`]: examples from an `.npz` file, sequences with labels, with series, or with one vector each as targets.

use std::path::Path;

use bd_core::files::sha256_of;
use bd_core::npz::load_npz;
use bd_core::{Error, Result, Rng, catch_torch};

use super::part::{Grid, Part};
use super::reader::{Form, Reader};
use super::targets::Targets;
use crate::finished::CHANGED_FILE;

/// Examples for training and for testing.
#[derive(Debug)]
pub(crate) struct Labelled {
    pub(crate) train: Part,
    pub(crate) test: Part,
    pub(crate) targets: Targets,
    pub(crate) sha256: String,
}

impl Labelled {
    /// Reads `x_train`, `y_train`, `x_test`, `y_test`, and `len_train`, `len_test` where sequences are padded; or, in place of `x`,
    /// `times`, `units` and `offsets`.
    pub(crate) fn read(path: &Path, form: Form) -> Result<Self> {
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npz")) {
            return Err(Error::bad_file(path, "examples are read from a file that ends in .npz"));
        }
        let arrays = load_npz(path)?;
        let reader = Reader { path, arrays: &arrays, form };
        if reader.has_events("train")? {
            let events = ["times_train", "units_train", "offsets_train", "y_train"];
            reader.check_names(&[events, ["times_test", "units_test", "offsets_test", "y_test"]].concat())?;
        } else {
            reader.check_names(&["x_train", "y_train", "x_test", "y_test"])?;
        }
        let (train, targets) = catch_torch(|| reader.part("train", "training", None))?;
        let (test, _) = catch_torch(|| reader.part("test", "test", Some((&train, targets))))?;
        let sha256 = sha256_of(path).map_err(Error::storage("read", path))?;
        Ok(Self { train, test, targets, sha256 })
    }

    /// The test part of a file, or its only examples, for a network with these channels and targets.
    pub(crate) fn read_test(
        path: &Path,
        form: Form,
        channels: i64,
        targets: Targets,
        grid: Option<Grid>,
    ) -> Result<Part> {
        let arrays = load_npz(path)?;
        let reader = Reader { path, arrays: &arrays, form };
        let suffix = if reader.has("x_test") || reader.has("times_test") { "test" } else { "" };
        let (part, found) = catch_torch(|| reader.part(suffix, "test", None))?;
        let part = in_steps(part, path, grid)?;
        if part.channels() != channels {
            let size = part.shape();
            return reader.bad(format!("its inputs are {size:?}; the network takes [sample, time, {channels}]"));
        }
        if !targets.include(found) {
            return reader.bad(format!("it has {found}; the run has learned {targets}"));
        }
        Ok(part)
    }

    /// With events in steps.
    pub(crate) fn in_steps(self, path: &Path, grid: Option<Grid>) -> Result<Self> {
        let (train, test) = (in_steps(self.train, path, grid)?, in_steps(self.test, path, grid)?);
        Ok(Self { train, test, ..self })
    }

    /// Refuses a file that is not the one that a run has read.
    pub(crate) fn check_sha256(&self, path: &Path, known: Option<&str>) -> Result<()> {
        if known.is_none_or(|known| known == self.sha256) {
            return Ok(());
        }
        Err(Error::bad_file(path, CHANGED_FILE))
    }

    /// Splits a fraction off the training part, of each class the same, drawn by `seed`: what is left, and the fraction.
    pub(crate) fn hold_out(&self, fraction: f64, seed: u64) -> Result<(Part, Option<Part>)> {
        let count = self.train.count();
        let all: Vec<i64> = (0..count as i64).collect();
        if fraction == 0.0 {
            return Ok((self.train.select(&all, "training")?, None));
        }
        let class = |sample: &i64| match self.targets {
            Targets::Labels { .. } => self.train.y.int64_value(&[*sample]),
            _ => 0,
        };
        let mut rng = Rng::new(seed, "validation");
        let mut drawn: Vec<(i64, f64, i64)> =
            all.iter().map(|sample| (class(sample), rng.uniform(), *sample)).collect();
        drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for class in drawn.chunk_by(|a, b| a.0 == b.0) {
            let many = (class.len() as f64 * fraction).round() as usize;
            held.extend(class[..many].iter().map(|(_, _, sample)| *sample));
            kept.extend(class[many..].iter().map(|(_, _, sample)| *sample));
        }
        if held.is_empty() || kept.is_empty() {
            return Err(Error::Config(format!(
                "data.validation {fraction} of {count} training samples leaves {} for training and {} for validation; both need one",
                kept.len(),
                held.len()
            )));
        }
        kept.sort_unstable();
        held.sort_unstable();
        Ok((self.train.select(&kept, "training")?, Some(self.train.select(&held, "validation")?)))
    }
}

fn in_steps(part: Part, path: &Path, grid: Option<Grid>) -> Result<Part> {
    let Some(grid) = grid else { return Ok(part) };
    catch_torch(|| part.binned(grid)).map_err(|error| match error {
        Error::Config(reason) => Error::bad_file(path, reason),
        other => other,
    })
}
