//! What comes into a cell from outside: one product over a whole stretch.

use bd_core::kernel::{Numbers, Real, Rows, RowsMut, Start, Tile, add_outer_product, add_totals};

use super::Map;

/// `x W + b` of all gates.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) map: Map,
    pub(crate) bias: Numbers,
}

impl Inputs {
    /// All steps of a stretch.
    pub(crate) fn project<F: Real>(&self, tile: Tile, xs: &[F], gates: &mut [F]) {
        let (stride, bias) = (tile.len(), F::numbers(&self.bias));
        let xs = Rows { numbers: xs, stride };
        self.map.apply(tile.instructions, stride, xs, Start::Each(bias), RowsMut { numbers: gates, stride });
    }

    /// The adjoint: adds to the gradients of weight and bias, and writes those of the inputs unless `gxs` is empty.
    pub(crate) fn pull<F: Real>(
        &self,
        tile: Tile,
        xs: &[F],
        ggates: &[F],
        (gweight, gbias): (&mut [F], &mut [F]),
        gxs: &mut [F],
    ) {
        let stride = tile.len();
        add_products(tile, (xs, self.map.n_in), (ggates, self.map.n_out), gweight, self.map.n_out);
        add_totals(tile.instructions, &ggates[..self.map.n_out * stride], gbias);
        if !gxs.is_empty() {
            let (gys, gxs) = (Rows { numbers: ggates, stride }, RowsMut { numbers: gxs, stride });
            self.map.pull(tile.instructions, stride, gys, Start::Zero, gxs);
        }
    }
}

/// Adds the products of two blocks of series, summed over the stretch, to the gradient of a weight with rows of `width`.
pub(crate) fn add_products<F: Real>(
    tile: Tile,
    (xs, n_x): (&[F], usize),
    (ys, n_y): (&[F], usize),
    gweight: &mut [F],
    width: usize,
) {
    let rows = |numbers| Rows { numbers, stride: tile.len() };
    let g = RowsMut { numbers: gweight, stride: width };
    add_outer_product(tile.instructions, tile.len(), (n_x, n_y), rows(xs), rows(ys), g);
}
