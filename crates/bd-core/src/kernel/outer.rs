//! Gradients of weights: products of series, summed over time and samples.

// Loops over lanes and blocks are written with indices: so they are sure to become a few vector instructions.
#![allow(clippy::needless_range_loop)]

use super::product::{Factors, Rows, RowsMut, Shape, Start, product_loops};
use super::{Cpu, Instructions, LANES, Loops, Real, vectorised};

/// Numbers of a series that are turned at once: with [`TURNED`] rows of them they stay in the nearest cache.
const CHUNK: usize = 128;

/// Rows that are turned at once: two of the longest vectors in float32.
const TURNED: usize = 32;

/// `g[i, o] += sum_n x[i, n] y[o, n]` for `columns` numbers, a multiple of [`LANES`], of each of `n_x` rows `x` and `n_y` rows `y`.
///
/// The order of each sum is the same whatever the processor.
pub fn add_outer_product<F: Real>(
    instructions: Instructions,
    columns: usize,
    sizes: (usize, usize),
    xs: Rows<'_, F>,
    ys: Rows<'_, F>,
    g: RowsMut<'_, F>,
) {
    assert!(columns.is_multiple_of(LANES), "columns come in vectors");
    if sizes.0 > 0 && columns > 0 {
        vectorised(instructions, OuterProduct { columns, sizes, xs, ys, g });
    }
}

struct OuterProduct<'a, F> {
    columns: usize,
    sizes: (usize, usize),
    xs: Rows<'a, F>,
    ys: Rows<'a, F>,
    g: RowsMut<'a, F>,
}

impl<F: Real> Loops for OuterProduct<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { columns, sizes, xs, ys, g } = self;
        outer_loops::<C, F>(columns, sizes, xs, ys, g);
    }
}

#[inline(always)]
fn outer_loops<C: Cpu, F: Real>(
    columns: usize,
    (n_x, n_y): (usize, usize),
    xs: Rows<'_, F>,
    ys: Rows<'_, F>,
    g: RowsMut<'_, F>,
) {
    // As many rows `y` as fill vectors are turned; what is left is summed along the series.
    let whole = n_y - n_y % LANES;
    for from in (0..columns).step_by(CHUNK) {
        let terms = CHUNK.min(columns - from);
        for first in (0..whole).step_by(TURNED) {
            let width = TURNED.min(whole - first);
            let mut turned = [F::default(); CHUNK * TURNED];
            turn(
                terms,
                width,
                Rows { numbers: &ys.numbers[first * ys.stride + from..], stride: ys.stride },
                &mut turned,
            );
            product_loops::<C, F>(
                Shape { rows: n_x, terms, columns: width },
                Factors::Strided { numbers: &xs.numbers[from..], across: 1, down: xs.stride },
                Rows { numbers: &turned, stride: width },
                Start::There,
                RowsMut { numbers: &mut g.numbers[first..], stride: g.stride },
            );
        }
    }
    if whole < n_y {
        let ys = Rows { numbers: &ys.numbers[whole * ys.stride..], stride: ys.stride };
        let g = RowsMut { numbers: &mut g.numbers[whole..], stride: g.stride };
        along::<C, F>(columns, (n_x, n_y - whole), xs, ys, g);
    }
}

/// Rows of `terms` numbers to as many rows of `width`; both are multiples of [`LANES`].
#[inline(always)]
fn turn<F: Real>(terms: usize, width: usize, rows: Rows<'_, F>, turned: &mut [F]) {
    for o in (0..width).step_by(LANES) {
        for n in (0..terms).step_by(LANES) {
            let mut block = [[F::default(); LANES]; LANES];
            for i in 0..LANES {
                block[i] = vector(&rows.numbers[(o + i) * rows.stride..], n);
            }
            for l in 0..LANES {
                let to: &mut [F; LANES] = (&mut turned[(n + l) * width + o..][..LANES]).try_into().expect("lanes");
                for i in 0..LANES {
                    to[i] = block[i][l];
                }
            }
        }
    }
}

/// Sums along the series, several rows of each at once: sums that do not wait for each other.
#[inline(always)]
fn along<C: Cpu, F: Real>(
    columns: usize,
    (n_x, n_y): (usize, usize),
    xs: Rows<'_, F>,
    ys: Rows<'_, F>,
    g: RowsMut<'_, F>,
) {
    let inputs = if size_of::<F>() == 4 { 4 } else { 2 };
    for i in (0..n_x).step_by(inputs) {
        for o in (0..n_y).step_by(2) {
            let x = Rows { numbers: &xs.numbers[i * xs.stride..], stride: xs.stride };
            let y = Rows { numbers: &ys.numbers[o * ys.stride..], stride: ys.stride };
            let to = RowsMut { numbers: &mut g.numbers[i * g.stride + o..], stride: g.stride };
            match (inputs.min(n_x - i), n_y - o) {
                (1, 1) => block::<C, F, 1, 1>(columns, x, y, to),
                (1, _) => block::<C, F, 1, 2>(columns, x, y, to),
                (2, 1) => block::<C, F, 2, 1>(columns, x, y, to),
                (2, _) => block::<C, F, 2, 2>(columns, x, y, to),
                (3, 1) => block::<C, F, 3, 1>(columns, x, y, to),
                (3, _) => block::<C, F, 3, 2>(columns, x, y, to),
                (_, 1) => block::<C, F, 4, 1>(columns, x, y, to),
                _ => block::<C, F, 4, 2>(columns, x, y, to),
            }
        }
    }
}

#[inline(always)]
fn block<C: Cpu, F: Real, const N: usize, const M: usize>(
    columns: usize,
    xs: Rows<'_, F>,
    ys: Rows<'_, F>,
    g: RowsMut<'_, F>,
) {
    let x: [&[F]; N] = std::array::from_fn(|i| &xs.numbers[i * xs.stride..][..columns]);
    let y: [&[F]; M] = std::array::from_fn(|o| &ys.numbers[o * ys.stride..][..columns]);
    let mut sums = [[[F::default(); LANES]; M]; N];
    for at in (0..columns).step_by(LANES) {
        let mut right = [[F::default(); LANES]; M];
        for o in 0..M {
            right[o] = vector(y[o], at);
        }
        for i in 0..N {
            let left = vector(x[i], at);
            for o in 0..M {
                for l in 0..LANES {
                    sums[i][o][l] = C::mul_add(left[l], right[o][l], sums[i][o][l]);
                }
            }
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

/// `sums[i] += sum_n rows[i, n]`: gradients of biases. Rows lie one after the other, each a multiple of [`LANES`] numbers.
pub fn add_totals<F: Real>(instructions: Instructions, rows: &[F], sums: &mut [F]) {
    vectorised(instructions, Totals { rows, sums });
}

struct Totals<'a, F> {
    rows: &'a [F],
    sums: &'a mut [F],
}

impl<F: Real> Loops for Totals<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { rows, sums } = self;
        for (row, sum) in rows.chunks_exact((rows.len() / sums.len().max(1)).max(1)).zip(sums) {
            *sum += total(row);
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
