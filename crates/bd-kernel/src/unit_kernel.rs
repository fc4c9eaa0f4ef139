//! [`UnitKernel`]: the loops of [`Unit`]s, with the adjoint that follows from their formula.

// Loops over lanes and states are written with indices, and copies too: so they are sure to become a few vector
// instructions, where iterators or a call of memcpy sometimes stay calls and make the loop around them ten times slower.
#![allow(clippy::needless_range_loop, clippy::manual_memcpy)]

mod step;
mod text;

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::cpu::{plain, vectorised_beyond_plain};
use super::lanes::{lane, read, read_all, write, write_all};
use super::leaves::whole_leaves;
use super::unit::{NoSpikes, SurrogateGradient, Unit};
use super::{
    AnyKernel, Cpu, Formula, FusedPair, Grads, Input, Instructions, Kernel, LANES, Loops, Numbers, PlainUnits, Real,
    SingleStep, Sizes, Tile, vectorised,
};

/// The fused form of `n` equal units.
///
/// Samples side by side fill the vectors, and the state of a unit stays in registers over a stretch of steps. What is compiled for
/// processors without AVX2 has one width alone: every width of every unit costs kilobytes, and hardly anyone runs it. The adjoint of
/// a step is worked out from the formula itself, see [`Unit::vjp`]. The surrogate is no part of the recurrence: one pass over
/// the stretch.
///
/// Numbers that a unit [holds](Unit::HELD) are parameters, `[held, n]`: they are no part of the kernel's state. Their gradient
/// is summed over the stretch in registers, then over the samples.
///
/// Behind the outputs `[n]` are the numbers of state that are [recorded](AnyKernel::recording), each `[n]`.
///
/// Kept is what the adjoint reads of the state before each step; and, if the units spike, the distance from the threshold.
/// What the surrogate makes of it is worked out backward.
#[derive(Debug)]
pub struct UnitKernel<U: Unit<S>, const S: usize> {
    n: usize,
    unit: U,
    constants: U::Constants,
    /// For each number of state whether the adjoint reads it. The loops of one that does not have no use for what they find.
    reads: [bool; S],
    /// Whether it reads the input.
    reads_inputs: bool,
    /// For each number of state whether its series follows the outputs.
    recorded: [bool; S],
    /// What the units hold, `[held, n]`.
    held: Option<Numbers>,
}

impl<U: Unit<S>, const S: usize> UnitKernel<U, S> {
    /// Numbers of state that change.
    const MOVING: usize = S - U::HELD;

    /// The kernel of `n` units for steps of `dt`. Of units that hold numbers it can be run once it [has](Self::holding) them.
    pub fn new(n: i64, unit: &U, dt: f64) -> Self {
        Self::of(n as usize, *unit, unit.constants(dt))
    }

    fn of(n: usize, unit: U, constants: U::Constants) -> Self {
        let mut kernel =
            Self { n, unit, constants, reads: [true; S], reads_inputs: true, recorded: [false; S], held: None };
        (kernel.reads_inputs, kernel.reads) = kernel.read_by_adjoint();
        kernel
    }

    /// With the numbers that its units hold, `[held, n]`. They are parameters. A GPU is
    /// handed them, and does without.
    pub fn holding(mut self, held: Option<Numbers>) -> Self {
        let found = held.as_ref().map(Numbers::len);
        let holds = found.is_none_or(|found| found == U::HELD * self.n);
        assert!(holds, "{} hold {} numbers each, and got {found:?} in all", U::NAME, U::HELD);
        self.held = held;
        self
    }

    fn held<F: Real>(&self) -> &[F] {
        match &self.held {
            Some(held) => F::numbers(held),
            None => {
                assert!(U::HELD == 0, "{} were not given the numbers that they hold", U::NAME);
                &[]
            }
        }
    }

    /// The kernel `before` this one and this one as one, if that is a kernel of as many units `A`. `BOTH` is `SA + S`. See
    /// [`Unit::behind`].
    pub fn after<A, const SA: usize, const BOTH: usize>(&self, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>>
    where
        A: Unit<SA, Surrogate = NoSpikes>,
    {
        let before = (before as &dyn Any).downcast_ref::<UnitKernel<A, SA>>().filter(|before| before.n == self.n)?;
        let unit = FusedPair::<_, _, SA, S>(before.unit, self.unit);
        let both = UnitKernel::<_, BOTH>::of(self.n, unit, (before.constants, self.constants));
        Some(Arc::new(both.holding(self.held.clone())))
    }

    /// Series of each unit behind its outputs.
    fn n_recorded(&self) -> usize {
        self.recorded.iter().filter(|recorded| **recorded).count()
    }

    /// Numbers of state that are kept of each step. What is held is there anyway.
    fn n_states_kept(&self) -> usize {
        self.reads[..Self::MOVING].iter().filter(|reads| **reads).count()
    }
}

/// The steps of all units over a stretch, `W` samples at once.
struct Forward<'a, F, U: Unit<S>, const S: usize, const W: usize, const KEEP: bool> {
    kernel: &'a UnitKernel<U, S>,
    tile: Tile,
    xs: &'a [F],
    state: &'a mut [F],
    ys: &'a mut [F],
    kept: &'a mut [F],
}

impl<F: Real, U: Unit<S>, const S: usize, const W: usize, const KEEP: bool> Loops for Forward<'_, F, U, S, W, KEEP> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, state, ys, kept } = self;
        let (unit, constants, moving) = (kernel.unit, kernel.constants, UnitKernel::<U, S>::MOVING);
        let (n_values, n_kept, held) = (kernel.n * tile.len(), kernel.n_states_kept(), kernel.held::<F>());
        let records = kernel.n_recorded() > 0;
        for (k, at, s_at) in blocks::<W>(kernel.n, tile) {
            let mut s = read_all::<F, W, S>(state, s_at, kernel.n * tile.lanes, moving);
            hold(&mut s, held, k, kernel.n, moving);
            for t in 0..tile.steps {
                let at = at + t * tile.lanes;
                if KEEP {
                    let mut at = at;
                    for j in 0..moving {
                        if kernel.reads[j] {
                            write(kept, at, &s[j]);
                            at += n_values;
                        }
                    }
                }
                let x: [F; W] = read(xs, at);
                let (mut y, mut over) = ([F::default(); W], [F::default(); W]);
                for l in 0..W {
                    let (out, next) = unit.step(&constants, x[l], lane(&s, l), |distance| {
                        over[l] = distance;
                        distance.heaviside()
                    });
                    y[l] = out;
                    for j in 0..moving {
                        s[j][l] = next[j];
                    }
                }
                write(ys, at, &y);
                if records {
                    let mut at = at;
                    for j in 0..moving {
                        if kernel.recorded[j] {
                            at += n_values;
                            write(ys, at, &s[j]);
                        }
                    }
                }
                if KEEP && U::Surrogate::SPIKES {
                    write(kept, n_kept * n_values + at, &over);
                }
            }
            write_all(state, s_at, kernel.n * tile.lanes, &s, moving);
        }
    }
}

/// Their adjoint.
struct Backward<'a, F, U: Unit<S>, const S: usize, const W: usize> {
    kernel: &'a UnitKernel<U, S>,
    tile: Tile,
    xs: &'a [F],
    kept: &'a [F],
    slope: &'a [F],
    grads: Grads<'a, F>,
}

impl<F: Real, U: Unit<S>, const S: usize, const W: usize> Loops for Backward<'_, F, U, S, W> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, kept, slope: slopes, grads } = self;
        let (unit, constants, moving) = (kernel.unit, kernel.constants, UnitKernel::<U, S>::MOVING);
        let (n_values, n_kept, held) = (kernel.n * tile.len(), kernel.n_states_kept(), kernel.held::<F>());
        let (wants_gxs, records) = (!grads.xs.is_empty(), kernel.n_recorded() > 0);
        for (k, at, s_at) in blocks::<W>(kernel.n, tile) {
            // Of what is held, nothing is asked after the stretch.
            let mut gs = read_all::<F, W, S>(grads.state, s_at, kernel.n * tile.lanes, moving);
            let mut s = [[F::default(); W]; S];
            hold(&mut s, held, k, kernel.n, moving);
            for t in (0..tile.steps).rev() {
                let at = at + t * tile.lanes;
                let (x, gy): ([F; W], [F; W]) = (read(xs, at), read(grads.ys, at));
                if records {
                    let mut at = at;
                    for j in 0..moving {
                        if kernel.recorded[j] {
                            at += n_values;
                            let more: [F; W] = read(grads.ys, at);
                            for l in 0..W {
                                gs[j][l] += more[l];
                            }
                        }
                    }
                }
                let mut s_at = at;
                for j in 0..moving {
                    if kernel.reads[j] {
                        s[j] = read(kept, s_at);
                        s_at += n_values;
                    }
                }
                let (mut over, mut slope) = ([F::default(); W], [F::default(); W]);
                if U::Surrogate::SPIKES {
                    over = read(kept, n_kept * n_values + at);
                    slope = read(slopes, at);
                }
                let mut gx = [F::default(); W];
                for l in 0..W {
                    let spike = (over[l], slope[l]);
                    let (s, gnext) = (lane(&s, l), lane(&gs, l));
                    let (pulled, pulled_s) = unit.vjp(&constants, x[l], s, spike, gy[l], gnext);
                    // Far from the threshold a surrogate is as good as nothing, and products with what is left of it are slow.
                    gx[l] = pulled.flushed();
                    for j in 0..S {
                        gs[j][l] = pulled_s[j];
                    }
                }
                if wants_gxs {
                    write(grads.xs, at, &gx);
                }
            }
            write_all(grads.state, s_at, kernel.n * tile.lanes, &gs, moving);
            // Lanes beyond the batch add nothing: of them nothing is asked.
            for j in moving..S {
                let mut sum = F::default();
                for l in 0..W {
                    sum += gs[j][l];
                }
                grads.params[(j - moving) * kernel.n + k] += sum;
            }
        }
    }
}

/// Distances from the threshold to surrogate derivatives.
struct Surrogates<'a, F, G> {
    surrogate: G,
    over: &'a [F],
    slope: &'a mut [F],
}

impl<F: Real, G: SurrogateGradient> Loops for Surrogates<'_, F, G> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        self.surrogate.grads::<C, F>(self.over, self.slope);
    }
}

/// Compiled once for all units with such a surrogate.
#[inline(never)]
pub(crate) fn surrogates<F: Real, G: SurrogateGradient>(
    instructions: Instructions,
    surrogate: G,
    over: &[F],
    slope: &mut [F],
) {
    vectorised(instructions, Surrogates { surrogate, over, slope });
}

/// How many vectors of samples are worked on at once: the steps of one unit wait for each other, those of several vectors do
/// not.
fn abreast(tile: Tile) -> usize {
    [4, 2].into_iter().find(|vectors| tile.lanes.is_multiple_of(vectors * LANES)).unwrap_or(1)
}

/// The unit, and where blocks of `W` of its samples begin, in a block of series and in a leaf of the state.
#[inline(always)]
fn blocks<const W: usize>(n: usize, tile: Tile) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..n).flat_map(move |k| (0..tile.lanes).step_by(W).map(move |l| (k, k * tile.len() + l, k * tile.lanes + l)))
}

/// What unit `k` holds, the same for all samples, behind the `moving` numbers of its state.
#[inline(always)]
fn hold<F: Real, const W: usize, const S: usize>(s: &mut [[F; W]; S], held: &[F], k: usize, n: usize, moving: usize) {
    for j in moving..S {
        s[j] = [held[(j - moving) * n + k]; W];
    }
}

impl<U: Unit<S>, const S: usize> AnyKernel for UnitKernel<U, S> {
    fn behind(&self, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        U::behind(self, before)
    }

    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        let mut recorded = [false; S];
        for leaf in whole_leaves(self.n, Self::MOVING, leaves)? {
            recorded[leaf] = true;
        }
        let Self { n, unit, constants, reads, reads_inputs, .. } = *self;
        Some(Arc::new(Self { n, unit, constants, reads, reads_inputs, recorded, held: self.held.clone() }))
    }

    fn plain_units(&self) -> Option<PlainUnits<'_>> {
        let plain = U::HELD == 0 && !U::Surrogate::SPIKES;
        plain.then(|| PlainUnits { n: self.n, name: Formula::name(self), formula: Box::new(|| self.as_graphs()) })
    }

    fn formula(self: Arc<Self>) -> Option<Arc<dyn Formula>> {
        Some(self)
    }
}

impl<F: Real, U: Unit<S>, const S: usize> Kernel<F> for UnitKernel<U, S> {
    fn sizes(&self) -> Sizes {
        let n_work = if U::Surrogate::SPIKES { self.n } else { 0 };
        let (n_state, n_params) = (Self::MOVING * self.n, U::HELD * self.n);
        Sizes { n_in: self.n, n_out: self.n * (1 + self.n_recorded()), n_state, n_work, n_params }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.n * steps * (self.n_states_kept() + usize::from(U::Surrogate::SPIKES))
    }

    fn reads_inputs(&self) -> bool {
        self.reads_inputs
    }

    fn spikes(&self) -> bool {
        U::SPIKES && self.n_recorded() == 0
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], _: &mut [F]) {
        let (kernel, xs) = (self, xs.dense());
        macro_rules! loops {
            ($w:expr, $keep:expr) => {
                Forward::<_, _, S, { $w }, $keep> { kernel, tile, xs, state, ys, kept }
            };
        }
        macro_rules! wide {
            ($w:expr) => {
                match tile.keep {
                    true => vectorised_beyond_plain(tile.instructions, loops!($w, true)),
                    false => vectorised_beyond_plain(tile.instructions, loops!($w, false)),
                }
            };
        }
        match (tile.instructions.are_plain(), abreast(tile)) {
            (true, _) if tile.keep => plain(loops!(LANES, true)),
            (true, _) => plain(loops!(LANES, false)),
            (_, 4) => wide!(4 * LANES),
            (_, 2) => wide!(2 * LANES),
            _ => wide!(LANES),
        }
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        Some(Box::new(step::UnitStep::new(self)))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], slope: &mut [F], grads: Grads<'_, F>) {
        if U::Surrogate::SPIKES {
            let n_values = self.n * tile.len();
            let over = &kept[self.n_states_kept() * n_values..][..n_values];
            let slope = &mut slope[..n_values];
            surrogates(tile.instructions, self.unit.surrogate(), over, slope);
        }
        let (kernel, xs, kept, slope) = (self, xs.dense(), &*kept, &*slope);
        macro_rules! loops {
            ($w:expr) => {
                Backward::<_, _, S, { $w }> { kernel, tile, xs, kept, slope, grads }
            };
        }
        match (tile.instructions.are_plain(), abreast(tile)) {
            (true, _) => plain(loops!(LANES)),
            (_, 4) => vectorised_beyond_plain(tile.instructions, loops!(4 * LANES)),
            (_, 2) => vectorised_beyond_plain(tile.instructions, loops!(2 * LANES)),
            _ => vectorised_beyond_plain(tile.instructions, loops!(LANES)),
        }
    }
}
