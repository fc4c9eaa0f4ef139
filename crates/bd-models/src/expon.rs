//! [`Expon`]: exponential synapse, `dg/dt = -g / tau + sum_k x_k delta(t - t_k)`.
//!
//! Discretised exactly: `g <- e^(-dt/tau) g + x`. The input is added after the decay of the same step, is not multiplied by `dt`
//! and not scaled by `tau`: one spike through a weight `w` makes a current that begins at `w` (BrainPy 2.2.4,
//! `brainpy/dyn/synapses/abstract_models.py`).

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
}

#[cfg(test)]
mod tests {
    use bd_core::{Tap, scan_by_step};

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
}
