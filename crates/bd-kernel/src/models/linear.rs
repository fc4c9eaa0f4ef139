//! The loops of `y = x W + b`.

use crate::{
    AnyKernel, Grads, Input, Kernel, Numbers, Real, Rows, RowsMut, Series, SingleStep, Sizes, Start, Tile, Workspaces,
    add_outer_product, add_totals,
};

use super::matrix::{Matrix, WeightRows};
pub use in_order::LinearInOrder;

mod in_order;
mod narrow;
mod step;
mod wide;

/// Outputs from which on rows of the weight are so long that it pays to turn the outputs, so that they lie as the rows do.
const WIDE: usize = 32;

/// A weight `[n_in, n_out]` for inputs that are not zero, each of which wants a row.
#[derive(Debug)]
enum ByRow {
    /// Of few outputs.
    Plain(Numbers),
    /// Of [many](WIDE).
    Striped(WeightRows),
}

/// `y = x W + b`, samples side by side. Of an input that is almost all zeros only what is not zero is looked at.
#[derive(Debug)]
pub struct LinearKernel {
    n_in: usize,
    n_out: usize,
    by_row: ByRow,
    matrix: Matrix,
    adjoint: Matrix,
    bias: Option<Numbers>,
    workspaces: Workspaces,
}

impl LinearKernel {
    /// From a weight `[n_in, n_out]`, row by row, and perhaps a bias `[n_out]` of the same dtype.
    ///
    /// # Panics
    ///
    /// If there are other numbers of them.
    pub fn new([n_in, n_out]: [usize; 2], weight: Numbers, bias: Option<Numbers>) -> Self {
        let found = (weight.len(), bias.as_ref().map_or(n_out, Numbers::len));
        assert_eq!(found, (n_in * n_out, n_out), "weights of {n_in} inputs and {n_out} outputs");
        Self {
            n_in,
            n_out,
            matrix: Matrix::new(&weight, n_out, 0..n_in, 0..n_out),
            adjoint: Matrix::adjoint(&weight, n_out, 0..n_in, 0..n_out),
            by_row: match n_out {
                WIDE.. => ByRow::Striped(WeightRows::new(&weight, n_in, n_out)),
                _ => ByRow::Plain(weight),
            },
            bias,
            workspaces: Workspaces::default(),
        }
    }

    fn bias<F: Real>(&self) -> Option<&[F]> {
        self.bias.as_ref().map(|bias| F::numbers(bias))
    }
}

impl AnyKernel for LinearKernel {}

impl<F: Real> Kernel<F> for LinearKernel {
    fn sizes(&self) -> Sizes {
        let n_params = self.n_in * self.n_out + if self.bias.is_some() { self.n_out } else { 0 };
        Sizes { n_in: self.n_in, n_out: self.n_out, n_state: 0, n_work: 0, n_params }
    }

    fn takes_events(&self) -> bool {
        true
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, _state: &mut [F], ys: &mut [F], _: &mut [F], _: &mut [F]) {
        if wide::gather(self, tile, xs, ys) {
            return;
        }
        match xs {
            Input::Dense(xs) => {
                let start = self.bias::<F>().map_or(Start::Zero, Start::Each);
                let out = RowsMut { numbers: ys, stride: tile.len() };
                self.matrix.apply(tile.instructions, tile.len(), series(tile, xs), start, out);
            }
            Input::Events(events) => narrow::gather(self, tile, events, ys),
        }
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        Some(Box::new(step::LinearStep::new(self)))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, _: &mut [F], _: &mut [F], grads: Grads<'_, F>) {
        let (gweight, gbias) = grads.params.split_at_mut(self.n_in * self.n_out);
        let gys = Series::by_channel(grads.ys, self.n_out, tile.len());
        match xs {
            _ if wide::scatter(self, tile, xs, grads.ys, gweight) => {}
            Input::Events(events) => narrow::scatter(self, tile, events, grads.ys, gweight),
            Input::Dense(xs) => {
                let xs = Series::by_channel(xs, self.n_in, tile.len());
                let g = RowsMut { numbers: gweight, stride: self.n_out };
                add_outer_product(tile.instructions, xs, gys, g);
            }
        }
        add_totals(tile.instructions, gys, gbias);
        if !grads.xs.is_empty() {
            let out = RowsMut { numbers: grads.xs, stride: tile.len() };
            self.adjoint.apply(tile.instructions, tile.len(), series(tile, grads.ys), Start::Zero, out);
        }
    }
}

/// The channels of a block.
fn series<F>(tile: Tile, numbers: &[F]) -> Rows<'_, F> {
    Rows { numbers, stride: tile.len() }
}
