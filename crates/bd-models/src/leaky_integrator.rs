//! [`LeakyIntegrator`]: `tau du/dt = -u + x`, a neuron that integrates and never spikes; the usual readout of spiking networks.
//!
//! Exponential Euler, exact for an input that is constant over a step: `u <- u + (1 - e^(-dt/tau)) (x - u)`.

use bd_core::kernel::{Fused, Kernel, Real, Rows, Sizes, Tile, vectorised};
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

    fn kernel(&self, sha: &Shared) -> Option<Fused> {
        let decay = Decay::new(sha.dt, self.config.tau_ms);
        Some(Fused::new(LeakyIntegratorKernel { n: self.n as usize, decay }, &[]))
    }
}

/// `u <- u + gain (x - u)`, and its adjoint: what is asked of `u` is asked `gain` times of `x` and `keep` times of the `u`
/// before.
#[derive(Debug)]
struct LeakyIntegratorKernel {
    n: usize,
    decay: Decay,
}

impl<F: Real> Kernel<F> for LeakyIntegratorKernel {
    fn sizes(&self) -> Sizes {
        Sizes { n_in: self.n, n_out: self.n, n_state: self.n, n_saved: 0, n_params: 0 }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, v: &mut [F], ys: &mut [F], _saved: &mut [F]) {
        let gain = F::of(self.decay.gain);
        vectorised(|| {
            for (t, ys) in ys.chunks_exact_mut(tile.batch * self.n).enumerate() {
                for ((v, x), y) in v.iter_mut().zip(xs.row(t)).zip(ys) {
                    *v = *v + (*x - *v) * gain;
                    *y = *v;
                }
            }
        });
    }

    fn backward(
        &self,
        tile: Tile,
        _xs: Rows<'_, F>,
        _saved: &[F],
        gys: &[F],
        gv: &mut [F],
        gxs: &mut [F],
        _gparams: &mut [F],
    ) {
        let (keep, gain, width) = (F::of(self.decay.keep), F::of(self.decay.gain), tile.batch * self.n);
        vectorised(|| {
            for t in (0..tile.steps).rev() {
                let row = t * width..(t + 1) * width;
                gv.iter_mut().zip(&gys[row.clone()]).for_each(|(gv, gy)| *gv += *gy);
                if !gxs.is_empty() {
                    gxs[row].iter_mut().zip(gv.iter()).for_each(|(gx, gv)| *gx = *gv * gain);
                }
                gv.iter_mut().for_each(|gv| *gv = *gv * keep);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Params, Tap, scan_by_step};

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
            for (time, batch) in [(1, 1), (7, 8), (20, 19)] {
                let on = (kind, Device::Cpu);
                let case = ScanCase { time, batch, on, tolerance, seed: 1 };
                assert_scan_is_steps(
                    &LeakyIntegrator::new(5, &LeakyIntegratorConfig::default()).unwrap(),
                    &Params::new(0, on),
                    case,
                );
            }
        }
    }
}
