//! The driver on the smallest kernel with everything in it.

use super::*;
use crate::kernel::Sizes;
use crate::rng::Rng;
use crate::testing::assert_close;

/// `v <- a v + x`, `y = v`, with one `a` for all: the smallest kernel with everything in it.
#[derive(Debug)]
struct Leaky {
    a: f64,
}

const N: usize = 3;

impl<F: Real> Kernel<F> for Leaky {
    fn sizes(&self) -> Sizes {
        Sizes { n_in: N, n_out: N, n_state: N, n_saved: N, n_params: 1 }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, v: &mut [F], ys: &mut [F], saved: &mut [F]) {
        let width = tile.batch * N;
        for t in 0..tile.steps {
            saved[t * width..][..width].copy_from_slice(v);
            v.iter_mut().zip(xs.row(t)).for_each(|(v, x)| *v = *v * F::of(self.a) + *x);
            ys[t * width..][..width].copy_from_slice(v);
        }
    }

    fn backward(
        &self,
        tile: Tile,
        _xs: Rows<'_, F>,
        saved: &[F],
        gys: &[F],
        gv: &mut [F],
        gxs: &mut [F],
        gparams: &mut [F],
    ) {
        let width = tile.batch * N;
        for t in (0..tile.steps).rev() {
            for j in 0..width {
                gv[j] += gys[t * width + j];
                if !gxs.is_empty() {
                    gxs[t * width + j] = gv[j];
                }
                gparams[0] += gv[j] * saved[t * width + j];
                gv[j] = gv[j] * F::of(self.a);
            }
        }
    }
}

/// Outputs, last state, and the gradients of input, first state and parameter.
fn everything(kind: Kind, batch: i64, tile: usize, threads: usize) -> Vec<Tensor> {
    let on = (kind, Device::Cpu);
    let mut rng = Rng::new(1, "driver");
    let mut normal = |shape: &[i64]| rng.tensor(shape, on, Rng::normal).set_requires_grad(true);
    let (xs, v0) = (normal(&[11, batch, N as i64]), normal(&[batch, N as i64]));
    let weights = normal(&[11, batch, N as i64]).detach();
    let a = Tensor::from_slice(&[0.7]).to_kind(kind).set_requires_grad(true);
    crate::device::set_threads(threads);
    let fused = Fused::new(Leaky { a: a.double_value(&[0]) }, &[&a]);
    let leaves = [v0.shallow_clone()];
    let (ys, last) = match kind {
        Kind::Float => run::<f32>(&fused, &xs, &leaves, tile),
        _ => run::<f64>(&fused, &xs, &leaves, tile),
    };
    let loss = (&ys * weights).sum(kind) + last[0].square().sum(kind);
    let gradients = Tensor::run_backward(&[loss], &[&xs, &v0, &a], false, false);
    crate::device::set_threads(1);
    [ys, last[0].shallow_clone()].into_iter().chain(gradients).map(|t| t.detach()).collect()
}

#[test]
fn tiles_and_threads_make_no_difference() {
    for kind in [Kind::Float, Kind::Double] {
        for batch in [1, 8, 37] {
            let whole = everything(kind, batch, 1000, 1);
            for tile in [1, 8, 1000] {
                let one = everything(kind, batch, tile, 1);
                let two = everything(kind, batch, tile, 2);
                for (i, ((one, two), whole)) in one.iter().zip(&two).zip(&whole).enumerate() {
                    assert!(one.equal(two), "the number of threads changes result {i}");
                    // Sums over samples are rounded in another order; everything else is the same.
                    let tolerance = if i < 4 { 0.0 } else { 1e-5 };
                    assert_close(&format!("result {i} in tiles of {tile}"), one, whole, tolerance);
                }
            }
        }
    }
}

#[test]
fn nothing_is_recorded_where_nobody_asks() {
    let on = (Kind::Float, Device::Cpu);
    let a = Tensor::from_slice(&[0.5f32]).set_requires_grad(true);
    let fused = Fused::new(Leaky { a: 0.5 }, &[&a]);
    let (xs, v) = (Tensor::ones([4, 2, N as i64], on), [Tensor::zeros([2, N as i64], on)]);
    assert!(run::<f32>(&fused, &xs, &v, 8).0.requires_grad());
    let _guard = tch::no_grad_guard();
    assert!(!run::<f32>(&fused, &xs, &v, 8).0.requires_grad());
}
