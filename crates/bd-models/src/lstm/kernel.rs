//! The fused form of [`Lstm`](super::Lstm).

use bd_core::kernel::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, Rows, RowsMut, Sizes, Start, Tile, sigmoid, tanh,
    vectorised,
};

use super::FORGET;
use crate::cell::{Inputs, Map, add_products, gradients, lanes, steps, units};

/// All steps of units with memory cells. The work is `[7 n]` series: rates and cells before each step, the gates i, g, f and o, which
/// hold what is asked of their potentials at last, and `tanh c`.
#[derive(Debug)]
pub(super) struct LstmKernel {
    n: usize,
    inputs: Inputs,
    recurrent: Map,
}

impl LstmKernel {
    pub(super) fn new(inputs: Inputs, recurrent: &Numbers) -> Self {
        let n = inputs.map.n_out / 4;
        Self { n, inputs, recurrent: Map::new(recurrent, n, 4 * n, 0..4 * n) }
    }
}

impl AnyKernel for LstmKernel {}

impl<F: Real> Kernel<F> for LstmKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.inputs.map.n_in);
        Sizes { n_in, n_out: n, n_state: 2 * n, n_work: 7 * n, n_params: (n_in + n + 1) * 4 * n }
    }

    fn stores_work(&self) -> bool {
        true
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], work: &mut [F]) {
        let (n, len, width) = (self.n, tile.len(), tile.lanes);
        let mut work = Work::new(work, n * len);
        self.inputs.project(tile, xs.dense(), work.gates);
        for at in steps(tile) {
            let (h, c) = state.split_at_mut(n * width);
            let (from, to) =
                (Rows { numbers: h, stride: width }, RowsMut { numbers: &mut work.gates[at..], stride: len });
            self.recurrent.apply(tile.instructions, width, from, Start::There, to);
            vectorised(tile.instructions, Update { n, tile, at, work: &mut work, h, c, ys });
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        let (n, len, width) = (self.n, tile.len(), tile.lanes);
        let mut work = Work::new(work, n * len);
        let (ginput, grecurrent, gbias) = gradients(grads.params, n, 4 * n);
        // What is asked of the potentials of one step, side by side.
        let mut ggates = vec![F::default(); 4 * n * width];
        for at in steps(tile).rev() {
            let (gh, gc) = grads.state.split_at_mut(n * width);
            let (gys, work) = (grads.ys, &mut work);
            vectorised(tile.instructions, Pull { n, tile, at, work, ggates: &mut ggates, gys, gh, gc });
            let (from, to) = (Rows { numbers: &ggates, stride: width }, RowsMut { numbers: gh, stride: width });
            self.recurrent.pull(tile.instructions, width, from, Start::Zero, to);
        }
        add_products(tile, (work.h, n), (work.gates, 4 * n), grecurrent, 4 * n);
        self.inputs.pull(tile, xs.dense(), work.gates, (ginput, gbias), grads.xs);
    }
}

/// The parts of the work.
struct Work<'a, F> {
    /// Before each step.
    h: &'a mut [F],
    /// Before each step.
    c: &'a mut [F],
    gates: &'a mut [F],
    tanh_c: &'a mut [F],
}

impl<'a, F> Work<'a, F> {
    /// Each channel of `units` numbers of each unit.
    fn new(work: &'a mut [F], units: usize) -> Self {
        let (h, rest) = work.split_at_mut(units);
        let (c, rest) = rest.split_at_mut(units);
        let (gates, rest) = rest.split_at_mut(4 * units);
        Self { h, c, gates, tanh_c: &mut rest[..units] }
    }
}

/// From the potentials to the next state.
struct Update<'a, 'b, F> {
    n: usize,
    tile: Tile,
    at: usize,
    work: &'a mut Work<'b, F>,
    h: &'a mut [F],
    c: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Update<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, work, h, c, ys } = self;
        for k in 0..n {
            let (h, c) = (units(h, tile, k), units(c, tile, k));
            if tile.keep {
                lanes(work.h, tile, k, at).copy_from_slice(h);
                lanes(work.c, tile, k, at).copy_from_slice(c);
            }
            let [i, g, f, o] = gates_of(work.gates, n, tile, k, at);
            let tanh_c = lanes(work.tanh_c, tile, k, at);
            for l in 0..tile.lanes {
                i[l] = sigmoid::<C, F>(i[l]);
                g[l] = tanh::<C, F>(g[l]);
                f[l] = sigmoid::<C, F>(f[l] + F::of(FORGET));
                o[l] = sigmoid::<C, F>(o[l]);
                c[l] = f[l] * c[l] + i[l] * g[l];
                tanh_c[l] = tanh::<C, F>(c[l]);
                h[l] = o[l] * tanh_c[l];
            }
            lanes(ys, tile, k, at).copy_from_slice(h);
        }
    }
}

/// From what is asked of the state to what is asked of the potentials and of the cells before. What is asked of the rates before
/// follows by a product.
struct Pull<'a, 'b, F> {
    n: usize,
    tile: Tile,
    at: usize,
    work: &'a mut Work<'b, F>,
    ggates: &'a mut [F],
    gys: &'a [F],
    gh: &'a [F],
    gc: &'a mut [F],
}

impl<F: Real> Loops for Pull<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, work, ggates, gys, gh, gc } = self;
        let one = F::of(1.0);
        for k in 0..n {
            let [i, g, f, o] = gates_of(work.gates, n, tile, k, at);
            let (before, tanh_c) = (&*lanes(work.c, tile, k, at), &*lanes(work.tanh_c, tile, k, at));
            let (gh, gc) = (&gh[k * tile.lanes..][..tile.lanes], units(gc, tile, k));
            let gy = &gys[k * tile.len() + at..][..tile.lanes];
            for l in 0..tile.lanes {
                let gh = gh[l] + gy[l];
                let g_cell = gc[l] + gh * o[l] * (one - tanh_c[l] * tanh_c[l]);
                gc[l] = g_cell * f[l];
                o[l] = gh * tanh_c[l] * o[l] * (one - o[l]);
                f[l] = g_cell * before[l] * f[l] * (one - f[l]);
                (i[l], g[l]) = (g_cell * g[l] * i[l] * (one - i[l]), g_cell * i[l] * (one - g[l] * g[l]));
            }
            for (gate, from) in [i, g, f, o].into_iter().enumerate() {
                units(ggates, tile, gate * n + k).copy_from_slice(from);
            }
        }
    }
}

/// The samples of one unit's gates at one step.
#[inline(always)]
fn gates_of<F: Real>(gates: &mut [F], n: usize, tile: Tile, k: usize, at: usize) -> [&mut [F]; 4] {
    let mut rest = gates;
    [(); 4].map(|()| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(n * tile.len());
        rest = others;
        lanes(own, tile, k, at)
    })
}
