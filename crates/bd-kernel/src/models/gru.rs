//! The loops of gated recurrent units, `bd_models::Gru`.

use crate::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, RowsMut, Sizes, Start, Tile, sigmoid, tanh, vectorised,
};

use super::blocks::{Layout, add_step, read_step, write_step};
use super::cell::CellWeights;
use super::matrix::Matrix;
pub use gates::GruGates;

mod gates;

/// All steps of gated units. The work of a step is `[x, h, x, r h, z, r, a]`: one product makes z and r of x and h, the
/// state before it, another one makes a of x and `r h`. The gates' places hold their potentials at first, and what is
/// asked of those at last.
#[derive(Debug)]
pub struct GruKernel {
    n_in: usize,
    n: usize,
    /// From x and h to z and r.
    gates: Matrix,
    gates_to_state: Matrix,
    /// From x and `r h` to a.
    candidate: Matrix,
    candidate_to_state: Matrix,
    /// From all three.
    to_input: Matrix,
    bias: Numbers,
}

impl GruKernel {
    /// From copies of its weights.
    pub fn new(weights: CellWeights) -> Self {
        let CellWeights { n_in, n, joined, bias } = weights;
        let (all, states, width) = (0..n_in + n, n_in..n_in + n, 3 * n);
        Self {
            n_in,
            n,
            gates: Matrix::new(&joined, width, all.clone(), 0..2 * n),
            gates_to_state: Matrix::adjoint(&joined, width, states.clone(), 0..2 * n),
            candidate: Matrix::new(&joined, width, all, 2 * n..width),
            candidate_to_state: Matrix::adjoint(&joined, width, states, 2 * n..width),
            to_input: Matrix::adjoint(&joined, width, 0..n_in, 0..width),
            bias,
        }
    }

    /// Numbers of work of a step and sample.
    fn block(&self) -> usize {
        2 * (self.n_in + self.n) + 3 * self.n
    }

    /// The parts of a step's work.
    fn parts<'a, F>(&self, tile: Tile, block: &'a mut [F]) -> Parts<'a, F> {
        let (x, h) = (self.n_in * tile.lanes, self.n * tile.lanes);
        let (xh, rest) = block.split_at_mut(x + h);
        let (xrh, gates) = rest.split_at_mut(x + h);
        let (zr, a) = gates.split_at_mut(2 * h);
        Parts { x, h, xh, xrh, zr, a }
    }
}

/// The parts of a step's work.
struct Parts<'a, F> {
    /// Numbers of x, and of a state.
    x: usize,
    h: usize,
    xh: &'a mut [F],
    xrh: &'a mut [F],
    zr: &'a mut [F],
    a: &'a mut [F],
}

impl AnyKernel for GruKernel {}

impl<F: Real> Kernel<F> for GruKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.n_in);
        Sizes { n_in, n_out: n, n_state: n, n_work: 0, n_params: (n_in + n + 1) * 3 * n }
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

    fn forward(&self, tile: Tile, xs: Input<'_, F>, h: &mut [F], ys: &mut [F], work: &mut [F], _: &mut [F]) {
        let (bias, bias_a) = F::numbers(&self.bias).split_at(2 * self.n);
        let (instructions, lanes) = (tile.instructions, tile.lanes);
        for (at, block) in (Layout { block: self.block(), tile }).steps() {
            let mut parts = self.parts(tile, &mut work[block]);
            read_step(xs.dense(), tile, at, &mut parts.xh[..parts.x]);
            parts.xh[parts.x..].copy_from_slice(h);
            self.gates.step(instructions, lanes, parts.xh, Start::Each(bias), parts.zr);
            vectorised(instructions, Gates { parts: &mut parts });
            self.candidate.step(instructions, lanes, parts.xrh, Start::Each(bias_a), parts.a);
            vectorised(instructions, Update { parts: &mut parts, tile, at, h, ys });
        }
    }

    fn backward(&self, tile: Tile, _xs: Input<'_, F>, work: &mut [F], _: &mut [F], grads: Grads<'_, F>) {
        let (n, instructions, lanes) = (self.n, tile.instructions, tile.lanes);
        let layout = Layout { block: self.block(), tile };
        let gh = grads.state;
        // What is asked of `r h`.
        let mut grh = vec![F::default(); n * lanes];
        for (at, block) in layout.steps().rev() {
            let block = &mut work[block];
            let mut parts = self.parts(tile, block);
            vectorised(instructions, VjpUpdate { parts: &mut parts, tile, at, gys: grads.ys, gh });
            self.candidate_to_state.step(instructions, lanes, parts.a, Start::Zero, &mut grh);
            vectorised(instructions, VjpReset { parts: &mut parts, grh: &grh, gh });
            self.gates_to_state.step(instructions, lanes, parts.zr, Start::There, gh);
            self.to_input.input_gradient(tile, at, &block[2 * (self.n_in + n) * lanes..], grads.xs);
        }
        let before = self.n_in + n;
        let (gweights, gbias) = grads.params.split_at_mut(before * 3 * n);
        let (gates, candidate) = (2 * before..2 * before + 2 * n, 2 * before + 2 * n..2 * before + 3 * n);
        layout.add_products(work, 0..before, gates, RowsMut { numbers: gweights, stride: 3 * n });
        let to = RowsMut { numbers: &mut gweights[2 * n..], stride: 3 * n };
        layout.add_products(work, before..2 * before, candidate, to);
        layout.add_totals(work, 2 * before..2 * before + 3 * n, gbias);
    }
}

/// z, r and `r h`, from the potentials.
struct Gates<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
}

impl<F: Real> Loops for Gates<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Parts { x, h, xh, xrh, zr, .. } = self.parts;
        zr.iter_mut().for_each(|gate| *gate = sigmoid::<C, F>(*gate));
        xrh[..*x].copy_from_slice(&xh[..*x]);
        for ((rh, r), h) in xrh[*x..].iter_mut().zip(&zr[*h..]).zip(&xh[*x..]) {
            *rh = *r * *h;
        }
    }
}

/// The next state.
struct Update<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
    tile: Tile,
    at: usize,
    h: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Update<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { parts, tile, at, h, ys } = self;
        for ((a, z), h) in parts.a.iter_mut().zip(&*parts.zr).zip(&mut *h) {
            *a = tanh::<C, F>(*a);
            *h = (F::of(1.0) - *z) * *h + *z * *a;
        }
        write_step(h, tile, at, ys);
    }
}

/// From what is asked of the state to what is asked of the potentials of z and a, and of the state before.
struct VjpUpdate<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
    tile: Tile,
    at: usize,
    gys: &'a [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for VjpUpdate<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { parts, tile, at, gys, gh } = self;
        let one = F::of(1.0);
        add_step(gys, tile, at, gh);
        let h = &parts.xh[parts.x..];
        for (((a, z), h), gh) in parts.a.iter_mut().zip(&mut *parts.zr).zip(h).zip(gh) {
            let (ga, gz) = (*gh * *z * (one - *a * *a), *gh * (*a - *h) * *z * (one - *z));
            *gh = *gh * (one - *z);
            (*a, *z) = (ga, gz);
        }
    }
}

/// From what is asked of `r h` to what is asked of the potential of r, and of the state before.
struct VjpReset<'a, 'b, F> {
    parts: &'a mut Parts<'b, F>,
    grh: &'a [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for VjpReset<'_, '_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { parts, grh, gh } = self;
        let h = &parts.xh[parts.x..];
        for (((r, h), grh), gh) in parts.zr[parts.h..].iter_mut().zip(h).zip(grh).zip(gh) {
            *gh += *grh * *r;
            *r = *grh * *h * *r * (F::of(1.0) - *r);
        }
    }
}
