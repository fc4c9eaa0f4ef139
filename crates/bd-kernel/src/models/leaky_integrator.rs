//! [`LeakyIntegratorConfig`]: `tau du/dt = -u + x`, a neuron that integrates and never spikes; the usual readout of spiking networks.
//!
//! Exponential Euler, exact for an input that is constant over a step: `u <- u + (1 - e^(-dt/tau)) (x - u)`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decay::{Decay, check_tau};
use super::expon::behind_synapses;
use crate::{AnyKernel, NoSpikes, Num, Result, Unit, UnitKernel};

/// A leaky integrator: its settings, and the unit that they make.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 5 | above 0 | ms | time constant |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LeakyIntegratorConfig {
    /// Time constant.
    pub tau_ms: f64,
}

impl Default for LeakyIntegratorConfig {
    fn default() -> Self {
        Self { tau_ms: 5.0 }
    }
}

impl Unit<1> for LeakyIntegratorConfig {
    const NAME: &'static str = "leaky integrator";
    const STATES: [&'static str; 1] = ["v"];
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

    fn behind(kernel: &UnitKernel<Self, 1>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        behind_synapses::<_, 1, 2, 3>(kernel, before)
    }

    #[inline(always)]
    fn step<N: Num>(&self, decay: &Decay, x: N, [v]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let v = v.clone() + (x - v).scale(decay.gain);
        (v.clone(), [v])
    }
}
