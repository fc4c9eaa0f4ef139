//! [`product_of_one`]: the dense product with one sample.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::product::{PANEL, Packed, Panels, Start};
use super::{Cpu, Instructions, Loops, Real, vectorised};

/// [`product`](super::product) with a single column that takes no more than its own numbers: `out[m] = start + sum_k a[k, m] x[k]`, to the
/// same last bit. What lies side by side in a vector are the rows `m` of a panel.
pub fn product_of_one<F: Real>(
    instructions: Instructions,
    [terms, rows]: [usize; 2],
    a: Packed<'_, F>,
    x: &[F],
    start: Start<'_, F>,
    out: &mut [F],
) {
    let (x, out) = (&x[..terms], &mut out[..rows]);
    vectorised(instructions, ProductOfOne { a, x, start, out });
}

struct ProductOfOne<'a, F> {
    a: Packed<'a, F>,
    x: &'a [F],
    start: Start<'a, F>,
    out: &'a mut [F],
}

impl<F: Real> Loops for ProductOfOne<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { a, x, start, out } = self;
        let rows = out.len();
        for first in (0..rows).step_by(PANEL) {
            let width = PANEL.min(rows - first);
            let panel = a.panel(x.len(), first, width).numbers;
            let out = &mut out[first..first + width];
            let mut sums = [F::default(); PANEL];
            match start {
                Start::Zero => {}
                Start::Each(numbers) => sums[..width].copy_from_slice(&numbers[first..first + width]),
                Start::There => sums[..width].copy_from_slice(out),
            }
            if width == PANEL {
                for (factors, &x) in panel.as_chunks::<PANEL>().0.iter().zip(x) {
                    for m in 0..PANEL {
                        sums[m] = C::mul_add(factors[m], x, sums[m]);
                    }
                }
            } else {
                for (factors, &x) in panel.chunks_exact(width).zip(x) {
                    sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum = C::mul_add(*factor, x, *sum));
                }
            }
            out.copy_from_slice(&sums[..width]);
        }
    }
}
