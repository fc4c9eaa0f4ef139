//! The one place where kernels meet tensors: dtype, tiles, threads and the graph.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tch::{Device, Kind, Tensor};

use super::{AnyKernel, Fused, Kernel, Real, Rows, Tile};
use crate::autograd::{Gradients, attach};
use crate::error::Result;
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;

/// Samples in a tile: few enough that what a tile saves stays in the second-level cache, enough to fill vectors.
const TILE: usize = 8;

/// Scans by the system's kernel, where it has one that serves: on the CPU, in float32 or float64, with nothing recorded.
/// Otherwise gives the state back. The result equals [`scan_by_step`](crate::scan_by_step).
///
/// Threads: as many as libtorch is set to use, never more than tiles. Results do not depend on their number.
pub fn scan_fused<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    xs: &Tensor,
    s: S::State,
    tap: &Tap,
) -> std::result::Result<(Tensor, S::State), S::State> {
    let served = xs.device() == Device::Cpu && matches!(xs.kind(), Kind::Float | Kind::Double) && !tap.wants_any();
    if !served {
        return Err(s);
    }
    let Some(fused) = system.kernel(sha) else { return Err(s) };
    let leaves: Vec<Tensor> = s.named().into_iter().map(|(_, leaf)| leaf).collect();
    if leaves.iter().any(|leaf| leaf.kind() != xs.kind() || leaf.dim() != 2) {
        return Err(s);
    }
    let (ys, last) = match xs.kind() {
        Kind::Float => run::<f32>(&fused, xs, &leaves, TILE),
        _ => run::<f64>(&fused, xs, &leaves, TILE),
    };
    let mut last = last.into_iter();
    let s = s.map(&mut |_| last.next().expect("one for each leaf"));
    Ok((ys, s))
}

/// The kernel for one dtype.
pub(super) trait Typed<F> {
    fn typed(&self) -> &dyn Kernel<F>;
}

impl Typed<f32> for dyn AnyKernel {
    fn typed(&self) -> &dyn Kernel<f32> {
        self
    }
}

impl Typed<f64> for dyn AnyKernel {
    fn typed(&self) -> &dyn Kernel<f64> {
        self
    }
}

/// How one scan is cut up: plain data that threads can share.
struct Plan {
    kernel: Arc<dyn AnyKernel>,
    time: usize,
    batch: usize,
    tile: usize,
    threads: usize,
    /// Widths of the state's leaves.
    widths: Vec<usize>,
}

/// Scans, and hangs the adjoint on what comes out.
fn run<F: Real>(fused: &Fused, xs: &Tensor, leaves: &[Tensor], tile: usize) -> (Tensor, Vec<Tensor>)
where
    dyn AnyKernel: Typed<F>,
{
    let size = |dim: usize| xs.size()[dim] as usize;
    let plan = Plan {
        kernel: Arc::clone(&fused.kernel),
        time: size(0),
        batch: size(1),
        tile,
        threads: usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1),
        widths: leaves.iter().map(|leaf| leaf.size()[1] as usize).collect(),
    };
    let inputs: Vec<&Tensor> = std::iter::once(xs).chain(leaves).chain(&fused.params).collect();
    let record = grad_mode() && inputs.iter().any(|tensor| tensor.requires_grad());
    let plain = xs.detach().contiguous();
    let (ys, last, saved) = plan.forward::<F>(&plain, leaves, record);
    if record {
        let outputs: Vec<&Tensor> = std::iter::once(&ys).chain(&last).collect();
        let params: Vec<Vec<i64>> = fused.params.iter().map(Tensor::size).collect();
        let want_gxs = xs.requires_grad();
        attach(&inputs, &outputs, move |grads| plan.backward::<F>(&plain, &saved, grads, &params, want_gxs))
            .expect("fresh outputs can be attached");
    }
    (ys, last)
}

impl Plan {
    fn kernel<F>(&self) -> &dyn Kernel<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        self.kernel.as_ref().typed()
    }

    fn tiles(&self) -> usize {
        self.batch.div_ceil(self.tile)
    }

    /// First sample and number of samples of a tile.
    fn samples(&self, tile: usize) -> (usize, usize) {
        let first = tile * self.tile;
        (first, self.tile.min(self.batch - first))
    }

    /// Outputs, the state after the last step, and what the kernel saved of each tile (nothing unless `record`).
    fn forward<F: Real>(&self, xs: &Tensor, leaves: &[Tensor], record: bool) -> (Tensor, Vec<Tensor>, Vec<Vec<F>>)
    where
        dyn AnyKernel: Typed<F>,
    {
        let sizes = self.kernel::<F>().sizes();
        let on = (F::KIND, Device::Cpu);
        let ys = Tensor::zeros([self.time as i64, self.batch as i64, sizes.n_out as i64], on);
        let last: Vec<Tensor> = leaves.iter().map(|leaf| leaf.detach().contiguous().copy()).collect();
        let (ys_out, last_out) = (Blocks::<F>::of(&ys), last.iter().map(Blocks::of).collect::<Vec<_>>());
        let xs = host::<F>(xs);
        let saved = in_parallel(self.tiles(), self.threads, |i| {
            let (first, batch) = self.samples(i);
            let tile = Tile { steps: self.time, batch };
            let mut state = self.gather_state(&last_out, first, batch);
            let (mut ys, mut saved) =
                (vec![F::default(); tile.len(sizes.n_out)], vec![F::default(); tile.len(sizes.n_saved)]);
            self.kernel().forward(tile, self.rows(xs, first, batch, sizes.n_in), &mut state, &mut ys, &mut saved);
            for (t, row) in ys.chunks_exact(batch * sizes.n_out).enumerate() {
                ys_out.write((t * self.batch + first) * sizes.n_out, row);
            }
            self.scatter_state(&last_out, first, batch, &state);
            if record { saved } else { Vec::new() }
        });
        (ys, last, saved)
    }

    fn backward<F: Real>(
        &self,
        xs: &Tensor,
        saved: &[Vec<F>],
        grads: &[Option<Tensor>],
        params: &[Vec<i64>],
        want_gxs: bool,
    ) -> Result<Gradients>
    where
        dyn AnyKernel: Typed<F>,
    {
        let sizes = self.kernel::<F>().sizes();
        let on = (F::KIND, Device::Cpu);
        let shape = |n: usize| [self.time as i64, self.batch as i64, n as i64];
        let zeros_or = |grad: &Option<Tensor>, shape: &[i64]| match grad {
            Some(grad) => grad.to_kind(F::KIND).contiguous(),
            None => Tensor::zeros(shape, on),
        };
        let gys = zeros_or(&grads[0], &shape(sizes.n_out));
        let leaf_shape = |width: usize| [self.batch as i64, width as i64];
        let gleaves: Vec<Tensor> = self
            .widths
            .iter()
            .zip(&grads[1..])
            .map(|(&width, grad)| zeros_or(grad, &leaf_shape(width)).copy())
            .collect();
        let gxs = want_gxs.then(|| Tensor::zeros(shape(sizes.n_in), on));

        let (gys_in, xs) = (host::<F>(&gys), host::<F>(xs));
        let gleaves_out: Vec<_> = gleaves.iter().map(Blocks::<F>::of).collect();
        let gxs_out = gxs.as_ref().map(Blocks::<F>::of);
        let partial = in_parallel(self.tiles(), self.threads, |i| {
            let (first, batch) = self.samples(i);
            let tile = Tile { steps: self.time, batch };
            let rows = self.rows(gys_in, first, batch, sizes.n_out);
            let gys: Vec<F> = (0..self.time).flat_map(|t| rows.row(t).iter().copied()).collect();
            let mut gstate = self.gather_state(&gleaves_out, first, batch);
            let mut gxs = vec![F::default(); if want_gxs { tile.len(sizes.n_in) } else { 0 }];
            let mut gparams = vec![F::default(); sizes.n_params];
            let xs = self.rows(xs, first, batch, sizes.n_in);
            self.kernel().backward(tile, xs, &saved[i], &gys, &mut gstate, &mut gxs, &mut gparams);
            if let Some(out) = &gxs_out {
                for (t, row) in gxs.chunks_exact(batch * sizes.n_in).enumerate() {
                    out.write((t * self.batch + first) * sizes.n_in, row);
                }
            }
            self.scatter_state(&gleaves_out, first, batch, &gstate);
            gparams
        });
        // In the order of the tiles, whichever thread did them: the same bytes every time.
        let mut gparams = vec![F::default(); sizes.n_params];
        for tile in partial {
            gparams.iter_mut().zip(tile).for_each(|(sum, part)| *sum += part);
        }
        let mut rest = gparams.as_slice();
        let gparams = params.iter().map(|shape| {
            let (own, after) = rest.split_at(shape.iter().product::<i64>() as usize);
            rest = after;
            Tensor::from_slice(own).reshape(shape)
        });
        let gparams: Vec<Tensor> = gparams.collect();
        Ok(std::iter::once(gxs).chain(gleaves.into_iter().chain(gparams).map(Some)).collect())
    }

    /// The rows of a tile in a contiguous `[time, batch, n]`.
    fn rows<'a, F>(&self, data: &'a [F], first: usize, batch: usize, n: usize) -> Rows<'a, F> {
        Rows::new(&data[first * n..], batch * n, self.batch * n)
    }

    fn gather_state<F: Real>(&self, leaves: &[Blocks<F>], first: usize, batch: usize) -> Vec<F> {
        let mut state = Vec::new();
        for (leaf, width) in leaves.iter().zip(&self.widths) {
            leaf.read(first * width, batch * width, &mut state);
        }
        state
    }

    fn scatter_state<F: Real>(&self, leaves: &[Blocks<F>], first: usize, batch: usize, mut state: &[F]) {
        for (leaf, width) in leaves.iter().zip(&self.widths) {
            let (own, rest) = state.split_at(batch * width);
            leaf.write(first * width, own);
            state = rest;
        }
    }
}

/// Whether libtorch records what is computed now.
fn grad_mode() -> bool {
    let probe = Tensor::zeros([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    (probe * 1.0).requires_grad()
}

/// The numbers of a contiguous tensor on the host.
fn host<F: Real>(tensor: &Tensor) -> &[F] {
    assert!(tensor.kind() == F::KIND && tensor.device() == Device::Cpu && tensor.is_contiguous());
    if tensor.numel() == 0 {
        return &[];
    }
    // SAFETY: checked above: as many numbers of this type, in host memory that lives as long as the tensor. Nobody writes to
    // it meanwhile: inputs are only read, and gradients are handed over by the graph.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// Memory of a fresh contiguous tensor that threads fill, each its own part.
struct Blocks<F> {
    start: *mut F,
    len: usize,
}

// SAFETY: the pointer is only used through `read` and `write`, whose callers keep to parts of their own: a tile's samples.
unsafe impl<F: Send> Sync for Blocks<F> {}

impl<F: Real> Blocks<F> {
    /// `tensor` must live, and nobody else use it, while the blocks are in use: it is made for the purpose in this file.
    fn of(tensor: &Tensor) -> Self {
        assert!(tensor.kind() == F::KIND && tensor.device() == Device::Cpu && tensor.is_contiguous());
        Self { start: tensor.data_ptr().cast(), len: tensor.numel() }
    }

    fn write(&self, at: usize, values: &[F]) {
        assert!(at + values.len() <= self.len);
        // SAFETY: within the tensor, by the assertion, and this thread's own part.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.start.add(at), values.len()) };
    }

    fn read(&self, at: usize, len: usize, into: &mut Vec<F>) {
        assert!(at + len <= self.len);
        // SAFETY: within the tensor, by the assertion, and this thread's own part.
        into.extend_from_slice(unsafe { std::slice::from_raw_parts(self.start.add(at), len) });
    }
}

/// `work(0), work(1), ...`, in order, done by some threads. Which thread does what is left to chance and must not matter.
fn in_parallel<R: Send>(n: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if threads <= 1 || n <= 1 {
        return (0..n).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return done;
            }
            done.push((i, work(i)));
        }
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(n)).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            all.extend(other.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
        }
        all
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests;
