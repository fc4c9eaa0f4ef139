//! Gradients of weights: products of series, summed over time and samples.

// Loops over lanes and blocks are written with indices: so they are sure to become a few vector instructions.
#![allow(clippy::needless_range_loop)]

use super::product::{Lying, Panels, Rows, RowsMut, Shape, Start, product_loops};
use super::transpose::transpose_loops;
use super::{Cpu, Instructions, LANES, Loops, Real, vectorised};

/// Numbers of a series that are transposed at once: with [`TRANSPOSED`] rows of them they stay in the nearest cache.
const CHUNK: usize = 128;

/// Rows that are transposed at once: two of the longest vectors in float32.
const TRANSPOSED: usize = 32;

/// The series of some channels.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a, F> {
    /// All of them.
    pub numbers: &'a [F],
    /// How many channels.
    pub channels: usize,
    /// From one channel to the next.
    pub stride: usize,
    /// How many steps.
    pub steps: usize,
    /// From one step to the next.
    pub step_stride: usize,
    /// Samples side by side, a multiple of [`LANES`].
    pub lanes: usize,
}

impl<'a, F> Series<'a, F> {
    /// `[channel, step, lane]`, one after the other: `len` numbers of each channel.
    pub fn by_channel(numbers: &'a [F], channels: usize, len: usize) -> Self {
        Self { numbers, channels, stride: len, steps: 1, step_stride: 0, lanes: len }
    }

    /// Where those [`LANES`] numbers of the first channel are that are the `i`th of its series.
    #[inline(always)]
    fn at(&self, i: usize) -> usize {
        let in_a_step = self.lanes / LANES;
        i / in_a_step * self.step_stride + i % in_a_step * LANES
    }

    /// Lanes of a whole series, in vectors.
    fn vectors(&self) -> usize {
        self.steps * self.lanes / LANES
    }

    /// The channels from `first` on.
    fn from(&self, first: usize) -> Self
    where
        F: Copy,
    {
        Self { numbers: &self.numbers[first * self.stride..], channels: self.channels - first, ..*self }
    }

    pub(super) fn check(&self) {
        assert!(self.lanes.is_multiple_of(LANES), "lanes come in vectors");
        if self.vectors() > 0 && self.channels > 0 {
            let last = (self.channels - 1) * self.stride + (self.steps - 1) * self.step_stride + self.lanes;
            assert!(last <= self.numbers.len(), "numbers of a series are missing");
        }
    }
}

/// `g[i, o] += sum x[i] y[o]` over all steps and lanes, for every channel of both.
///
/// The order of each sum is the same whatever the processor.
pub fn add_outer_product<F: Real>(instructions: Instructions, xs: Series<'_, F>, ys: Series<'_, F>, g: RowsMut<'_, F>) {
    xs.check();
    ys.check();
    assert_eq!(xs.vectors(), ys.vectors(), "two series are as long as each other");
    if xs.vectors() > 0 && xs.channels > 0 {
        vectorised(instructions, OuterProduct { xs, ys, g });
    }
}

struct OuterProduct<'a, F> {
    xs: Series<'a, F>,
    ys: Series<'a, F>,
    g: RowsMut<'a, F>,
}

impl<F: Real> Loops for OuterProduct<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { xs, ys, g } = self;
        if ys.channels < LANES {
            return along::<C, F>(xs, ys, g);
        }
        let mut chunk = vec![F::default(); xs.channels * CHUNK];
        let mut transposed = [F::default(); CHUNK * TRANSPOSED];
        // Sums of the last channels, of which a vector has more than there are.
        let mut rest = vec![F::default(); if ys.channels.is_multiple_of(LANES) { 0 } else { xs.channels * TRANSPOSED }];
        for from in (0..xs.vectors()).step_by(CHUNK / LANES) {
            let count = (CHUNK / LANES).min(xs.vectors() - from);
            for (i, own) in chunk.chunks_exact_mut(CHUNK).enumerate() {
                for (j, to) in own.as_chunks_mut::<LANES>().0[..count].iter_mut().enumerate() {
                    *to = vector(xs.numbers, i * xs.stride + xs.at(from + j));
                }
            }
            for first in (0..ys.channels).step_by(TRANSPOSED) {
                let width = TRANSPOSED.min(ys.channels - first);
                let columns = width.next_multiple_of(LANES);
                transpose::<C, F>(ys.from(first), width, from, count, &mut transposed);
                let shape = Shape { rows: xs.channels, terms: count * LANES, columns };
                let transposed = Rows { numbers: &transposed, stride: columns };
                let own = &mut g.numbers[first..];
                if columns == width {
                    let to = RowsMut { numbers: own, stride: g.stride };
                    product_loops::<C, F, CHUNK>(shape, Chunk(&chunk), transposed, Start::There, to);
                } else {
                    let to = RowsMut { numbers: &mut rest, stride: columns };
                    product_loops::<C, F, CHUNK>(shape, Chunk(&chunk), transposed, Start::Zero, to);
                    for (own, rest) in own.chunks_mut(g.stride).zip(rest.chunks_exact(columns)) {
                        own.iter_mut().zip(&rest[..width]).for_each(|(own, rest)| *own += *rest);
                    }
                }
            }
        }
    }
}

/// Channels of a chunk, one after the other.
#[derive(Clone, Copy)]
struct Chunk<'a, F>(&'a [F]);

impl<'a, F: Real> Panels<'a, F, CHUNK> for Chunk<'a, F> {
    #[inline(always)]
    fn panel(self, _terms: usize, first: usize, width: usize) -> Lying<'a, F, CHUNK> {
        Lying { numbers: &self.0[first * CHUNK..(first + width) * CHUNK], across: 1 }
    }
}

/// `count` vectors of each of `width` channels, from the `from`th on, to rows of as many numbers, filled up to whole
/// vectors with what nobody reads.
#[inline(always)]
fn transpose<C: Cpu, F: Real>(ys: Series<'_, F>, width: usize, from: usize, count: usize, transposed: &mut [F]) {
    let columns = width.next_multiple_of(LANES);
    for j in 0..count {
        let read = Rows { numbers: &ys.numbers[ys.at(from + j)..], stride: ys.stride };
        let write = RowsMut { numbers: &mut transposed[j * LANES * columns..], stride: columns };
        transpose_loops::<C, F>([width, LANES], read, write);
    }
}

/// Sums along the series, several channels of each at once: sums that do not wait for each other.
#[inline(always)]
fn along<C: Cpu, F: Real>(xs: Series<'_, F>, ys: Series<'_, F>, g: RowsMut<'_, F>) {
    let inputs = if size_of::<F>() == 4 { 4 } else { 2 };
    for i in (0..xs.channels).step_by(inputs) {
        for o in (0..ys.channels).step_by(2) {
            let (x, y) = (xs.from(i), ys.from(o));
            let to = RowsMut { numbers: &mut g.numbers[i * g.stride + o..], stride: g.stride };
            match (inputs.min(x.channels), y.channels) {
                (1, 1) => block::<C, F, 1, 1>(x, y, to),
                (1, _) => block::<C, F, 1, 2>(x, y, to),
                (2, 1) => block::<C, F, 2, 1>(x, y, to),
                (2, _) => block::<C, F, 2, 2>(x, y, to),
                (3, 1) => block::<C, F, 3, 1>(x, y, to),
                (3, _) => block::<C, F, 3, 2>(x, y, to),
                (_, 1) => block::<C, F, 4, 1>(x, y, to),
                _ => block::<C, F, 4, 2>(x, y, to),
            }
        }
    }
}

#[inline(always)]
fn block<C: Cpu, F: Real, const N: usize, const M: usize>(xs: Series<'_, F>, ys: Series<'_, F>, g: RowsMut<'_, F>) {
    let mut sums = [[[F::default(); LANES]; M]; N];
    let (mut x_step, mut y_step, mut x_at, mut y_at) = (0, 0, 0, 0);
    for _ in 0..xs.vectors() {
        let mut right = [[F::default(); LANES]; M];
        for o in 0..M {
            right[o] = vector(ys.numbers, o * ys.stride + y_step + y_at);
        }
        for i in 0..N {
            let left = vector(xs.numbers, i * xs.stride + x_step + x_at);
            for o in 0..M {
                for l in 0..LANES {
                    sums[i][o][l] = C::mul_add(left[l], right[o][l], sums[i][o][l]);
                }
            }
        }
        (x_at, y_at) = (x_at + LANES, y_at + LANES);
        if x_at == xs.lanes {
            (x_step, x_at) = (x_step + xs.step_stride, 0);
        }
        if y_at == ys.lanes {
            (y_step, y_at) = (y_step + ys.step_stride, 0);
        }
    }
    for i in 0..N {
        for o in 0..M {
            g.numbers[i * g.stride + o] += total(&sums[i][o]);
        }
    }
}

#[inline(always)]
fn vector<F: Real>(from: &[F], at: usize) -> [F; LANES] {
    from[at..][..LANES].try_into().expect("lanes come in vectors")
}

/// `sums[i] += sum x[i]` over all steps and lanes: gradients of biases.
pub fn add_totals<F: Real>(instructions: Instructions, xs: Series<'_, F>, sums: &mut [F]) {
    xs.check();
    vectorised(instructions, Totals { xs, sums });
}

struct Totals<'a, F> {
    xs: Series<'a, F>,
    sums: &'a mut [F],
}

impl<F: Real> Loops for Totals<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { xs, sums } = self;
        for (i, sum) in sums.iter_mut().enumerate() {
            for step in 0..xs.steps {
                *sum += total(&xs.numbers[i * xs.stride + step * xs.step_stride..][..xs.lanes]);
            }
        }
    }
}

/// The sum of a series, over the lanes separately first, so that vectors add.
#[inline(always)]
fn total<F: Real>(a: &[F]) -> F {
    let mut sums = [F::default(); LANES];
    for a in a.chunks_exact(LANES) {
        for l in 0..LANES {
            sums[l] += a[l];
        }
    }
    sums.into_iter().fold(F::default(), |sum, a| sum + a)
}
