//! [`LeakyIntegrator`]: `tau du/dt = -u + x`, a neuron that integrates and never spikes; the usual readout of spiking networks.
//!
//! Exponential Euler, exact for an input that is constant over a step: `u <- u + (1 - e^(-dt/tau)) (x - u)`.

use bd_core::kernel::Units;
pub use bd_kernel::models::LeakyIntegratorConfig;

/// Leaky integrators: currents `[.., n]` to potentials `[.., n]`. State `v`. `Shared.dt` is in ms.
pub type LeakyIntegrator = Units<LeakyIntegratorConfig, 1>;

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
