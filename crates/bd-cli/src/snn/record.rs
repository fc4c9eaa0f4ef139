//! States of a network over the first samples, for plots.

use bd_core::{Inputs, Shared, Stack, Tap};
use bd_plot::spikes::{MOST_SAMPLES, Recording};
use bd_train::predict_sequences;

use crate::plan::SnnPlan;
use crate::plot::numbers;

/// Voltages and spikes of the first samples and the first hidden layer.
pub(super) fn record(plan: &SnnPlan, net: &Stack, sha: &Shared, inputs: &Inputs) -> anyhow::Result<Recording> {
    let samples: Vec<usize> = (0..(inputs.shape()[0] as usize).min(MOST_SAMPLES)).collect();
    let layer = plan.model.neurons().remove(0);
    let [v, spike] = ["v", "spike"].map(|state| format!("{layer}.{state}"));
    let mut tap = Tap::new([&v, &spike]);
    let _ = predict_sequences(net, sha, &inputs.select(&samples)?, &mut tap)?;
    let records = tap.finish()?;
    let by_sample = |name: &str| records[name].transpose(0, 1);
    let (v, spike) = (by_sample(&v), by_sample(&spike));
    let (samples, steps, neurons) = v.size3()?;
    let shape = [samples, steps, neurons].map(|size| size as usize);
    Ok(Recording::new(&layer, plan.dt_ms, shape, numbers(&v)?, numbers(&spike)?)?)
}
