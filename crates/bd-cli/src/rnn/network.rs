//! The network of a plan, with the scaling of its inputs and outputs.

use bd_core::{DataTransform, Params, Result};
use bd_models::{Pipeline, Preparation};
use bd_train::data::Examples;
use bd_train::{Loss, Task};
use tch::Device;

use crate::plan::RnnPlan;

pub(crate) fn network(plan: &RnnPlan, device: Device) -> Result<Pipeline> {
    let model = &plan.model;
    let preparation = if plan.data.scale { Preparation::Standardise } else { Preparation::None };
    // Probabilities stay what they are.
    let numbers =
        plan.data.targets.is_some_and(|targets| !targets.are_labels()) && plan.loss != Loss::BinaryCrossEntropy;
    let scaled = (plan.data.scale && numbers).then_some(model.n_out);
    let on = (plan.dtype.kind(), device);
    Pipeline::new(Params::new(plan.seed, on), model.n_in, preparation, scaled, |params| model.build(params))
}

pub(super) fn fit_scale_to_task(network: &Pipeline, task: &Task, plan: &RnnPlan, number: u64) -> Result<()> {
    network.fit_inputs(&task.batch(plan.seed, number, 1000, plan.dt, network.on())?.inputs().to_dense())
}

/// A batch of a task, as the network takes it.
pub(super) fn prepared(network: &Pipeline, examples: Examples) -> Result<Examples> {
    if network.preparation().is_none() {
        return Ok(examples);
    }
    let inputs = network.inputs(&examples.inputs().to_dense(), None, "task")?;
    examples.with_inputs(inputs)
}
