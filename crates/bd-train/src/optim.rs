//! [`Optimizer`]: gradient descent with a state that has names and can be saved.
//!
//! libtorch's optimisers hide their moments from tch, so that a run could not be resumed; hence our own.

use bd_core::{Error, Params, Result, match_named};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::schedule::Schedule;

/// Which square root Adam adds its `eps` to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpsOn {
    /// That of the second moment corrected for its start at zero: the form of textbooks and PyTorch.
    #[default]
    Corrected,
    /// That of the moment itself: BrainPy's form (`brainpy/optimizers/optimizer.py`), and the "epsilon hat" of Kingma and Ba
    /// 2015. At first the effective `eps` is `1 / sqrt(1 - beta2)` times larger.
    Uncorrected,
}

/// How a gradient changes a parameter. `t` counts updates from 1, `lr` follows the schedule.
///
/// | name | rule | parameters, defaults |
/// |---|---|---|
/// | `sgd` | `x -= lr g` | |
/// | `adam` | `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `x -= lr m' / (sqrt(v') + eps)` with `m' = m / (1 - b1^t)`, `v' = v / (1 - b2^t)` | `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `eps_on` corrected (else `sqrt((1 - b2^t)) / (sqrt(v) + eps)` in place of `1 / (sqrt(v') + eps)`) |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Rule {
    Sgd,
    Adam { beta1: f64, beta2: f64, eps: f64, eps_on: EpsOn },
}

impl Default for Rule {
    fn default() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_on: EpsOn::Corrected }
    }
}

impl Rule {
    /// Every rule, with its default parameters.
    pub fn all() -> [Self; 2] {
        [Self::Sgd, Self::default()]
    }

    /// Names of the tensors that it keeps beside each parameter.
    fn slots(self) -> &'static [&'static str] {
        match self {
            Self::Sgd => &[],
            Self::Adam { .. } => &["m", "v"],
        }
    }

    /// The parameter and its slots after update `t`, from 1.
    fn next(self, t: u64, lr: f64, param: &Tensor, gradient: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        match self {
            Self::Sgd => (param - gradient * lr, Vec::new()),
            Self::Adam { beta1, beta2, eps, eps_on } => {
                let [m, v] = slots else { unreachable!("Adam has two slots") };
                let m = m * beta1 + gradient * (1.0 - beta1);
                let v = v * beta2 + gradient.square() * (1.0 - beta2);
                let t = t as f64;
                let (bias1, bias2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
                let (root, eps) = match eps_on {
                    EpsOn::Corrected => ((&v / bias2).sqrt(), eps),
                    EpsOn::Uncorrected => (v.sqrt() / bias2.sqrt(), eps / bias2.sqrt()),
                };
                (param - &m / (root + eps) * (lr / bias1), vec![m, v])
            }
        }
    }

    fn check(self) -> Result<()> {
        let Self::Adam { beta1, beta2, eps, .. } = self else { return Ok(()) };
        if !((0.0..1.0).contains(&beta1) && (0.0..1.0).contains(&beta2) && eps > 0.0 && eps.is_finite()) {
            return Err(Error::Config(format!(
                "adam has beta1 {beta1}, beta2 {beta2}, eps {eps}; betas are from 0 to below 1, eps is above 0"
            )));
        }
        Ok(())
    }
}

/// Settings of an [`Optimizer`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `lr` | 1e-3 | above 0 | learning rate |
/// | `schedule` | `constant` | see [`Schedule`] | what `lr` is multiplied by |
/// | `rule` | `adam` | see [`Rule`] | |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Updates done.
    step: u64,
    params: Vec<(String, Tensor)>,
    /// Of each parameter, in the rule's order.
    slots: Vec<Vec<Tensor>>,
}

impl Optimizer {
    /// For all trainable parameters, in their order.
    pub fn new(config: &OptimConfig, params: &Params) -> Result<Self> {
        config.check()?;
        let params = params.trainable();
        if params.is_empty() {
            return Err(Error::Config("there is no trainable parameter".into()));
        }
        let zeros = |(_, param): &(String, Tensor)| config.rule.slots().iter().map(|_| param.zeros_like()).collect();
        let slots = params.iter().map(zeros).collect();
        Ok(Self { config: *config, step: 0, params, slots })
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The learning rate of the next update.
    pub fn lr(&self) -> f64 {
        self.config.lr * self.config.schedule.factor(self.step)
    }

    /// The parameters at work on, by name.
    pub fn params(&self) -> &[(String, Tensor)] {
        &self.params
    }

    /// One update, from a gradient for each parameter in order. Where a number of it would not be finite, nothing is changed.
    pub fn update(&mut self, gradients: &[Tensor]) -> Result<()> {
        assert_eq!(gradients.len(), self.params.len(), "a gradient for each parameter");
        let _guard = tch::no_grad_guard();
        let (lr, step) = (self.lr(), self.step + 1);
        let mut all = Vec::new();
        for (((name, param), gradient), slots) in self.params.iter().zip(gradients).zip(&self.slots) {
            let (next, next_slots) = self.config.rule.next(step, lr, param, gradient, slots);
            let names = std::iter::once("").chain(self.config.rule.slots().iter().copied());
            for (slot, next) in names.zip(std::iter::once(&next).chain(&next_slots)) {
                if next.isfinite().all().int64_value(&[]) == 0 {
                    let what = if slot.is_empty() { name.clone() } else { format!("the optimiser's {slot} of {name}") };
                    return Err(Error::NotFinite { what, where_: format!("it would overflow in update {step}") });
                }
            }
            all.push((next, next_slots));
        }
        for (((_, param), slots), (next, next_slots)) in self.params.iter().zip(&mut self.slots).zip(all) {
            param.shallow_clone().f_copy_(&next)?;
            *slots = next_slots;
        }
        self.step = step;
        Ok(())
    }

    /// Its tensors, as `<parameter>.<slot>`: with the number of updates all that it needs to go on.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let names = self
            .params
            .iter()
            .flat_map(|(name, _)| self.config.rule.slots().iter().map(move |slot| format!("{name}.{slot}")));
        names.zip(self.slots.iter().flatten().map(Tensor::shallow_clone)).collect()
    }

    /// Goes on from a saved [`state`](Self::state) after `step` updates. Fails with the list of differences if it is that of
    /// other parameters or of another rule.
    pub fn load(&mut self, step: u64, saved: &[(String, Tensor)]) -> Result<()> {
        let own = self.state();
        match_named("the saved optimiser", &own, saved)?;
        for (name, tensor) in saved {
            let (_, slot) = own.iter().find(|(known, _)| known == name).expect("no name is unknown");
            slot.shallow_clone().f_copy_(tensor)?;
        }
        self.step = step;
        Ok(())
    }
}
