//! What is not zero of an input, with many outputs: rows of the weight in vectors.

use std::ops::Range;

use bd_core::kernel::{Real, Rows, RowsMut, Sparse, Tile, turn};

use super::{LinearKernel, series};

/// Columns that are gathered and turned at once: with their outputs they stay in the cache.
const TURNED: usize = 64;

/// Adds to the bias the row of `W` of each number that is not zero.
pub(super) fn gather<F: Real>(kernel: &LinearKernel, tile: Tile, by_column: &Sparse<F>, ys: &mut [F]) {
    let (n, weight) = (kernel.n_out, F::numbers(&kernel.weight));
    let mut sums = vec![F::default(); TURNED.min(tile.len()) * n];
    for columns in pieces(tile.len()) {
        let sums = &mut sums[..columns.len() * n];
        match kernel.bias::<F>() {
            Some(bias) => sums.chunks_exact_mut(n).for_each(|sums| sums.copy_from_slice(bias)),
            None => sums.fill(F::default()),
        }
        let (from, out) = (Rows { numbers: weight, stride: n }, RowsMut { numbers: sums, stride: n });
        by_column.add_product_of_rows(tile.instructions, columns.clone(), n, from, out);
        let to = RowsMut { numbers: &mut ys[columns.start..], stride: tile.len() };
        turn(tile.instructions, [columns.len(), n], Rows { numbers: sums, stride: n }, to);
    }
}

fn pieces(columns: usize) -> impl Iterator<Item = Range<usize>> {
    (0..columns).step_by(TURNED).map(move |from| from..(from + TURNED).min(columns))
}

/// Adds to the row of the gradient of `W` of each number that is not zero what is asked of the outputs there.
pub(super) fn scatter<F: Real>(
    kernel: &LinearKernel,
    tile: Tile,
    by_channel: &Sparse<F>,
    gys: &[F],
    gweight: &mut [F],
) {
    let n = kernel.n_out;
    let mut turned = vec![F::default(); tile.len() * n];
    turn(tile.instructions, [n, tile.len()], series(tile, gys), RowsMut { numbers: &mut turned, stride: n });
    let (from, to) = (Rows { numbers: &turned, stride: n }, RowsMut { numbers: gweight, stride: n });
    by_channel.add_product(tile.instructions, n, from, to);
}
