//! The fused form of [`Linear`](super::Linear).

// Loops over lanes and blocks are written with indices: so they are sure to become a few vector instructions.
#![allow(clippy::needless_range_loop)]

use bd_core::kernel::{
    AnyKernel, Cpu, Events, Grads, Input, Kernel, LANES, Loops, Numbers, Real, Sizes, Tile, vectorised,
};

/// `y = x W + b`, samples side by side. Of an input that is almost all zeros only what is not zero is looked at.
#[derive(Debug)]
pub(super) struct LinearKernel {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Row by row, `[n_in, n_out]`.
    pub(super) weight: Numbers,
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
        vectorised(tile.instructions, Forward { kernel: self, tile, xs, ys });
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, _work: &mut [F], grads: Grads<'_, F>) {
        vectorised(tile.instructions, Backward { kernel: self, tile, xs, grads });
    }
}

struct Forward<'a, F> {
    kernel: &'a LinearKernel,
    tile: Tile,
    xs: Input<'a, F>,
    ys: &'a mut [F],
}

impl<F: Real> Loops for Forward<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, ys } = self;
        let weight = F::numbers(&kernel.weight);
        let bias = kernel.bias.as_ref().map_or(&[][..], |bias| F::numbers(bias));
        match xs {
            Input::Dense(xs) => product::<C, F>(tile.len(), xs, weight, (kernel.n_out, 1), bias, ys),
            Input::Events(events) => {
                for (o, y) in ys.chunks_exact_mut(tile.len()).enumerate() {
                    y.fill(bias.get(o).copied().unwrap_or_default());
                }
                kernel.gather(tile, events, weight, ys);
            }
        }
    }
}

struct Backward<'a, F> {
    kernel: &'a LinearKernel,
    tile: Tile,
    xs: Input<'a, F>,
    grads: Grads<'a, F>,
}

impl<F: Real> Loops for Backward<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { kernel, tile, xs, grads } = self;
        let (gweight, gbias) = grads.params.split_at_mut(kernel.n_in * kernel.n_out);
        let len = tile.len();
        match xs {
            Input::Events(events) => kernel.scatter(tile, events, grads.ys, gweight),
            Input::Dense(xs) => {
                add_outer_product::<C, F>(len, xs, grads.ys, kernel.n_out, gweight);
            }
        }
        for (gy, gb) in grads.ys.chunks_exact(len).zip(gbias) {
            *gb += total(gy);
        }
        if !grads.xs.is_empty() {
            product::<C, F>(len, grads.ys, F::numbers(&kernel.weight), (1, kernel.n_out), &[], grads.xs);
        }
    }
}

impl LinearKernel {
    /// Adds the row of `W` of each event to the outputs of its sample and step.
    #[inline(always)]
    fn gather<F: Real>(&self, tile: Tile, events: Events<'_, F>, weight: &[F], ys: &mut [F]) {
        for t in 0..tile.steps {
            for event in events.at(t) {
                let row = &weight[event.channel as usize * self.n_out..][..self.n_out];
                let column = t * tile.lanes + event.lane as usize;
                for (y, w) in ys.chunks_exact_mut(tile.len()).zip(row) {
                    y[column] += *w * event.value;
                }
            }
        }
    }

    /// Adds what is asked of the outputs of each event's sample and step to its row of the gradient of `W`.
    #[inline(always)]
    fn scatter<F: Real>(&self, tile: Tile, events: Events<'_, F>, gys: &[F], gweight: &mut [F]) {
        for t in 0..tile.steps {
            for event in events.at(t) {
                let row = &mut gweight[event.channel as usize * self.n_out..][..self.n_out];
                let column = t * tile.lanes + event.lane as usize;
                for (gy, gw) in gys.chunks_exact(tile.len()).zip(row) {
                    *gw += gy[column] * event.value;
                }
            }
        }
    }
}

/// `y[o] = b[o] + sum_i w[i, o] x[i]` for series of `len` numbers, where `w[i, o]` is at `i * strides.0 + o * strides.1` and
/// `bias` may be empty. Several outputs at once, some vectors of each in registers while the inputs pass by: sums that do not
/// wait for each other, as many as registers hold.
#[inline(always)]
fn product<C: Cpu, F: Real>(len: usize, xs: &[F], weight: &[F], strides: (usize, usize), bias: &[F], ys: &mut [F]) {
    const OUTPUTS: usize = 4;
    let single = size_of::<F>() == 4;
    for (block, ys) in ys.chunks_mut(OUTPUTS * len).enumerate() {
        let first = block * OUTPUTS;
        let weight = &weight[first * strides.1..];
        let mut start = [F::default(); OUTPUTS];
        start.iter_mut().zip(bias.iter().skip(first)).for_each(|(to, from)| *to = *from);
        let series = Series { len, xs, weight, strides };
        match (ys.len() / len, single) {
            (1, true) => series.product::<C, 1, 4>(&start, ys),
            (1, false) => series.product::<C, 1, 2>(&start, ys),
            (2, true) => series.product::<C, 2, 4>(&start, ys),
            (2, false) => series.product::<C, 2, 2>(&start, ys),
            (3, true) => series.product::<C, 3, 2>(&start, ys),
            (3, false) => series.product::<C, 3, 1>(&start, ys),
            (_, true) => series.product::<C, OUTPUTS, 2>(&start, ys),
            (_, false) => series.product::<C, OUTPUTS, 1>(&start, ys),
        }
    }
}

/// Factors of a [`product`].
struct Series<'a, F> {
    len: usize,
    xs: &'a [F],
    weight: &'a [F],
    strides: (usize, usize),
}

impl<F: Real> Series<'_, F> {
    /// `N` outputs, `V` vectors at once, and what is left one by one.
    #[inline(always)]
    fn product<C: Cpu, const N: usize, const V: usize>(&self, start: &[F], ys: &mut [F]) {
        let whole = self.len - self.len % (V * LANES);
        for at in (0..whole).step_by(V * LANES) {
            self.block::<C, N, V>(at, start, ys);
        }
        for at in (whole..self.len).step_by(LANES) {
            self.block::<C, N, 1>(at, start, ys);
        }
    }

    #[inline(always)]
    fn block<C: Cpu, const N: usize, const V: usize>(&self, at: usize, start: &[F], ys: &mut [F]) {
        let mut sums = [[[F::default(); LANES]; V]; N];
        for o in 0..N {
            sums[o] = [[start[o]; LANES]; V];
        }
        for (i, x) in self.xs.chunks_exact(self.len).enumerate() {
            let x: [[F; LANES]; V] = vectors(x, at);
            for o in 0..N {
                let w = self.weight[i * self.strides.0 + o * self.strides.1];
                for v in 0..V {
                    for l in 0..LANES {
                        sums[o][v][l] = C::mul_add(w, x[v][l], sums[o][v][l]);
                    }
                }
            }
        }
        for o in 0..N {
            for v in 0..V {
                ys[o * self.len + at + v * LANES..][..LANES].copy_from_slice(&sums[o][v]);
            }
        }
    }
}

/// `g[i, o] += sum_t x[i, t] y[o, t]` for series of `len` numbers. Several inputs and outputs at once, for the same reason.
#[inline(always)]
fn add_outer_product<C: Cpu, F: Real>(len: usize, xs: &[F], ys: &[F], n_out: usize, g: &mut [F]) {
    let inputs = if size_of::<F>() == 4 { 4 } else { 2 };
    for (xs, g) in xs.chunks(inputs * len).zip(g.chunks_mut(inputs * n_out)) {
        for (o, ys) in ys.chunks(2 * len).enumerate() {
            let g = &mut g[2 * o..];
            match (xs.len() / len, ys.len() / len) {
                (1, 1) => outer_block::<C, F, 1, 1>(len, xs, ys, n_out, g),
                (1, _) => outer_block::<C, F, 1, 2>(len, xs, ys, n_out, g),
                (2, 1) => outer_block::<C, F, 2, 1>(len, xs, ys, n_out, g),
                (2, _) => outer_block::<C, F, 2, 2>(len, xs, ys, n_out, g),
                (3, 1) => outer_block::<C, F, 3, 1>(len, xs, ys, n_out, g),
                (3, _) => outer_block::<C, F, 3, 2>(len, xs, ys, n_out, g),
                (_, 1) => outer_block::<C, F, 4, 1>(len, xs, ys, n_out, g),
                _ => outer_block::<C, F, 4, 2>(len, xs, ys, n_out, g),
            }
        }
    }
}

#[inline(always)]
fn outer_block<C: Cpu, F: Real, const N: usize, const M: usize>(
    len: usize,
    xs: &[F],
    ys: &[F],
    n_out: usize,
    g: &mut [F],
) {
    let mut sums = [[[F::default(); LANES]; M]; N];
    for at in (0..len).step_by(LANES) {
        let mut y = [[F::default(); LANES]; M];
        for o in 0..M {
            [y[o]] = vectors(&ys[o * len..], at);
        }
        for i in 0..N {
            let [x] = vectors::<F, 1>(&xs[i * len..], at);
            for o in 0..M {
                for l in 0..LANES {
                    sums[i][o][l] = C::mul_add(x[l], y[o][l], sums[i][o][l]);
                }
            }
        }
    }
    for i in 0..N {
        for o in 0..M {
            g[i * n_out + o] += total(&sums[i][o]);
        }
    }
}

#[inline(always)]
fn vectors<F: Real, const V: usize>(from: &[F], at: usize) -> [[F; LANES]; V] {
    let mut to = [[F::default(); LANES]; V];
    for v in 0..V {
        to[v] = from[at + v * LANES..][..LANES].try_into().expect("lanes come in vectors");
    }
    to
}

/// Sums over the lanes separately first, so that vectors add.
#[inline(always)]
fn total<F: Real>(a: &[F]) -> F {
    let mut sums = [F::default(); LANES];
    for a in a.chunks_exact(LANES) {
        for l in 0..LANES {
            sums[l] += a[l];
        }
    }
    sums.into_iter().fold(F::default(), |sum, a| sum + a)
}
