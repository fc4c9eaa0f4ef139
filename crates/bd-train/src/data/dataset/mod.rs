//! [`Dataset`]: sequences with labels, with series, or with one vector each as targets, from a file of arrays.

mod notes;
mod prepared;
mod read;
mod spikes;
mod subset;
mod targets;

use std::path::Path;

use bd_core::{Arrays, Error, Result, Rng, catch_torch};

pub use self::prepared::{EvaluationSet, Prepared};
pub use self::read::{Accept, binned_events, sequences};
use self::read::{Like, Reader};
pub use self::spikes::{NumberAt, first_not_spike, spikes_of};
pub(crate) use self::subset::padding;
pub use self::subset::{Binning, Subset, SubsetInputs};
pub use self::targets::Targets;

/// Sequences for training and for testing, in the units of the data.
///
/// | arrays | shape | meaning |
/// |---|---|---|
/// | `x_train`, `x_test` | `[sample, time, channel]` | numbers, or spikes where all are 0 or 1 and the model takes spikes |
/// | `len_train`, `len_test` | `[sample]`, whole numbers | steps of each sequence that are no padding; optional |
/// | `times_*`, `units_*`, `offsets_*` | `[spike]`, `[spike]`, `[sample + 1]` | spikes with times in place of `x_*`, see [`Events`](super::Events) |
/// | `y_train`, `y_test` | see [`Targets`] | targets: whole numbers are labels, floats are numbers |
#[derive(Debug)]
pub struct Dataset {
    /// For training and, after [`hold_out`](Self::hold_out), for validation.
    pub train: Subset,
    /// For the test.
    pub test: Subset,
    /// What kind of targets both have.
    pub targets: Targets,
    /// SHA-256 of the file that they were read from, in hexadecimal.
    pub sha256: String,
}

impl Dataset {
    /// Reads a file of [`Arrays`]. The test part must be like the training part: as many channels, the same kind of targets, no
    /// further classes.
    ///
    /// Fails with [`Error::BadFile`], which names the array and the place, if an array is missing, has another shape, or
    /// holds a number that is not finite.
    pub fn read(path: &Path, accept: Accept) -> Result<Self> {
        let arrays = Arrays::read(path)?;
        let (train, test, targets) = Self::parts(&Reader { arrays: &arrays, accept })?;
        Ok(Self { train, test, targets, sha256: arrays.sha256().to_owned() })
    }

    fn parts(reader: &Reader<'_>) -> Result<(Subset, Subset, Targets)> {
        let inputs: &[&str] = if reader.has_events("train")? { &["times", "units", "offsets"] } else { &["x"] };
        let of = |part: &str| inputs.iter().chain(&["y"]).map(|what| format!("{what}_{part}")).collect::<Vec<_>>();
        reader.check_names(&[of("train"), of("test")].concat())?;
        let (train, targets) = catch_torch(|| reader.part("train", "training", None))?;
        let (test, _) = catch_torch(|| reader.part("test", "test", Some(Like { targets, train: Some(&train) })))?;
        Ok((train, test, targets))
    }

    /// Reads the test part of a file, or its only examples (arrays `x`, `y` and so on, without a suffix), for a model that
    /// takes `channels` channels and was trained on `targets`. Events are put in steps by `binning`.
    pub fn read_test(
        path: &Path,
        accept: Accept,
        channels: i64,
        targets: Targets,
        binning: Option<Binning>,
    ) -> Result<Subset> {
        let arrays = Arrays::read(path)?;
        let reader = Reader { arrays: &arrays, accept };
        let suffix = if reader.has("x_test") || reader.has("times_test") { "test" } else { "" };
        let (part, _) = catch_torch(|| reader.part(suffix, "test", Some(Like { targets, train: None })))?;
        let part = in_steps(part, path, binning)?;
        if part.channels() != channels {
            let size = part.shape();
            return reader.bad(format!("its inputs are {size:?}; the network takes [sample, time, {channels}]"));
        }
        Ok(part)
    }

    /// With the events of both parts put in steps by `binning`; `path` names the file in messages. Without `binning`, and for what
    /// is in steps already, nothing changes.
    pub fn in_steps(self, path: &Path, binning: Option<Binning>) -> Result<Self> {
        let (train, test) = (in_steps(self.train, path, binning)?, in_steps(self.test, path, binning)?);
        Ok(Self { train, test, ..self })
    }

    /// Divides the training part: what is left for training, and the fraction `fraction` of it for validation, none where that is 0.
    /// Of each class the same fraction, rounded, is drawn by `seed`; the order of samples is kept.
    ///
    /// Fails if either part would be empty, or if the inputs are events.
    pub fn hold_out(&self, fraction: f64, seed: u64) -> Result<(Subset, Option<Subset>)> {
        if fraction == 0.0 {
            return Ok((self.train.named("training")?, None));
        }
        let (kept, held) = self.draw_held_out(fraction, seed)?;
        if held.is_empty() || kept.is_empty() {
            let (count, kept, held) = (self.train.count(), kept.len(), held.len());
            return Err(Error::Config(format!(
                "a validation part of {fraction} of {count} training samples leaves {kept} for training and {held} for validation; \
                 both need one"
            )));
        }
        Ok((self.train.select(&kept, "training")?, Some(self.train.select(&held, "validation")?)))
    }

    /// Numbers of the samples for training and for validation.
    fn draw_held_out(&self, fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
        let labels = match self.targets {
            Targets::Labels { .. } => Vec::<i64>::try_from(&self.train.targets)?,
            _ => vec![0; self.train.count()],
        };
        let mut rng = Rng::new(seed, "validation");
        let mut drawn: Vec<(i64, f64, usize)> =
            labels.into_iter().enumerate().map(|(sample, label)| (label, rng.uniform(), sample)).collect();
        drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for class in drawn.chunk_by(|a, b| a.0 == b.0) {
            let count = (class.len() as f64 * fraction).round() as usize;
            held.extend(class[..count].iter().map(|(_, _, sample)| *sample));
            kept.extend(class[count..].iter().map(|(_, _, sample)| *sample));
        }
        kept.sort_unstable();
        held.sort_unstable();
        Ok((kept, held))
    }
}

fn in_steps(part: Subset, path: &Path, binning: Option<Binning>) -> Result<Subset> {
    let Some(binning) = binning else { return Ok(part) };
    part.binned(binning).map_err(|error| match error {
        Error::Config(reason) => Error::bad_file(path, reason),
        other => other,
    })
}

#[cfg(test)]
mod tests;
