//! [`max_over_time`]: the maximum of each series, tied steps sharing its gradient equally.

use bd_kernel::{Cpu, Instructions, Loops, vectorised};
use tch::{Device, Kind, Tensor};

use super::Element;
use super::driver::memory::{Blocks, host};
use crate::autograd::attach_saving;
use crate::threads;
use crate::threads::in_parallel;

/// `[time, ..]` to `[..]`: the greatest of each series, not a number if one of its numbers is not. Steps that are tied share
/// the gradient equally.
///
/// On the CPU by passes over memory of our own, in stretches of time on our threads: libtorch's backward of `amax` takes four
/// times as long on one. Elsewhere by
/// libtorch, which gives the same.
pub fn max_over_time(xs: &Tensor) -> Tensor {
    let ours = xs.device() == Device::Cpu && xs.is_contiguous() && xs.size()[0] > 0 && xs.numel() > 0;
    match xs.kind() {
        Kind::Float if ours => by_passes::<f32>(xs),
        Kind::Double if ours => by_passes::<f64>(xs),
        _ => xs.amax(0, false),
    }
}

fn by_passes<F: Element>(xs: &Tensor) -> Tensor {
    let saved = xs.detach();
    let n = saved.get(0).numel();
    let parts = in_parts(&saved, |_, xs: &[F]| {
        let mut most = xs[..n].to_vec();
        vectorised(Instructions::best(), Greatest { xs, most: &mut most });
        most
    });
    let mut most = parts[0].clone();
    vectorised(Instructions::best(), Greatest { xs: &parts.concat(), most: &mut most });
    let greatest = Tensor::from_slice(&most).reshape(&saved.size()[1..]);
    attach_saving(&[xs], &[&greatest], &[xs], move |gradients| {
        let gradient = gradients[0].as_ref().map(|gradient| gradient.contiguous());
        Ok(vec![gradient.map(|gradient| share::<F>(&saved, &most, &gradient))])
    })
    .expect("a fresh output can be attached");
    greatest
}

/// The gradient of `xs`, each step of which that equals the maximum gets its share.
fn share<F: Element>(xs: &Tensor, most: &[F], gradient: &Tensor) -> Tensor {
    let counts = in_parts(xs, |_, xs: &[F]| {
        let mut tied = vec![F::default(); most.len()];
        vectorised(Instructions::best(), Count { xs, most, tied: &mut tied });
        tied
    });
    let mut shares = vec![F::default(); most.len()];
    counts.iter().for_each(|tied| shares.iter_mut().zip(tied).for_each(|(share, tied)| *share += *tied));
    for ((share, most), gradient) in shares.iter_mut().zip(most).zip(host::<F>(gradient)) {
        // Nothing equals a maximum that is not a number: then the gradient of all steps is none either, as in libtorch.
        *share = if *share == F::default() { *most } else { *gradient / *share };
    }
    let gxs = xs.empty_like();
    let out = Blocks::<F>::of(&gxs);
    in_parts(xs, |at, xs: &[F]| {
        // SAFETY: parts do not overlap, and nobody else knows of the fresh tensor.
        let gxs = unsafe { out.part(at, xs.len()) };
        vectorised(Instructions::best(), Share { xs, most, shares: &shares, gxs });
    });
    gxs
}

/// `work(where it begins, numbers)` on a stretch of time for each thread, in order.
fn in_parts<F: Element, R: Send>(xs: &Tensor, work: impl Fn(usize, &[F]) -> R + Sync) -> Vec<R> {
    let (time, threads) = (xs.size()[0] as usize, threads::kernel_threads());
    let xs = host::<F>(xs);
    // What is small is not worth a thread.
    let steps = if xs.len() < 1 << 16 { time } else { time.div_ceil(threads) };
    let len = steps * (xs.len() / time);
    in_parallel(
        xs.len().div_ceil(len),
        threads,
        || (),
        |(), i| work(i * len, &xs[i * len..((i + 1) * len).min(xs.len())]),
    )
}

struct Greatest<'a, F> {
    xs: &'a [F],
    most: &'a mut [F],
}

impl<F: Element> Loops for Greatest<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        for xs in self.xs.chunks_exact(self.most.len()) {
            for (most, &x) in self.most.iter_mut().zip(xs) {
                // What is not a number does not equal itself, and stays.
                #[allow(clippy::eq_op)]
                let stays = *most >= x || *most != *most;
                *most = if stays { *most } else { x };
            }
        }
    }
}

struct Count<'a, F> {
    xs: &'a [F],
    most: &'a [F],
    tied: &'a mut [F],
}

impl<F: Element> Loops for Count<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        for xs in self.xs.chunks_exact(self.most.len()) {
            for ((tied, x), most) in self.tied.iter_mut().zip(xs).zip(self.most) {
                *tied += if *x == *most { F::of(1.0) } else { F::default() };
            }
        }
    }
}

struct Share<'a, F> {
    xs: &'a [F],
    most: &'a [F],
    shares: &'a [F],
    gxs: &'a mut [F],
}

impl<F: Element> Loops for Share<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let n = self.most.len();
        for (gxs, xs) in self.gxs.chunks_exact_mut(n).zip(self.xs.chunks_exact(n)) {
            for (((gx, x), most), share) in gxs.iter_mut().zip(xs).zip(self.most).zip(self.shares) {
                #[allow(clippy::eq_op)] // not a number is what does not equal itself
                let shares = *x == *most || *most != *most;
                *gx = if shares { *share } else { F::default() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Against libtorch's, with ties: numbers of one digit.
    #[test]
    fn it_is_libtorchs_with_its_gradient() {
        for (kind, threads) in [(Kind::Float, 1), (Kind::Double, 1), (Kind::Float, 3)] {
            threads::set(threads);
            let on = (kind, Device::Cpu);
            let draw = |rng: &mut Rng| (10.0 * rng.uniform()).floor();
            let xs = Rng::new(0, "max").tensor(&[4000, 7, 3], on, draw).set_requires_grad(true);
            let weights = Rng::new(1, "max").tensor(&[7, 3], on, Rng::normal);
            let both = [max_over_time(&xs), xs.amax(0, false)].map(|most| {
                let gradient = Tensor::run_backward(&[(&most * &weights).sum(kind)], &[&xs], false, false);
                (most.detach(), gradient[0].shallow_clone())
            });
            assert_eq!(both[0], both[1]);
            assert_eq!(both[0].0.size(), [7, 3]);
            let tied = both[0].1.ne(0.0).sum(Kind::Int64).int64_value(&[]);
            assert!(tied > 21, "no ties were tested");
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_passed_over() {
        for at in 0..3 {
            let mut xs = [1.0f32, 2.0, 0.5];
            xs[at] = f32::NAN;
            let xs = Tensor::from_slice(&xs).unsqueeze(1).set_requires_grad(true);
            let most = max_over_time(&xs);
            assert!(most.double_value(&[0]).is_nan(), "at {at}");
            let gradient = Tensor::run_backward(&[most.sum(Kind::Float)], &[&xs], false, false);
            assert!(gradient[0].isnan().all().int64_value(&[]) == 1, "{:?}", gradient[0]);
        }
    }
}
