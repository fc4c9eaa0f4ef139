//! Events, with few outputs: each is added to its column, output after output.

use crate::{Cpu, Events, Loops, Real, Tile, vectorised};

use super::{ByRow, LinearKernel};

/// Adds to the bias the row of `W` of each event.
pub(super) fn gather<F: Real>(kernel: &LinearKernel, tile: Tile, events: Events<'_, F>, ys: &mut [F]) {
    for (o, y) in ys.chunks_exact_mut(tile.len()).enumerate() {
        y.fill(kernel.bias().map_or(F::default(), |bias: &[F]| bias[o]));
    }
    let ByRow::Plain(weight) = &kernel.by_row else {
        unreachable!("of many outputs all events are gathered in vectors")
    };
    vectorised(tile.instructions, Gather { kernel, tile, events, weight: F::numbers(weight), ys });
}

/// Adds to the row of the gradient of `W` of each event what is asked of the outputs there.
pub(super) fn scatter<F: Real>(kernel: &LinearKernel, tile: Tile, events: Events<'_, F>, gys: &[F], gweight: &mut [F]) {
    vectorised(tile.instructions, Scatter { kernel, tile, events, gys, gweight });
}

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
                // As in products of what is dense, to the last bit.
                for (y, w) in ys.chunks_exact_mut(tile.len()).zip(row) {
                    y[column] = C::mul_add(*w, event.value, y[column]);
                }
            }
        }
    }
}

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
