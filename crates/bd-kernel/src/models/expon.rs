//! [`ExponConfig`]: exponential synapse, `dg/dt = -g / tau + sum_k x_k delta(t - t_k)`.
//!
//! Discretised exactly: `g <- e^(-dt/tau) g + x`. The input is added after the decay of the same step, is not multiplied by `dt`
//! and not scaled by `tau`: one spike through a weight `w` makes a current that begins at `w` (BrainPy 2.2.4,
//! `brainpy/dyn/synapses/abstract_models.py`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decay::{Decay, check_tau};
use super::delay::OneStep;
use crate::{AnyKernel, FusedPair, NoSpikes, Num, Result, Unit, UnitKernel};

/// An exponential synapse: its settings, and the unit that they make.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | time constant of the decay |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ExponConfig {
    /// Time constant.
    pub tau_ms: f64,
}

impl Default for ExponConfig {
    fn default() -> Self {
        Self { tau_ms: 10.0 }
    }
}

impl Unit<1> for ExponConfig {
    const NAME: &'static str = "expon";
    const STATES: [&'static str; 1] = ["g"];
    type Constants = Decay;
    type Surrogate = NoSpikes;

    fn constants(&self, dt_ms: f64) -> Decay {
        Decay::new(dt_ms, self.tau_ms)
    }

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    fn check(&self) -> Result<()> {
        check_tau(Self::NAME, self.tau_ms)
    }

    // Repeated so that the loops are compiled in this crate.
    fn kernel(&self, n: usize, dt_ms: f64) -> Arc<dyn AnyKernel> {
        Arc::new(UnitKernel::new(n as i64, self, dt_ms))
    }

    /// Spikes that arrive a step later.
    fn behind(kernel: &UnitKernel<Self, 1>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        kernel.after::<OneStep, 1, 2>(before)
    }

    #[inline(always)]
    fn step<N: Num>(&self, decay: &Decay, x: N, [g]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let g = g.scale(decay.keep) + x;
        (g.clone(), [g])
    }
}

/// Exponential synapses whose spikes arrive a step later.
pub type DelayedExpon = FusedPair<OneStep, ExponConfig, 1, 1>;

/// Neurons and the exponential synapses before them, delayed or not, in one loop: what [`Unit::behind`] of a neuron with `S`
/// numbers of state returns. `S1` and `S2` are `S + 1` and `S + 2`, which the compiler cannot work out by itself.
pub fn behind_synapses<U: Unit<S>, const S: usize, const S1: usize, const S2: usize>(
    kernel: &UnitKernel<U, S>,
    before: &dyn AnyKernel,
) -> Option<Arc<dyn AnyKernel>> {
    kernel.after::<ExponConfig, 1, S1>(before).or_else(|| kernel.after::<DelayedExpon, 2, S2>(before))
}
