//! [`Data`]: the parts of a file as a network takes them.

use std::path::Path;

use bd_core::{Result, Shared};
use bd_models::Pipeline;
use bd_train::RunDir;
use bd_train::data::Examples;
use serde_json::{Map, Value, json};
use tch::Tensor;

use super::baseline::linear_accuracy;
use super::evaluation::{Evaluated, Judge};
use super::file::Labelled;
use super::learning::Best;
use super::network::{examples, fit_scale};
use super::part::Part;
use super::targets::Targets;
use crate::text::plural;

/// What is learned of a file.
pub(crate) struct Data {
    pub(crate) train: Examples,
    /// Says when to stop. With its targets as they were read.
    pub(crate) validation: Option<(Examples, Tensor)>,
    pub(crate) test: Examples,
    /// The training part without the validation part, and the test part, as they were read.
    kept: Part,
    tested: Part,
    targets: Targets,
    /// Of events in both parts, how many count as one with another, and how many are later than the last step.
    pub(crate) merged: usize,
    pub(crate) late: usize,
}

impl Data {
    /// Holds out a fraction of the training part, and takes the network's scaling from the rest.
    pub(crate) fn new(labelled: Labelled, network: &Pipeline, validation: f64, seed: u64) -> Result<Self> {
        let (kept, held) = labelled.hold_out(validation, seed)?;
        let Labelled { train: Part { merged, late, .. }, test: tested, targets, .. } = labelled;
        fit_scale(network, &kept)?;
        let train = examples(network, &kept)?;
        let held = held.map(|part| examples(network, &part).map(|examples| (examples, part.y)));
        let validation = held.transpose()?;
        let test = examples(network, &tested)?;
        let (merged, late) = (merged + tested.merged, late + tested.late);
        Ok(Self { train, validation, test, kept, tested, targets, merged, late })
    }

    /// The targets of the test part as they were read.
    pub(crate) fn truth(&self) -> &Tensor {
        &self.tested.y
    }

    pub(crate) fn held_out(&self) -> Option<&Examples> {
        self.validation.as_ref().map(|(examples, _)| examples)
    }

    pub(crate) fn baseline(&self) -> Result<Option<f64>> {
        linear_accuracy(&self.kept, &self.tested, self.targets)
    }

    /// How many of what.
    pub(crate) fn describe(&self, file: Option<&Path>) -> String {
        format!(
            "{}: {} for training, {} for validation, {} for testing, of {}, {}; {}",
            file.and_then(Path::file_name).unwrap_or_default().to_string_lossy(),
            self.train.count(),
            self.held_out().map_or(0, Examples::count),
            self.test.count(),
            plural(self.kept.steps().unwrap_or(0), "step"),
            plural(self.kept.channels() as usize, "channel"),
            self.targets.describe(),
        )
    }

    /// How many of the validation part are told right, once the training is over; none where there is none, or no label.
    pub(crate) fn validation_accuracy(
        &self,
        judge: &Judge,
        network: &Pipeline,
        sha: &Shared,
        batch: usize,
    ) -> Result<Option<f64>> {
        let Some((examples, truth)) = &self.validation else { return Ok(None) };
        Ok(judge.evaluate(network, sha, (examples, truth), batch)?.accuracy)
    }
}

/// Adds to the metrics of a run which weights were kept, and writes them with the confusion matrix.
pub(crate) fn report_test(
    run: &RunDir,
    evaluated: &Evaluated,
    best: Option<&Best>,
    metrics: &mut Map<String, Value>,
) -> Result<()> {
    if let Some(best) = best {
        metrics.insert("best_step".into(), json!(best.step));
        metrics.insert("best_validation_loss".into(), json!(best.loss));
    }
    let mut line = json!({"split": "test"});
    line.as_object_mut().expect("an object").extend(metrics.clone());
    line["confusion"] = json!(evaluated.confusion);
    run.report(&line)
}
