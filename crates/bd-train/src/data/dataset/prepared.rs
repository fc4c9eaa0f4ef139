//! [`Prepared`]: the parts of a data set as a model takes them.

use bd_core::text::plural;
use bd_core::{DataTransform, Result, Shared, System};
use tch::Tensor;

use super::Dataset;
use super::notes::notes;
use super::subset::Subset;
use super::targets::Targets;
use crate::baseline::Baselines;
use crate::data::Examples;
use crate::evaluate::Criterion;

/// Examples to evaluate a model on: as the model takes them, and with their targets in the units of the data.
#[derive(Debug)]
pub struct EvaluationSet {
    /// As the model takes them.
    pub examples: Examples,
    /// Their targets before any scaling.
    pub truth: Tensor,
}

impl EvaluationSet {
    /// A part of a data set by way of `transform`.
    pub fn new(part: &Subset, transform: &impl DataTransform) -> Result<Self> {
        Ok(Self { examples: part.examples(transform)?, truth: part.targets.shallow_clone() })
    }
}

impl From<Examples> for EvaluationSet {
    /// Examples whose targets are not scaled.
    fn from(examples: Examples) -> Self {
        let truth = examples.targets().shallow_clone();
        Self { examples, truth }
    }
}

/// The parts of a data set as a model takes them, ready for training, for early stopping, and for the test. The sequences in the units
/// of the data are not kept.
#[derive(Debug)]
pub struct Prepared {
    /// For training.
    pub train: Examples,
    /// Held out of the training part, if a fraction was.
    pub validation: Option<EvaluationSet>,
    /// For the test.
    pub test: EvaluationSet,
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
    /// What looks odd about the targets, in sentences.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Holds the fraction `validation` of the training part out, drawn by `seed`, lets `transform` learn from the rest, and brings all
    /// parts to the model.
    ///
    /// Fails as [`Dataset::hold_out`] and [`Subset::examples`] do.
    pub fn new(dataset: Dataset, transform: &impl DataTransform, validation: f64, seed: u64) -> Result<Self> {
        let (merged_events, late_events) = (
            dataset.train.merged_events + dataset.test.merged_events,
            dataset.train.late_events + dataset.test.late_events,
        );
        let (notes, had_times) = (notes(&dataset.train, dataset.targets)?, dataset.train.had_times);
        let baselines = Baselines::of(&dataset.train, &dataset.test, dataset.targets)?;
        let (part, held) = dataset.hold_out(validation, seed)?;
        let Dataset { train: whole, test, targets, .. } = dataset;
        drop(whole); // numbers in float64, which are not needed any more
        part.fit(transform)?;
        let (steps, channels) = (part.steps().unwrap_or(0), part.channels());
        let train = part.examples(transform)?;
        drop(part);
        let validation = held.map(|part| EvaluationSet::new(&part, transform)).transpose()?;
        let test = EvaluationSet::new(&test, transform)?;
        Ok(Self {
            train,
            validation,
            test,
            baselines,
            targets,
            steps,
            channels,
            merged_events,
            late_events,
            had_times,
            notes,
        })
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

    /// Accuracy of `model` on the validation part, from 0 to 1; `None` without such a part or without labels. `batch` sequences are
    /// run at once.
    pub fn validation_accuracy<S: System>(
        &self,
        criterion: &Criterion,
        model: &S,
        transform: &impl DataTransform,
        sha: &Shared,
        batch: usize,
    ) -> Result<Option<f64>> {
        let Some(part) = &self.validation else { return Ok(None) };
        Ok(criterion.evaluate(model, transform, sha, part, batch)?.accuracy)
    }
}
