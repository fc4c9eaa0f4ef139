//! [`Reporter`]: writes `metrics.jsonl` while a network is trained.

use std::collections::HashSet;

use bd_core::{Result, Stack};
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::{Activity, Observer, Seen};
use serde_json::{Map, Value, json};
use tch::Tensor;

use super::network::NetworkExperiment;
use crate::listener::Listener;
use crate::metrics::Metrics;

/// Writes what is reported, and warns of layers that do not spike or always do.
pub(super) struct Reporter<'a> {
    pub(super) experiment: &'a NetworkExperiment,
    /// The member that is trained.
    pub(super) net: &'a Stack,
    /// Its number, from 1, where it is not alone.
    pub(super) member: Option<usize>,
    pub(super) listener: &'a dyn Listener,
    pub(super) metrics: &'a mut Metrics,
    /// Its lines that are in the file already, by split and update: of a training that goes on from an earlier update than the lines of
    /// the other members do.
    pub(super) reported: HashSet<(String, u64)>,
    /// By which spikes are counted.
    pub(super) watched: Option<Examples>,
    /// The targets of every batch, where each batch is all examples.
    pub(super) labels: Option<Tensor>,
    /// Updates of an epoch.
    pub(super) an_epoch: u64,
    /// Layers of which was warned.
    pub(super) warned: Vec<String>,
    pub(super) accuracies: Vec<(u64, f64)>,
}

impl Reporter<'_> {
    fn activity(&self) -> Result<Vec<Activity>> {
        self.watched.as_ref().map_or(Ok(Vec::new()), |examples| self.experiment.activity(self.net, examples))
    }

    /// Writes a line of an update, unless it is in the file.
    fn report(&mut self, split: &str, step: u64, found: Map<String, Value>) -> Result<()> {
        if self.reported.contains(&(split.to_owned(), step)) {
            return Ok(());
        }
        let mut line = Map::from_iter([("step".to_owned(), json!(step)), ("split".to_owned(), json!(split))]);
        line.extend(found);
        line.extend(self.member.map(|member| ("member".to_owned(), json!(member))));
        self.metrics.report(&Value::Object(line))
    }

    /// What [`save`](Observer::save) gave of `metrics.jsonl`.
    pub(super) fn mark_in(saved: &Value) -> &Value {
        &saved["metrics"]
    }

    /// Warns of a layer that is silent or never still, once of each.
    fn warn(&mut self, active: &[Activity]) {
        for layer in active {
            if let Some(warning) = layer.warning().filter(|_| !self.warned.contains(&layer.layer)) {
                self.listener.say(&format!("warning   {warning}"));
                self.warned.push(layer.layer.clone());
            }
        }
    }
}

/// Spikes of each layer per neuron and second, by the names of `metrics.jsonl`.
pub(super) fn spike_rates(active: &[Activity], dt_ms: f64) -> Map<String, Value> {
    let rate = |layer: &Activity| json!(layer.per_step * 1000.0 / dt_ms);
    active.iter().map(|layer| (format!("spike_rate.{}", layer.layer), rate(layer))).collect()
}

/// What is between the braces.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it is written as an object"),
    }
}

impl Observer for Reporter<'_> {
    fn on_update(&mut self, seen: &Seen<'_>) -> Result<()> {
        // Whoever trains for hours wants to hear of a silent layer after the first epoch.
        let active = if seen.report.is_some() || seen.step == self.an_epoch { self.activity()? } else { Vec::new() };
        self.warn(&active);
        let Some(report) = seen.report else { return Ok(()) };
        let scored = |labels| accuracy(&self.experiment.criterion().scores(&report.outputs, None), labels);
        let found = self.labels.as_ref().map(scored).transpose()?;
        self.accuracies.extend(found.map(|found| (report.step, found)));
        let mut line = object(json!({
            "epoch": seen.epoch + 1,
            "loss": report.loss,
            "validation_loss": report.validation,
            "lr": report.lr,
            "gradient_norm": report.gradient_norm,
            "wall_s": seen.wall_s,
            "samples_per_s": report.samples_per_s,
        }));
        line.extend(found.map(|found| ("accuracy".to_owned(), json!(found))));
        let held = report.validation_accuracy;
        line.extend(held.map(|accuracy| ("validation_accuracy".to_owned(), json!(accuracy))));
        line.extend(spike_rates(&active, self.experiment.config().dt));
        self.report("train", report.step, line)
    }

    fn on_epoch(&mut self, step: u64, validation: f64, is_best: bool) -> Result<()> {
        self.report("validation", step, object(json!({"loss": validation, "best": is_best})))
    }

    fn save(&mut self) -> Result<Value> {
        Ok(json!({"metrics": self.metrics.mark()?, "warned": self.warned, "accuracies": self.accuracies}))
    }

    fn restore(&mut self, saved: &Value) -> Result<()> {
        let read = |name: &str| saved[name].clone();
        self.warned = serde_json::from_value(read("warned")).unwrap_or_default();
        self.accuracies = serde_json::from_value(read("accuracies")).unwrap_or_default();
        Ok(())
    }
}

/// Hands every update on to the listener.
pub(super) struct Relay<'a>(pub(super) &'a dyn Listener);

impl Observer for Relay<'_> {
    fn on_update(&mut self, seen: &Seen<'_>) -> Result<()> {
        self.0.on_update(seen);
        Ok(())
    }
}
