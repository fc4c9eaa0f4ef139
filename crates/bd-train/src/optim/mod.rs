//! [`Optimizer`]: gradient descent with a state that has names and can be saved.
//!
//! libtorch's optimisers hide their moments from tch, so that a run could not be resumed; hence our own.

mod apply;
mod rule;
pub(crate) mod together;

use std::cell::Cell;

use bd_core::{Error, Params, Result, match_named};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::apply::{Apply, Target, Try};
pub use self::rule::{EpsOn, Rule};
use crate::schedule::Schedule;

/// Settings of an [`Optimizer`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `lr` | 1e-3 | above 0 | learning rate |
/// | `schedule` | `constant` | see [`Schedule`] | what `lr` is multiplied by |
/// | `rule` | `adam` | see [`Rule`] | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct OptimConfig {
    pub lr: f64,
    pub schedule: Schedule,
    pub rule: Rule,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self { lr: 1e-3, schedule: Schedule::default(), rule: Rule::default() }
    }
}

impl OptimConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return Err(Error::Config(format!("lr is {}; it must be a number above 0", self.lr)));
        }
        self.schedule.check()?;
        self.rule.check()
    }
}

/// An optimiser at work on the trainable parameters of a model.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimConfig,
    /// Updates done. Of those on a device it is learned afterwards, by who only looks at them, that they were refused.
    step: Cell<u64>,
    params: Vec<(String, Tensor)>,
    /// Of each parameter, in the rule's order: views of `joined`.
    slots: Vec<Vec<Tensor>>,
    /// Those of all parameters, one after the other, in the rule's order.
    joined: Vec<Tensor>,
}

impl Optimizer {
    /// For all trainable parameters, in their order.
    pub fn new(config: &OptimConfig, params: &Params) -> Result<Self> {
        config.check()?;
        let params = params.trainable();
        if params.is_empty() {
            return Err(Error::Config("there is no trainable parameter".into()));
        }
        let on = (params[0].1.kind(), params[0].1.device());
        let total = params.iter().map(|(_, param)| param.numel() as i64).sum::<i64>();
        let joined: Vec<Tensor> = config.rule.slots().iter().map(|_| Tensor::zeros([total], on)).collect();
        let of_all: Vec<Vec<Tensor>> = joined.iter().map(|all| together::parts(all, &params)).collect();
        let of = |i: usize| of_all.iter().map(|parts| parts[i].shallow_clone()).collect();
        let slots = (0..params.len()).map(of).collect();
        Ok(Self { config: config.clone(), step: Cell::new(0), params, slots, joined })
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step.get()
    }

    /// The learning rate of the next update.
    pub fn lr(&self) -> f64 {
        self.config.lr * self.config.schedule.factor(self.step())
    }

    /// Tensors that the rule keeps beside each parameter.
    pub(crate) fn slots(&self) -> usize {
        self.config.rule.slots().len()
    }

    /// The parameters at work on, by name.
    pub fn params(&self) -> &[(String, Tensor)] {
        &self.params
    }

    /// One update, from a gradient for each parameter in order. Where a number of it would not be finite, nothing is changed.
    ///
    /// Parameters on the CPU are changed one by one, by a loop over their memory, others all together, by operations of libtorch: to
    /// the same bits, but for the last one of roots.
    pub fn update(&mut self, gradients: &[Tensor]) -> Result<()> {
        assert_eq!(gradients.len(), self.params.len(), "a gradient for each parameter");
        let _guard = tch::no_grad_guard();
        let (lr, step, rule) = (self.lr(), self.step() + 1, self.config.rule);
        if self.params[0].1.device() != Device::Cpu {
            return self.update_together(gradients);
        }
        let own = self.params.iter().zip(gradients).map(|((_, param), gradient)| apart(param, gradient.contiguous()));
        let gradients: Vec<Tensor> = own.collect();
        let targets = self.params.iter().zip(&gradients).zip(&self.slots);
        let targets: Vec<(&str, Target)> = targets
            .map(|(((name, param), gradient), slots)| (name.as_str(), Target { param, gradient, slots }))
            .collect();
        let tried = targets.iter().map(|(name, target)| {
            assert_eq!(target.param.size(), target.gradient.size(), "the gradient of {name} has its shape");
            rule.formula(step, lr, Try(target)).map_err(|which| overflow(rule, step, name, which))
        });
        // Not one before all are known to be sound.
        let tried = tried.collect::<Result<Vec<_>>>()?;
        targets.iter().zip(tried).for_each(|((_, target), tried)| rule.formula(step, lr, Apply(target, tried)));
        self.step.set(step);
        Ok(())
    }

    fn update_together(&mut self, gradients: &[Tensor]) -> Result<()> {
        for ((name, param), gradient) in self.params.iter().zip(gradients) {
            assert_eq!(param.size(), gradient.size(), "the gradient of {name} has its shape");
        }
        let param = together::joined(self.params.iter().map(|(_, param)| param));
        let sound =
            self.update_where(&param, &together::joined(gradients), &Tensor::ones([], (Kind::Bool, param.device())));
        if sound.int64_value(&[]) == 1 {
            return Ok(());
        }
        let step = self.step();
        self.refused(step);
        self.check_next(&self.params, gradients)?;
        Err(overflow(self.config.rule, step, "a parameter", 0))
    }

    /// One update of parameters on a device, from their values and gradients, both joined, where it is `sound` and no number of it
    /// would overflow; else nothing is changed. It is counted as done, and whether it was is handed back as a tensor: nothing waits.
    pub(crate) fn update_where(&mut self, param: &Tensor, gradient: &Tensor, sound: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        let (lr, step, rule) = (self.lr(), self.step() + 1, self.config.rule);
        let sound = together::update_where((rule, step, lr), &self.params, (param, gradient), &self.joined, sound);
        self.step.set(step);
        sound
    }

    /// Learns that update `step` and those after it were not made.
    pub(crate) fn refused(&self, step: u64) {
        self.step.set(step - 1);
    }

    /// Fails if the next update of these parameters, which are the optimiser's or copies, would overflow, and says what would.
    pub(crate) fn check_next(&self, params: &[(String, Tensor)], gradients: &[Tensor]) -> Result<()> {
        let rule = (self.config.rule, self.step() + 1, self.lr());
        together::overflow(rule, params, gradients, &self.joined).map_or(Ok(()), Err)
    }

    /// Copies of its tensors, as `<parameter>.<slot>`: with the number of updates all that it needs to go on.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.named_slots().into_iter().map(|(name, slot)| (name, slot.copy())).collect()
    }

    /// Handles on its tensors.
    fn named_slots(&self) -> Vec<(String, Tensor)> {
        let names = self
            .params
            .iter()
            .flat_map(|(name, _)| self.config.rule.slots().iter().map(move |slot| format!("{name}.{slot}")));
        names.zip(self.slots.iter().flatten().map(Tensor::shallow_clone)).collect()
    }

    /// Goes on from a saved [`state`](Self::state) after `step` updates. Fails with the list of differences if it is that of
    /// other parameters or of another rule.
    pub fn load(&mut self, step: u64, saved: &[(String, Tensor)]) -> Result<()> {
        let own = self.named_slots();
        match_named("the saved optimiser", &own, saved)?;
        for (name, tensor) in saved {
            let (_, slot) = own.iter().find(|(known, _)| known == name).expect("no name is unknown");
            slot.shallow_clone().f_copy_(tensor)?;
        }
        self.step.set(step);
        Ok(())
    }
}

/// What would overflow: a parameter (0), or a slot of it (from 1).
fn overflow(rule: Rule, step: u64, name: &str, which: usize) -> Error {
    let slot = which.checked_sub(1).map(|slot| format!("the optimiser's {} of {name}", rule.slots()[slot]));
    let what = slot.unwrap_or_else(|| name.to_owned());
    Error::NotFinite { what, where_: format!("it would overflow in update {step}") }
}

/// The gradient in memory that is not the parameter's.
fn apart(param: &Tensor, gradient: Tensor) -> Tensor {
    let place = |t: &Tensor| {
        let start = t.data_ptr() as usize;
        start..start + t.numel() * t.kind().elt_size_in_bytes()
    };
    let (param, own) = (place(param), place(&gradient));
    if param.start < own.end && own.start < param.end { gradient.copy() } else { gradient }
}
