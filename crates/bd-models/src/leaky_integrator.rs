//! [`LeakyIntegrator`]: `tau du/dt = -u + x`, a neuron that integrates and never spikes; the usual readout of spiking networks.
//!
//! Exponential Euler, exact for an input that is constant over a step: `u <- u + (1 - e^(-dt/tau)) (x - u)`.

use bd_core::Result;
use bd_core::kernel::{NoSpikes, Num, Unit, Units};
use serde::{Deserialize, Serialize};

use crate::decay::{Decay, check_tau};

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

/// Leaky integrators: currents `[.., n]` to potentials `[.., n]`. State `v`. `Shared.dt` is in ms.
pub type LeakyIntegrator = Units<LeakyIntegratorConfig, 1>;

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

    #[inline(always)]
    fn step<N: Num>(&self, decay: &Decay, x: N, [v]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let v = v.clone() + (x - v).scale(decay.gain);
        (v.clone(), [v])
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Params, Shared, System, Tap, scan_by_step};
    use tch::{Device, Kind, Tensor};

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

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            for seed in 0..8 {
                let (on, n) = ((kind, Device::Cpu), 1 + seed as i64);
                let layer = LeakyIntegrator::new(n, &LeakyIntegratorConfig::default()).unwrap();
                assert_scan_is_steps(&layer, &Params::new(0, on), ScanCase::random(seed, on, tolerance));
            }
        }
    }
}
