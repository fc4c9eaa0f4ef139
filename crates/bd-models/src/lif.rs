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

use bd_core::kernel::{Fused, Num, Unit, UnitKernel, step_units};
use bd_core::{Error, Result, Shared, System, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::decay::{Decay, check_tau};
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
/// | `refractory_ms` | 0 | from 0 | ms | time after a spike in which the potential stays; rounded to whole steps, at least one |
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
        check_tau("lif", self.tau_ms)?;
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

/// An expression for the unit of some neurons, each kind of which is a type of its own.
macro_rules! with_unit {
    ($lif:expr, $unit:ident => $expression:expr) => {
        match ($lif.is_refractory(), $lif.config.detach_reset) {
            (false, true) => {
                let $unit = Free::<true>($lif.config);
                $expression
            }
            (false, false) => {
                let $unit = Free::<false>($lif.config);
                $expression
            }
            (true, true) => {
                let $unit = Refractory::<true>($lif.config);
                $expression
            }
            (true, false) => {
                let $unit = Refractory::<false>($lif.config);
                $expression
            }
        }
    };
}

impl Lif {
    /// `n` neurons.
    pub fn new(n: i64, config: &LifConfig) -> Result<Self> {
        if n < 1 {
            return Err(Error::Config(format!("lif needs at least one unit, got {n}")));
        }
        config.check()?;
        Ok(Self { n, config: *config })
    }

    /// The settings.
    pub fn config(&self) -> &LifConfig {
        &self.config
    }

    fn is_refractory(&self) -> bool {
        self.config.refractory_ms > 0.0
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt_ms`, see [`UnitKernel::cuda`].
    pub fn cuda(&self, dt_ms: f64) -> Result<String> {
        with_unit!(self, unit => UnitKernel::new(self.n, &unit, dt_ms).cuda())
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
        let refractory = self.is_refractory().then(zeros);
        LifState { v: zeros(), spike: zeros(), refractory }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &LifState) -> (Tensor, LifState) {
        let (config, v, spike) = (self.config, &s.v, &s.spike);
        let Some(left) = &s.refractory else {
            let (y, [v, spike]) = match config.detach_reset {
                true => step_units(&Free::<true>(config), sha, x, [v, spike]),
                false => step_units(&Free::<false>(config), sha, x, [v, spike]),
            };
            return (y, LifState { v, spike, refractory: None });
        };
        let (y, [v, spike, left]) = match config.detach_reset {
            true => step_units(&Refractory::<true>(config), sha, x, [v, spike, left]),
            false => step_units(&Refractory::<false>(config), sha, x, [v, spike, left]),
        };
        (y, LifState { v, spike, refractory: Some(left) })
    }

    fn kernel(&self, sha: &Shared) -> Option<Fused> {
        Some(with_unit!(self, unit => Fused::new(UnitKernel::new(self.n, &unit, sha.dt), &[])))
    }
}

/// What a step needs: plain numbers, so that the loops have no branches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    gain: f64,
    resistance: f64,
    v_rest: f64,
    v_th: f64,
    /// The reset is `u + (c - d u) spike`: one formula for all of them, so that the loops have no branches. To a value that is exact up to
    /// the rounding of `u`.
    c: f64,
    d: f64,
    /// Refractory period in steps.
    period: f64,
}

impl Constants {
    fn new(config: &LifConfig, dt_ms: f64) -> Self {
        let LifConfig { tau_ms, v_rest, v_th, v_reset, resistance, refractory_ms, reset, .. } = *config;
        let (c, d) = match reset {
            Reset::Value => (v_reset, 1.0),
            Reset::Subtract => (v_reset - v_th, 0.0),
            Reset::None => (0.0, 0.0),
        };
        let (gain, period) = (
            Decay::new(dt_ms, tau_ms).gain,
            match refractory_ms {
                0.0 => 0.0,
                period => (period / dt_ms).round().max(1.0),
            },
        );
        Self { gain, resistance, v_rest, v_th, c, d, period }
    }

    /// The potential before the reset, of a neuron that is free to move.
    #[inline(always)]
    fn charge<N: Num>(&self, x: N, v: N) -> N {
        v.clone() + (x.scale(self.resistance) - v).shift(self.v_rest).scale(self.gain)
    }

    /// The potential after the reset.
    #[inline(always)]
    fn reset<N: Num, const DETACHED: bool>(&self, u: N, spike: N) -> N {
        let spike = if DETACHED { spike.detach() } else { spike };
        u.clone() + (-u).scale(self.d).shift(self.c) * spike
    }
}

/// Without a refractory period; the reset outside the gradient or not is known to the compiler. State `v`, `spike`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Free<const DETACHED: bool>(LifConfig);

impl<const DETACHED: bool> Unit<2> for Free<DETACHED> {
    const NAME: &'static str = "lif";
    const STATES: [&'static str; 2] = ["v", "spike"];
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        Constants::new(&self.0, dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, [v, _]: [N; 2], spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        let u = k.charge(x, v);
        let spike = spike(u.clone().shift(-k.v_th));
        let v = k.reset::<N, DETACHED>(u, spike.clone());
        (spike.clone(), [v, spike])
    }
}

/// With a refractory period. State `v`, `spike`, and the steps for which the potential still stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refractory<const DETACHED: bool>(LifConfig);

impl<const DETACHED: bool> Unit<3> for Refractory<DETACHED> {
    const NAME: &'static str = "lif with a refractory period";
    const STATES: [&'static str; 3] = ["v", "spike", "refractory"];
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        Constants::new(&self.0, dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, [v, _, left]: [N; 3], spike: impl FnOnce(N) -> N) -> (N, [N; 3]) {
        let left = left.detach();
        // Steps are whole numbers: from one half on, some are left.
        let held = left.clone().shift(-0.5).heaviside();
        let u = held.clone().shift(-0.5).pick(v.clone(), k.charge(x, v));
        let spike = spike(u.clone().shift(-k.v_th)) * (-held).shift(1.0);
        let v = k.reset::<N, DETACHED>(u, spike.clone());
        let left = left.shift(-1.0).at_least(0.0) + spike.clone().detach().scale(k.period);
        (spike.clone(), [v, spike, left])
    }
}

#[cfg(test)]
mod tests;
