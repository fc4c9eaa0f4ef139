//! [`Lif`]: leaky integrate-and-fire neurons, `tau dv/dt = -(v - v_rest) + R I`; a spike where `v >= v_th`, then a reset.
//!
//! One step, exponential Euler (exact for a current that is constant over the step), in BrainPy 2.2.4's order
//! (`brainpy/dyn/neurons/reduced_models.py`):
//!
//! ```text
//! u = v + (1 - e^(-dt/tau)) (v_rest + R I - v)           stays v while refractory
//! spike = H(u - v_th)                                    0 while refractory; gradient: the surrogate
//! v = u + (v_reset - u) spike                            reset = value
//!   = u - (v_th - v_reset) spike                         reset = subtract
//!   = u                                                  reset = none
//! ```
//!
//! In the reset, the spike carries no gradient if `detach_reset` (the default, and BrainPy's way).
//!
//! `tau`, `v_th` and `v_reset` are the same for all neurons, or trained, one of each neuron ([`LifTrained`], [`Lif::trained`]).
//! What is trained keeps the order of things wherever an update takes it:
//!
//! | trained | parameters `[n]` | |
//! |---|---|---|
//! | `tau` | `log_tau_ms` | `tau = e^log_tau_ms`, above 0 |
//! | `threshold` | `log_gap` | `v_th = v_reset + e^log_gap`, above `v_reset` |
//! | `reset` | `log_gap` | `v_reset = v_th - e^log_gap`, below `v_th` |
//! | `threshold` and `reset` | `v_reset`, `log_gap` | `v_th = v_reset + e^log_gap` |
//!
//! The threshold's gradient goes through the spike, by the surrogate, and through the reset.

use bd_core::kernel::{Fused, Numbers, Processor, UnitKernel, step_units};
use bd_core::{Error, ParamPath, Result, Shared, System, setting, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::decay::check_tau;
use crate::surrogate::Surrogate;
pub use trained::LifTrained;
use trained::Parameters;
use unit::Own;
pub(crate) use unit::{Free, Refractory};

mod trained;
mod unit;

/// What a spike does to the potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Sets it to `v_reset`.
    #[default]
    Value,
    /// Subtracts `v_th - v_reset`.
    Subtract,
    /// Nothing.
    None,
}

/// Settings of [`Lif`] neurons. The defaults are those of BrainPy's tutorial.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | membrane time constant |
/// | `v_rest` | 0 | | as `v` | potential without input |
/// | `v_th` | 1 | above `v_reset` | as `v` | threshold |
/// | `v_reset` | 0 | | as `v` | potential after a spike, see `reset` |
/// | `resistance` | 1 | | `v` per input | `R` |
/// | `refractory_ms` | 0 | from 0 | ms | time after a spike in which the potential stays; rounded to whole steps, at least one |
/// | `reset` | `value` | `value`, `subtract`, `none` | | what a spike does to the potential |
/// | `detach_reset` | `true` | | | whether the reset is outside the gradient |
/// | `surrogate` | `inv_square`, alpha 100 | | | derivative of a spike |
/// | `trained` | nothing | | | what each neuron has of its own, and learns; the numbers above are then the first ones. See [`LifTrained`] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct LifConfig {
    pub tau_ms: f64,
    pub v_rest: f64,
    pub v_th: f64,
    pub v_reset: f64,
    pub resistance: f64,
    pub refractory_ms: f64,
    pub reset: Reset,
    pub detach_reset: bool,
    pub surrogate: Surrogate,
    pub trained: LifTrained,
}

impl Default for LifConfig {
    fn default() -> Self {
        Self {
            tau_ms: 10.0,
            v_rest: 0.0,
            v_th: 1.0,
            v_reset: 0.0,
            resistance: 1.0,
            refractory_ms: 0.0,
            reset: Reset::default(),
            detach_reset: true,
            surrogate: Surrogate::default(),
            trained: LifTrained::default(),
        }
    }
}

impl LifConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        check_tau("lif", self.tau_ms)?;
        let Self { v_rest, v_th, v_reset, resistance, .. } = *self;
        let numbers = [("v_rest", v_rest), ("v_th", v_th), ("v_reset", v_reset), ("resistance", resistance)];
        numbers.into_iter().try_for_each(|(name, value)| setting::finite(&format!("lif.{name}"), value))?;
        setting::check("lif.v_th", v_th, v_th > v_reset, &format!("above v_reset, {v_reset}"))?;
        setting::from_zero("lif.refractory_ms", self.refractory_ms)?;
        if self.trained.reset && self.reset == Reset::None {
            return Err(Error::Config(
                "lif: trained.reset is true, but reset is none, so that v_reset has no effect; leave one of them out"
                    .into(),
            ));
        }
        self.surrogate.check()
    }
}

state! {
    /// State of [`Lif`] neurons.
    pub struct LifState {
        /// Potential after the reset, `[batch, n]`.
        v: Tensor,
        /// 1 where a neuron has spiked in this step, else 0, `[batch, n]`.
        spike: Tensor,
        /// Steps for which the potential still stays, `[batch, n]`; there if the neurons have a refractory period.
        refractory: Option<Tensor>,
    }
}

/// Leaky integrate-and-fire neurons: currents `[.., n]` to spikes `[.., n]`, exactly 0 or 1. `Shared.dt` is in ms.
///
/// A clone has the same parameters.
#[derive(Debug, Clone)]
pub struct Lif {
    n: i64,
    config: LifConfig,
    /// Of trained neurons.
    parameters: Option<Parameters>,
}

/// An expression in which a constant says whether the reset is outside the gradient, as a type must know.
macro_rules! with_reset {
    ($config:expr, $detached:ident => $expression:expr) => {
        if $config.detach_reset {
            const $detached: bool = true;
            $expression
        } else {
            const $detached: bool = false;
            $expression
        }
    };
}

/// An expression for the unit of some neurons, each kind of which is a type of its own.
macro_rules! with_unit {
    ($lif:expr, $unit:ident => $expression:expr) => {
        with_reset!($lif.config, DETACHED => match ($lif.is_refractory(), &$lif.parameters) {
            (false, None) => {
                let $unit = Free::<DETACHED>($lif.config);
                $expression
            }
            (true, None) => {
                let $unit = Refractory::<DETACHED>($lif.config);
                $expression
            }
            (false, Some(_)) => {
                let $unit = Own(Free::<DETACHED>($lif.config));
                $expression
            }
            (true, Some(_)) => {
                let $unit = Own(Refractory::<DETACHED>($lif.config));
                $expression
            }
        })
    };
}

impl Lif {
    /// `n` neurons, of which nothing is trained.
    pub fn new(n: i64, config: &LifConfig) -> Result<Self> {
        if config.trained.any() {
            return Err(Error::Config(
                "lif: trained numbers are parameters, which are made at a path: Lif::trained or CubaLif::trained"
                    .into(),
            ));
        }
        Self::of(n, config)
    }

    /// `n` neurons, of which is trained what the settings say, with parameters that are made at `path`.
    pub fn trained(path: &mut ParamPath<'_>, n: i64, config: &LifConfig) -> Result<Self> {
        let lif = Self::of(n, config)?;
        let parameters = if config.trained.any() { Some(Parameters::new(path, n, config)?) } else { None };
        Ok(Self { parameters, ..lif })
    }

    fn of(n: i64, config: &LifConfig) -> Result<Self> {
        setting::at_least("lif.n", n, 1)?;
        config.check()?;
        Ok(Self { n, config: *config, parameters: None })
    }

    /// The settings.
    pub fn config(&self) -> &LifConfig {
        &self.config
    }

    fn is_refractory(&self) -> bool {
        self.config.refractory_ms > 0.0
    }

    /// What trained neurons have of their own for steps of `dt_ms`, in the graph.
    fn own(&self, dt_ms: f64) -> Option<[Tensor; unit::OWN]> {
        self.parameters.as_ref().map(|parameters| parameters.own(&self.config, dt_ms))
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt_ms`, see [`UnitKernel::cuda`]. What trained neurons have of their
    /// own is the end of their state there.
    pub fn cuda(&self, dt_ms: f64) -> Result<String> {
        with_unit!(self, unit => UnitKernel::new(self.n, &unit, dt_ms).cuda())
    }
}

impl System for Lif {
    type State = LifState;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> LifState {
        let zeros = || Tensor::zeros([batch, self.n], on);
        let refractory = self.is_refractory().then(zeros);
        LifState { v: zeros(), spike: zeros(), refractory }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &LifState) -> (Tensor, LifState) {
        let (config, v, spike) = (self.config, &s.v, &s.spike);
        let own = self.own(sha.dt);
        let (y, v, spike, refractory) = with_reset!(config, DETACHED => match (&s.refractory, &own) {
            (None, None) => {
                let (y, [v, spike]) = step_units(&Free::<DETACHED>(config), sha, x, [v, spike]);
                (y, v, spike, None)
            }
            (Some(left), None) => {
                let (y, [v, spike, left]) = step_units(&Refractory::<DETACHED>(config), sha, x, [v, spike, left]);
                (y, v, spike, Some(left))
            }
            (None, Some([gain, v_th, v_reset])) => {
                let unit = Own(Free::<DETACHED>(config));
                let (y, [v, spike, ..]) = step_units(&unit, sha, x, [v, spike, gain, v_th, v_reset]);
                (y, v, spike, None)
            }
            (Some(left), Some([gain, v_th, v_reset])) => {
                let unit = Own(Refractory::<DETACHED>(config));
                let (y, [v, spike, left, ..]) = step_units(&unit, sha, x, [v, spike, left, gain, v_th, v_reset]);
                (y, v, spike, Some(left))
            }
        });
        (y, LifState { v, spike, refractory })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let own = self.own(sha.dt);
        let held = match &own {
            // A GPU reads them where they are.
            Some(own) if processor == Processor::Cpu => Some(Numbers::of(&Tensor::cat(own, 0))?),
            _ => None,
        };
        let params: Vec<&Tensor> = own.iter().flatten().collect();
        Some(with_unit!(self, unit => Fused::new(UnitKernel::new(self.n, &unit, sha.dt).holding(held), &params)))
    }
}

#[cfg(test)]
mod tests;
