//! The fused form of [`Gru`](super::Gru).

use bd_core::kernel::{
    AnyKernel, Cpu, Grads, Input, Kernel, Loops, Numbers, Real, Rows, RowsMut, Sizes, Start, Tile, sigmoid, tanh,
    vectorised,
};

use crate::cell::{Inputs, Map, add_products, gradients, lanes, steps, units};

/// All steps of gated units. The work is `[5 n]` series: the state before each step, the gates z, r and a, which hold what is asked of
/// their potentials at last, and `r h`.
#[derive(Debug)]
pub(super) struct GruKernel {
    n: usize,
    inputs: Inputs,
    /// Of h, to z and r.
    gates: Map,
    /// Of `r h`, to a.
    candidate: Map,
}

impl GruKernel {
    pub(super) fn new(inputs: Inputs, recurrent: &Numbers) -> Self {
        let n = inputs.map.n_out / 3;
        let gates = Map::new(recurrent, n, 3 * n, 0..2 * n);
        Self { n, inputs, gates, candidate: Map::new(recurrent, n, 3 * n, 2 * n..3 * n) }
    }
}

impl AnyKernel for GruKernel {}

impl<F: Real> Kernel<F> for GruKernel {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.inputs.map.n_in);
        Sizes { n_in, n_out: n, n_state: n, n_work: 5 * n, n_params: (n_in + n + 1) * 3 * n }
    }

    fn stores_work(&self) -> bool {
        true
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, h: &mut [F], ys: &mut [F], work: &mut [F]) {
        let (n, len, width) = (self.n, tile.len(), tile.lanes);
        let (before, gates) = work.split_at_mut(n * len);
        self.inputs.project(tile, xs.dense(), &mut gates[..3 * n * len]);
        let (gates, candidate) = gates.split_at_mut(2 * n * len);
        let (candidate, reset) = candidate.split_at_mut(n * len);
        // `r h` of one step, side by side.
        let mut rh = vec![F::default(); n * width];
        for at in steps(tile) {
            let to = RowsMut { numbers: &mut gates[at..], stride: len };
            self.gates.apply(tile.instructions, width, Rows { numbers: h, stride: width }, Start::There, to);
            vectorised(tile.instructions, Gates { n, tile, at, before, gates, reset, h, rh: &mut rh });
            let to = RowsMut { numbers: &mut candidate[at..], stride: len };
            self.candidate.apply(tile.instructions, width, Rows { numbers: &rh, stride: width }, Start::There, to);
            vectorised(tile.instructions, Update { n, tile, at, gates, candidate, h, ys });
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        let (n, len, width) = (self.n, tile.len(), tile.lanes);
        let (before, all) = work.split_at_mut(n * len);
        let (ginput, grecurrent, gbias) = gradients(grads.params, n, 3 * n);
        let gh = grads.state;
        // Of one step, side by side: what is asked of the potentials of z, r and a, and of `r h`.
        let (mut ggates, mut grh) = (vec![F::default(); 3 * n * width], vec![F::default(); n * width]);
        for at in steps(tile).rev() {
            let gys = grads.ys;
            vectorised(tile.instructions, PullUpdate { n, tile, at, before, all, ggates: &mut ggates, gys, gh });
            let (from, to) = (&ggates[2 * n * width..], RowsMut { numbers: &mut grh, stride: width });
            self.candidate.pull(tile.instructions, width, Rows { numbers: from, stride: width }, Start::Zero, to);
            vectorised(
                tile.instructions,
                PullReset { n, tile, at, before, all, ggates: &mut ggates, grh: &mut grh, gh },
            );
            let (from, to) = (&ggates[..2 * n * width], RowsMut { numbers: gh, stride: width });
            self.gates.pull(tile.instructions, width, Rows { numbers: from, stride: width }, Start::There, to);
        }
        let (ggates, reset) = all.split_at(3 * n * len);
        add_products(tile, (before, n), (ggates, 2 * n), grecurrent, 3 * n);
        add_products(tile, (reset, n), (&ggates[2 * n * len..], n), &mut grecurrent[2 * n..], 3 * n);
        self.inputs.pull(tile, xs.dense(), ggates, (ginput, gbias), grads.xs);
    }
}

/// z, r and `r h`, from the potentials.
struct Gates<'a, F> {
    n: usize,
    tile: Tile,
    at: usize,
    before: &'a mut [F],
    gates: &'a mut [F],
    reset: &'a mut [F],
    h: &'a mut [F],
    rh: &'a mut [F],
}

impl<F: Real> Loops for Gates<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, before, gates, reset, h, rh } = self;
        for k in 0..n {
            let h = units(h, tile, k);
            if tile.keep {
                lanes(before, tile, k, at).copy_from_slice(h);
            }
            lanes(gates, tile, k, at).iter_mut().for_each(|z| *z = sigmoid::<C, F>(*z));
            let (r, rh) = (lanes(gates, tile, n + k, at), units(rh, tile, k));
            for l in 0..tile.lanes {
                r[l] = sigmoid::<C, F>(r[l]);
                rh[l] = r[l] * h[l];
            }
            if tile.keep {
                lanes(reset, tile, k, at).copy_from_slice(rh);
            }
        }
    }
}

/// The next state.
struct Update<'a, F> {
    n: usize,
    tile: Tile,
    at: usize,
    gates: &'a mut [F],
    candidate: &'a mut [F],
    h: &'a mut [F],
    ys: &'a mut [F],
}

impl<F: Real> Loops for Update<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, gates, candidate, h, ys } = self;
        for k in 0..n {
            let (z, a) = (&*lanes(gates, tile, k, at), lanes(candidate, tile, k, at));
            let h = units(h, tile, k);
            for l in 0..tile.lanes {
                a[l] = tanh::<C, F>(a[l]);
                h[l] = (F::of(1.0) - z[l]) * h[l] + z[l] * a[l];
            }
            lanes(ys, tile, k, at).copy_from_slice(h);
        }
    }
}

/// From what is asked of the state to what is asked of the potentials of z and a, and of the state before.
struct PullUpdate<'a, F> {
    n: usize,
    tile: Tile,
    at: usize,
    before: &'a mut [F],
    all: &'a mut [F],
    ggates: &'a mut [F],
    gys: &'a [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for PullUpdate<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, before, all, ggates, gys, gh } = self;
        let one = F::of(1.0);
        let (gates, candidate) = all.split_at_mut(2 * n * tile.len());
        let (ggates, gcandidate) = ggates.split_at_mut(2 * n * tile.lanes);
        for k in 0..n {
            let (z, a) = (lanes(gates, tile, k, at), lanes(candidate, tile, k, at));
            let (gz, ga) = (units(ggates, tile, k), units(gcandidate, tile, k));
            let (h, gh) = (&*lanes(before, tile, k, at), units(gh, tile, k));
            let gy = &gys[k * tile.len() + at..][..tile.lanes];
            for l in 0..tile.lanes {
                let g = gh[l] + gy[l];
                ga[l] = g * z[l] * (one - a[l] * a[l]);
                gz[l] = g * (a[l] - h[l]) * z[l] * (one - z[l]);
                gh[l] = g * (one - z[l]);
                (a[l], z[l]) = (ga[l], gz[l]);
            }
        }
    }
}

/// From what is asked of `r h` to what is asked of the potential of r, and of the state before.
struct PullReset<'a, F> {
    n: usize,
    tile: Tile,
    at: usize,
    before: &'a mut [F],
    all: &'a mut [F],
    ggates: &'a mut [F],
    grh: &'a mut [F],
    gh: &'a mut [F],
}

impl<F: Real> Loops for PullReset<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { n, tile, at, before, all, ggates, grh, gh } = self;
        for k in 0..n {
            let (r, gr) = (lanes(all, tile, n + k, at), units(ggates, tile, n + k));
            let (h, gh, grh) = (&*lanes(before, tile, k, at), units(gh, tile, k), &*units(grh, tile, k));
            for l in 0..tile.lanes {
                gh[l] += grh[l] * r[l];
                gr[l] = grh[l] * h[l] * r[l] * (F::of(1.0) - r[l]);
                r[l] = gr[l];
            }
        }
    }
}
