//! [`Unit`]: a neuron or synapse, written once.

use std::fmt::Debug;
use std::sync::Arc;

use super::{AnyKernel, Cpu, Dual, InLoops, Num, Real, Result, UnitKernel};

/// What stands in for the derivative of a spike, `H(x)`: 1 where `x >= 0`, else 0.
pub trait SurrogateGradient: Debug + Copy + Send + Sync + 'static {
    /// Whether there are spikes at all.
    const SPIKES: bool = true;

    /// The surrogate derivative at distance `x` from the threshold.
    fn grad<N: Num>(&self, x: N) -> N;

    /// [`grad`](Self::grad) of each number, in a loop for this processor. To be overridden if it decides something that is the same for all of
    /// them.
    #[inline(always)]
    fn grads<C: Cpu, F: Real>(&self, xs: &[F], slopes: &mut [F]) {
        for (slope, x) in slopes.iter_mut().zip(xs) {
            *slope = self.grad(InLoops::<C, F>::new(*x)).0;
        }
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
/// From [`step`](Self::step) follow its definition by libtorch (`Units` in `bd-core`), the loops of the CPU with their adjoint
/// ([`UnitKernel`]), and its CUDA C ([`UnitKernel::cuda`]). Units do not see each other: what connects them are linear maps between.
///
/// ```
/// use bd_kernel::{NoSpikes, Num, Unit, UnitKernel};
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
/// let kernel = UnitKernel::new(5, &Leaky { tau_ms: 20.0 }, 1.0);
/// println!("{}", kernel.cuda()?);
/// # bd_kernel::Result::<()>::Ok(())
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

    /// The kernel of `n` such units for steps of `dt`, in the unit that [`constants`](Self::constants) takes. Not for units that hold numbers,
    /// which are given to a [`UnitKernel`].
    ///
    /// Never to be overridden with something else. A crate whose units other crates use repeats this body for each of them, so that the loops
    /// are compiled there, and not in every crate that calls it.
    fn kernel(&self, n: usize, dt: f64) -> Arc<dyn AnyKernel> {
        Arc::new(UnitKernel::new(n as i64, self, dt))
    }

    /// The loops of the units `before`, whose outputs these units read, and of these as one: `kernel.after::<A, .., ..>(before)`
    /// for each `A` for which it is worth while, since every pair is compiled for itself. Without it, two kernels are a row.
    ///
    /// Neurons behind exponential synapses have [`behind_synapses`](crate::models::expon::behind_synapses) for it.
    fn behind(_kernel: &UnitKernel<Self, S>, _before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>>
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
    fn vjp<N: Num>(
        &self,
        constants: &Self::Constants,
        x: N,
        s: [N; S],
        (over, slope): (N, N),
        gy: N,
        gnext: [N; S],
    ) -> (N, [N; S]) {
        let past = Past { x, s, over, slope, gy, gnext };
        let gx = pulled(self, constants, &past, 0);
        let mut gs = past.s.clone();
        for (j, gradient) in gs.iter_mut().enumerate() {
            *gradient = pulled(self, constants, &past, j + 1);
        }
        (gx, gs)
    }
}

/// What an adjoint reads.
struct Past<N, const S: usize> {
    x: N,
    s: [N; S],
    over: N,
    slope: N,
    gy: N,
    gnext: [N; S],
}

/// The gradient of the input, or of a number of state (from 1 on). A function that is sure to be inlined: a closure within `array::from_fn` stays a
/// call for each sample, which no vector instruction can stand for.
#[inline(always)]
fn pulled<U: Unit<S>, N: Num, const S: usize>(
    unit: &U,
    constants: &U::Constants,
    past: &Past<N, S>,
    which: usize,
) -> N {
    let Past { x, s, over, slope, gy, gnext } = past;
    let state = std::array::from_fn(|j| Dual::varied(s[j].clone(), j + 1 == which));
    let (y, next) = unit.step(constants, Dual::varied(x.clone(), which == 0), state, |distance| Dual {
        value: over.clone().heaviside(),
        slope: distance.slope.map(|d| d * slope.clone()),
    });
    let mut pulled = y.slope.map(|d| d * gy.clone());
    for (dual, asked) in next.into_iter().zip(gnext) {
        let term = dual.slope.map(|d| d * asked.clone());
        pulled = match (pulled, term) {
            (Some(sum), Some(term)) => Some(sum + term),
            (sum, term) => sum.or(term),
        };
    }
    pulled.unwrap_or_else(|| x.lit(0.0))
}
