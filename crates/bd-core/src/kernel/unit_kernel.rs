//! [`UnitKernel`]: the loops of [`Unit`]s, with the adjoint that follows from their formula.

// Loops over lanes and states are written with indices, and copies too: so they are sure to become a few vector
// instructions, where iterators or a call of memcpy sometimes stay calls and make the loop around them ten times slower.
#![allow(clippy::needless_range_loop, clippy::manual_memcpy)]

use super::unit::{SurrogateGradient, Unit};
use super::{Cpu, Dual, Grads, Input, Kernel, LANES, Listing, Loops, Num, Real, Sizes, Tile, vectorised};
use crate::error::Result;

/// The fused form of `n` equal units.
///
/// Samples side by side fill the vectors, and the state of a unit stays in registers over a stretch of steps. The adjoint of
/// a step is worked out from the formula itself: it is evaluated once for each number that it depends on, as a [`Dual`], and the
/// compiler merges what these evaluations share. The surrogate is no part of the recurrence: one pass over the stretch.
///
/// `work`: what the adjoint reads of the state before each step, and the distance from the threshold if the units spike.
#[derive(Debug)]
pub struct UnitKernel<U: Unit<S>, const S: usize> {
    n: usize,
    unit: U,
    constants: U::Constants,
    /// For each number of state whether the adjoint reads it. The loops of one that does not have no use for what they find.
    reads: [bool; S],
}

impl<U: Unit<S>, const S: usize> UnitKernel<U, S> {
    /// The kernel of `n` units for steps of `dt`.
    pub fn new(n: i64, unit: &U, dt: f64) -> Self {
        let mut kernel = Self { n: n as usize, unit: *unit, constants: unit.constants(dt), reads: [true; S] };
        kernel.reads = kernel.read_by_adjoint();
        kernel
    }

    /// Taken from the adjoint's own text.
    fn read_by_adjoint(&self) -> [bool; S] {
        let adjoint = Listing::new();
        let pulled: String = (0..=S).map(|which| self.pulled_code(&adjoint, which)).collect();
        std::array::from_fn(|j| adjoint.mentions(&format!("s[{j}]")) || pulled.contains(&format!("s[{j}]")))
    }

    /// Numbers of state that are kept of each step.
    fn n_kept(&self) -> usize {
        self.reads.iter().filter(|reads| **reads).count()
    }

    /// Step, adjoint and surrogate as CUDA C: `step`, `adjoint` and `surrogate_gradient` are device functions.
    /// `real` is `float` unless the text that includes this has defined it before (`#define real double`).
    pub fn cuda(&self) -> Result<String> {
        let s = |j: usize| format!("s[{j}]");
        let forward = Listing::new();
        let state = std::array::from_fn(|j| forward.name(&s(j)));
        let mut over = None;
        let (y, next) = self.unit.step(&self.constants, forward.name("x"), state, |distance| {
            over = Some(distance.operand().to_owned());
            distance.heaviside()
        });
        let (y, next) = (y.operand().to_owned(), next.map(|code| code.operand().to_owned()));
        let assign = |names: [String; S], to: &str| -> String {
            names.iter().enumerate().map(|(j, name)| format!("    {to}[{j}] = {name};\n")).collect()
        };
        let gradient = Listing::new();
        let slope = self.unit.surrogate().grad(gradient.name("distance"));
        let adjoint = Listing::new();
        let pulled: Vec<String> = (0..=S).map(|which| self.pulled_code(&adjoint, which)).collect();
        Ok(format!(
            "#ifndef real\n#define real float\n#endif\n
// {name}: the step. `over` is the distance from the threshold.
__device__ inline void step(const real x, const real *s, real *y, real *next, real *over) {{
{forward}    *over = {over};
    *y = {y};
{next}}}

// What stands in for the derivative of a spike.
__device__ inline real surrogate_gradient(const real distance) {{
{gradient}    return {slope};
}}

// The adjoint of the step: gradients of output and next state to those of input and state.
__device__ inline void adjoint(const real x, const real *s, const real slope, const real gy, const real *gnext, real *gx,
                               real *gs) {{
{adjoint}    *gx = {gx};
{gs}}}
",
            name = U::NAME,
            forward = forward.statements()?,
            over = over.unwrap_or_else(|| "real(0)".to_owned()),
            next = assign(next, "next"),
            gradient = gradient.statements()?,
            slope = slope.operand(),
            adjoint = adjoint.statements()?,
            gx = pulled[0],
            gs = assign(std::array::from_fn(|j| pulled[j + 1].clone()), "gs"),
        ))
    }

    /// The name of the gradient of one of the numbers that the step depends on: 0 is the input, then the state.
    fn pulled_code(&self, listing: &Listing, which: usize) -> String {
        let dual = |i: usize, name: &str| Dual::varied(listing.name(name), i == which);
        let state = std::array::from_fn(|j| dual(j + 1, &format!("s[{j}]")));
        let (y, next) = self.unit.step(&self.constants, dual(0, "x"), state, |distance| Dual {
            value: distance.value.heaviside(),
            slope: distance.slope.map(|d| d * listing.name("slope")),
        });
        let asked = (0..S).map(|j| listing.name(&format!("gnext[{j}]")));
        let terms = std::iter::once((y, listing.name("gy"))).chain(next.into_iter().zip(asked));
        let terms = terms.filter_map(|(dual, asked)| dual.slope.map(|d| d * asked));
        terms.reduce(|sum, term| sum + term).map_or_else(|| "real(0)".to_owned(), |sum| sum.operand().to_owned())
    }
}

/// The steps of all units over a stretch, `W` samples at once.
struct Forward<'a, F, U: Unit<S>, const S: usize, const W: usize, const KEEP: bool> {
    kernel: &'a UnitKernel<U, S>,
    tile: Tile,
    xs: &'a [F],
    state: &'a mut [F],
    ys: &'a mut [F],
    work: &'a mut [F],
}

impl<F: Real, U: Unit<S>, const S: usize, const W: usize, const KEEP: bool> Loops for Forward<'_, F, U, S, W, KEEP> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, state, ys, work } = self;
        let (unit, constants) = (kernel.unit, kernel.constants);
        let (n_values, n_kept) = (kernel.n * tile.len(), kernel.n_kept());
        for (at, s_at) in blocks::<W>(kernel.n, tile) {
            let mut s = read_all::<F, W, S>(state, s_at, kernel.n * tile.lanes);
            for t in 0..tile.steps {
                let at = at + t * tile.lanes;
                if KEEP {
                    let mut at = at;
                    for j in 0..S {
                        if kernel.reads[j] {
                            write(work, at, &s[j]);
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
                    for j in 0..S {
                        s[j][l] = next[j];
                    }
                }
                write(ys, at, &y);
                if KEEP && U::Surrogate::SPIKES {
                    write(work, n_kept * n_values + at, &over);
                }
            }
            write_all(state, s_at, kernel.n * tile.lanes, &s);
        }
    }
}

/// Their adjoint.
struct Backward<'a, F, U: Unit<S>, const S: usize, const W: usize> {
    kernel: &'a UnitKernel<U, S>,
    tile: Tile,
    xs: &'a [F],
    work: &'a [F],
    grads: Grads<'a, F>,
}

impl<F: Real, U: Unit<S>, const S: usize, const W: usize> Loops for Backward<'_, F, U, S, W> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, work, grads } = self;
        let (unit, constants) = (kernel.unit, kernel.constants);
        let (n_values, n_kept) = (kernel.n * tile.len(), kernel.n_kept());
        let wants_gxs = !grads.xs.is_empty();
        for (at, s_at) in blocks::<W>(kernel.n, tile) {
            let mut gs = read_all::<F, W, S>(grads.state, s_at, kernel.n * tile.lanes);
            for t in (0..tile.steps).rev() {
                let at = at + t * tile.lanes;
                let (x, gy): ([F; W], [F; W]) = (read(xs, at), read(grads.ys, at));
                let mut s = [[F::default(); W]; S];
                let mut s_at = at;
                for j in 0..S {
                    if kernel.reads[j] {
                        s[j] = read(work, s_at);
                        s_at += n_values;
                    }
                }
                let mut slope = [F::default(); W];
                if U::Surrogate::SPIKES {
                    slope = read(work, n_kept * n_values + at);
                }
                let mut gx = [F::default(); W];
                for l in 0..W {
                    let (s, gnext) = (lane(&s, l), lane(&gs, l));
                    gx[l] = pull(&unit, &constants, 0, x[l], s, slope[l], gy[l], gnext);
                    for j in 0..S {
                        gs[j][l] = pull(&unit, &constants, j + 1, x[l], s, slope[l], gy[l], gnext);
                    }
                }
                if wants_gxs {
                    write(grads.xs, at, &gx);
                }
            }
            write_all(grads.state, s_at, kernel.n * tile.lanes, &gs);
        }
    }
}

/// Distances from the threshold to surrogate derivatives, in place.
struct Surrogates<'a, F, G>(G, &'a mut [F]);

impl<F: Real, G: SurrogateGradient> Loops for Surrogates<'_, F, G> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        self.0.grads(self.1);
    }
}

/// How many vectors of samples are worked on at once: the steps of one unit wait for each other, those of several vectors do
/// not.
fn abreast(tile: Tile) -> usize {
    [4, 2].into_iter().find(|vectors| tile.lanes.is_multiple_of(vectors * LANES)).unwrap_or(1)
}

/// Where blocks of `W` samples of each unit begin, in a block of series and in a leaf of the state.
#[inline(always)]
fn blocks<const W: usize>(n: usize, tile: Tile) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |k| (0..tile.lanes).step_by(W).map(move |l| (k * tile.len() + l, k * tile.lanes + l)))
}

/// The gradient of one of the numbers that a step depends on (0 is the input, then the state) from those of its output and of
/// the next state. `slope` stands for the derivative of the spike.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn pull<F: Real, U: Unit<S>, const S: usize>(
    unit: &U,
    constants: &U::Constants,
    which: usize,
    x: F,
    s: [F; S],
    slope: F,
    gy: F,
    gnext: [F; S],
) -> F {
    let mut state = [Dual::fixed(F::default()); S];
    for j in 0..S {
        state[j] = Dual::varied(s[j], j + 1 == which);
    }
    let (y, next) = unit.step(constants, Dual::varied(x, which == 0), state, |distance| Dual {
        value: distance.value.heaviside(),
        slope: distance.slope.map(|d| d * slope),
    });
    let mut pulled = y.slope.map(|d| d * gy);
    for j in 0..S {
        if let Some(d) = next[j].slope {
            let term = d * gnext[j];
            pulled = Some(match pulled {
                Some(sum) => sum + term,
                None => term,
            });
        }
    }
    pulled.unwrap_or_default()
}

#[inline(always)]
fn read<F: Real, const W: usize>(from: &[F], at: usize) -> [F; W] {
    let from: &[F; W] = from[at..at + W].try_into().expect("W numbers");
    let mut values = [F::default(); W];
    for l in 0..W {
        values[l] = from[l];
    }
    values
}

#[inline(always)]
fn write<F: Real, const W: usize>(to: &mut [F], at: usize, values: &[F; W]) {
    let to: &mut [F; W] = (&mut to[at..at + W]).try_into().expect("W numbers");
    for l in 0..W {
        to[l] = values[l];
    }
}

/// The same for all numbers of state, which are `apart` from each other.
#[inline(always)]
fn read_all<F: Real, const W: usize, const S: usize>(from: &[F], at: usize, apart: usize) -> [[F; W]; S] {
    let mut all = [[F::default(); W]; S];
    for (j, values) in all.iter_mut().enumerate() {
        *values = read(from, at + j * apart);
    }
    all
}

#[inline(always)]
fn write_all<F: Real, const W: usize, const S: usize>(to: &mut [F], at: usize, apart: usize, all: &[[F; W]; S]) {
    for (j, values) in all.iter().enumerate() {
        write(to, at + j * apart, values);
    }
}

/// The state of one lane.
#[inline(always)]
fn lane<F: Real, const W: usize, const S: usize>(all: &[[F; W]; S], l: usize) -> [F; S] {
    let mut one = [F::default(); S];
    for j in 0..S {
        one[j] = all[j][l];
    }
    one
}

impl<F: Real, U: Unit<S>, const S: usize> Kernel<F> for UnitKernel<U, S> {
    fn sizes(&self) -> Sizes {
        let n_work = self.n * (self.n_kept() + usize::from(U::Surrogate::SPIKES));
        Sizes { n_in: self.n, n_out: self.n, n_state: S * self.n, n_work, n_params: 0 }
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], work: &mut [F]) {
        let (kernel, xs) = (self, xs.dense());
        macro_rules! run {
            ($w:expr, $keep:expr) => {
                vectorised(tile.instructions, Forward::<_, _, S, { $w }, $keep> { kernel, tile, xs, state, ys, work })
            };
        }
        match (abreast(tile), tile.keep) {
            (4, true) => run!(4 * LANES, true),
            (4, false) => run!(4 * LANES, false),
            (2, true) => run!(2 * LANES, true),
            (2, false) => run!(2 * LANES, false),
            (_, true) => run!(LANES, true),
            (_, false) => run!(LANES, false),
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        if U::Surrogate::SPIKES {
            vectorised(
                tile.instructions,
                Surrogates(self.unit.surrogate(), &mut work[self.n_kept() * self.n * tile.len()..]),
            );
        }
        let (kernel, xs, work) = (self, xs.dense(), &*work);
        match abreast(tile) {
            4 => vectorised(tile.instructions, Backward::<_, _, S, { 4 * LANES }> { kernel, tile, xs, work, grads }),
            2 => vectorised(tile.instructions, Backward::<_, _, S, { 2 * LANES }> { kernel, tile, xs, work, grads }),
            _ => vectorised(tile.instructions, Backward::<_, _, S, LANES> { kernel, tile, xs, work, grads }),
        }
    }
}
