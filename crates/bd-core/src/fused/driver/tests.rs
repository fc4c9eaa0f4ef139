//! The driver on the smallest kernel with everything in it.

use bd_kernel::{Grads, Input, Kernel, Real, Sizes, Tile};

use super::*;
use crate::rng::Rng;
use crate::testing::assert_close;

/// `v <- a v + x`, `y = v`, with one `a` for all: the smallest kernel with everything in it.
#[derive(Debug)]
struct Leaky {
    a: f64,
}

const N: usize = 3;

impl AnyKernel for Leaky {}

impl<F: Real> Kernel<F> for Leaky {
    fn sizes(&self) -> Sizes {
        Sizes { n_in: N, n_out: N, n_state: N, n_work: 0, n_params: 1 }
    }

    fn n_kept(&self, steps: usize) -> usize {
        N * steps
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, v: &mut [F], ys: &mut [F], before: &mut [F], _: &mut [F]) {
        let xs = xs.dense();
        for (k, t, l) in all(tile) {
            let at = k * tile.len() + t * tile.lanes + l;
            let v = &mut v[k * tile.lanes + l];
            before[at] = *v;
            *v = *v * F::of(self.a) + xs[at];
            ys[at] = *v;
        }
    }

    fn backward(&self, tile: Tile, _xs: Input<'_, F>, before: &mut [F], _: &mut [F], grads: Grads<'_, F>) {
        for (k, t, l) in all(tile).rev() {
            let at = k * tile.len() + t * tile.lanes + l;
            let gv = &mut grads.state[k * tile.lanes + l];
            *gv += grads.ys[at];
            if !grads.xs.is_empty() {
                grads.xs[at] = *gv;
            }
            grads.params[0] += *gv * before[at];
            *gv = *gv * F::of(self.a);
        }
    }
}

/// Channels, steps and lanes.
fn all(tile: Tile) -> impl DoubleEndedIterator<Item = (usize, usize, usize)> {
    let steps = move |k| (0..tile.steps).flat_map(move |t| (0..tile.lanes).map(move |l| (k, t, l)));
    (0..N).flat_map(steps)
}

/// Outputs, last state, and the gradients of input, first state and parameter.
fn everything(kind: Kind, batch: i64, tuning: Tuning, threads: usize) -> Vec<Tensor> {
    let on = (kind, Device::Cpu);
    let mut rng = Rng::new(1, "driver");
    let mut normal = |shape: &[i64]| rng.tensor(shape, on, Rng::normal).set_requires_grad(true);
    let (xs, v0) = (normal(&[11, batch, N as i64]), normal(&[batch, N as i64]));
    let weights = normal(&[11, batch, N as i64]).detach();
    let a = Tensor::from_slice(&[0.7]).to_kind(kind).set_requires_grad(true);
    let tuning = Tuning { threads, ..tuning };
    let kernel = || Arc::new(Leaky { a: a.double_value(&[0]) });
    let params = [a.shallow_clone()];
    let leaves = [v0.shallow_clone()];
    let Outcome { ys, last, .. } = match kind {
        Kind::Float => run::<f32>(kernel(), &params, &Inputs::of_steps(&xs), &leaves, &[], tuning),
        _ => run::<f64>(kernel(), &params, &Inputs::of_steps(&xs), &leaves, &[], tuning),
    };
    let loss = (&ys * weights).sum(kind) + last[0].square().sum(kind);
    let gradients = Tensor::run_backward(&[loss], &[&xs, &v0, &a], false, false);
    [ys, last[0].shallow_clone()].into_iter().chain(gradients).map(|t| t.detach()).collect()
}

fn cut(samples: usize, bytes: usize) -> Tuning {
    Tuning {
        samples,
        vector_samples: samples,
        bytes,
        min_steps: 1,
        stored_bytes: 0,
        threads: 1,
        instructions: Instructions::best(),
        library: Library::ByShape,
        piece_bytes: bytes,
    }
}

#[test]
fn tiles_and_threads_make_no_difference() {
    for kind in [Kind::Float, Kind::Double] {
        for batch in [1, 8, 37] {
            let whole = everything(kind, batch, cut(1000, 1 << 30), 1);
            // Stretches of one step, of a few with a rest, and of all.
            for (samples, bytes) in [1, 8, 1000].into_iter().flat_map(|n| [(n, 0), (n, 2000), (n, 1 << 30)]) {
                let tuning = cut(samples, bytes);
                let one = everything(kind, batch, tuning, 1);
                let two = everything(kind, batch, tuning, 2);
                for (i, ((one, two), whole)) in one.iter().zip(&two).zip(&whole).enumerate() {
                    assert!(one.equal(two), "the number of threads changes result {i}");
                    // Sums over samples are rounded in another order; everything else is the same.
                    let tolerance = if i < 4 { 0.0 } else { 1e-5 };
                    assert_close(&format!("result {i}, {tuning:?}"), one, whole, tolerance);
                }
            }
        }
    }
}

/// What decays for long ends in exact zeros, and never in the numbers below full precision that slow everything down.
#[test]
fn what_underflows_becomes_zero() {
    let on = (Kind::Float, Device::Cpu);
    let v0 = Tensor::ones([2, N as i64], on).set_requires_grad(true);
    let scan = |steps: i64| {
        let xs = Tensor::zeros([steps, 2, N as i64], on);
        let leaves = [v0.shallow_clone()];
        run::<f32>(
            Arc::new(Leaky { a: 0.9 }),
            &[Tensor::ones([1], on)],
            &Inputs::of_steps(&xs),
            &leaves,
            &[],
            cut(8, 2000),
        )
    };
    let gradient = |last: &Tensor| Tensor::run_backward(&[last.sum(Kind::Float)], &[&v0], false, false)[0].max();
    // 0.9^500 = 1.3e-23, 0.9^1000 is below the smallest float32.
    let (some, none) = (scan(500).last, scan(1000).last);
    assert!((some[0].max().double_value(&[]) / 0.9f64.powi(500) - 1.0).abs() < 1e-4);
    assert!((gradient(&some[0]).double_value(&[]) / 0.9f64.powi(500) - 1.0).abs() < 1e-4);
    assert_eq!((none[0].max().double_value(&[]), gradient(&none[0]).double_value(&[])), (0.0, 0.0));
}

#[test]
fn nothing_is_recorded_where_nobody_asks() {
    let on = (Kind::Float, Device::Cpu);
    let a = Tensor::from_slice(&[0.5f32]).set_requires_grad(true);
    let (xs, v) = (Tensor::ones([4, 2, N as i64], on), [Tensor::zeros([2, N as i64], on)]);
    let scan = || {
        run::<f32>(
            Arc::new(Leaky { a: 0.5 }),
            &[a.shallow_clone()],
            &Inputs::of_steps(&xs),
            &v,
            &[],
            Tuning::of(2, Kind::Float),
        )
    };
    assert!(scan().ys.requires_grad());
    let _guard = tch::no_grad_guard();
    assert!(!scan().ys.requires_grad());
}
