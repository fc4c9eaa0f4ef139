//! [`LeakyIntegrator`]: `tau du/dt = -u + x`, a neuron that integrates and never spikes; the usual readout of spiking networks.
//!
//! Exponential Euler, exact for an input that is constant over a step: `u <- u + (1 - e^(-dt/tau)) (x - u)`.

use bd_core::{Result, Shared, System, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::decay::{Decay, check_units};

/// Settings of a [`LeakyIntegrator`].
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 5 | above 0 | ms | time constant |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

state! {
    /// State of a [`LeakyIntegrator`].
    pub struct LeakyIntegratorState {
        /// Potential, `[batch, n]`.
        v: Tensor,
    }
}

/// Leaky integrators: currents `[.., n]` to potentials `[.., n]`. `Shared.dt` is in ms.
#[derive(Debug, Clone)]
pub struct LeakyIntegrator {
    n: i64,
    config: LeakyIntegratorConfig,
}

impl LeakyIntegrator {
    /// `n` integrators.
    pub fn new(n: i64, config: &LeakyIntegratorConfig) -> Result<Self> {
        check_units("leaky integrator", n, config.tau_ms)?;
        Ok(Self { n, config: *config })
    }
}

impl System for LeakyIntegrator {
    type State = LeakyIntegratorState;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> LeakyIntegratorState {
        LeakyIntegratorState { v: Tensor::zeros([batch, self.n], on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &LeakyIntegratorState) -> (Tensor, LeakyIntegratorState) {
        let v = &s.v + (x - &s.v) * Decay::new(sha.dt, self.config.tau_ms).gain;
        (v.shallow_clone(), LeakyIntegratorState { v })
    }
}

#[cfg(test)]
mod tests {
    use bd_core::{Tap, scan_by_step};

    use super::*;

    /// A constant input of 2, against `2 (1 - e^(-t/tau))`: exact at any step size.
    #[test]
    fn a_constant_input_is_integrated_exactly() {
        let on = (Kind::Double, Device::Cpu);
        let integrator = LeakyIntegrator::new(1, &LeakyIntegratorConfig { tau_ms: 5.0 }).unwrap();
        for dt in [0.01, 1.0, 20.0] {
            let xs = Tensor::full([50, 1, 1], 2.0, on);
            let start = integrator.init_state(1, on);
            let (ys, _) = scan_by_step(&integrator, &Shared::new(dt), &xs, start, &mut Tap::none());
            for step in 0..50 {
                let exact = 2.0 * (1.0 - (-(step + 1) as f64 * dt / 5.0).exp());
                assert!((ys.double_value(&[step, 0, 0]) - exact).abs() < 1e-13, "dt {dt}, step {step}");
            }
        }
    }
}
