//! The line about the examples of a file, and what the test adds to a run's metrics.

use std::path::Path;

use bd_core::{Error, Result};
use bd_train::data::{Dataset, Prepared};
use bd_train::{Evaluation, RunDir};
use serde_json::{Map, Value, json};

use super::learning::Best;
use crate::finished::CHANGED_FILE;

/// Refuses a file that is not the one that a run has read, of which the SHA-256 is `known`.
pub(crate) fn check_sha256(dataset: &Dataset, path: &Path, known: Option<&str>) -> Result<()> {
    if known.is_none_or(|known| known == dataset.sha256) {
        return Ok(());
    }
    Err(Error::bad_file(path, CHANGED_FILE))
}

/// How many of what a file has.
pub(crate) fn describe(data: &Prepared, file: Option<&Path>) -> String {
    let name = file.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{name}: {}", data.describe())
}

/// What the test found, with what ridge regression reaches, where that is known.
pub(crate) fn metrics(evaluation: &Evaluation, baseline: Option<f64>) -> Map<String, Value> {
    let mut metrics = evaluation.metrics("test");
    metrics.extend(baseline.map(|accuracy| ("baseline_accuracy".into(), json!(accuracy))));
    metrics
}

/// Adds to the metrics of a run which weights were kept, and writes them with the confusion matrix.
pub(crate) fn report_test(
    run: &RunDir,
    evaluated: &Evaluation,
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
