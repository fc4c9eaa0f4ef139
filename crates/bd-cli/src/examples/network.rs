//! Parts of a file as a network takes them.

use bd_core::{DataTransform, Error, Inputs, Result, catch_torch, kind_name};
use bd_models::Pipeline;
use bd_train::data::Examples;
use tch::Tensor;

use super::part::{FileInputs, Part};

/// Takes the scaling from the steps of a training part that are no padding.
pub(crate) fn fit_scale(network: &Pipeline, part: &Part) -> Result<()> {
    if let Some(x) = part.numbers() {
        network.fit_inputs(&part.valid_steps(x))?;
    }
    let targets = if part.y.dim() == 3 { part.valid_steps(&part.y) } else { part.y.shallow_clone() };
    network.fit_targets(&targets)
}

/// Examples as the network takes them.
pub(crate) fn examples(network: &Pipeline, part: &Part) -> Result<Examples> {
    catch_torch(|| {
        let (kind, device) = network.on();
        let inputs = match &part.x {
            FileInputs::Numbers(x) => network.inputs(x, part.lengths.as_ref(), part.name)?,
            FileInputs::Spikes(spikes) => Inputs::Spikes(spikes.clone().of_kind(kind).on_device(device)),
            FileInputs::Events(_) => unreachable!("events are put in steps when a plan is known"),
        };
        let y = network.targets(&part.y);
        if let Inputs::Dense(x) = &inputs {
            check_finite("an input", &x.transpose(0, 1))?;
        }
        check_finite("a target", &y)?;
        let examples = Examples::new(inputs, y)?;
        network.lengths(part.lengths.as_ref()).map_or(Ok(examples.clone()), |lengths| examples.with_lengths(&lengths))
    })
}

/// Of numbers `[sample, ..]`, which float32 may not hold.
fn check_finite(what: &str, tensor: &Tensor) -> Result<()> {
    let wrong = tensor.isfinite().logical_not().nonzero();
    if wrong.size()[0] == 0 {
        return Ok(());
    }
    let sample = wrong.int64_value(&[0, 0]);
    let where_ = format!("sample {sample} (counted from 0), in {}", kind_name(tensor.kind()));
    Err(Error::NotFinite { what: what.into(), where_ })
}
