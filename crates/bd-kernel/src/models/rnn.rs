//! The loops of a recurrent network of rates, `bd_models::Rnn`.

use crate::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, RowsMut, Sizes, Start, Tile, tanh, vectorised,
};

use serde::{Deserialize, Serialize};

use super::blocks::{Layout, add_step, read_step, write_step};
use super::cell::CellWeights;
use super::matrix::Matrix;
pub use gates::RnnGates;

mod gates;

/// What makes a rate of a potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, a)`, with slope 0 at 0.
    #[default]
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `a` itself: a linear network.
    Identity,
}

impl Activation {
    /// Every one of them.
    pub fn all() -> [Self; 3] {
        [Self::Relu, Self::Tanh, Self::Identity]
    }
}

/// All steps of a network. The work of a step is `[x, h, f(a)]`: its input and the state before it, which one product
/// makes `a` of, and the rates, whose place what is asked of `a` takes at last.
#[derive(Debug)]
pub struct RnnKernel {
    n_in: usize,
    n: usize,
    /// From x and h to a.
    forward: Matrix,
    to_state: Matrix,
    to_input: Matrix,
    bias: Numbers,
    activation: Activation,
    /// `dt/tau`.
    gain: Option<f64>,
}

impl RnnKernel {
    /// From copies of its weights.
    pub fn new(weights: CellWeights, activation: Activation, gain: Option<f64>) -> Self {
        let CellWeights { n_in, n, joined, bias } = weights;
        Self {
            n_in,
            n,
            forward: Matrix::new(&joined, n, 0..n_in + n, 0..n),
            to_state: Matrix::adjoint(&joined, n, n_in..n_in + n, 0..n),
            to_input: Matrix::adjoint(&joined, n, 0..n_in, 0..n),
            bias,
            activation,
            gain,
        }
    }

    fn layout(&self, tile: Tile) -> Layout {
        Layout { block: self.n_in + 2 * self.n, tile }
    }
}

impl AnyKernel for RnnKernel {}

impl<F: Real> Kernel<F> for RnnKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.n_in);
        Sizes { n_in, n_out: n, n_state: n, n_work: 0, n_params: (n_in + n + 1) * n }
    }

    fn n_kept(&self, steps: usize) -> usize {
        (self.n_in + 2 * self.n) * steps
    }

    fn stores(&self) -> bool {
        true
    }

    fn reads_inputs(&self) -> bool {
        false
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, h: &mut [F], ys: &mut [F], work: &mut [F], _: &mut [F]) {
        let (xs, bias) = (xs.dense(), F::numbers(&self.bias));
        for (at, block) in self.layout(tile).steps() {
            let (before, rates) = work[block].split_at_mut((self.n_in + self.n) * tile.lanes);
            let (x, h_before) = before.split_at_mut(self.n_in * tile.lanes);
            read_step(xs, tile, at, x);
            h_before.copy_from_slice(h);
            self.forward.step(tile.instructions, tile.lanes, before, Start::Each(bias), rates);
            vectorised(tile.instructions, Activate { kernel: self, tile, at, rates, h, ys });
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], _: &mut [F], grads: Grads<'_, F>) {
        debug_assert_eq!(xs.dense().len(), self.n_in * tile.len());
        let (n, lanes, layout) = (self.n, tile.lanes, self.layout(tile));
        for (at, block) in layout.steps().rev() {
            let rates = &mut work[block][(self.n_in + n) * lanes..];
            vectorised(tile.instructions, Vjp { kernel: self, tile, at, rates, gys: grads.ys, gh: grads.state });
            self.to_state.step(tile.instructions, lanes, rates, Start::There, grads.state);
            self.to_input.input_gradient(tile, at, rates, grads.xs);
        }
        let before = self.n_in + n;
        let (gweights, gbias) = grads.params.split_at_mut(before * n);
        layout.add_products(work, 0..before, before..before + n, RowsMut { numbers: gweights, stride: n });
        layout.add_totals(work, before..before + n, gbias);
    }
}

/// From `a` to the next state.
struct Activate<'a, F> {
    kernel: &'a RnnKernel,
    tile: Tile,
    at: usize,
    rates: &'a mut [F],
    h: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Activate<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let zero = F::default();
        match self.kernel.activation {
            Activation::Relu => self.each(|a| if a < zero { zero } else { a }),
            Activation::Tanh => self.each(tanh::<C, F>),
            Activation::Identity => self.each(|a| a),
        }
    }
}

impl<F: Real> Activate<'_, F> {
    #[inline(always)]
    fn each(self, f: impl Fn(F) -> F) {
        let Self { kernel, tile, at, rates, h, ys } = self;
        rates.iter_mut().for_each(|rate| *rate = f(*rate));
        match kernel.gain {
            Some(gain) => {
                let (keep, gain) = (F::of(1.0 - gain), F::of(gain));
                h.iter_mut().zip(&*rates).for_each(|(h, rate)| *h = *h * keep + *rate * gain);
            }
            None => h.copy_from_slice(rates),
        }
        write_step(h, tile, at, ys);
    }
}

/// From what is asked of a step's output and of the next state to what is asked of `a`, and of this state by the leak.
struct Vjp<'a, F> {
    kernel: &'a RnnKernel,
    tile: Tile,
    at: usize,
    rates: &'a mut [F],
    gys: &'a [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for Vjp<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let (zero, one) = (F::default(), F::of(1.0));
        match self.kernel.activation {
            Activation::Relu => self.each(|rate, g| if rate > zero { g } else { zero }),
            Activation::Tanh => self.each(|rate, g| g * (one - rate * rate)),
            Activation::Identity => self.each(|_, g| g),
        }
    }
}

impl<F: Real> Vjp<'_, F> {
    /// `vjp` takes the rate and its gradient.
    #[inline(always)]
    fn each(self, vjp: impl Fn(F, F) -> F) {
        let Self { kernel, tile, at, rates, gys, gh } = self;
        add_step(gys, tile, at, gh);
        let (keep, gain) = kernel.gain.map_or((F::default(), F::of(1.0)), |gain| (F::of(1.0 - gain), F::of(gain)));
        for (rate, gh) in rates.iter_mut().zip(gh) {
            *rate = vjp(*rate, *gh * gain);
            *gh = *gh * keep;
        }
    }
}
