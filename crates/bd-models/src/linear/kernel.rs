//! The fused form of [`Linear`](super::Linear).

use bd_core::kernel::{
    AnyKernel, Entry, Events, Grads, Input, Kernel, Numbers, Real, Rows, RowsMut, Series, Sizes, Sparse, Start, Tile,
    add_outer_product, add_totals,
};

use crate::cell::Matrix;

mod narrow;
mod wide;

/// One number in so many of an input from other layers may be other than zero for rows of the weight to be gathered.
const WORTH: usize = 4;

/// Outputs from which on rows of the weight are so long that it pays to turn the outputs, so that they lie as the rows do.
const WIDE: usize = 32;

/// `y = x W + b`, samples side by side. Of an input that is almost all zeros only what is not zero is looked at.
#[derive(Debug)]
pub(super) struct LinearKernel {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Row by row, `[n_in, n_out]`: for what is not zero, each of which wants a row.
    pub(super) weight: Numbers,
    pub(super) matrix: Matrix,
    pub(super) adjoint: Matrix,
    pub(super) bias: Option<Numbers>,
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

    fn forward(&self, tile: Tile, xs: Input<'_, F>, _state: &mut [F], ys: &mut [F], _work: &mut [F]) {
        if let Some(by_column) = self.by_column(tile, xs) {
            return wide::gather(self, tile, &by_column, ys);
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

    fn backward(&self, tile: Tile, xs: Input<'_, F>, _work: &mut [F], grads: Grads<'_, F>) {
        let (gweight, gbias) = grads.params.split_at_mut(self.n_in * self.n_out);
        let gys = Series::by_channel(grads.ys, self.n_out, tile.len());
        match (self.by_channel(tile, xs), xs) {
            (Some(by_channel), _) => wide::scatter(self, tile, &by_channel, grads.ys, gweight),
            (None, Input::Events(events)) => narrow::scatter(self, tile, events, grads.ys, gweight),
            (None, Input::Dense(xs)) => {
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

impl LinearKernel {
    fn bias<F: Real>(&self) -> Option<&[F]> {
        self.bias.as_ref().map(|bias| F::numbers(bias))
    }

    /// What is not zero of the inputs by step and lane, if there is so little that this is a gain.
    fn by_column<F: Real>(&self, tile: Tile, xs: Input<'_, F>) -> Option<Sparse<F>> {
        match xs {
            _ if self.n_out < WIDE => None,
            Input::Events(events) => Some(columns_of(tile, events)),
            Input::Dense(_) => Some(turned(&self.by_channel(tile, xs)?, tile.len())),
        }
    }

    /// The same by channel.
    fn by_channel<F: Real>(&self, tile: Tile, xs: Input<'_, F>) -> Option<Sparse<F>> {
        match xs {
            _ if self.n_out < WIDE => None,
            Input::Events(events) => Some(turned(&columns_of(tile, events), self.n_in)),
            Input::Dense(xs) => {
                let mut by_channel = Sparse::default();
                let series = Series::by_channel(xs, self.n_in, tile.len());
                by_channel.fill(tile.instructions, series, xs.len() / WORTH).then_some(by_channel)
            }
        }
    }
}

/// A row for each step and lane of the stretch, in the order in which events come.
fn columns_of<F: Real>(tile: Tile, events: Events<'_, F>) -> Sparse<F> {
    let mut by_column = Sparse::default();
    for t in 0..tile.steps {
        let mut lane = 0;
        for event in events.at(t) {
            by_column.end_rows((event.lane - lane) as usize);
            lane = event.lane;
            by_column.push(Entry { column: event.channel, value: event.value });
        }
        by_column.end_rows(tile.lanes - lane as usize);
    }
    by_column
}

fn turned<F: Real>(matrix: &Sparse<F>, columns: usize) -> Sparse<F> {
    let mut to = Sparse::default();
    matrix.turn(columns, &mut to);
    to
}

/// The channels of a block.
fn series<F>(tile: Tile, numbers: &[F]) -> Rows<'_, F> {
    Rows { numbers, stride: tile.len() }
}
