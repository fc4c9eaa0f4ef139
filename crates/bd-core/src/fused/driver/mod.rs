//! The one place where kernels meet tensors: dtype, tiles, stretches of time, threads, records and the graph.

mod bytes;
pub(super) mod memory;
pub(super) mod parallel;
mod plan;

use std::sync::Arc;

use bd_kernel::{AnyKernel, Instructions, LANES, Typed};
use tch::{Device, Kind, Tensor};

use super::gpu::scan_on;
use super::{Element, Processor};
use crate::autograd::attach_saving;
use crate::gpu::Gpu;
use crate::shared::Shared;
use crate::spikes::Spikes;
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;
use crate::threads;
pub use bytes::{ScanBytes, ScanOf, scan_bytes};
use plan::{Dense, Plan};

/// What a fused scan is fed.
#[derive(Debug, Clone, Copy)]
pub enum Feed<'a> {
    /// `[time, batch, n]`.
    Dense(&'a Tensor),
    /// The same as a list of spikes.
    Spikes(&'a Spikes),
}

impl Feed<'_> {
    /// Dtype and device.
    pub(super) fn on(&self) -> (Kind, Device) {
        match self {
            Self::Dense(xs) => (xs.kind(), xs.device()),
            Self::Spikes(spikes) => spikes.on(),
        }
    }

    /// Channels.
    pub(super) fn n_in(&self) -> usize {
        match self {
            Self::Dense(xs) => xs.size()[2] as usize,
            Self::Spikes(spikes) => spikes.shape()[2],
        }
    }

    /// Steps and samples.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Dense(xs) => (xs.size()[0] as usize, xs.size()[1] as usize),
            Self::Spikes(spikes) => (spikes.shape()[0], spikes.shape()[1]),
        }
    }
}

/// How a scan is cut up, and what its loops may use. Changes its speed, and no result but for the last bits.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Samples in a tile, rounded up to whole vectors.
    pub samples: usize,
    /// Bytes of blocks in a stretch: so much stays in the cache of one core.
    pub bytes: usize,
    /// Steps in a stretch at least, whatever the bytes: a unit's state stays in registers over them. Layers of
    /// thousands of neurons are 2.5 times as fast as with single steps.
    pub min_steps: usize,
    /// Bytes that may be kept for the adjoint, of kernels that had better [store it](bd_kernel::Kernel::stores): what
    /// would take more is calculated again, so that memory does not grow with the time.
    pub stored_bytes: usize,
    /// Threads at most. Their number changes no byte.
    pub threads: usize,
    /// What loops may use.
    pub instructions: Instructions,
}

impl Tuning {
    /// For a batch of numbers of some dtype: as many samples side by side as registers hold, if tiles for several
    /// threads are left.
    pub fn of(batch: usize, kind: Kind) -> Self {
        let most = 128 / kind.elt_size_in_bytes();
        let samples = [most, most / 2].into_iter().find(|samples| samples * 4 <= batch).unwrap_or(LANES);
        Self {
            samples,
            bytes: 384 << 10,
            min_steps: 8,
            stored_bytes: 512 << 20,
            threads: threads::kernel_threads(),
            instructions: Instructions::best(),
        }
    }
}

/// Scans by the system's kernels, where it has such that serve: on the CPU or a GPU, in float32 or float64. Otherwise gives the
/// state back. The result equals [`scan_by_step`](crate::scan_by_step).
///
/// On a GPU it is [`scan_on`]; what cannot run there is thrown as an [`Error`](crate::Error), which
/// [`catch_torch`](crate::catch_torch) gives back. The rest of this is about the CPU.
///
/// An input that is almost all zeros is read once, into a list of what is not zero, if the kernel [takes
/// events](bd_kernel::Kernel::takes_events).
///
/// Threads: as [set](crate::threads::set), never more than tiles. Results do not depend on their number.
///
/// Between stretches, numbers of the state and of its gradient that are below a million times the smallest normal
/// number (1e-32 in float32, 2e-302 in float64) become zero: what decays for long would otherwise end in numbers of
/// less than full precision, with which every operation takes ten times as long.
pub fn scan_fused<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    xs: Feed<'_>,
    s: S::State,
    tap: &mut Tap,
) -> std::result::Result<(Tensor, S::State), S::State> {
    scan_tuned(system, sha, xs, s, tap, Tuning::of(xs.size().1, xs.on().0))
}

/// [`scan_fused`], cut up as told: for tests and benchmarks.
pub fn scan_tuned<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    xs: Feed<'_>,
    s: S::State,
    tap: &mut Tap,
    tuning: Tuning,
) -> std::result::Result<(Tensor, S::State), S::State> {
    let (kind, device) = xs.on();
    let (time, batch) = xs.size();
    // Thrown, for a scan has no other way to say it: `catch_torch` gives it back as the error that it is.
    if let Some(gpu) = Gpu::of(device).unwrap_or_else(|error| std::panic::panic_any(error)) {
        return scan_on(&gpu, system, sha, xs, s, tap).unwrap_or_else(|error| std::panic::panic_any(error));
    }
    if device != Device::Cpu || !matches!(kind, Kind::Float | Kind::Double) || time == 0 || batch == 0 {
        return Err(s);
    }
    // What public entries have checked; reading past it would be silent nonsense.
    let (n_in, found) = (system.n_in() as usize, xs.n_in());
    assert_eq!(found, n_in, "a scan of {n_in} inputs was given {found}");
    let Some(fused) = system.kernel(sha, Processor::Cpu) else { return Err(s) };
    let (names, leaves): (Vec<String>, Vec<Tensor>) = s.named().into_iter().unzip();
    let kernel = fused.kernel();
    for (name, leaf) in names.iter().zip(&leaves) {
        let rows = leaf.size()[0] as usize;
        assert_eq!(rows, batch, "the state {name} is of {rows} sequences, the inputs are of {batch}");
    }
    let served = fused.params.iter().all(|param| param.kind() == kind && param.device() == device)
        && leaves.iter().all(|leaf| leaf.kind() == kind && leaf.device() == device && leaf.dim() == 2)
        && (matches!(xs, Feed::Dense(_)) || Typed::<f32>::typed(kernel.as_ref()).takes_events());
    if !served {
        return Err(s);
    }
    let traced: Vec<usize> = (0..names.len()).filter(|&leaf| tap.wants(&names[leaf])).collect();
    let outcome = match kind {
        Kind::Float => run::<f32>(kernel, &fused.params, xs, &leaves, &traced, tuning),
        _ => run::<f64>(kernel, &fused.params, xs, &leaves, &traced, tuning),
    };
    for (leaf, trace) in traced.into_iter().zip(outcome.traces) {
        tap.put(&names[leaf], trace);
    }
    let mut last = outcome.last.into_iter();
    let s = s.map(&mut |_| last.next().expect("one for each leaf"));
    Ok((outcome.ys, s))
}

/// What a scan gives: outputs, the state after the last step, and the recorded leaves over time.
struct Outcome {
    ys: Tensor,
    last: Vec<Tensor>,
    traces: Vec<Tensor>,
}

/// Scans, and hangs the adjoint on what comes out.
fn run<F: Element>(
    kernel: Arc<dyn AnyKernel>,
    params: &[Tensor],
    xs: Feed<'_>,
    leaves: &[Tensor],
    traced: &[usize],
    tuning: Tuning,
) -> Outcome
where
    dyn AnyKernel: Typed<F>,
{
    let (dense, spikes) = match xs {
        Feed::Dense(xs) => (Some(xs), None),
        Feed::Spikes(spikes) => (None, Some(spikes)),
    };
    let inputs: Vec<&Tensor> = dense.into_iter().chain(leaves).chain(params).collect();
    let record = grad_mode() && inputs.iter().any(|tensor| tensor.requires_grad());
    let widths = leaves.iter().map(|leaf| leaf.size()[1] as usize).collect();
    let plan = Plan::new::<F>(kernel, xs.size(), widths, traced, (spikes.is_some(), record), tuning);
    let dense = dense.map(|xs| Dense { xs: xs.detach().contiguous(), wants_gxs: record && xs.requires_grad() });
    let (outcome, kept) = plan.forward::<F>(dense.as_ref(), spikes, leaves, record);
    if record {
        // The backward reads the input again.
        let saved: Vec<&Tensor> = inputs[..usize::from(dense.is_some())].to_vec();
        let outputs: Vec<&Tensor> = std::iter::once(&outcome.ys).chain(&outcome.last).chain(&outcome.traces).collect();
        let params: Vec<Vec<i64>> = params.iter().map(Tensor::size).collect();
        attach_saving(&inputs, &outputs, &saved, move |grads| {
            plan.backward::<F>(dense.as_ref(), &kept, grads, &params)
        })
        .expect("fresh outputs can be attached");
    }
    outcome
}

/// Whether libtorch records what is computed now.
pub(super) fn grad_mode() -> bool {
    let probe = Tensor::zeros([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    (probe * 1.0).requires_grad()
}

#[cfg(test)]
mod tests;
