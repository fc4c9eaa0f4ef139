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

use bd_core::kernel::{Fused, Kernel, Real, Rows, Sizes, Tile, vectorised};
use bd_core::{Error, Result, Shared, System, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::decay::{Decay, check_units};
use crate::surrogate::Surrogate;

/// What a spike does to the potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Sets it to `v_reset`.
    #[default]
    Value,
    /// Subtracts `v_th - v_reset`.
    Subtract,
    /// Nothing.
    None,
}

/// Settings of [`Lif`] neurons. The defaults are those of BrainPy's tutorial.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | membrane time constant |
/// | `v_rest` | 0 | | as `v` | potential without input |
/// | `v_th` | 1 | above `v_reset` | as `v` | threshold |
/// | `v_reset` | 0 | | as `v` | potential after a spike, see `reset` |
/// | `resistance` | 1 | | `v` per input | `R` |
/// | `refractory_ms` | 0 | from 0 | ms | time after a spike in which the potential stays; rounded to steps |
/// | `reset` | `value` | `value`, `subtract`, `none` | | what a spike does to the potential |
/// | `detach_reset` | `true` | | | whether the reset is outside the gradient |
/// | `surrogate` | `inv_square`, alpha 100 | | | derivative of a spike |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct LifConfig {
    pub tau_ms: f64,
    pub v_rest: f64,
    pub v_th: f64,
    pub v_reset: f64,
    pub resistance: f64,
    pub refractory_ms: f64,
    pub reset: Reset,
    pub detach_reset: bool,
    pub surrogate: Surrogate,
}

impl Default for LifConfig {
    fn default() -> Self {
        Self {
            tau_ms: 10.0,
            v_rest: 0.0,
            v_th: 1.0,
            v_reset: 0.0,
            resistance: 1.0,
            refractory_ms: 0.0,
            reset: Reset::default(),
            detach_reset: true,
            surrogate: Surrogate::default(),
        }
    }
}

impl LifConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        let Self { v_th, v_reset, refractory_ms, .. } = *self;
        if ![self.v_rest, v_th, v_reset, self.resistance].iter().all(|value| value.is_finite()) {
            return Err(Error::Config("lif: v_rest, v_th, v_reset and resistance must be numbers".into()));
        }
        if v_th <= v_reset {
            return Err(Error::Config(format!("lif: v_th is {v_th}; it must be above v_reset, {v_reset}")));
        }
        if !(refractory_ms >= 0.0 && refractory_ms.is_finite()) {
            return Err(Error::Config(format!("lif: refractory_ms is {refractory_ms}; it must be a number from 0")));
        }
        self.surrogate.check()
    }
}

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
#[derive(Debug, Clone)]
pub struct Lif {
    n: i64,
    config: LifConfig,
}

impl Lif {
    /// `n` neurons.
    pub fn new(n: i64, config: &LifConfig) -> Result<Self> {
        check_units("lif", n, config.tau_ms)?;
        config.check()?;
        Ok(Self { n, config: *config })
    }

    /// The settings.
    pub fn config(&self) -> &LifConfig {
        &self.config
    }

    fn reset(&self, u: &Tensor, spike: &Tensor) -> Tensor {
        let LifConfig { v_th, v_reset, .. } = self.config;
        let spike = if self.config.detach_reset { spike.detach() } else { spike.shallow_clone() };
        match self.config.reset {
            Reset::Value => u + (v_reset - u) * spike,
            Reset::Subtract => u - spike * (v_th - v_reset),
            Reset::None => u.shallow_clone(),
        }
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
        let refractory = (self.config.refractory_ms > 0.0).then(zeros);
        LifState { v: zeros(), spike: zeros(), refractory }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &LifState) -> (Tensor, LifState) {
        let LifConfig { tau_ms, v_rest, v_th, resistance, refractory_ms, surrogate, .. } = self.config;
        let drive = x * resistance - &s.v + v_rest;
        let free = &s.v + drive * Decay::new(sha.dt, tau_ms).gain;
        let Some(left) = &s.refractory else {
            let spike = surrogate.spike(&(&free - v_th));
            let v = self.reset(&free, &spike);
            return (spike.shallow_clone(), LifState { v, spike, refractory: None });
        };
        let held = left.gt(0.0);
        let u = s.v.where_self(&held, &free);
        let spike = surrogate.spike(&(&u - v_th)) * held.logical_not();
        let v = self.reset(&u, &spike);
        let period = (refractory_ms / sha.dt).round();
        let refractory = (left - 1.0).clamp_min(0.0) + spike.detach() * period;
        (spike.shallow_clone(), LifState { v, spike, refractory: Some(refractory) })
    }

    fn kernel(&self, sha: &Shared) -> Option<Fused> {
        let decay = Decay::new(sha.dt, self.config.tau_ms);
        let period = (self.config.refractory_ms / sha.dt).round();
        Some(Fused::new(LifKernel { n: self.n as usize, config: self.config, decay, period }, &[]))
    }
}

/// The step of [`Lif`] in a loop over numbers, and its adjoint.
///
/// State: `v`, `spike` and, with a refractory period, the steps left. Saved: `u - v_th`, and 1 where a neuron was held.
#[derive(Debug)]
struct LifKernel {
    n: usize,
    config: LifConfig,
    decay: Decay,
    /// Refractory period in steps.
    period: f64,
}

impl LifKernel {
    fn has_period(&self) -> bool {
        self.config.refractory_ms > 0.0
    }

    /// Potential after the reset, from that before it and the spike.
    #[inline(always)]
    fn reset<F: Real>(&self, u: F, spike: F) -> F {
        let LifConfig { v_th, v_reset, .. } = self.config;
        match self.config.reset {
            Reset::Value => u + (F::of(v_reset) - u) * spike,
            Reset::Subtract => u - spike * F::of(v_th - v_reset),
            Reset::None => u,
        }
    }

    /// Gradient of the potential before the reset, from those of the potential after it and of the spike. `over` is
    /// `u - v_th`; `slope` the surrogate there, 0 where the neuron was held.
    #[inline(always)]
    fn reset_adjoint<F: Real>(&self, over: F, slope: F, gv: F, gspike: F) -> F {
        let LifConfig { v_th, v_reset, .. } = self.config;
        let spike = over.heaviside();
        let (direct, through_spike) = match self.config.reset {
            Reset::Value => (gv * (F::of(1.0) - spike), gv * (F::of(v_reset - v_th) - over)),
            Reset::Subtract => (gv, -gv * F::of(v_th - v_reset)),
            Reset::None => (gv, F::default()),
        };
        let gspike = if self.config.detach_reset { gspike } else { gspike + through_spike };
        direct + gspike * slope
    }

    fn forward_free<F: Real>(&self, tile: Tile, xs: Rows<'_, F>, state: &mut [F], ys: &mut [F], saved: &mut [F]) {
        let width = tile.batch * self.n;
        let (v, spikes) = state.split_at_mut(width);
        let LifConfig { v_rest, v_th, resistance, .. } = self.config;
        let (rest, th, resistance, gain) = (F::of(v_rest), F::of(v_th), F::of(resistance), F::of(self.decay.gain));
        for (t, (ys, over)) in ys.chunks_exact_mut(width).zip(saved.chunks_exact_mut(width)).enumerate() {
            for (((v, x), y), over) in v.iter_mut().zip(xs.row(t)).zip(ys).zip(over) {
                let u = *v + (*x * resistance - *v + rest) * gain;
                *over = u - th;
                *y = over.heaviside();
                *v = self.reset(u, *y);
            }
        }
        spikes.copy_from_slice(&ys[(tile.steps - 1) * width..]);
    }

    fn forward_held<F: Real>(&self, tile: Tile, xs: Rows<'_, F>, state: &mut [F], ys: &mut [F], saved: &mut [F]) {
        let width = tile.batch * self.n;
        let (v, rest_of_state) = state.split_at_mut(width);
        let (spikes, left) = rest_of_state.split_at_mut(width);
        let (over, held) = saved.split_at_mut(tile.steps * width);
        let LifConfig { v_rest, v_th, resistance, .. } = self.config;
        let (rest, th, resistance, gain) = (F::of(v_rest), F::of(v_th), F::of(resistance), F::of(self.decay.gain));
        let (zero, one, period) = (F::default(), F::of(1.0), F::of(self.period));
        for t in 0..tile.steps {
            let (xs, row) = (xs.row(t), t * width);
            for j in 0..width {
                let is_held = (-left[j]).pick(zero, one); // left > 0
                let free = v[j] + (xs[j] * resistance - v[j] + rest) * gain;
                let u = (-left[j]).pick(free, v[j]);
                let spike = (u - th).heaviside() * (one - is_held);
                over[row + j] = u - th;
                held[row + j] = is_held;
                ys[row + j] = spike;
                v[j] = self.reset(u, spike);
                left[j] = (left[j] - one).at_least(0.0) + spike * period;
            }
        }
        spikes.copy_from_slice(&ys[(tile.steps - 1) * width..]);
    }
}

impl<F: Real> Kernel<F> for LifKernel {
    fn sizes(&self) -> Sizes {
        let (n_state, n_saved) = if self.has_period() { (3 * self.n, 2 * self.n) } else { (2 * self.n, self.n) };
        Sizes { n_in: self.n, n_out: self.n, n_state, n_saved, n_params: 0 }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, state: &mut [F], ys: &mut [F], saved: &mut [F]) {
        if self.has_period() {
            vectorised(|| self.forward_held(tile, xs, state, ys, saved));
        } else {
            vectorised(|| self.forward_free(tile, xs, state, ys, saved));
        }
    }

    fn backward(
        &self,
        tile: Tile,
        _xs: Rows<'_, F>,
        saved: &[F],
        gys: &[F],
        gstate: &mut [F],
        gxs: &mut [F],
        _gparams: &mut [F],
    ) {
        let width = tile.batch * self.n;
        let (over, held) = saved.split_at(tile.steps * width);
        let (gv, rest) = gstate.split_at_mut(width);
        // What is asked of the last spikes is asked of the last output too; earlier spikes are no state.
        let gspikes = &mut rest[..width];
        let (zero, one, keep) = (F::default(), F::of(1.0), F::of(self.decay.keep));
        let into_x = F::of(self.decay.gain * self.config.resistance);
        // The surrogate is no part of the recurrence: one pass over a row, then one for the rest.
        let mut slope = vec![zero; width];
        let surrogate = self.config.surrogate;
        vectorised(|| {
            for t in (0..tile.steps).rev() {
                let row = t * width..(t + 1) * width;
                slope.iter_mut().zip(&over[row.clone()]).for_each(|(slope, over)| *slope = surrogate.grad(*over));
                let (over, gy) = (&over[row.clone()], &gys[row.clone()]);
                for j in 0..width {
                    let is_held = if held.is_empty() { zero } else { held[row.start + j] };
                    let free = one - is_held;
                    // A held neuron is below threshold or not; it does not spike, so nothing is reset.
                    let over = over[j] * free - is_held;
                    let gu = self.reset_adjoint(over, slope[j] * free, gv[j], gy[j] + gspikes[j]);
                    gspikes[j] = zero;
                    if !gxs.is_empty() {
                        gxs[row.start + j] = gu * into_x * free;
                    }
                    gv[j] = gu * (keep * free + is_held);
                }
            }
        });
        rest[width..].fill(zero);
    }
}

#[cfg(test)]
mod tests;
