//! [`Expon`]: exponential synapse, `dg/dt = -g / tau + sum_k x_k delta(t - t_k)`.
//!
//! Discretised exactly: `g <- e^(-dt/tau) g + x`. The input is added after the decay of the same step, is not multiplied by `dt`
//! and not scaled by `tau`: one spike through a weight `w` makes a current that begins at `w` (BrainPy 2.2.4,
//! `brainpy/dyn/synapses/abstract_models.py`).

use bd_core::kernel::Units;
pub use bd_kernel::models::expon::{ExponConfig, behind_synapses};

/// Exponential synapses, one a channel: weighted spikes `[.., n]` to currents `[.., n]`. State `g`. `Shared.dt` is in ms.
pub type Expon = Units<ExponConfig, 1>;

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Params, Shared, System, Tap, scan_by_step};
    use tch::{Device, Kind, Tensor};

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
            for seed in 0..8 {
                let (on, n) = ((kind, Device::Cpu), 1 + seed as i64);
                let layer = Expon::new(n, &ExponConfig::default()).unwrap();
                assert_scan_is_steps(&layer, &Params::new(0, on), ScanCase::random(seed, on, tolerance));
            }
        }
    }
}
