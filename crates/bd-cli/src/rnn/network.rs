//! A network with the scaling of its inputs and outputs, as it is trained, saved and used again.

use bd_core::{Error, Params, Result, Stack, catch_torch};
use bd_models::Standardise;
use bd_train::data::{Examples, Sequences};
use bd_train::{Loss, Task};
use tch::{Device, Kind, Tensor};

use super::data::Part;
use crate::plan::RnnPlan;

/// A network, and what brings inputs and targets to mean 0 and deviation 1 where there is that.
pub(crate) struct Network {
    pub(crate) params: Params,
    pub(crate) net: Stack,
    inputs: Option<Standardise>,
    targets: Option<Standardise>,
}

impl Network {
    pub(crate) fn new(plan: &RnnPlan, device: Device) -> Result<Self> {
        let mut params = Params::new(plan.seed, (plan.dtype.kind(), device));
        let model = &plan.model;
        let inputs = plan.data.scale.then(|| Standardise::new(&mut params.at("scale"), model.n_in)).transpose()?;
        // Probabilities stay what they are.
        let numbers =
            plan.data.targets.is_some_and(|targets| !targets.are_labels()) && plan.loss != Loss::BinaryCrossEntropy;
        let targets = (plan.data.scale && numbers)
            .then(|| Standardise::new(&mut params.at("target"), model.n_out))
            .transpose()?;
        let net = model.build(&mut params)?;
        Ok(Self { params, net, inputs, targets })
    }

    pub(crate) fn on(&self) -> (Kind, Device) {
        self.params.on()
    }

    /// Takes the scaling from the steps of a training part that are no padding.
    pub(super) fn fit_scale(&self, part: &Part) -> Result<()> {
        if let Some(scale) = &self.inputs {
            scale.fit(&part.valid_steps(&part.x).to_device(self.on().1))?;
        }
        if let Some(scale) = &self.targets {
            let targets = if part.y.dim() == 3 { part.valid_steps(&part.y) } else { part.y.shallow_clone() };
            scale.fit(&targets.to_device(self.on().1))?;
        }
        Ok(())
    }

    pub(super) fn fit_scale_to_task(&self, task: &Task, plan: &RnnPlan, number: u64) -> Result<()> {
        let Some(scale) = &self.inputs else { return Ok(()) };
        scale.fit(&task.batch(plan.seed, number, 1000, plan.dt, self.on())?.inputs().to_dense())
    }

    /// Inputs in the units of the data as the network takes them: scaled before they lose digits.
    pub(crate) fn prepare(&self, x: &Tensor) -> Tensor {
        let (kind, device) = self.on();
        let x = x.to_device(device);
        self.inputs
            .as_ref()
            .map_or_else(|| x.to_kind(kind), |scale| scale.apply(&x.to_kind(Kind::Double)).to_kind(kind))
    }

    /// Outputs in the units of the data.
    pub(crate) fn outputs(&self, y: &Tensor) -> Tensor {
        self.targets.as_ref().map_or_else(|| y.shallow_clone(), |scale| scale.undo(y))
    }

    /// Whether inputs are scaled.
    pub(crate) fn scales(&self) -> bool {
        self.inputs.is_some()
    }

    /// Examples as the network takes them.
    pub(super) fn examples(&self, part: &Part) -> Result<Examples> {
        catch_torch(|| {
            let (kind, device) = self.on();
            let x = self.prepare(&part.x);
            let y = match &self.targets {
                Some(scale) => scale.apply(&part.y.to_device(device)).to_kind(kind),
                None if part.y.kind() == Kind::Int64 => part.y.to_device(device),
                None => part.y.to_kind(kind).to_device(device),
            };
            for (what, tensor) in [("an input", &x), ("a target", &y)] {
                let wrong = tensor.isfinite().logical_not().nonzero();
                if wrong.size()[0] > 0 {
                    let sample = wrong.int64_value(&[0, 0]);
                    let where_ = format!("sample {sample} (counted from 0), in {}", bd_core::kind_name(kind));
                    return Err(Error::NotFinite { what: what.into(), where_ });
                }
            }
            let examples = Examples::new(Sequences::dense(&x)?, y)?;
            part.lengths.as_ref().map_or(Ok(examples.clone()), |lengths| examples.with_lengths(lengths))
        })
    }

    /// A batch of a task, as the network takes it.
    pub(super) fn prepared(&self, examples: Examples) -> Result<Examples> {
        if self.inputs.is_none() {
            return Ok(examples);
        }
        let x = self.prepare(&examples.inputs().to_dense());
        Examples::new(Sequences::dense(&x)?, examples.targets().shallow_clone())
    }
}
