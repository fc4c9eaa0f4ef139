//! The fused form of [`Linear`](super::Linear).

use bd_core::kernel::{Cpu, Events, Grads, Input, Kernel, LANES, Loops, Numbers, Real, Sizes, Tile, vectorised};

/// `y = x W + b`, samples side by side. Of an input that is almost all zeros only what is not zero is looked at.
#[derive(Debug)]
pub(super) struct LinearKernel {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Row by row, `[n_in, n_out]`.
    pub(super) weight: Numbers,
    pub(super) bias: Option<Numbers>,
}

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
                for (x, gweight) in xs.chunks_exact(len).zip(gweight.chunks_exact_mut(kernel.n_out)) {
                    for (gy, gw) in grads.ys.chunks_exact(len).zip(gweight) {
                        *gw += dot::<C, F>(x, gy);
                    }
                }
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
/// `bias` may be empty. Four outputs at once, a vector of each in registers while the inputs pass by.
#[inline(always)]
fn product<C: Cpu, F: Real>(len: usize, xs: &[F], weight: &[F], strides: (usize, usize), bias: &[F], ys: &mut [F]) {
    const OUTPUTS: usize = 4;
    for (block, ys) in ys.chunks_mut(OUTPUTS * len).enumerate() {
        let first = block * OUTPUTS;
        let weight = &weight[first * strides.1..];
        let mut start = [F::default(); OUTPUTS];
        start.iter_mut().zip(bias.iter().skip(first)).for_each(|(to, from)| *to = *from);
        match ys.len() / len {
            1 => product_block::<C, F, 1>(len, xs, weight, strides, &start, ys),
            2 => product_block::<C, F, 2>(len, xs, weight, strides, &start, ys),
            3 => product_block::<C, F, 3>(len, xs, weight, strides, &start, ys),
            _ => product_block::<C, F, OUTPUTS>(len, xs, weight, strides, &start, ys),
        }
    }
}

#[inline(always)]
fn product_block<C: Cpu, F: Real, const N: usize>(
    len: usize,
    xs: &[F],
    weight: &[F],
    strides: (usize, usize),
    start: &[F],
    ys: &mut [F],
) {
    for at in (0..len).step_by(LANES) {
        let mut sums = [[F::default(); LANES]; N];
        for (sum, start) in sums.iter_mut().zip(start) {
            *sum = [*start; LANES];
        }
        for (i, x) in xs.chunks_exact(len).enumerate() {
            let x = vector(&x[at..]);
            for (o, sum) in sums.iter_mut().enumerate() {
                let w = weight[i * strides.0 + o * strides.1];
                for l in 0..LANES {
                    sum[l] = C::mul_add(w, x[l], sum[l]);
                }
            }
        }
        for (o, sum) in sums.iter().enumerate() {
            ys[o * len + at..][..LANES].copy_from_slice(sum);
        }
    }
}

#[inline(always)]
fn vector<F: Real>(from: &[F]) -> [F; LANES] {
    from[..LANES].try_into().expect("lanes come in vectors")
}

/// Sums over the lanes separately first, so that vectors add.
#[inline(always)]
fn dot<C: Cpu, F: Real>(a: &[F], b: &[F]) -> F {
    let mut sums = [F::default(); LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for l in 0..LANES {
            sums[l] = C::mul_add(a[l], b[l], sums[l]);
        }
    }
    total(&sums)
}

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
