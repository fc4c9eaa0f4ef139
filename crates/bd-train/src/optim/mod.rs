//! [`Optimizer`]: gradient descent with a state that has names and can be saved.
//!
//! libtorch's optimisers hide their moments from tch, so that a run could not be resumed; hence our own.

mod apply;
pub(crate) mod by_kernels;
mod own;
mod rule;
pub(crate) mod together;

use std::cell::Cell;

use bd_core::gpu::Gpu;
use bd_core::{Error, Params, Result, match_named, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::apply::{Apply, Target, Try};
use self::by_kernels::{ByKernels, Lesson};
pub use self::own::{Current, Next, UpdateRule};
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        setting::above_zero("lr", self.lr)?;
        self.schedule.check()?;
        self.rule.check()
    }
}

/// Which rule an optimiser follows.
#[derive(Debug)]
enum Chosen {
    BuiltIn(Rule),
    Own(Box<dyn UpdateRule>),
}

/// An optimiser at work on the trainable parameters of a model.
#[derive(Debug)]
pub struct Optimizer {
    lr: f64,
    schedule: Schedule,
    rule: Chosen,
    /// Names of the slots.
    slot_names: Vec<String>,
    /// Updates done. Of those on a device it is learned afterwards, by who only looks at them, that they were refused.
    step: Cell<u64>,
    params: Vec<(String, Tensor)>,
    /// Of each parameter, in the rule's order: views of `joined`.
    slots: Vec<Vec<Tensor>>,
    /// Those of all parameters, one after the other, in the rule's order: views of `all_slots`.
    joined: Vec<Tensor>,
    /// `[slot, number]`.
    all_slots: Tensor,
    /// What updates without waiting, where the device has it.
    kernels: Option<ByKernels>,
}

impl Optimizer {
    /// For all trainable parameters, in their order.
    pub fn new(config: &OptimConfig, params: &Params) -> Result<Self> {
        config.check()?;
        let slots = config.rule.slots().iter().map(ToString::to_string).collect();
        Self::of(config.lr, &config.schedule, Chosen::BuiltIn(config.rule), slots, params)
    }

    /// An optimiser that follows a rule of one's own, with a learning rate above 0 and its schedule.
    pub fn with_rule(rule: impl UpdateRule + 'static, lr: f64, schedule: &Schedule, params: &Params) -> Result<Self> {
        setting::above_zero("lr", lr)?;
        schedule.check()?;
        let slots = rule.slots();
        Self::of(lr, schedule, Chosen::Own(Box::new(rule)), slots, params)
    }

    fn of(lr: f64, schedule: &Schedule, rule: Chosen, slot_names: Vec<String>, params: &Params) -> Result<Self> {
        let params = params.trainable();
        if params.is_empty() {
            return Err(Error::Config("there is no trainable parameter".into()));
        }
        let on = (params[0].1.kind(), params[0].1.device());
        let total = params.iter().map(|(_, param)| param.numel() as i64).sum::<i64>();
        let all_slots = Tensor::zeros([slot_names.len() as i64, total], on);
        let joined: Vec<Tensor> = (0..slot_names.len()).map(|slot| all_slots.get(slot as i64)).collect();
        let of_all: Vec<Vec<Tensor>> = joined.iter().map(|all| together::parts(all, &params)).collect();
        let of = |i: usize| of_all.iter().map(|parts| parts[i].shallow_clone()).collect();
        let slots = (0..params.len()).map(of).collect();
        let (schedule, step) = (schedule.clone(), Cell::new(0));
        Ok(Self { lr, schedule, rule, slot_names, step, params, slots, joined, all_slots, kernels: None })
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step.get()
    }

    /// The learning rate of the next update.
    pub fn lr(&self) -> f64 {
        self.lr * self.schedule.factor(self.step())
    }

    /// Names of the tensors that the rule keeps beside each parameter.
    pub(crate) fn slots(&self) -> &[String] {
        &self.slot_names
    }

    /// Whether the rule is one of [`Rule`]: updates by another are waited for on a device.
    pub(crate) fn is_built_in(&self) -> bool {
        matches!(self.rule, Chosen::BuiltIn(_))
    }

    /// Refuses parameters that are not those at work on.
    pub(crate) fn check_is_of(&self, params: &Params) -> Result<()> {
        let trainable = params.trainable();
        match_named("the parameters of the optimiser", &trainable, &self.params)?;
        let same = |((name, a), (other, b)): (&(String, Tensor), &(String, Tensor))| {
            name == other && a.data_ptr() == b.data_ptr()
        };
        if trainable.iter().zip(&self.params).all(same) {
            return Ok(());
        }
        Err(Error::Config("the optimiser is at work on the parameters of another model".into()))
    }

    /// The parameters at work on, by name.
    pub fn params(&self) -> &[(String, Tensor)] {
        &self.params
    }

    /// One update, from a gradient for each parameter in order. Where a number of it would not be finite, nothing is changed.
    ///
    /// Parameters on the CPU are changed one by one, by a loop over their memory, others all together, by operations of libtorch: to
    /// the same bits, but for the last one of roots. A rule of one's own is followed by operations of libtorch.
    ///
    /// Fails if there is not a gradient for each parameter, of its shape, dtype and device.
    pub fn update(&mut self, gradients: &[Tensor]) -> Result<()> {
        self.check_gradients(gradients)?;
        let _guard = tch::no_grad_guard();
        match &self.rule {
            Chosen::BuiltIn(rule) if self.params[0].1.device() == Device::Cpu => self.update_by_loops(*rule, gradients),
            Chosen::BuiltIn(_) => self.update_together(gradients),
            Chosen::Own(rule) => {
                own::update(rule.as_ref(), (self.step() + 1, self.lr()), &self.params, gradients, &self.slots)?;
                self.step.set(self.step() + 1);
                Ok(())
            }
        }
    }

    fn check_gradients(&self, gradients: &[Tensor]) -> Result<()> {
        if gradients.len() != self.params.len() {
            let (found, expected) = (gradients.len(), self.params.len());
            return Err(Error::Config(format!("there are {found} gradients for {expected} parameters")));
        }
        self.params.iter().zip(gradients).try_for_each(|((name, param), gradient)| {
            if !gradient.defined() {
                return Err(Error::Config(format!("the gradient of {name} is an undefined tensor")));
            }
            own::check_like(&format!("the gradient of {name}"), gradient, param)
        })
    }

    fn update_by_loops(&self, rule: Rule, gradients: &[Tensor]) -> Result<()> {
        let (lr, step) = (self.lr(), self.step() + 1);
        let own = self.params.iter().zip(gradients).map(|((_, param), gradient)| apart(param, gradient.contiguous()));
        let gradients: Vec<Tensor> = own.collect();
        let targets = self.params.iter().zip(&gradients).zip(&self.slots);
        let targets: Vec<(&str, Target)> = targets
            .map(|(((name, param), gradient), slots)| (name.as_str(), Target { param, gradient, slots }))
            .collect();
        let tried = targets.iter().map(|(name, target)| {
            rule.formula(step, lr, Try(target)).map_err(|which| overflow(rule, step, name, which))
        });
        // Not one before all are known to be sound.
        let tried = tried.collect::<Result<Vec<_>>>()?;
        targets.iter().zip(tried).for_each(|((_, target), tried)| rule.formula(step, lr, Apply(target, tried)));
        self.step.set(step);
        Ok(())
    }

    fn update_together(&mut self, gradients: &[Tensor]) -> Result<()> {
        let param = together::joined(self.params.iter().map(|(_, param)| param));
        let sound =
            self.update_where(&param, &together::joined(gradients), &Tensor::ones([], (Kind::Bool, param.device())));
        if sound.int64_value(&[]) == 1 {
            return Ok(());
        }
        let step = self.step();
        self.refused(step);
        self.check_next(&self.params, gradients)?;
        Err(overflow(self.built_in(), step, "a parameter", 0))
    }

    /// The rule of updates that are made all together.
    fn built_in(&self) -> Rule {
        match &self.rule {
            Chosen::BuiltIn(rule) => *rule,
            Chosen::Own(_) => unreachable!("an update by a rule of one's own is waited for"),
        }
    }

    /// One update of parameters on a device, from their values and gradients, both joined, where it is `sound` and no number of it
    /// would overflow; else nothing is changed. It is counted as done, and whether it was is handed back as a tensor: nothing waits.
    pub(crate) fn update_where(&mut self, param: &Tensor, gradient: &Tensor, sound: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        let (lr, step, rule) = (self.lr(), self.step() + 1, self.built_in());
        let sound = together::update_where((rule, step, lr), &self.params, (param, gradient), &self.joined, sound);
        self.step.set(step);
        sound
    }

    /// Makes updates without waiting by kernels from now on, where these serve rule and parameters.
    pub(crate) fn use_kernels(&mut self, gpu: &Gpu) -> Result<()> {
        if let Chosen::BuiltIn(rule) = &self.rule {
            self.kernels = ByKernels::new(gpu, *rule, &self.params)?;
        }
        Ok(())
    }

    /// Whether updates without waiting are made by kernels.
    pub(crate) fn has_kernels(&self) -> bool {
        self.kernels.is_some()
    }

    /// One update by kernels, which nothing waits for: where it is sound, and so is the one before it; else nothing is changed. It is counted
    /// as done. Hands back the joined gradients that are kept of the last sound one.
    ///
    /// # Panics
    ///
    /// Without [kernels](Self::has_kernels).
    pub(crate) fn update_by_kernels(&mut self, lesson: Lesson<'_>) -> Result<Tensor> {
        let kernels = self.kernels.as_ref().expect("it has kernels");
        kernels.update((self.step() + 1, self.lr()), &self.all_slots, lesson)?;
        self.step.set(self.step() + 1);
        Ok(kernels.held().shallow_clone())
    }

    /// Learns that update `step` and those after it were not made.
    pub(crate) fn refused(&self, step: u64) {
        self.step.set(step - 1);
    }

    /// Fails if the next update of these parameters, which are the optimiser's or copies, would overflow, and says what would.
    pub(crate) fn check_next(&self, params: &[(String, Tensor)], gradients: &[Tensor]) -> Result<()> {
        let rule = (self.built_in(), self.step() + 1, self.lr());
        together::overflow(rule, params, gradients, &self.joined).map_or(Ok(()), Err)
    }

    /// Copies of its tensors, as `<parameter>.<slot>`: with the number of updates all that it needs to go on.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.named_slots().into_iter().map(|(name, slot)| (name, slot.copy())).collect()
    }

    /// Handles on its tensors.
    fn named_slots(&self) -> Vec<(String, Tensor)> {
        let names =
            self.params.iter().flat_map(|(name, _)| self.slot_names.iter().map(move |slot| format!("{name}.{slot}")));
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
