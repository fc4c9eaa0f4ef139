//! The fused form of [`Linear`](super::Linear).

use bd_core::kernel::{
    AnyKernel, Cpu, Events, Grads, Input, Kernel, Loops, Numbers, Real, Rows, RowsMut, Series, Sizes, Start, Tile,
    add_outer_product, add_totals, vectorised,
};

use crate::cell::Matrix;

/// `y = x W + b`, samples side by side. Of an input that is almost all zeros only what is not zero is looked at.
#[derive(Debug)]
pub(super) struct LinearKernel {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Row by row, `[n_in, n_out]`: for events, each of which wants a row.
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
        let bias = self.bias.as_ref().map(|bias| F::numbers(bias));
        let weight = F::numbers(&self.weight);
        match xs {
            Input::Dense(xs) => {
                let start = bias.map_or(Start::Zero, Start::Each);
                let out = RowsMut { numbers: ys, stride: tile.len() };
                self.matrix.apply(tile.instructions, tile.len(), series(tile, xs), start, out);
            }
            Input::Events(events) => {
                for (o, y) in ys.chunks_exact_mut(tile.len()).enumerate() {
                    y.fill(bias.map_or(F::default(), |bias| bias[o]));
                }
                vectorised(tile.instructions, Gather { kernel: self, tile, events, weight, ys });
            }
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, _work: &mut [F], grads: Grads<'_, F>) {
        let (gweight, gbias) = grads.params.split_at_mut(self.n_in * self.n_out);
        let gys = Series::by_channel(grads.ys, self.n_out, tile.len());
        match xs {
            Input::Events(events) => {
                vectorised(tile.instructions, Scatter { kernel: self, tile, events, gys: grads.ys, gweight });
            }
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

/// Adds the row of `W` of each event to the outputs of its sample and step.
struct Gather<'a, F> {
    kernel: &'a LinearKernel,
    tile: Tile,
    events: Events<'a, F>,
    weight: &'a [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Gather<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, events, weight, ys } = self;
        for t in 0..tile.steps {
            for event in events.at(t) {
                let row = &weight[event.channel as usize * kernel.n_out..][..kernel.n_out];
                let column = t * tile.lanes + event.lane as usize;
                for (y, w) in ys.chunks_exact_mut(tile.len()).zip(row) {
                    y[column] += *w * event.value;
                }
            }
        }
    }
}

/// Adds what is asked of the outputs of each event's sample and step to its row of the gradient of `W`.
struct Scatter<'a, F> {
    kernel: &'a LinearKernel,
    tile: Tile,
    events: Events<'a, F>,
    gys: &'a [F],
    gweight: &'a mut [F],
}

impl<F: Real> Loops for Scatter<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, events, gys, gweight } = self;
        for t in 0..tile.steps {
            for event in events.at(t) {
                let row = &mut gweight[event.channel as usize * kernel.n_out..][..kernel.n_out];
                let column = t * tile.lanes + event.lane as usize;
                for (gy, gw) in gys.chunks_exact(tile.len()).zip(row) {
                    *gw += gy[column] * event.value;
                }
            }
        }
    }
}
