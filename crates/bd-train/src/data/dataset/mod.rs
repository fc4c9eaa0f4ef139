//! [`Dataset`]: sequences with labels, with series, or with one vector each as targets, from a file of arrays.

mod array_names;
mod classes;
mod divide;
mod groups;
mod notes;
mod padded;
mod prepared;
mod read;
mod read_targets;
mod reading;
mod shown;
mod spikes;
mod subset;
mod targets;

use std::path::{Path, PathBuf};

use bd_core::{Arrays, Error, Result, catch_torch};

pub use self::array_names::ArrayNames;
use self::groups::Groups;
pub use self::prepared::{EvaluationSet, HoldOut, Prepared, member_seed};
pub use self::read::{Accept, Sequences, binned_events, counted_events, sequences};
use self::read::{Like, Part, Reader, TrainingPart};
pub use self::reading::{Division, Learned, Reading, TargetsOf, USUAL_TEST, Use};
pub use self::shown::Shown;
pub use self::spikes::{NumberAt, first_not_spike, spikes_of};
pub(crate) use self::subset::padding;
pub use self::subset::{Binning, InSteps, Subset, SubsetInputs};
pub use self::targets::Targets;

/// Sequences for training and for testing, in the units of the data.
///
/// | arrays | shape | meaning |
/// |---|---|---|
/// | `x_train`, `x_test` | `[sample, time, channel]` | numbers, or spikes where all are 0 or 1 and the model takes spikes |
/// | `len_train`, `len_test` | `[sample]`, whole numbers | steps of each sequence that are no padding; optional |
/// | `times_*`, `units_*`, `offsets_*` | `[spike]`, `[spike]`, `[sample + 1]` | spikes with times in place of `x_*`, see [`Events`](super::Events) |
/// | `y_train`, `y_test` | see [`Targets`] | targets: whole numbers are labels, floats are numbers |
///
/// A file may have the same arrays without a suffix, `x`, `y` and so on. Then a [fraction](Reading::test) of the samples is for testing,
/// unless another file has the test part.
#[derive(Debug)]
pub struct Dataset {
    /// For training and, after [`hold_out`](Self::hold_out), for validation.
    pub train: Subset,
    /// For the test.
    pub test: Subset,
    /// What kind of targets both have.
    pub targets: Targets,
    /// The names of the classes by their labels, where the file has them: of labels that are text these, in the order of `classes` or
    /// `class_names`, if there is such an array, or of their letters.
    pub classes: Option<Vec<String>>,
    /// SHA-256 of the file that they were read from, in hexadecimal.
    pub sha256: String,
    /// Another file that the test part was read from, and its SHA-256.
    pub test_file: Option<(PathBuf, String)>,
    /// How the file was divided, if it had no test part.
    pub division: Option<Division>,
    /// How the samples came to their parts, in sentences.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Reads a file of [`Arrays`]. The test part must be like the training part: as many channels, the same kind of targets, no
    /// further classes.
    ///
    /// Fails with [`Error::BadFile`], which names the array and the place, if an array is missing, has another shape, or
    /// holds a number that is not finite; and with [`Error::Config`] if the file cannot be divided as `reading` says.
    pub fn read(path: &Path, reading: &Reading) -> Result<Self> {
        Self::of_arrays(&reading.names.read(path)?, reading)
    }

    fn of_arrays(arrays: &Arrays, reading: &Reading) -> Result<Self> {
        let reader = Reader { arrays, accept: reading.accept, targets_of: reading.targets_of };
        let suffix = reader.training_suffix();
        let is_divided = reading.test_file.is_none() && suffix.is_empty() && reader.test_suffix().is_empty();
        reading.check(is_divided)?;
        let needed = if is_divided || reading.test_file.is_some() { vec![suffix] } else { vec![suffix, "test"] };
        let way_out = if suffix == "train" && reader.test_suffix().is_empty() {
            "; data.test_file names a file with the test part, and of x and y without a suffix a part is for testing"
        } else {
            ""
        };
        reader.check_parts(&needed, way_out)?;
        let Part { subset: mut train, targets, names } = catch_torch(|| reader.part(suffix, "training", None))?;
        let groups = reading.group.as_deref().map(|group| reader.groups(group, suffix, train.count())).transpose()?;
        train.groups = groups.as_ref().map(Groups::numbers);
        let unused = reader.class_names().filter(|_| targets.are_labels() && names.is_none());
        let unused = unused.map(|names| {
            format!("the {} names of classes are not used, for there are {}", names.len(), targets.describe())
        });
        let two_ways = reading.targets_of.is_none().then(|| reader.numbers_of_steps(suffix, targets)).transpose()?;
        let data = |train, test| Self {
            train,
            test,
            targets,
            classes: names.clone(),
            sha256: arrays.sha256().to_owned(),
            test_file: None,
            division: None,
            notes: unused.into_iter().chain(two_ways.flatten()).collect(),
        };
        if is_divided {
            return Self::divided(train, reading, data);
        }
        let of_train = suffix;
        let test_of = |reader: &Reader<'_>, suffix: &str, same_file| {
            let from = Some(TrainingPart { part: &train, suffix: of_train, same_file });
            let like = Like { targets, train: from, names: names.as_deref() };
            let test = catch_torch(|| reader.part(suffix, "test", Some(like)))?.subset;
            let note = groups.as_ref().map(|known| reader.apart(known, suffix, test.count()));
            Ok::<_, Error>((test, note.transpose()?.flatten()))
        };
        let Some(file) = &reading.test_file else {
            let (test, note) = test_of(&reader, "test", true)?;
            return Ok(data(train, test).with_note(note));
        };
        let arrays = reading.names.read_other(file)?;
        let reader = Reader { arrays: &arrays, accept: reading.accept, targets_of: reading.targets_of };
        let (test, note) = test_of(&reader, reader.test_suffix(), false)?;
        let test_file = Some((file.clone(), arrays.sha256().to_owned()));
        Ok(Self { test_file, ..data(train, test).with_note(note) })
    }

    fn with_note(mut self, note: Option<String>) -> Self {
        self.notes.extend(note);
        self
    }

    /// All samples of a file that has no test part, divided.
    fn divided(whole: Subset, reading: &Reading, data: impl FnOnce(Subset, Subset) -> Self) -> Result<Self> {
        let (fraction, count) = (reading.test.unwrap_or(USUAL_TEST), whole.count());
        let whole = Subset { samples: Some((0..count).collect()), ..whole };
        let divided = whole.divide(fraction, reading.seed, "test")?;
        let test = whole.select(&divided.held, "test")?;
        let note = reading.note(&test, count, fraction);
        let division = Some(Division { fraction, samples: count });
        let mut data = Self { division, ..data(whole.select(&divided.kept, "training")?, test) };
        data.notes.push(note);
        Ok(data)
    }

    /// Reads the test part of a file, or its only examples (arrays `x`, `y` and so on, without a suffix), for a trained model.
    pub fn read_test(path: &Path, accept: Accept, learned: &Learned<'_>) -> Result<Subset> {
        let Learned { channels, targets, classes: names, binning, arrays } = *learned;
        let arrays = arrays.map_or_else(|| Arrays::read(path), |arrays| arrays.read_other(path))?;
        let reader = Reader { arrays: &arrays, accept, targets_of: None };
        let like = Like { targets, train: None, names };
        let part = catch_torch(|| reader.part(reader.test_suffix(), "test", Some(like)))?.subset;
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
        let test_path = self.test_file.as_ref().map_or(path, |(file, _)| file);
        let test = in_steps(self.test, test_path, binning)?;
        Ok(Self { train: in_steps(self.train, path, binning)?, test, ..self })
    }

    /// Divides the training part: what is left for training, and the fraction `fraction` of it for validation, none where that is 0.
    /// Of each class the same fraction, rounded, is drawn by `seed`, or of groups whole ones; the order of samples is kept.
    ///
    /// Fails if either part would be empty.
    pub fn hold_out(&self, fraction: f64, seed: u64) -> Result<(Subset, Option<Subset>)> {
        self.train.hold_out(fraction, seed)
    }

    /// How the samples came to their parts, and what looks odd about the targets, in sentences.
    pub fn remarks(&self) -> Result<Vec<String>> {
        let of_targets = notes::notes(&self.train, self.targets, self.classes.as_deref())?;
        Ok(self.notes.iter().cloned().chain(of_targets).collect())
    }

    /// What each sample of the file is for, in its order, if [`hold_out`](Self::hold_out) with the same numbers follows; `None` of a file
    /// that was not divided.
    pub fn uses(&self, fraction: f64, seed: u64) -> Result<Option<Vec<Use>>> {
        let (Some(division), Some(train)) = (self.division, &self.train.samples) else { return Ok(None) };
        let mut uses = vec![Use::Test; division.samples];
        train.iter().for_each(|sample| uses[*sample] = Use::Training);
        if fraction > 0.0 {
            let held = self.train.divide(fraction, seed, "validation")?.held;
            held.iter().for_each(|at| uses[train[*at]] = Use::Validation);
        }
        Ok(Some(uses))
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
