//! A trained network judged once more.

use std::path::Path;

use bd_core::{Error, Result, catch_torch};
use bd_train::data::dataset::{Dataset, EvaluationSet};
use serde_json::{Map, Value};
use tch::Device;

use super::network::{NetworkExperiment, counted_events, evaluate, metrics};
use super::report::NetworkReport;
use crate::Run;
use crate::config::{Lessons, NetworkConfig};
use crate::listener::Listener;

/// The trained network of a run on the test part of its own data, on what it has learned where that has none, or on the test part
/// of another file: what is found, and numbers by name.
pub fn evaluate_network(
    run: &Run,
    config: &NetworkConfig,
    device: Device,
    other: Option<&Path>,
    listener: &dyn Listener,
) -> Result<(NetworkReport, Map<String, Value>)> {
    let weights = run.weights()?;
    let other = match other {
        Some(file) if config.examples_file().has_divided(file)? => {
            listener.say("note      the run has learned from a part of this file; it is tested on the rest");
            None
        }
        other => other,
    };
    let report = catch_torch(|| match other {
        None => {
            let experiment = NetworkExperiment::beginning_with(None, config.clone(), Lessons::again(config)?, device)?;
            experiment.pipeline().params.load(&weights)?;
            experiment.evaluate()
        }
        Some(file) => on_other(config, file, &weights, device, listener),
    })?;
    let metrics = metrics(&report);
    Ok((report, metrics))
}

fn on_other(
    config: &NetworkConfig,
    file: &Path,
    weights: &[(String, tch::Tensor)],
    device: Device,
    listener: &dyn Listener,
) -> Result<NetworkReport> {
    let Some(learned) = config.learned() else {
        return Err(Error::Config("other data are for a run that has learned from a file".into()));
    };
    let part = Dataset::read_test(file, config.accepted(), &learned)?;
    if config.model.is_spiking() {
        config.check_inputs(&part)?;
    }
    if let Some(left_out) = counted_events(part.merged_events, part.late_events) {
        listener.say(&format!("note      {left_out}"));
    }
    let pipeline = super::pipeline(config, device)?;
    pipeline.params.load(weights)?;
    let criterion = bd_train::Criterion::for_targets(config.loss, learned.targets)?;
    evaluate(config, &pipeline, criterion, &EvaluationSet::new(&part, &pipeline)?, "test")
}
