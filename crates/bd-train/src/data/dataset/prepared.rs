//! [`Prepared`]: the parts of a data set as a model takes them.

use bd_core::text::plural;
use bd_core::{DataTransform, Result, Rng};
use tch::Tensor;

use super::Dataset;
use super::shown::Shown;
use super::subset::Subset;
use super::targets::Targets;
use crate::baseline::Baselines;
use crate::data::Examples;

/// Examples to evaluate a model on: as the model takes them, and with their targets in the units of the data.
#[derive(Debug)]
pub struct EvaluationSet {
    /// As the model takes them.
    pub examples: Examples,
    /// Their targets before any scaling.
    pub truth: Tensor,
    /// Which samples these are: of a group the same number.
    pub identities: Option<Vec<i64>>,
}

impl EvaluationSet {
    /// A part of a data set by way of `transform`.
    pub fn new(part: &Subset, transform: &impl DataTransform) -> Result<Self> {
        let (truth, identities) = (part.targets.shallow_clone(), part.identities());
        Ok(Self { examples: part.examples(transform)?, truth, identities })
    }
}

impl EvaluationSet {
    fn handle(&self) -> Self {
        Self { examples: self.examples.clone(), truth: self.truth.shallow_clone(), identities: self.identities.clone() }
    }
}

impl From<Examples> for EvaluationSet {
    /// Examples whose targets are not scaled.
    fn from(examples: Examples) -> Self {
        let truth = examples.targets().shallow_clone();
        Self { examples, truth, identities: None }
    }
}

/// The seed of member `i`, counted from 0, of an ensemble of seed `seed`: the first member has that seed, so that it is the network
/// alone of this seed; the others have seeds drawn by it. They are not the seeds that follow: those of ensembles that are repeated with
/// seeds 0, 1, 2, ... would share members, and differ less than independent ones do.
///
/// A drawn seed has 53 bits, which every reader of JSON and TOML keeps.
pub fn member_seed(seed: u64, i: usize) -> u64 {
    match i {
        0 => seed,
        _ => Rng::new(seed, &format!("member {}", i + 1)).bits() >> 11,
    }
}

/// How the training part of a data set is divided: the fraction for validation, and how many members of an ensemble have parts of their
/// own, each drawn by its [`member_seed`].
#[derive(Debug, Clone, Copy)]
pub struct HoldOut {
    /// For validation, from 0 up to less than 1.
    pub fraction: f64,
    /// Of the ensemble.
    pub seed: u64,
    /// From 1.
    pub members: usize,
}

impl HoldOut {
    /// The seed that draws the part of member `i`, counted from 0.
    pub fn seed_of(&self, i: usize) -> u64 {
        member_seed(self.seed, i)
    }
}

/// The parts of a data set as a model takes them, ready for training, for early stopping, and for the test. The training sequences in
/// the units of the data are kept only where several members of an ensemble need other parts of them.
#[derive(Debug)]
pub struct Prepared {
    /// For training: of several members the first one's.
    pub train: Examples,
    /// Held out of the training part, if a fraction was.
    pub validation: Option<EvaluationSet>,
    /// All of the training part, in the units of the data, and how it is divided: of several members.
    whole: Option<(Subset, HoldOut)>,
    /// For the test.
    pub test: EvaluationSet,
    /// Samples of the test part in the units of the data, to be shown; none of spikes that are not in steps.
    pub shown: Option<Shown>,
    /// What simple methods reach on the test part, fitted to all of the training part.
    pub baselines: Baselines,
    /// What kind of targets there are.
    pub targets: Targets,
    /// Steps of the data.
    pub steps: usize,
    /// Channels of the data.
    pub channels: i64,
    /// Events of all parts that were counted as one with another one of the same channel and step.
    pub merged_events: usize,
    /// Events of all parts after the last step, which were left out.
    pub late_events: usize,
    /// Whether spikes came with times.
    pub had_times: bool,
    /// The numbers of the test samples in the file, where that was divided.
    pub test_samples: Option<Vec<usize>>,
    /// How samples came to their parts, and what looks odd about the targets, in sentences.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Divides the training part as `held` says, lets `transform` learn from what is for training, and brings all parts to the model.
    /// Of several members `transform` learns from the whole training part, for each sample of it trains some of them.
    ///
    /// Fails as [`Dataset::hold_out`] and [`Subset::examples`] do.
    pub fn new(mut dataset: Dataset, transform: &impl DataTransform, hold_out: HoldOut) -> Result<Self> {
        let (merged_events, late_events) = (
            dataset.train.merged_events + dataset.test.merged_events,
            dataset.train.late_events + dataset.test.late_events,
        );
        let notes = dataset.remarks()?;
        let (had_times, test_samples) = (dataset.train.had_times, dataset.test.samples.take());
        let baselines = Baselines::of(&dataset.train, &dataset.test, dataset.targets)?;
        let (part, held) = dataset.hold_out(hold_out.fraction, hold_out.seed_of(0))?;
        let Dataset { train: whole, test, targets, .. } = dataset;
        // Numbers in float64, which one member alone does not need any more.
        let whole = (hold_out.members > 1).then_some((whole, hold_out));
        whole.as_ref().map_or(&part, |(whole, _)| whole).fit(transform)?;
        let (steps, channels) = (part.steps().unwrap_or(0), part.channels());
        let train = part.examples(transform)?;
        drop(part);
        let validation = held.map(|part| EvaluationSet::new(&part, transform)).transpose()?;
        let shown = Shown::of(&test)?;
        let test = EvaluationSet::new(&test, transform)?;
        Ok(Self {
            train,
            validation,
            whole,
            test,
            shown,
            baselines,
            targets,
            steps,
            channels,
            merged_events,
            late_events,
            had_times,
            test_samples,
            notes,
        })
    }

    /// What member `i` of an ensemble, counted from 0, learns from, and what is held out for it. `transform` is that of the whole.
    pub fn of_member(&self, i: usize, transform: &impl DataTransform) -> Result<(Examples, Option<EvaluationSet>)> {
        let (Some((whole, hold_out)), 1..) = (&self.whole, i) else {
            return Ok((self.train.clone(), self.validation.as_ref().map(EvaluationSet::handle)));
        };
        let (part, held) = whole.hold_out(hold_out.fraction, hold_out.seed_of(i))?;
        let held = held.map(|part| EvaluationSet::new(&part, transform)).transpose()?;
        Ok((part.examples(transform)?, held))
    }

    /// The examples of the validation part.
    pub fn held_out(&self) -> Option<&Examples> {
        self.validation.as_ref().map(|part| &part.examples)
    }

    /// How many of what, such as `44 for training, 16 for validation, 21 for testing, of 30 steps, 8 channels; 2 classes`.
    pub fn describe(&self) -> String {
        format!(
            "{} for training, {} for validation, {} for testing, of {}, {}; {}",
            self.train.count(),
            self.held_out().map_or(0, Examples::count),
            self.test.examples.count(),
            plural(self.steps, "step"),
            plural(self.channels as usize, "channel"),
            self.targets.describe(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ensembles_of_other_seeds_share_no_member() {
        let seeds: BTreeSet<u64> = (0..100).flat_map(|seed| (0..10).map(move |i| member_seed(seed, i))).collect();
        assert_eq!(seeds.len(), 1000);
        assert_eq!(member_seed(7, 0), 7);
        // The first 53 bits of Philox 4x32-10 with the key that SHA-256 of the seed and "member 2" or "member 3" begins with, by a
        // program in Python that gives the published vectors of Philox.
        let drawn = [(0, 1), (0, 2), (1, 1)].map(|(seed, i)| member_seed(seed, i));
        assert_eq!(drawn, [7_098_968_850_960_295, 800_254_697_461_301, 5_147_066_559_437_016]);
    }
}
