//! How much the layers of a network spike, for reports, for people, and as a warning.

use bd_core::{Inputs, Result, Shared, Stack};
use bd_train::{Activity, activity};
use serde_json::{Map, Value, json};

use crate::plan::SnnPlan;
use crate::text::short;
use crate::training::Progress;

/// The activity of every layer of neurons.
pub(super) fn measure(plan: &SnnPlan, net: &Stack, sha: &Shared, inputs: &Inputs) -> Result<Vec<Activity>> {
    activity(net, sha, inputs, &plan.model.neurons())
}

/// As metrics.
pub(super) fn metrics(plan: &SnnPlan, active: &[Activity]) -> Map<String, Value> {
    active.iter().map(|layer| (format!("spike_rate.{}", layer.layer), json!(layer.rate_hz(plan.dt_ms)))).collect()
}

/// As lines of a table.
pub(super) fn lines(plan: &SnnPlan, active: &[Activity]) -> Vec<(String, String)> {
    let line = |layer: &Activity| {
        let quiet = match layer.silent {
            0 => String::new(),
            silent => format!(", {silent} of {} neurons silent", layer.neurons),
        };
        (format!("rate of {}", layer.layer), format!("{} Hz{quiet}", short(layer.rate_hz(plan.dt_ms))))
    };
    active.iter().map(line).collect()
}

/// Warns of a layer that is silent or never still, once of each.
#[derive(Default)]
pub(super) struct Warner(Vec<String>);

impl Warner {
    pub(super) fn see(&mut self, active: &[Activity], progress: &Progress) {
        for layer in active {
            if let Some(warning) = layer.warning().filter(|_| !self.0.contains(&layer.layer)) {
                progress.say(&format!("warning   {warning}"));
                self.0.push(layer.layer.clone());
            }
        }
    }
}
