//! One scan on a GPU: part after part, and their adjoints the other way round.

use std::ops::Range;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::{ForwardArgs, GpuKernel, OutGrads, Saved};
use crate::autograd::{Gradients, attach_saving};
use crate::error::Result;
use crate::fused::driver::{Scanned, ScannedLeaves, grad_mode};
use crate::fused::{Fused, Processor};
use crate::gpu::Gpu;
use crate::inputs::Inputs;
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;

/// Runs the kernels that a system has for GPUs on `gpu`. A system without such returns the state unchanged in the inner `Err`; what a
/// GPU cannot run, because memory is short or a driver is broken, is an error.
pub fn scan_on<S: System + ?Sized>(
    gpu: &Arc<Gpu>,
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    s: S::State,
    tap: &mut Tap,
) -> Result<Scanned<S::State>> {
    let ([_, _, found], n_in) = (inputs.shape(), system.n_in());
    assert_eq!(found, n_in, "a scan of {n_in} inputs was given {found}");
    match system.kernel(sha, Processor::Gpu) {
        Some(fused) => scan_kernels_on(gpu, &fused, inputs, s, tap),
        None => Ok(Err(s)),
    }
}

/// The same of kernels that are there already.
pub(in crate::fused) fn scan_kernels_on<S: StateTree>(
    gpu: &Arc<Gpu>,
    fused: &Fused,
    inputs: &Inputs,
    s: S,
    tap: &mut Tap,
) -> Result<Scanned<S>> {
    Ok(scan_leaves_on(gpu, fused, inputs, s.named(), tap)?.into_state(s))
}

/// The same of the leaves of a state, by name.
fn scan_leaves_on(
    gpu: &Arc<Gpu>,
    fused: &Fused,
    inputs: &Inputs,
    leaves: Vec<(String, Tensor)>,
    tap: &mut Tap,
) -> Result<ScannedLeaves> {
    let on = inputs.on();
    let (names, leaves): (Vec<String>, Vec<Tensor>) = leaves.into_iter().unzip();
    let Some(chain) = GpuChain::of(fused, inputs, &leaves) else { return Ok(ScannedLeaves(None)) };
    let [batch, _, _] = inputs.shape();
    for (name, leaf) in names.iter().zip(&leaves) {
        let rows = leaf.size()[0];
        assert_eq!(rows, batch, "the state {name} is of {rows} sequences, the inputs are of {batch}");
    }
    let traced: Vec<bool> = names.iter().map(|name| tap.wants(name)).collect();
    let written_out;
    let read = match inputs {
        // What reads no list is given the numbers.
        Inputs::Spikes(spikes) if !chain.parts[0].kernel.takes_spikes() => {
            written_out = Inputs::Dense(spikes.to_dense());
            &written_out
        }
        _ => inputs,
    };
    let dense = match read {
        Inputs::Dense(xs) => Some(xs),
        Inputs::Spikes(_) => None,
    };
    let inputs: Vec<&Tensor> = dense.into_iter().chain(&leaves).chain(&chain.params).collect();
    let record = grad_mode() && inputs.iter().any(|tensor| tensor.requires_grad());
    let wants_gxs = record && dense.is_some_and(Tensor::requires_grad);
    let outside = |tensors: &[Tensor]| tensors.iter().map(Tensor::detach).collect::<Vec<_>>();
    let params = outside(&chain.params);
    let guard = tch::no_grad_guard();
    let (outcome, kept) = chain.forward(gpu, read, &params, &outside(&leaves), &traced, record)?;
    drop(guard);
    if record {
        // The backward reads input and parameters again.
        let saved: Vec<&Tensor> = dense.into_iter().chain(&chain.params).collect();
        let traces = outcome.traces.iter().flatten();
        let outputs: Vec<&Tensor> = std::iter::once(&outcome.ys).chain(&outcome.last).chain(traces).collect();
        let shapes: Vec<Vec<i64>> = leaves.iter().map(Tensor::size).collect();
        let (gpu, parts, is_dense, traced) = (Arc::clone(gpu), chain.parts, dense.is_some(), traced.clone());
        attach_saving(&inputs, &outputs, &saved, move |grads| {
            let out_grads = AllOutGrads::new(grads, &shapes, &traced, on);
            let mut gradients = backward(&gpu, &parts, &params, &kept, out_grads, wants_gxs, on)?;
            if !is_dense {
                gradients.remove(0);
            }
            Ok(gradients)
        })?;
    }
    for (name, trace) in names.iter().zip(outcome.traces) {
        if let Some(trace) = trace {
            tap.put(name, trace);
        }
    }
    Ok(ScannedLeaves(Some((outcome.ys, outcome.last))))
}

/// Whether a system has kernels for GPUs; what has none goes through libtorch there, step by step unless its scan knows better.
pub fn has_form<S: System + ?Sized>(system: &S, sha: &Shared) -> bool {
    system.kernel(sha, Processor::Gpu).is_some_and(|fused| fused.on_gpu().is_some())
}

/// A part, its leaves and its parameters among all of them.
#[derive(Debug)]
struct Part {
    kernel: Arc<dyn GpuKernel>,
    leaves: Range<usize>,
    params: Range<usize>,
}

#[derive(Debug)]
struct GpuChain {
    parts: Vec<Part>,
    params: Vec<Tensor>,
}

/// What a part leaves for its adjoint.
struct Kept {
    tensors: Vec<Tensor>,
    /// Of its input.
    size: [i64; 3],
}

/// What comes out of all parts.
struct Outcome {
    ys: Tensor,
    last: Vec<Tensor>,
    traces: Vec<Option<Tensor>>,
}

impl GpuChain {
    /// The parts, if they are for GPUs and serve such inputs and states.
    fn of(fused: &Fused, inputs: &Inputs, leaves: &[Tensor]) -> Option<Self> {
        let [batch, time, _] = inputs.shape();
        let (kind, device) = inputs.on();
        if time == 0 || batch == 0 || !matches!(kind, Kind::Float | Kind::Double) {
            return None;
        }
        let serves = |tensor: &Tensor| tensor.kind() == kind && tensor.device() == device;
        if !(fused.params.iter().all(serves) && leaves.iter().all(|leaf| serves(leaf) && leaf.dim() == 2)) {
            return None;
        }
        let (mut leaf, mut param) = (0, 0);
        let mut parts = Vec::new();
        for (kernel, n_params) in fused.on_gpu()? {
            let (from_leaf, from_param) = (leaf, param);
            (leaf, param) = (leaf + kernel.n_leaves(), param + n_params);
            parts.push(Part { kernel, leaves: from_leaf..leaf, params: from_param..param });
        }
        assert_eq!((leaf, param), (leaves.len(), fused.params.len()), "the state of the parts is that of their system");
        let params = fused.params.iter().map(Tensor::shallow_clone).collect();
        Some(Self { parts, params })
    }

    fn forward(
        &self,
        gpu: &Gpu,
        inputs: &Inputs,
        params: &[Tensor],
        leaves: &[Tensor],
        traced: &[bool],
        keep: bool,
    ) -> Result<(Outcome, Vec<Kept>)> {
        let (mut last, mut traces, mut all_kept) = (Vec::new(), Vec::new(), Vec::new());
        let [batch, time, n_in] = inputs.shape();
        let mut size = [time, batch, n_in];
        let mut xs = match inputs {
            Inputs::Dense(xs) => Inputs::Dense(xs.detach().contiguous()),
            Inputs::Spikes(spikes) => Inputs::Spikes(spikes.clone()),
        };
        for Part { kernel, leaves: own, params: theirs } in &self.parts {
            let (params, leaves, traced) = (&params[theirs.clone()], &leaves[own.clone()], &traced[own.clone()]);
            // A kernel would read and write beyond others.
            for (i, leaf) in leaves.iter().enumerate() {
                assert_eq!(leaf.size()[1], kernel.n_units(i, size[2]), "the state of {kernel:?} is of its units");
            }
            let done = kernel.forward(gpu, &xs, ForwardArgs { params, leaves, traced, keep })?;
            last.extend(done.last);
            traces.extend(done.traces);
            all_kept.push(Kept { tensors: done.kept, size });
            size[2] = done.ys.size()[2];
            xs = Inputs::Dense(done.ys);
        }
        let Inputs::Dense(ys) = xs else { unreachable!("a chain has parts, which give numbers") };
        Ok((Outcome { ys, last, traces }, all_kept))
    }
}

/// Gradients of what a scan gives.
struct AllOutGrads {
    ys: Option<Tensor>,
    last: Vec<Option<Tensor>>,
    traces: Vec<Option<Tensor>>,
}

impl AllOutGrads {
    fn new(grads: &[Option<Tensor>], leaves: &[Vec<i64>], traced: &[bool], (kind, _): (Kind, Device)) -> Self {
        let mut given = grads.iter().map(|grad| grad.as_ref().map(|grad| grad.to_kind(kind).contiguous()));
        let mut next = || given.next().flatten();
        let ys = next();
        let last = leaves.iter().map(|_| next()).collect();
        let traces = traced.iter().map(|traced| if *traced { next() } else { None }).collect();
        Self { ys, last, traces }
    }
}

/// Gradients of the input, of the leaves before the first step, and of the parameters.
fn backward(
    gpu: &Gpu,
    parts: &[Part],
    params: &[Tensor],
    kept: &[Kept],
    mut out_grads: AllOutGrads,
    wants_gxs: bool,
    on: (Kind, Device),
) -> Result<Gradients> {
    let mut gleaves: Gradients = out_grads.last.iter().map(|_| None).collect();
    let mut gparams: Gradients = params.iter().map(|_| None).collect();
    let mut gys = out_grads.ys.take();
    for (i, (part, kept)) in parts.iter().zip(kept).enumerate().rev() {
        let take = |from: &mut [Option<Tensor>]| from[part.leaves.clone()].iter_mut().map(Option::take).collect();
        let of_part = OutGrads {
            ys: gys.take(),
            last: take(&mut out_grads.last),
            traces: take(&mut out_grads.traces),
            wants_xs: i > 0 || wants_gxs,
        };
        let past = Saved { params: &params[part.params.clone()], kept: &kept.tensors, size: kept.size, on };
        let in_grads = part.kernel.backward(gpu, past, of_part)?;
        gys = in_grads.xs;
        gleaves[part.leaves.clone()].iter_mut().zip(in_grads.leaves).for_each(|(to, from)| *to = from);
        gparams[part.params.clone()].iter_mut().zip(in_grads.params).for_each(|(to, from)| *to = from);
    }
    Ok(std::iter::once(gys.filter(|_| wants_gxs)).chain(gleaves).chain(gparams).collect())
}
