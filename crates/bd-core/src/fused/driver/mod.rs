//! The one place where kernels meet tensors: dtype, tiles, stretches of time, threads, records and the graph.

mod bytes;
mod library;
pub(super) mod memory;
mod parts;
mod plan;
mod wide;

use std::sync::Arc;

use bd_kernel::{AnyKernel, Instructions, LANES, Stretch, Typed};
use tch::{Device, Kind, Tensor};

use super::gpu::scan_kernels_on;
#[cfg(doc)]
use super::gpu::scan_on;
use super::{Element, Fused, Processor};
use crate::autograd::attach_saving;
use crate::gpu::Gpu;
use crate::inputs::Inputs;
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;
use crate::threads;
pub use bytes::{ScanBytes, ScanOf, scan_bytes};
pub use library::{Library, is_librarys};
use plan::{Dense, Plan};
use wide::Wide;

/// How a scan is cut up, and what its loops may use. Changes its speed, and no result but for the last bits.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Samples in a tile, rounded up to whole vectors.
    pub samples: usize,
    /// The same of kernels that [fill vectors](bd_kernel::Kernel::fills_vectors).
    pub vector_samples: usize,
    /// Bytes of blocks in a [stretch](Stretch): so much stays in the cache of one core.
    pub bytes: usize,
    /// Steps in a stretch at least, whatever the bytes.
    pub min_steps: usize,
    /// Bytes that may be kept for the adjoint, of kernels that had better [store it](bd_kernel::Kernel::stores): what
    /// would take more is calculated again, so that memory does not grow with the time.
    pub stored_bytes: usize,
    /// Threads at most. Their number changes no byte.
    pub threads: usize,
    /// What loops may use.
    pub instructions: Instructions,
    /// Whose product a linear map is that the scan begins with.
    pub library: Library,
    /// Bytes at most of what that product makes of a piece of the time. What is made again, or asked of it, takes no more memory than this.
    pub piece_bytes: usize,
}

impl Tuning {
    /// For a scan of these inputs.
    pub(crate) fn of_inputs(inputs: &Inputs) -> Self {
        Self::of(inputs.shape()[0] as usize, inputs.on().0)
    }

    /// For a batch of numbers of some dtype: as many samples side by side as registers hold, if tiles for several
    /// threads are left.
    pub fn of(batch: usize, kind: Kind) -> Self {
        let most = 128 / kind.elt_size_in_bytes();
        let first = |choices: [(usize, usize); 2]| {
            choices.into_iter().find(|(samples, tiles)| samples * tiles <= batch).map_or(LANES, |(samples, _)| samples)
        };
        let Stretch { bytes, min_steps } = Stretch::default();
        // Numbers in the longest vectors there are.
        let vector = 64 / kind.elt_size_in_bytes();
        Self {
            samples: first([(most, 4), (most / 2, 4)]),
            vector_samples: first([(most, 4), (vector, 2)]),
            bytes,
            min_steps,
            stored_bytes: 512 << 20,
            threads: threads::kernel_threads(),
            instructions: Instructions::best(),
            library: Library::ByShape,
            piece_bytes: 64 << 20,
        }
    }
}

/// Runs the fused kernels of a system on the CPU or a GPU, in float32 or float64. A system without such returns the state unchanged in
/// `Err`. The result equals [`scan_by_step`](crate::scan_by_step).
///
/// On a GPU it is [`scan_on`]; what cannot run there is thrown as an [`Error`](crate::Error), which
/// [`catch_torch`](crate::catch_torch) and [`System::try_scan`] return. The rest of this is about the CPU.
///
/// An input that is almost all zeros is read once, into a list of what is not zero, if the kernel [takes
/// events](bd_kernel::Kernel::takes_events). For a kernel that does not take them, spikes are written out stretch by stretch.
///
/// A linear map that the scan of numbers begins with is libtorch's product where that is [faster](Library), over many steps at once.
///
/// Threads: as [set](crate::threads::set), never more than tiles. Results do not depend on their number.
///
/// Between stretches, numbers of the state and of its gradient that are below a million times the smallest normal
/// number (1e-32 in float32, 2e-302 in float64) become zero: what decays for long would otherwise end in numbers of
/// less than full precision, with which every operation takes ten times as long.
pub fn scan_fused<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    s: S::State,
    tap: &mut Tap,
) -> std::result::Result<(Tensor, S::State), S::State> {
    scan_tuned(system, sha, inputs, s, tap, Tuning::of_inputs(inputs))
}

/// [`scan_fused`], cut up as `tuning` says: for tests and benchmarks.
pub fn scan_tuned<S: System + ?Sized>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    s: S::State,
    tap: &mut Tap,
    tuning: Tuning,
) -> std::result::Result<(Tensor, S::State), S::State> {
    // What public entries have checked; reading past it would be silent nonsense.
    let ([_, _, found], n_in) = (inputs.shape(), system.n_in());
    assert_eq!(found, n_in, "a scan of {n_in} inputs was given {found}");
    match system.kernel(sha, Processor::of(inputs.on().1)) {
        Some(fused) => scan_kernels(&fused, inputs, s, tap, tuning),
        None => Err(s),
    }
}

/// Outputs and the state after the last step; the state as it was where there is no kernel.
pub(in crate::fused) type Scanned<S> = std::result::Result<(Tensor, S), S>;

/// [`Scanned`] with the leaves of the state in its place, so that what scans is compiled once and not for every system.
pub(in crate::fused) struct ScannedLeaves(pub(in crate::fused) Option<(Tensor, Vec<Tensor>)>);

impl ScannedLeaves {
    /// With the state that was scanned from.
    pub(in crate::fused) fn into_state<S: StateTree>(self, s: S) -> Scanned<S> {
        let Some((ys, last)) = self.0 else { return Err(s) };
        let mut last = last.into_iter();
        Ok((ys, s.map(&mut |_| last.next().expect("one for each leaf"))))
    }
}

/// [`scan_tuned`] with kernels that are there already, which are for the processor that the inputs are on.
pub(crate) fn scan_kernels<S: StateTree>(
    fused: &Fused,
    inputs: &Inputs,
    s: S,
    tap: &mut Tap,
    tuning: Tuning,
) -> Scanned<S> {
    let (kind, device) = inputs.on();
    let [batch, time, _] = inputs.shape();
    // Thrown, for a scan has no other way to say it: `catch_torch` gives it back as the error that it is.
    if let Some(gpu) = Gpu::of(device).unwrap_or_else(|error| std::panic::panic_any(error)) {
        return scan_kernels_on(&gpu, fused, inputs, s, tap).unwrap_or_else(|error| std::panic::panic_any(error));
    }
    if device != Device::Cpu || !matches!(kind, Kind::Float | Kind::Double) || time == 0 || batch == 0 {
        return Err(s);
    }
    scan_leaves(fused, inputs, s.named(), tap, tuning).into_state(s)
}

/// The same of the leaves of a state, by name, on the CPU.
fn scan_leaves(
    fused: &Fused,
    inputs: &Inputs,
    leaves: Vec<(String, Tensor)>,
    tap: &mut Tap,
    tuning: Tuning,
) -> ScannedLeaves {
    let ((kind, device), [batch, _, _]) = (inputs.on(), inputs.shape());
    let (names, leaves): (Vec<String>, Vec<Tensor>) = leaves.into_iter().unzip();
    for (name, leaf) in names.iter().zip(&leaves) {
        let rows = leaf.size()[0];
        assert_eq!(rows, batch, "the state {name} is of {rows} sequences, the inputs are of {batch}");
    }
    let served = fused.params.iter().all(|param| param.kind() == kind && param.device() == device)
        && leaves.iter().all(|leaf| leaf.kind() == kind && leaf.device() == device && leaf.dim() == 2);
    if !served {
        return ScannedLeaves(None);
    }
    let traced: Vec<usize> = (0..names.len()).filter(|&leaf| tap.wants(&names[leaf])).collect();
    let outcome = match kind {
        Kind::Float => run_fused::<f32>(fused, inputs, &leaves, &traced, tuning),
        _ => run_fused::<f64>(fused, inputs, &leaves, &traced, tuning),
    };
    let Some(outcome) = outcome else { return ScannedLeaves(None) };
    for (leaf, trace) in traced.into_iter().zip(outcome.traces) {
        tap.put(&names[leaf], trace);
    }
    ScannedLeaves(Some((outcome.ys, outcome.last)))
}

/// What a scan gives: outputs, the state after the last step, and the recorded leaves over time.
struct Outcome {
    ys: Tensor,
    last: Vec<Tensor>,
    traces: Vec<Tensor>,
}

/// Where the rows of a series lie that a plan fills.
struct Room {
    ys: Tensor,
    traces: Vec<Tensor>,
}

/// The kernels' scan, with the first product by libtorch where it is that. Nothing where there is no kernel.
fn run_fused<F: Element>(
    fused: &Fused,
    inputs: &Inputs,
    leaves: &[Tensor],
    traced: &[usize],
    tuning: Tuning,
) -> Option<Outcome>
where
    dyn AnyKernel: Typed<F>,
{
    if let Inputs::Dense(xs) = inputs
        && let Some(parts) = fused.behind_linear()
        && tuning.library.takes::<F>(xs, parts.0.weight.size()[1] as usize)
    {
        let record = records(std::iter::once(xs).chain(leaves).chain(&fused.params));
        let [batch, time, _] = inputs.shape().map(|n| n as usize);
        if let Some(wide) = Wide::new::<F>(parts, (time, batch), widths_of(leaves), traced, record, tuning) {
            return Some(wide.run::<F>(xs, leaves, &fused.params, record));
        }
    }
    Some(run::<F>(fused.kernel()?, &fused.params, inputs, leaves, traced, tuning))
}

fn widths_of(leaves: &[Tensor]) -> Vec<usize> {
    leaves.iter().map(|leaf| leaf.size()[1] as usize).collect()
}

/// Whether a graph is recorded of what is computed of these.
fn records<'a>(mut inputs: impl Iterator<Item = &'a Tensor>) -> bool {
    inputs.any(|tensor| tensor.requires_grad()) && grad_mode()
}

/// Scans, and hangs the adjoint on what comes out.
fn run<F: Element>(
    kernel: Arc<dyn AnyKernel>,
    params: &[Tensor],
    xs: &Inputs,
    leaves: &[Tensor],
    traced: &[usize],
    tuning: Tuning,
) -> Outcome
where
    dyn AnyKernel: Typed<F>,
{
    let (dense, spikes) = match xs {
        Inputs::Dense(xs) => (Some(xs), None),
        Inputs::Spikes(spikes) => (None, Some(spikes)),
    };
    let inputs: Vec<&Tensor> = dense.into_iter().chain(leaves).chain(params).collect();
    let record = records(inputs.iter().copied());
    let [batch, time, _] = xs.shape().map(|n| n as usize);
    let plan = Plan::new::<F>(kernel, (time, batch), widths_of(leaves), traced, (spikes.is_some(), record), tuning);
    let dense = dense.map(|xs| Dense { xs: xs.detach().contiguous(), wants_gxs: record && xs.requires_grad() });
    let (outcome, kept) = plan.forward::<F>(dense.as_ref(), spikes, leaves, record, plan.room::<F>());
    if record {
        // The backward reads the input again.
        let saved: Vec<&Tensor> = inputs[..usize::from(dense.is_some())].to_vec();
        let outputs: Vec<&Tensor> = std::iter::once(&outcome.ys).chain(&outcome.last).chain(&outcome.traces).collect();
        let params: Vec<Vec<i64>> = params.iter().map(Tensor::size).collect();
        attach_saving(&inputs, &outputs, &saved, move |grads| {
            let gxs = dense.as_ref().filter(|dense| dense.wants_gxs).map(|_| plan.input_room::<F>());
            plan.backward::<F>(dense.as_ref(), &kept, grads, &params, gxs)
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
