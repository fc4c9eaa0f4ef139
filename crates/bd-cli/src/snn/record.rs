//! States of a network over the first samples, for plots.

use bd_core::{Inputs, Result, Shared, Stack, Tap};
use bd_train::predict;
use tch::{Device, Kind};

use super::figures::Recorded;
use crate::plan::SnnPlan;

/// More samples than this nobody looks at in one picture.
const MOST_PICTURED: usize = 15;

/// Voltages and spikes of the first samples and the first hidden layer.
pub(super) fn record(plan: &SnnPlan, net: &Stack, sha: &Shared, inputs: &Inputs) -> Result<Recorded> {
    let samples: Vec<usize> = (0..(inputs.shape()[0] as usize).min(MOST_PICTURED)).collect();
    let layer = plan.model.neurons().remove(0);
    let [v, spike] = ["v", "spike"].map(|state| format!("{layer}.{state}"));
    let mut tap = Tap::new([&v, &spike]);
    let _ = predict(net, sha, &inputs.select(&samples)?, None, &mut tap)?;
    let records = tap.finish()?;
    let host = |name: &str| records[name].to_device(Device::Cpu).to_kind(Kind::Double);
    Ok(Recorded { dt_ms: plan.dt_ms, v: host(&v), spike: host(&spike), layer })
}
