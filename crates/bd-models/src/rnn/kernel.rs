//! The fused form of [`Rnn`](super::Rnn).

use bd_core::kernel::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, Rows, RowsMut, Sizes, Start, Tile, tanh, vectorised,
};

use super::Activation;
use crate::cell::{Inputs, Map, add_products, gradients, lanes, steps, units};

/// All steps of a network. The work is `[2 n]` series: the state before each step, and the rate `f(a)`, which holds `a` at first and
/// what is asked of it at last.
#[derive(Debug)]
pub(super) struct RnnKernel {
    n: usize,
    inputs: Inputs,
    recurrent: Map,
    activation: Activation,
    /// `dt/tau`.
    gain: Option<f64>,
}

impl RnnKernel {
    pub(super) fn new(inputs: Inputs, recurrent: &Numbers, activation: Activation, gain: Option<f64>) -> Self {
        let n = inputs.map.n_out;
        Self { n, inputs, recurrent: Map::new(recurrent, n, n, 0..n), activation, gain }
    }
}

impl AnyKernel for RnnKernel {}

impl<F: Real> Kernel<F> for RnnKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.inputs.map.n_in);
        Sizes { n_in, n_out: n, n_state: n, n_work: 2 * n, n_params: (n_in + n + 1) * n }
    }

    fn stores_work(&self) -> bool {
        true
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, h: &mut [F], ys: &mut [F], work: &mut [F]) {
        let (before, rates) = work.split_at_mut(self.n * tile.len());
        self.inputs.project(tile, xs.dense(), rates);
        for at in steps(tile) {
            let (from, to) =
                (Rows { numbers: h, stride: tile.lanes }, RowsMut { numbers: &mut rates[at..], stride: tile.len() });
            self.recurrent.apply(tile.instructions, tile.lanes, from, Start::There, to);
            vectorised(tile.instructions, Activate { kernel: self, tile, at, before, rates, h, ys });
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        let (before, rates) = work.split_at_mut(self.n * tile.len());
        let (ginput, grecurrent, gbias) = gradients(grads.params, self.n, self.n);
        // Of one step, side by side.
        let mut ga = vec![F::default(); self.n * tile.lanes];
        for at in steps(tile).rev() {
            let (gys, gh) = (grads.ys, &mut *grads.state);
            vectorised(tile.instructions, Pull { kernel: self, tile, at, rates, ga: &mut ga, gys, gh });
            let (from, to) =
                (Rows { numbers: &ga, stride: tile.lanes }, RowsMut { numbers: grads.state, stride: tile.lanes });
            self.recurrent.pull(tile.instructions, tile.lanes, from, Start::There, to);
        }
        add_products(tile, (before, self.n), (rates, self.n), grecurrent, self.n);
        self.inputs.pull(tile, xs.dense(), rates, (ginput, gbias), grads.xs);
    }
}

/// From `a` to the next state.
struct Activate<'a, F> {
    kernel: &'a RnnKernel,
    tile: Tile,
    at: usize,
    before: &'a mut [F],
    rates: &'a mut [F],
    h: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Activate<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let zero = F::default();
        match self.kernel.activation {
            Activation::Relu => self.each(|a| if a > zero { a } else { zero }),
            Activation::Tanh => self.each(tanh::<C, F>),
            Activation::Identity => self.each(|a| a),
        }
    }
}

impl<F: Real> Activate<'_, F> {
    #[inline(always)]
    fn each(self, f: impl Fn(F) -> F) {
        let Self { kernel, tile, at, before, rates, h, ys } = self;
        let gain = kernel.gain.map(F::of);
        for k in 0..kernel.n {
            let (rate, h, y) = (lanes(rates, tile, k, at), units(h, tile, k), lanes(ys, tile, k, at));
            if tile.keep {
                lanes(before, tile, k, at).copy_from_slice(h);
            }
            rate.iter_mut().for_each(|rate| *rate = f(*rate));
            match gain {
                Some(gain) => {
                    h.iter_mut().zip(&*rate).for_each(|(h, rate)| *h = *h * (F::of(1.0) - gain) + *rate * gain);
                }
                None => h.copy_from_slice(rate),
            }
            y.copy_from_slice(h);
        }
    }
}

/// From what is asked of a step's output and of the next state to what is asked of `a`, and of this state by the leak.
struct Pull<'a, F> {
    kernel: &'a RnnKernel,
    tile: Tile,
    at: usize,
    rates: &'a mut [F],
    ga: &'a mut [F],
    gys: &'a [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for Pull<'_, F> {
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

impl<F: Real> Pull<'_, F> {
    /// `pull` takes the rate and what is asked of it.
    #[inline(always)]
    fn each(self, pull: impl Fn(F, F) -> F) {
        let Self { kernel, tile, at, rates, ga, gys, gh } = self;
        let (keep, gain) = kernel.gain.map_or((F::default(), F::of(1.0)), |gain| (F::of(1.0 - gain), F::of(gain)));
        for k in 0..kernel.n {
            let gy = &gys[k * tile.len() + at..][..tile.lanes];
            let (rate, ga, gh) = (lanes(rates, tile, k, at), units(ga, tile, k), units(gh, tile, k));
            for l in 0..tile.lanes {
                let g = gh[l] + gy[l];
                ga[l] = pull(rate[l], g * gain);
                rate[l] = ga[l];
                gh[l] = g * keep;
            }
        }
    }
}
