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

use bd_core::kernel::{Fused, Processor, numbers_of, step_units};
use bd_core::{Error, ParamPath, Result, Shared, System, setting, state};
use bd_kernel::models::lif::{self, Free, OWN, Own, Refractory};
pub use bd_kernel::models::lif::{LifConfig, LifTrained, Reset};
use tch::{Device, Kind, Tensor};

use trained::Parameters;

mod trained;

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
    fn own(&self, dt_ms: f64) -> Option<[Tensor; OWN]> {
        self.parameters.as_ref().map(|parameters| parameters.own(&self.config, dt_ms))
    }

    /// A step of neurons of which the compiler knows whether the reset is in the gradient.
    fn step_of<const DETACHED: bool>(&self, sha: &Shared, x: &Tensor, s: &LifState) -> (Tensor, LifState) {
        let (v, spike) = (&s.v, &s.spike);
        let (free, refractory) = (Free::<DETACHED>(self.config), Refractory::<DETACHED>(self.config));
        let (y, v, spike, refractory) = match (&s.refractory, &self.own(sha.dt)) {
            (None, None) => {
                let (y, [v, spike]) = step_units(&free, sha, x, [v, spike]);
                (y, v, spike, None)
            }
            (Some(left), None) => {
                let (y, [v, spike, left]) = step_units(&refractory, sha, x, [v, spike, left]);
                (y, v, spike, Some(left))
            }
            (None, Some([gain, v_th, v_reset])) => {
                let (y, [v, spike, ..]) = step_units(&Own(free), sha, x, [v, spike, gain, v_th, v_reset]);
                (y, v, spike, None)
            }
            (Some(left), Some([gain, v_th, v_reset])) => {
                let state = [v, spike, left, gain, v_th, v_reset];
                let (y, [v, spike, left, ..]) = step_units(&Own(refractory), sha, x, state);
                (y, v, spike, Some(left))
            }
        };
        (y, LifState { v, spike, refractory })
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt_ms`, see [`UnitKernel::cuda`](bd_core::kernel::UnitKernel::cuda). What trained neurons have of their
    /// own is the end of their state there.
    pub fn cuda(&self, dt_ms: f64) -> Result<String> {
        Ok(lif::kernel(self.n as usize, &self.config, dt_ms, None).formula().expect("units have a formula").text()?)
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
        if self.config.detach_reset { self.step_of::<true>(sha, x, s) } else { self.step_of::<false>(sha, x, s) }
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let own = self.own(sha.dt);
        let held = match &own {
            // A GPU reads them where they are.
            Some(own) if processor == Processor::Cpu => Some(numbers_of(&Tensor::cat(own, 0))?),
            _ => None,
        };
        let params: Vec<&Tensor> = own.iter().flatten().collect();
        Some(Fused::new(lif::kernel(self.n as usize, &self.config, sha.dt, held), &params))
    }
}

#[cfg(test)]
mod tests;
