//! The formula of leaky integrate-and-fire neurons.

use std::sync::Arc;

use super::{LifConfig, Reset};
use crate::models::decay::Decay;
use crate::models::expon::behind_synapses;
use crate::models::surrogate::Surrogate;
use crate::{AnyKernel, Num, Unit, UnitKernel};

/// Numbers that a trained neuron has of its own: `gain`, `v_th`, `v_reset`.
pub const OWN: usize = 3;

/// What a step needs: plain numbers, so that the loops have no branches.
#[derive(Debug, Clone, Copy)]
pub struct Constants {
    gain: f64,
    resistance: f64,
    v_rest: f64,
    v_th: f64,
    /// The reset is `u + (c - d u) spike`: one formula for all of them, so that the loops have no branches. To a value that is exact up to
    /// the rounding of `u`.
    c: f64,
    d: f64,
    /// Of what `c` is made where neurons have their own: `of_reset v_reset - of_threshold v_th`.
    of_reset: f64,
    of_threshold: f64,
    /// Refractory period in steps.
    period: f64,
}

impl Constants {
    fn new(config: &LifConfig, dt_ms: f64) -> Self {
        let LifConfig { tau_ms, v_rest, v_th, v_reset, resistance, refractory_ms, reset, .. } = *config;
        let (of_reset, of_threshold, d) = match reset {
            Reset::Value => (1.0, 0.0, 1.0),
            Reset::Subtract => (1.0, 1.0, 0.0),
            Reset::None => (0.0, 0.0, 0.0),
        };
        let (gain, period) = (
            Decay::new(dt_ms, tau_ms).gain,
            match refractory_ms {
                0.0 => 0.0,
                period => (period / dt_ms).round().max(1.0),
            },
        );
        let c = of_reset * v_reset - of_threshold * v_th;
        Self { gain, resistance, v_rest, v_th, c, d, of_reset, of_threshold, period }
    }
}

/// A neuron whose numbers are constants, or its own; the formula is the same.
trait Neuron<N: Num> {
    /// What is the same for all.
    fn constants(&self) -> &Constants;
    /// `gain x`.
    fn gain(&self, x: N) -> N;
    /// The distance from the threshold.
    fn over(&self, u: N) -> N;
    /// What a spike adds to the potential.
    fn jump(&self, u: N) -> N;

    /// The potential before the reset, of a neuron that is free to move.
    #[inline(always)]
    fn charge(&self, x: N, v: N) -> N {
        let k = self.constants();
        v.clone() + self.gain((x.scale(k.resistance) - v).shift(k.v_rest))
    }

    /// The potential after the reset.
    #[inline(always)]
    fn reset<const DETACHED: bool>(&self, u: N, spike: N) -> N {
        let spike = if DETACHED { spike.detach() } else { spike };
        u.clone() + self.jump(u) * spike
    }

    /// A step without a refractory period.
    #[inline(always)]
    fn free<const DETACHED: bool>(&self, x: N, v: N, spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        let u = self.charge(x, v);
        let spike = spike(self.over(u.clone()));
        let v = self.reset::<DETACHED>(u, spike.clone());
        (spike.clone(), [v, spike])
    }

    /// One with.
    #[inline(always)]
    fn refractory<const DETACHED: bool>(&self, x: N, v: N, left: N, spike: impl FnOnce(N) -> N) -> (N, [N; 3]) {
        let left = left.detach();
        // Steps are whole numbers: from one half on, some are left.
        let held = left.clone().shift(-0.5).heaviside();
        let u = held.clone().shift(-0.5).pick(v.clone(), self.charge(x, v));
        let spike = spike(self.over(u.clone())) * (-held).shift(1.0);
        let v = self.reset::<DETACHED>(u, spike.clone());
        let left = left.shift(-1.0).at_least(0.0) + spike.clone().detach().scale(self.constants().period);
        (spike.clone(), [v, spike, left])
    }
}

impl<N: Num> Neuron<N> for Constants {
    #[inline(always)]
    fn constants(&self) -> &Constants {
        self
    }
    #[inline(always)]
    fn gain(&self, x: N) -> N {
        x.scale(self.gain)
    }
    #[inline(always)]
    fn over(&self, u: N) -> N {
        u.shift(-self.v_th)
    }
    #[inline(always)]
    fn jump(&self, u: N) -> N {
        (-u).scale(self.d).shift(self.c)
    }
}

/// A neuron with numbers of its own.
struct Individual<'a, N> {
    k: &'a Constants,
    gain: N,
    v_th: N,
    v_reset: N,
}

impl<N: Num> Neuron<N> for Individual<'_, N> {
    #[inline(always)]
    fn constants(&self) -> &Constants {
        self.k
    }
    #[inline(always)]
    fn gain(&self, x: N) -> N {
        self.gain.clone() * x
    }
    #[inline(always)]
    fn over(&self, u: N) -> N {
        u - self.v_th.clone()
    }
    #[inline(always)]
    fn jump(&self, u: N) -> N {
        let c = self.v_reset.clone().scale(self.k.of_reset) - self.v_th.clone().scale(self.k.of_threshold);
        c - u.scale(self.k.d)
    }
}

/// Without a refractory period; the reset outside the gradient or not is known to the compiler. State `v`, `spike`.
#[derive(Debug, Clone, Copy)]
pub struct Free<const DETACHED: bool>(pub LifConfig);

impl<const DETACHED: bool> Unit<2> for Free<DETACHED> {
    const NAME: &'static str = "lif";
    const STATES: [&'static str; 2] = ["v", "spike"];
    const SPIKES: bool = true;
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        Constants::new(&self.0, dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate
    }

    fn behind(kernel: &UnitKernel<Self, 2>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        behind_synapses::<_, 2, 3, 4>(kernel, before)
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, [v, _]: [N; 2], spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        k.free::<DETACHED>(x, v, spike)
    }
}

/// With a refractory period. State `v`, `spike`, and the steps for which the potential still stays.
#[derive(Debug, Clone, Copy)]
pub struct Refractory<const DETACHED: bool>(pub LifConfig);

impl<const DETACHED: bool> Unit<3> for Refractory<DETACHED> {
    const NAME: &'static str = "lif with a refractory period";
    const STATES: [&'static str; 3] = ["v", "spike", "refractory"];
    const SPIKES: bool = true;
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        Constants::new(&self.0, dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate
    }

    fn behind(kernel: &UnitKernel<Self, 3>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        behind_synapses::<_, 3, 4, 5>(kernel, before)
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, [v, _, left]: [N; 3], spike: impl FnOnce(N) -> N) -> (N, [N; 3]) {
        k.refractory::<DETACHED>(x, v, left, spike)
    }
}

/// The same neurons with numbers of their own, which they hold.
#[derive(Debug, Clone, Copy)]
pub struct Own<U>(pub U);

impl<const DETACHED: bool> Unit<5> for Own<Free<DETACHED>> {
    const NAME: &'static str = "trained lif";
    const STATES: [&'static str; 5] = ["v", "spike", "gain", "v_th", "v_reset"];
    const HELD: usize = OWN;
    const SPIKES: bool = true;
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        self.0.constants(dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate()
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, s: [N; 5], spike: impl FnOnce(N) -> N) -> (N, [N; 5]) {
        let [v, _, gain, v_th, v_reset] = s;
        let neuron = Individual { k, gain, v_th, v_reset };
        let (y, [v, spike]) = neuron.free::<DETACHED>(x, v, spike);
        (y, [v, spike, neuron.gain, neuron.v_th, neuron.v_reset])
    }
}

impl<const DETACHED: bool> Unit<6> for Own<Refractory<DETACHED>> {
    const NAME: &'static str = "trained lif with a refractory period";
    const STATES: [&'static str; 6] = ["v", "spike", "refractory", "gain", "v_th", "v_reset"];
    const HELD: usize = OWN;
    const SPIKES: bool = true;
    type Constants = Constants;
    type Surrogate = Surrogate;

    fn constants(&self, dt_ms: f64) -> Constants {
        self.0.constants(dt_ms)
    }

    fn surrogate(&self) -> Surrogate {
        self.0.surrogate()
    }

    #[inline(always)]
    fn step<N: Num>(&self, k: &Constants, x: N, s: [N; 6], spike: impl FnOnce(N) -> N) -> (N, [N; 6]) {
        let [v, _, left, gain, v_th, v_reset] = s;
        let neuron = Individual { k, gain, v_th, v_reset };
        let (y, [v, spike, left]) = neuron.refractory::<DETACHED>(x, v, left, spike);
        (y, [v, spike, left, neuron.gain, neuron.v_th, neuron.v_reset])
    }
}
