//! [`StepWeight`]: a matrix laid out for products with one sample.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use crate::single_step::places;
use crate::{Block, Cpu, Instructions, Loops, Real, Vector, vectorised};

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Lines of a panel: as many sums as wait for a multiplication that takes four cycles, of which two begin in each.
const PANEL: usize = 8;

/// Inputs of which more than one in so many is not zero are multiplied as they stand.
const WORTH: usize = 2;

/// A weight `[n_in, n_out]` for `y[o] = start[o] + sum_i x[i] w[i, o]`, of which each sum has the order of `i`: to the last bit what
/// [`product`](crate::product) makes of samples side by side. Terms with an input of zero change no sum and are left out if there are many.
///
/// Columns stand in panels of [`PANEL`] lines, within which the rows follow each other: a product reads memory from its beginning to its end.
/// Columns that fill the last line are zero.
#[derive(Debug)]
pub(crate) struct StepWeight<F: Real> {
    n_in: usize,
    columns: usize,
    panels: Block<F>,
    /// Inputs that are not zero.
    found: Vec<u32>,
}

impl<F: Real> StepWeight<F> {
    /// Of entries `at(i, o)`.
    pub(crate) fn new([n_in, n_out]: [usize; 2], at: impl Fn(usize, usize) -> F) -> Self {
        let columns = places::<F>(n_out);
        let mut panels = Block::zeros(n_in * columns);
        for (first, width) in widths::<F>(columns) {
            for i in 0..n_in {
                let row = &mut panels[first * n_in + i * width..][..width];
                row.iter_mut().enumerate().take(n_out.saturating_sub(first)).for_each(|(o, to)| *to = at(i, first + o));
            }
        }
        Self { n_in, columns, panels, found: vec![0; n_in] }
    }

    /// Adds the product with `x`, `[n_in]`, to `y`, `[places(n_out)]`, which holds where sums begin.
    pub(crate) fn add(&mut self, instructions: Instructions, x: &[F], y: &mut [F]) {
        let Self { n_in, columns, ref panels, ref mut found } = *self;
        let (x, y) = (&x[..n_in], &mut y[..columns]);
        vectorised(instructions, Product { columns, panels, x, y, found });
    }
}

/// First columns of the panels, with their widths.
#[inline(always)]
fn widths<F>(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let widest = PANEL * LINE / size_of::<F>();
    (0..columns).step_by(widest).map(move |first| (first, widest.min(columns - first)))
}

struct Product<'a, F> {
    columns: usize,
    panels: &'a [F],
    x: &'a [F],
    y: &'a mut [F],
    found: &'a mut [u32],
}

impl<F: Real> Loops for Product<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { columns, panels, x, y, found } = self;
        let n_in = x.len();
        // What the loops below rely on.
        assert!(panels.len() == n_in * columns && y.len() == columns && found.len() == n_in);
        let count = find::<C, F>(x, found);
        let found = (count * WORTH <= n_in).then_some(&found[..count]);
        for (first, width) in widths::<F>(columns) {
            let panel = Panel { rows: &panels[first * n_in..][..n_in * width], width, x, found };
            let (y, mut at) = (&mut y[first..first + width], 0);
            while at < width {
                let vectors = (width - at) / C::Vector::<F>::LEN;
                // SAFETY: so many vectors are left of the panel; these are loops that `vectorised` runs.
                at += unsafe {
                    match vectors {
                        8.. => panel.columns::<C, 8>(at, y),
                        4.. => panel.columns::<C, 4>(at, y),
                        2.. => panel.columns::<C, 2>(at, y),
                        _ => panel.columns::<C, 1>(at, y),
                    }
                };
            }
        }
    }
}

/// Lists the inputs that are not zero; gives how many there are.
#[inline(always)]
fn find<C: Cpu, F: Real>(x: &[F], found: &mut [u32]) -> usize {
    let (mut count, len) = (0, C::Short::<F>::LEN);
    let whole = x.len() - x.len() % len;
    for first in (0..whole).step_by(len) {
        // SAFETY: within `x`; this is called by loops that `vectorised` runs.
        let mut bits = unsafe { C::Short::<F>::load(x.as_ptr().add(first)).nonzero() };
        while bits != 0 {
            found[count] = first as u32 + bits.trailing_zeros();
            (count, bits) = (count + 1, bits & (bits - 1));
        }
    }
    for (i, x) in x.iter().enumerate().skip(whole) {
        if *x != F::default() {
            found[count] = i as u32;
            count += 1;
        }
    }
    count
}

/// The rows of a panel, and what they are multiplied with.
struct Panel<'a, F> {
    rows: &'a [F],
    width: usize,
    x: &'a [F],
    found: Option<&'a [u32]>,
}

impl<F: Real> Panel<'_, F> {
    /// `N` vectors of columns from `at` on; gives how many columns that are.
    ///
    /// # Safety
    ///
    /// The processor has these vectors, the columns are there, and each input that was found is one of `x`.
    #[inline(always)]
    unsafe fn columns<C: Cpu, const N: usize>(&self, at: usize, y: &mut [F]) -> usize {
        // SAFETY: the caller's.
        unsafe {
            let (rows, y) = (self.rows.as_ptr().add(at), y.as_mut_ptr().add(at));
            let mut sums = [C::Vector::<F>::splat(F::default()); N];
            for j in 0..N {
                sums[j] = C::Vector::<F>::load(y.add(j * C::Vector::<F>::LEN));
            }
            match self.found {
                Some(found) => {
                    for &i in found {
                        add_row::<C, F, N>(rows, self.width, i as usize, self.x, &mut sums);
                    }
                }
                None => {
                    for i in 0..self.x.len() {
                        add_row::<C, F, N>(rows, self.width, i, self.x, &mut sums);
                    }
                }
            }
            for j in 0..N {
                sums[j].store(y.add(j * C::Vector::<F>::LEN));
            }
        }
        N * C::Vector::<F>::LEN
    }
}

/// # Safety
///
/// As of [`Panel::columns`].
#[inline(always)]
unsafe fn add_row<C: Cpu, F: Real, const N: usize>(
    rows: *const F,
    width: usize,
    i: usize,
    x: &[F],
    sums: &mut [C::Vector<F>; N],
) {
    // SAFETY: the caller's.
    unsafe {
        let (row, x) = (rows.add(i * width), C::Vector::<F>::splat(*x.get_unchecked(i)));
        for j in 0..N {
            sums[j] = C::Vector::<F>::load(row.add(j * C::Vector::<F>::LEN)).mul_add(x, sums[j]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;
    use crate::{Packed, Start, pack, product_of_one};

    fn check<F: Real>(rng: &mut Noise) {
        for [n_in, n_out, one_in] in
            [[1, 1, 1], [3, 9, 1], [90, 9, 1], [65, 192, 1], [100, 128, 20], [7, 300, 3], [130, 10, 4], [33, 31, 1]]
        {
            let mut draw = |n: usize, one_in: usize| -> Vec<F> {
                let one = |rng: &mut Noise| F::of(rng.uniform() - 0.5);
                (0..n).map(|_| if rng.bits().is_multiple_of(one_in as _) { one(rng) } else { F::default() }).collect()
            };
            let (weight, x, bias) = (draw(n_in * n_out, 1), draw(n_in, one_in), draw(n_out, 1));
            let at = |i: usize, o: usize| weight[i * n_out + o];
            let mut laid_out = StepWeight::new([n_in, n_out], at);
            let packed = pack(n_in, n_out, at);
            for instructions in
                [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
            {
                let mut known = vec![F::default(); n_out];
                let start = Start::Each(&bias);
                product_of_one(instructions, [n_in, n_out], Packed(&packed), &x, start, &mut known);
                let mut found = Block::zeros(places::<F>(n_out));
                found[..n_out].copy_from_slice(&bias);
                laid_out.add(instructions, &x, &mut found);
                assert!(found[..n_out] == known, "{n_in} to {n_out} with {instructions:?}");
                assert!(found[n_out..].iter().all(|x| *x == F::default()));
            }
        }
    }

    /// All bits are those of `product_of_one`, which are those of `product`, of full inputs and of sparse ones.
    #[test]
    fn products_are_those_of_samples_side_by_side_to_the_last_bit() {
        check::<f32>(&mut Noise(1));
        check::<f64>(&mut Noise(2));
    }
}
