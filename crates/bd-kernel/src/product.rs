//! Products of matrices whose columns are samples side by side: what every dense connection between neurons costs.
//!
//! All of them are one loop, `out[m, n] += sum_k a[k, m] b[k, n]`, over a block of sums that stays in registers: some
//! rows `m`, whose factors are repeated, times one or two vectors of columns `n`.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::vector::Vector;
use super::{Block, Cpu, Instructions, LANES, Loops, Real, vectorised};

/// Rows of a block at most. 24 sums, two vectors of columns and a factor are what 32 registers hold: 12 x 2 sums of 16
/// numbers ran at 220 GFLOP/s, 8 x 2 at 204 and 8 x 1 at 160.
pub(super) const PANEL: usize = 12;

/// Bytes of factors that no cache of a core's own holds.
const FAR: usize = 4 << 20;

/// The factors `a[k, m]` of a [`product`], as [`pack`] has laid them out.
#[derive(Debug)]
pub struct Packed<'a, F>(pub &'a [F]);

/// How the factors of a panel lie: `a[k, m]` at `k across + m DOWN`, with a distance that the compiler knows, so that
/// one pointer reaches all rows.
#[derive(Debug)]
pub(super) struct Lying<'a, F, const DOWN: usize> {
    pub(super) numbers: &'a [F],
    pub(super) across: usize,
}

/// Factors by panels.
pub(super) trait Panels<'a, F, const DOWN: usize>: Copy {
    /// Those of `width` rows from `first` on, a multiple of [`PANEL`].
    fn panel(self, terms: usize, first: usize, width: usize) -> Lying<'a, F, DOWN>;
}

impl<F> Clone for Packed<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Packed<'_, F> {}

impl<'a, F> Panels<'a, F, 1> for Packed<'a, F> {
    #[inline(always)]
    fn panel(self, terms: usize, first: usize, width: usize) -> Lying<'a, F, 1> {
        Lying { numbers: &self.0[first * terms..(first + width) * terms], across: width }
    }
}

impl<F: Copy> Packed<'_, F> {
    /// The factor of a term and a row, of so many of both.
    pub(crate) fn factor(&self, [terms, rows]: [usize; 2], term: usize, row: usize) -> F {
        let first = row - row % PANEL;
        let width = PANEL.min(rows - first);
        self.0[first * terms + term * width + row - first]
    }
}

/// Lays out factors in the order in which a [`product`] reads them.
pub fn pack<F: Real>(terms: usize, rows: usize, factor: impl Fn(usize, usize) -> F) -> Block<F> {
    let mut packed = Vec::with_capacity(terms * rows);
    for first in (0..rows).step_by(PANEL) {
        let width = PANEL.min(rows - first);
        for k in 0..terms {
            packed.extend((first..first + width).map(|m| factor(k, m)));
        }
    }
    Block::from(packed.as_slice())
}

/// Where sums begin.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, F> {
    /// At zero.
    Zero,
    /// At one number for each row.
    Each(&'a [F]),
    /// At what is there.
    There,
}

/// Rows of numbers, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, F> {
    /// All of them.
    pub numbers: &'a [F],
    /// From one row to the next.
    pub stride: usize,
}

/// Rows of numbers to be written, `stride` apart.
#[derive(Debug)]
pub struct RowsMut<'a, F> {
    /// All of them.
    pub numbers: &'a mut [F],
    /// From one row to the next.
    pub stride: usize,
}

/// Numbers of rows, of terms of each sum, and of columns.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// `m`.
    pub rows: usize,
    /// `k`.
    pub terms: usize,
    /// `n`, a multiple of [`LANES`].
    pub columns: usize,
}

/// `out[m, n] = start + sum_k a[k, m] b[k, n]`. The order of each sum is that of `k`, whatever the processor.
///
/// A function of its own, and not inlined into the loops of a kernel: its many blocks are compiled once for each
/// processor.
pub fn product<F: Real>(
    instructions: Instructions,
    shape: Shape,
    a: Packed<'_, F>,
    b: Rows<'_, F>,
    start: Start<'_, F>,
    out: RowsMut<'_, F>,
) {
    vectorised(instructions, Product { shape, a, b, start, out });
}

struct Product<'a, F> {
    shape: Shape,
    a: Packed<'a, F>,
    b: Rows<'a, F>,
    start: Start<'a, F>,
    out: RowsMut<'a, F>,
}

impl<F: Real> Loops for Product<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { shape, a, b, start, out } = self;
        product_loops::<C, F, 1>(shape, a, b, start, out);
    }
}

/// Numbers up to the end of the last of some rows, at least one, of so many columns, each so far behind the one before.
///
/// # Panics
///
/// If they are more than can be counted: a sum that wraps would let loops read beyond the end.
#[inline(always)]
pub(super) fn reach(rows: usize, stride: usize, columns: usize) -> usize {
    let all = (rows - 1).checked_mul(stride).and_then(|before| before.checked_add(columns));
    all.expect("rows that memory can hold")
}

/// [`product`] within other loops.
#[inline(always)]
pub(super) fn product_loops<'a, C: Cpu, F: Real, const DOWN: usize>(
    shape: Shape,
    a: impl Panels<'a, F, DOWN>,
    b: Rows<'_, F>,
    start: Start<'_, F>,
    out: RowsMut<'_, F>,
) {
    let Shape { rows, terms, columns } = shape;
    if rows == 0 || columns == 0 {
        return;
    }
    // What the loops below rely on.
    assert!(terms > 0, "a sum has terms");
    assert!(columns.is_multiple_of(LANES), "columns come in vectors");
    assert!(reach(terms, b.stride, columns) <= b.numbers.len(), "factors b are missing");
    assert!(reach(rows, out.stride, columns) <= out.numbers.len(), "there is too little workspace");
    let (long, short) = (C::Vector::<F>::LEN, C::Short::<F>::LEN);
    // Columns outside: those of `b` stay in the nearest cache while all rows pass by. Unless these come from far away: then each
    // panel of them passes by once.
    let far = rows * terms * size_of::<F>() > FAR;
    let (mut first, mut at) = (0, 0);
    while first < rows && at < columns {
        let (width, left) = (PANEL.min(rows - first), columns - at);
        let a = a.panel(terms, first, width);
        assert!(reach(terms, a.across, (width - 1) * DOWN + 1) <= a.numbers.len(), "factors a are missing");
        let start = match start {
            Start::Each(numbers) => Start::Each(&numbers[first..first + width]),
            start => start,
        };
        let mut panel = Panel {
            terms,
            a,
            b: &b.numbers[at..],
            b_stride: b.stride,
            start,
            out: &mut out.numbers[first * out.stride + at..],
            out_stride: out.stride,
        };
        let done = if left >= 2 * long {
            panel.run::<C, C::Vector<F>, 2>(width);
            2 * long
        } else if left >= long {
            panel.run::<C, C::Vector<F>, 1>(width);
            long
        } else {
            panel.run::<C, C::Short<F>, 1>(width);
            short
        };
        (first, at) = match far {
            true if at + done < columns => (first, at + done),
            true => (first + PANEL, 0),
            false if first + PANEL < rows => (first + PANEL, at),
            false => (0, at + done),
        };
    }
}

/// Some rows of a [`product`], from some column on. `product` has checked that everything is there.
struct Panel<'a, F, const DOWN: usize> {
    terms: usize,
    a: Lying<'a, F, DOWN>,
    b: &'a [F],
    b_stride: usize,
    start: Start<'a, F>,
    out: &'a mut [F],
    out_stride: usize,
}

impl<F: Real, const DOWN: usize> Panel<'_, F, DOWN> {
    /// `N` vectors of columns of all rows, in blocks that registers hold.
    #[inline(always)]
    fn run<C: Cpu, V: Vector<F>, const N: usize>(&mut self, width: usize) {
        let mut m = 0;
        while m < width {
            // SAFETY: the rows are there, and this is called by loops that `vectorised` runs.
            m += unsafe {
                match width - m {
                    12.. if C::MANY_REGISTERS => self.block::<V, 12, N>(m),
                    8.. if C::MANY_REGISTERS => self.block::<V, 8, N>(m),
                    6.. => self.block::<V, 6, N>(m),
                    4.. => self.block::<V, 4, N>(m),
                    2.. => self.block::<V, 2, N>(m),
                    _ => self.block::<V, 1, N>(m),
                }
            };
        }
    }

    /// `M` rows from `m` on; gives `M`.
    ///
    /// # Safety
    ///
    /// The processor has these vectors, and rows and columns are within the slices.
    #[inline(always)]
    unsafe fn block<V: Vector<F>, const M: usize, const N: usize>(&mut self, m: usize) -> usize {
        // SAFETY: the caller's.
        unsafe {
            let out = self.out.as_mut_ptr().add(m * self.out_stride);
            let mut sums = [[V::splat(F::default()); N]; M];
            match self.start {
                Start::Zero => {}
                Start::Each(numbers) => {
                    for i in 0..M {
                        sums[i] = [V::splat(*numbers.get_unchecked(m + i)); N];
                    }
                }
                Start::There => {
                    for i in 0..M {
                        for j in 0..N {
                            sums[i][j] = V::load(out.add(i * self.out_stride + j * V::LEN));
                        }
                    }
                }
            }
            let (mut a, mut b) = (self.a.numbers.as_ptr().add(m * DOWN), self.b.as_ptr());
            for _ in 0..self.terms {
                let mut columns = [V::splat(F::default()); N];
                for j in 0..N {
                    columns[j] = V::load(b.add(j * V::LEN));
                }
                for i in 0..M {
                    let factor = V::splat(*a.add(i * DOWN));
                    for j in 0..N {
                        sums[i][j] = factor.mul_add(columns[j], sums[i][j]);
                    }
                }
                a = a.wrapping_add(self.a.across);
                b = b.wrapping_add(self.b_stride);
            }
            for i in 0..M {
                for j in 0..N {
                    sums[i][j].store(out.add(i * self.out_stride + j * V::LEN));
                }
            }
        }
        M
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Series, add_outer_product};
    use super::*;
    use crate::testing::Noise;

    fn every_way() -> Vec<Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten().collect()
    }

    /// Whole numbers, so that every order of summing gives the same.
    fn whole(rng: &mut Noise, n: usize) -> Vec<f64> {
        (0..n).map(|_| (20.0 * rng.uniform()).floor() - 10.0).collect()
    }

    #[test]
    fn sums_of_products_of_every_size() {
        let mut rng = Noise(0);
        for (rows, terms, columns) in [
            (1, 1, 8),
            (2, 3, 16),
            (5, 1, 8),
            (7, 4, 24),
            (11, 9, 40),
            (12, 7, 32),
            (13, 5, 56),
            (26, 17, 8),
            (770, 700, 72),
        ] {
            let (a, b, before) = (
                whole(&mut rng, rows * terms),
                whole(&mut rng, terms * (columns + 3)),
                whole(&mut rng, rows * columns),
            );
            let shape = Shape { rows, terms, columns };
            let rows_b = Rows { numbers: &b, stride: columns + 3 };
            for instructions in every_way() {
                let mut out = before.clone();
                let to = RowsMut { numbers: &mut out, stride: columns };
                let laid_out = pack(terms, rows, |k, m| a[k + m * terms]);
                product(instructions, shape, Packed(&laid_out), rows_b, Start::There, to);
                for (at, found) in out.iter().enumerate() {
                    let (m, n) = (at / columns, at % columns);
                    let sum: f64 = (0..terms).map(|k| a[k + m * terms] * b[k * (columns + 3) + n]).sum();
                    assert_eq!(*found, before[at] + sum, "row {m} and column {n} of {shape:?} with {instructions:?}");
                }
            }
        }
    }

    #[test]
    fn outer_products_of_every_size() {
        let mut rng = Noise(0);
        for (n_x, n_y, columns) in [(1, 1, 8), (3, 2, 16), (4, 7, 136), (5, 8, 8), (13, 19, 264), (2, 45, 128)] {
            let (xs, ys, before) =
                (whole(&mut rng, n_x * columns), whole(&mut rng, n_y * columns), whole(&mut rng, n_x * n_y));
            for instructions in every_way() {
                let mut g = before.clone();
                let to = RowsMut { numbers: &mut g, stride: n_y };
                // One series by channel, the other by steps of eight lanes.
                let by_channel = &ys;
                let by_step: Vec<f64> = (0..columns / 8)
                    .flat_map(|t| by_channel.chunks(columns).flat_map(move |y| y[8 * t..][..8].to_vec()))
                    .collect();
                let by_step = Series {
                    numbers: &by_step,
                    channels: n_y,
                    stride: 8,
                    steps: columns / 8,
                    step_stride: 8 * n_y,
                    lanes: 8,
                };
                add_outer_product(instructions, Series::by_channel(&xs, n_x, columns), by_step, to);
                for (at, found) in g.iter().enumerate() {
                    let (x, y) = (&xs[at / n_y * columns..][..columns], &ys[at % n_y * columns..][..columns]);
                    let sum: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
                    assert_eq!(*found, before[at] + sum, "{at} of {n_x} x {n_y} with {instructions:?}");
                }
            }
        }
    }
}
