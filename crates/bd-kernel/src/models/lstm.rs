//! The loops of long short-term memory, `bd_models::Lstm`.

use crate::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, RowsMut, Sizes, Start, Tile, sigmoid, tanh, vectorised,
};

use super::blocks::{Layout, add_step, read_step, write_step};
use super::cell::CellWeights;
use super::matrix::Matrix;
pub use gates::LstmGates;

mod gates;

/// What is added to the forget gate's potential.
pub const FORGET: f64 = 1.0;

/// All steps of units with memory cells. The work of a step is `[x, h, i, g, f, o, c, tanh c]`: its input and the rates
/// before it, which one product makes the gates' potentials of; the gates, which backward overwrites with the gradients of their
/// potentials; the cells before it and `tanh` of those after it.
#[derive(Debug)]
pub struct LstmKernel {
    n_in: usize,
    n: usize,
    /// From x and h to all gates.
    forward: Matrix,
    to_state: Matrix,
    to_input: Matrix,
    bias: Numbers,
}

impl LstmKernel {
    /// From copies of its weights.
    pub fn new(weights: CellWeights) -> Self {
        let CellWeights { n_in, n, joined, bias } = weights;
        let width = 4 * n;
        Self {
            n_in,
            n,
            forward: Matrix::new(&joined, width, 0..n_in + n, 0..width),
            to_state: Matrix::adjoint(&joined, width, n_in..n_in + n, 0..width),
            to_input: Matrix::adjoint(&joined, width, 0..n_in, 0..width),
            bias,
        }
    }

    /// Numbers of work of a step and sample.
    fn block(&self) -> usize {
        self.n_in + 7 * self.n
    }

    fn parts<'a, F>(&self, tile: Tile, block: &'a mut [F]) -> Parts<'a, F> {
        let (x, units) = (self.n_in * tile.lanes, self.n * tile.lanes);
        let (xh, rest) = block.split_at_mut(x + units);
        let (gates, rest) = rest.split_at_mut(4 * units);
        let (c, tanh_c) = rest.split_at_mut(units);
        Parts { units, x, xh, gates, c, tanh_c }
    }
}

/// The parts of a step's work.
struct Parts<'a, F> {
    /// Numbers of one gate, and of x.
    units: usize,
    x: usize,
    xh: &'a mut [F],
    gates: &'a mut [F],
    c: &'a mut [F],
    tanh_c: &'a mut [F],
}

impl<F> Parts<'_, F> {
    /// The gates i, g, f and o.
    #[inline(always)]
    fn gates(&mut self) -> [&mut [F]; 4] {
        let (i, rest) = self.gates.split_at_mut(self.units);
        let (g, rest) = rest.split_at_mut(self.units);
        let (f, o) = rest.split_at_mut(self.units);
        [i, g, f, o]
    }
}

impl AnyKernel for LstmKernel {}

impl<F: Real> Kernel<F> for LstmKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.n_in);
        Sizes { n_in, n_out: n, n_state: 2 * n, n_work: 0, n_params: (n_in + n + 1) * 4 * n }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.block() * steps
    }

    fn stores(&self) -> bool {
        true
    }

    fn reads_inputs(&self) -> bool {
        false
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], work: &mut [F], _: &mut [F]) {
        let bias = F::numbers(&self.bias);
        let (h, c) = state.split_at_mut(self.n * tile.lanes);
        for (at, block) in (Layout { block: self.block(), tile }).steps() {
            let mut parts = self.parts(tile, &mut work[block]);
            read_step(xs.dense(), tile, at, &mut parts.xh[..parts.x]);
            parts.xh[parts.x..].copy_from_slice(h);
            parts.c.copy_from_slice(c);
            self.forward.step(tile.instructions, tile.lanes, parts.xh, Start::Each(bias), parts.gates);
            vectorised(tile.instructions, Update { parts: &mut parts, tile, at, h, c, ys });
        }
    }

    fn backward(&self, tile: Tile, _xs: Input<'_, F>, work: &mut [F], _: &mut [F], grads: Grads<'_, F>) {
        let (n, lanes) = (self.n, tile.lanes);
        let layout = Layout { block: self.block(), tile };
        let (gh, gc) = grads.state.split_at_mut(n * lanes);
        for (at, block) in layout.steps().rev() {
            let mut parts = self.parts(tile, &mut work[block]);
            vectorised(tile.instructions, Vjp { parts: &mut parts, tile, at, gys: grads.ys, gh, gc });
            self.to_state.step(tile.instructions, lanes, parts.gates, Start::Zero, gh);
            self.to_input.input_gradient(tile, at, parts.gates, grads.xs);
        }
        let before = self.n_in + n;
        let (gweights, gbias) = grads.params.split_at_mut(before * 4 * n);
        layout.add_products(work, 0..before, before..before + 4 * n, RowsMut { numbers: gweights, stride: 4 * n });
        layout.add_totals(work, before..before + 4 * n, gbias);
    }
}

/// From the potentials to the next state.
struct Update<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
    tile: Tile,
    at: usize,
    h: &'a mut [F],
    c: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Update<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { parts, tile, at, h, c, ys } = self;
        let tanh_c = std::mem::take(&mut parts.tanh_c);
        let [i, g, f, o] = parts.gates();
        // A short loop for each function, which is sure to become vector instructions.
        i.iter_mut().for_each(|gate| *gate = sigmoid::<C, F>(*gate));
        o.iter_mut().for_each(|gate| *gate = sigmoid::<C, F>(*gate));
        f.iter_mut().for_each(|gate| *gate = sigmoid::<C, F>(*gate + F::of(FORGET)));
        g.iter_mut().for_each(|gate| *gate = tanh::<C, F>(*gate));
        for (((c, f), i), g) in c.iter_mut().zip(f).zip(i).zip(g) {
            *c = *f * *c + *i * *g;
        }
        for (((h, o), c), tanh_c) in h.iter_mut().zip(o).zip(c).zip(tanh_c) {
            *tanh_c = tanh::<C, F>(*c);
            *h = *o * *tanh_c;
        }
        write_step(h, tile, at, ys);
    }
}

/// From what is asked of the state to what is asked of the potentials and of the cells before. What is asked of the
/// rates before follows by a product.
struct Vjp<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
    tile: Tile,
    at: usize,
    gys: &'a [F],
    gh: &'a mut [F],
    gc: &'a mut [F],
}

impl<F: Real> Loops for Vjp<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { parts, tile, at, gys, gh, gc } = self;
        let one = F::of(1.0);
        add_step(gys, tile, at, gh);
        let (before, tanh_c) = (std::mem::take(&mut parts.c), std::mem::take(&mut parts.tanh_c));
        let [i, g, f, o] = parts.gates();
        for (((gc, gh), o), tanh_c) in gc.iter_mut().zip(gh).zip(o).zip(tanh_c) {
            *gc += *gh * *o * (one - *tanh_c * *tanh_c);
            *o = *gh * *tanh_c * *o * (one - *o);
        }
        for ((((gc, before), f), i), g) in gc.iter_mut().zip(before).zip(f).zip(i).zip(g) {
            let gf = *gc * *before * *f * (one - *f);
            (*i, *g) = (*gc * *g * *i * (one - *i), *gc * *i * (one - *g * *g));
            *gc = *gc * *f;
            *f = gf;
        }
    }
}
