//! [`Expon`]: exponential synapse, `dg/dt = -g / tau + sum_k x_k delta(t - t_k)`.
//!
//! Discretised exactly: `g <- e^(-dt/tau) g + x`. The input is added after the decay of the same step, is not multiplied by `dt`
//! and not scaled by `tau`: one spike through a weight `w` makes a current that begins at `w` (BrainPy 2.2.4,
//! `brainpy/dyn/synapses/abstract_models.py`).

use bd_core::kernel::{Fused, Kernel, Real, Rows, Sizes, Tile, vectorised};
use bd_core::{Result, Shared, System, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::decay::{Decay, check_units};

/// Settings of an [`Expon`].
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | time constant of the decay |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

state! {
    /// State of an [`Expon`].
    pub struct ExponState {
        /// Synaptic current, `[batch, n]`.
        g: Tensor,
    }
}

/// Exponential synapses, one a channel: weighted spikes `[.., n]` to currents `[.., n]`. `Shared.dt` is in ms.
#[derive(Debug, Clone)]
pub struct Expon {
    n: i64,
    config: ExponConfig,
}

impl Expon {
    /// `n` synapses.
    pub fn new(n: i64, config: &ExponConfig) -> Result<Self> {
        check_units("expon", n, config.tau_ms)?;
        Ok(Self { n, config: *config })
    }
}

impl System for Expon {
    type State = ExponState;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> ExponState {
        ExponState { g: Tensor::zeros([batch, self.n], on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &ExponState) -> (Tensor, ExponState) {
        let g = &s.g * Decay::new(sha.dt, self.config.tau_ms).keep + x;
        (g.shallow_clone(), ExponState { g })
    }

    fn kernel(&self, sha: &Shared) -> Option<Fused> {
        let keep = Decay::new(sha.dt, self.config.tau_ms).keep;
        Some(Fused::new(ExponKernel { n: self.n as usize, keep }, &[]))
    }
}

/// `g <- keep g + x`, and its adjoint: what is asked of `g` is asked of `x`, and `keep` times of the `g` before.
#[derive(Debug)]
struct ExponKernel {
    n: usize,
    keep: f64,
}

impl<F: Real> Kernel<F> for ExponKernel {
    fn sizes(&self) -> Sizes {
        Sizes { n_in: self.n, n_out: self.n, n_state: self.n, n_saved: 0, n_params: 0 }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, g: &mut [F], ys: &mut [F], _saved: &mut [F]) {
        let keep = F::of(self.keep);
        vectorised(|| {
            for (t, ys) in ys.chunks_exact_mut(tile.batch * self.n).enumerate() {
                for ((g, x), y) in g.iter_mut().zip(xs.row(t)).zip(ys) {
                    *g = *g * keep + *x;
                    *y = *g;
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
        gg: &mut [F],
        gxs: &mut [F],
        _gparams: &mut [F],
    ) {
        let (keep, width) = (F::of(self.keep), tile.batch * self.n);
        vectorised(|| {
            for t in (0..tile.steps).rev() {
                let row = t * width..(t + 1) * width;
                gg.iter_mut().zip(&gys[row.clone()]).for_each(|(gg, gy)| *gg += *gy);
                if !gxs.is_empty() {
                    gxs[row].copy_from_slice(gg);
                }
                gg.iter_mut().for_each(|gg| *gg = *gg * keep);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Params, Tap, scan_by_step};

    use super::*;

    /// One spike of weight 3 at step 2, against `3 e^(-(t - t0)/tau)`.
    #[test]
    fn one_spike_decays_as_the_exact_solution() {
        let (on, dt) = ((Kind::Double, Device::Cpu), 0.25);
        let expon = Expon::new(1, &ExponConfig { tau_ms: 7.0 }).unwrap();
        let xs = Tensor::zeros([100, 1, 1], on);
        let _ = xs.get(2).fill_(3.0);
        let (ys, _) = scan_by_step(&expon, &Shared::new(dt), &xs, expon.init_state(1, on), &mut Tap::none());
        for step in 0..100 {
            let exact = if step < 2 { 0.0 } else { 3.0 * (-(step - 2) as f64 * dt / 7.0).exp() };
            assert!((ys.double_value(&[step, 0, 0]) - exact).abs() < 1e-14);
        }
    }

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            for (time, batch) in [(1, 1), (7, 8), (20, 19)] {
                let on = (kind, Device::Cpu);
                let case = ScanCase { time, batch, on, tolerance, seed: 1 };
                assert_scan_is_steps(&Expon::new(5, &ExponConfig::default()).unwrap(), &Params::new(0, on), case);
            }
        }
    }
}
