//! [`Unit`]: a neuron or synapse, written once; [`Units`]: many of them as a [`System`].

use std::fmt::Debug;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::unit_kernel::UnitKernel;
use super::{AnyKernel, Dual, Field, Fused, Num, Processor, Real};
use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::state::{StateTree, join};
use crate::system::System;

/// What stands in for the derivative of a spike, `H(x)`: 1 where `x >= 0`, else 0.
pub trait SurrogateGradient: Debug + Copy + Send + Sync + 'static {
    /// Whether there are spikes at all.
    const SPIKES: bool = true;

    /// The surrogate derivative at distance `x` from the threshold.
    fn grad<N: Num>(&self, x: N) -> N;

    /// [`grad`](Self::grad) of each number. To be overridden if it decides something that is the same for all of them.
    #[inline(always)]
    fn grads<F: Real>(&self, xs: &[F], slopes: &mut [F]) {
        slopes.iter_mut().zip(xs).for_each(|(slope, x)| *slope = self.grad(*x));
    }

    /// Spikes, exactly 0 or 1, of `x` finite, with the surrogate derivative as their gradient.
    ///
    /// `H(x) + g(x) (x - x)` with everything but the first `x` of the bracket outside the graph. (The popular
    /// `hard + soft - soft` is not exactly 0 or 1 in float32.)
    fn spike(&self, x: &Tensor) -> Tensor {
        let outside = x.detach();
        let spikes = Field(outside.shallow_clone()).heaviside().0;
        if !x.requires_grad() {
            return spikes;
        }
        let slope = self.grad(Field(outside.shallow_clone())).0;
        spikes + slope * (x - outside)
    }
}

/// For units that do not spike.
#[derive(Debug, Clone, Copy)]
pub struct NoSpikes;

impl SurrogateGradient for NoSpikes {
    const SPIKES: bool = false;

    fn grad<N: Num>(&self, x: N) -> N {
        x.lit(0.0)
    }
}

/// A neuron or synapse with one input, one output and `S` numbers of state, written once as a formula.
///
/// From [`step`](Self::step) follow its definition by libtorch, the loops of the CPU with their adjoint, and its CUDA C; see
/// [`Units`]. Units do not see each other: what connects them are linear maps between.
///
/// ```
/// use bd_core::kernel::{NoSpikes, Num, Unit, Units};
///
/// /// `v <- v + dt/tau (x - v)`, `y = tanh(v)`.
/// #[derive(Debug, Clone, Copy)]
/// struct Leaky { tau_ms: f64 }
///
/// impl Unit<1> for Leaky {
///     const NAME: &'static str = "leaky";
///     const STATES: [&'static str; 1] = ["v"];
///     type Constants = f64;
///     type Surrogate = NoSpikes;
///
///     fn constants(&self, dt_ms: f64) -> f64 {
///         dt_ms / self.tau_ms
///     }
///     fn surrogate(&self) -> NoSpikes {
///         NoSpikes
///     }
///     fn step<N: Num>(&self, rate: &f64, x: N, [v]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
///         let v = v.clone() + (x - v).scale(*rate);
///         (v.clone().tanh(), [v])
///     }
/// }
///
/// let layer = Units::new(5, &Leaky { tau_ms: 20.0 })?;
/// # bd_core::Result::<()>::Ok(())
/// ```
pub trait Unit<const S: usize>: Debug + Copy + Send + Sync + 'static {
    /// What messages call it.
    const NAME: &'static str;
    /// Names of its numbers of state.
    const STATES: [&'static str; S];
    /// So many numbers at the end of its state never change: `step` gives them back as they are. They are a neuron's own
    /// parameters, which are [given to the kernel](UnitKernel::holding) at every scan and which no state of a system has.
    const HELD: usize = 0;
    /// Whether its output is always exactly 0 or 1.
    const SPIKES: bool = false;
    /// What `step` needs that depends on the step size: worked out once, in float64.
    type Constants: Debug + Copy + Send + Sync;
    /// What stands in for the derivative of its spikes; [`NoSpikes`] if there are none.
    type Surrogate: SurrogateGradient;

    /// Constants for steps of `dt`.
    fn constants(&self, dt: f64) -> Self::Constants;

    /// Its surrogate.
    fn surrogate(&self) -> Self::Surrogate;

    /// Refuses settings that cannot be.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The numbers of state before the first step.
    fn initial(&self) -> [f64; S] {
        [0.0; S]
    }

    /// The loops of these units and of `next`, which reads their outputs, as one: `kernel.then::<V, .., ..>(next)` for each
    /// `V` for which it is worth while, since every pair is compiled for itself. Without it, two kernels are a row.
    fn before(_kernel: &UnitKernel<Self, S>, _next: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>>
    where
        Self: Sized,
    {
        None
    }

    /// One step: input and state to output and the next state. A spike is `spike(distance from the threshold)`, at most one a
    /// step: `H` forward, the surrogate backward.
    fn step<N: Num>(&self, constants: &Self::Constants, x: N, s: [N; S], spike: impl FnOnce(N) -> N) -> (N, [N; S]);

    /// The adjoint of a step: gradients of output and next state to those of input and state. The spike is known by its
    /// distance from the threshold and the derivative that stands in for its own.
    ///
    /// Worked out from [`step`](Self::step), which is evaluated once for each number that it depends on, as a [`Dual`]; the
    /// compiler, and a [`Listing`](super::Listing), merge what these evaluations share and leave out what nobody needs.
    #[inline(always)]
    fn pull<N: Num>(
        &self,
        constants: &Self::Constants,
        x: N,
        s: [N; S],
        (over, slope): (N, N),
        gy: N,
        gnext: [N; S],
    ) -> (N, [N; S]) {
        let along = |which: usize| {
            let state = std::array::from_fn(|j| Dual::varied(s[j].clone(), j + 1 == which));
            let (y, next) = self.step(constants, Dual::varied(x.clone(), which == 0), state, |distance| Dual {
                value: over.clone().heaviside(),
                slope: distance.slope.map(|d| d * slope.clone()),
            });
            let mut pulled = y.slope.map(|d| d * gy.clone());
            for (dual, asked) in next.into_iter().zip(&gnext) {
                let term = dual.slope.map(|d| d * asked.clone());
                pulled = match (pulled, term) {
                    (Some(sum), Some(term)) => Some(sum + term),
                    (sum, term) => sum.or(term),
                };
            }
            pulled.unwrap_or_else(|| x.lit(0.0))
        };
        (along(0), std::array::from_fn(|j| along(j + 1)))
    }
}

/// One step of many units by libtorch: the definition.
pub fn step_units<U: Unit<S>, const S: usize>(
    unit: &U,
    sha: &Shared,
    x: &Tensor,
    s: [&Tensor; S],
) -> (Tensor, [Tensor; S]) {
    let spike = |x: Field| Field(unit.surrogate().spike(&x.0));
    let state = s.map(|t| Field(t.shallow_clone()));
    let (y, next) = unit.step(&unit.constants(sha.dt), Field(x.shallow_clone()), state, spike);
    (y.0, next.map(|field| field.0))
}

/// `n` equal units side by side, as a [`System`]: inputs `[.., n]` to outputs `[.., n]`.
#[derive(Debug, Clone)]
pub struct Units<U, const S: usize> {
    n: i64,
    unit: U,
}

impl<U: Unit<S>, const S: usize> Units<U, S> {
    /// `n` units.
    pub fn new(n: i64, unit: &U) -> Result<Self> {
        const { assert!(U::HELD == 0, "equal units hold no numbers of their own") };
        if n < 1 {
            return Err(Error::setting(format!("{}.n", U::NAME), n, "at least 1"));
        }
        unit.check()?;
        Ok(Self { n, unit: *unit })
    }

    /// The settings of each.
    pub fn config(&self) -> &U {
        &self.unit
    }

    /// Step, adjoint and surrogate in CUDA C for steps of `dt`, see [`UnitKernel::cuda`].
    pub fn cuda(&self, dt: f64) -> Result<String> {
        UnitKernel::new(self.n, &self.unit, dt).cuda()
    }
}

/// State of [`Units`]: `S` tensors `[batch, n]`, by name.
#[derive(Debug)]
pub struct UnitState<const S: usize> {
    names: [&'static str; S],
    /// The tensors, in the order of [`Unit::STATES`].
    pub values: [Tensor; S],
}

impl<const S: usize> UnitState<S> {
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.names.iter().position(|known| *known == name).map(|i| &self.values[i])
    }
}

impl<const S: usize> StateTree for UnitState<S> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        for (name, value) in self.names.iter().zip(&self.values) {
            f(&join(path, name), value);
        }
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let pairs = self.names.iter().zip(&self.values);
        let values: Vec<Tensor> = pairs.map(|(name, value)| f(&join(path, name), value)).collect::<Result<_>>()?;
        Ok(Self { names: self.names, values: values.try_into().expect("as many as there were") })
    }
}

impl<U: Unit<S>, const S: usize> System for Units<U, S> {
    type State = UnitState<S>;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> UnitState<S> {
        let values = self.unit.initial().map(|value| Tensor::full([batch, self.n], value, on));
        UnitState { names: U::STATES, values }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &UnitState<S>) -> (Tensor, UnitState<S>) {
        let (y, values) = step_units(&self.unit, sha, x, s.values.each_ref());
        (y, UnitState { names: U::STATES, values })
    }

    fn kernel(&self, sha: &Shared, _processor: Processor) -> Option<Fused> {
        Some(Fused::new(UnitKernel::new(self.n, &self.unit, sha.dt), &[]))
    }
}
