//! Scans on a GPU: a row of parts, each of which does all its steps before the next one begins.
//!
//! On a CPU what is between two layers stays in the cache if all of them do a stretch together. A GPU has thousands of threads to
//! feed and memory that is tens of times as fast: there each part goes over everything, and what is linear and has no state is one
//! of libtorch's products.

mod scan;
mod units;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use bd_kernel::{Facts, Formula, fused_formula};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::gpu::{Gpu, LEAVES, real};
use crate::inputs::Inputs;

pub(super) use scan::scan_kernels_on;
pub use scan::{has_form, scan_on};
pub use units::{UnitGrads, UnitLoops, UnitPast, UnitSeries, UnitsOnGpu, held_of, shared_out};

/// The arguments of a part's forward pass.
#[derive(Debug, Clone, Copy)]
pub struct ForwardArgs<'a> {
    /// Its parameters.
    pub params: &'a [Tensor],
    /// The leaves of its state before the first step, `[batch, n]`.
    pub leaves: &'a [Tensor],
    /// Which of them are recorded.
    pub traced: &'a [bool],
    /// Whether the adjoint comes later.
    pub keep: bool,
}

/// The results of a part's forward pass.
#[derive(Debug)]
pub struct ForwardOut {
    /// `[time, batch, n_out]`.
    pub ys: Tensor,
    /// The leaves after the last step.
    pub last: Vec<Tensor>,
    /// Leaves after each step, `[time, batch, n]`, where they are recorded.
    pub traces: Vec<Option<Tensor>>,
    /// What the adjoint needs; nothing unless `keep`.
    pub kept: Vec<Tensor>,
}

/// What the forward pass of a part has saved for its backward pass.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// Its parameters.
    pub params: &'a [Tensor],
    /// What `forward` kept.
    pub kept: &'a [Tensor],
    /// Steps, samples and channels of its input.
    pub size: [i64; 3],
    /// Dtype and device.
    pub on: (Kind, Device),
}

/// Gradients with respect to a part's results; `None` is zero. Contiguous.
#[derive(Debug)]
pub struct OutGrads {
    /// Of the outputs.
    pub ys: Option<Tensor>,
    /// Of the leaves after the last step.
    pub last: Vec<Option<Tensor>>,
    /// Of their records.
    pub traces: Vec<Option<Tensor>>,
    /// Whether the gradient of the input is wanted.
    pub wants_xs: bool,
}

/// Gradients with respect to what a part reads; `None` is zero.
#[derive(Debug)]
pub struct InGrads {
    /// Of the input; meaningless unless it was wanted.
    pub xs: Option<Tensor>,
    /// Of the leaves before the first step.
    pub leaves: Vec<Option<Tensor>>,
    /// Of the parameters, in order.
    pub params: Vec<Option<Tensor>>,
}

/// A part of a system on a GPU: all its steps, and their adjoint. Plain data: parameters are handed in. Units side
/// by side are [`UnitsOnGpu`].
pub trait GpuKernel: Debug + Send + Sync {
    /// Leaves of its state.
    fn n_leaves(&self) -> usize;

    /// Numbers of a leaf of its state for each sample, where its input has `n_in` channels.
    fn n_units(&self, _leaf: usize, n_in: i64) -> i64 {
        n_in
    }

    /// Whether it can read a list of spikes.
    fn takes_spikes(&self) -> bool {
        false
    }

    /// All steps. Numbers `[time, batch, n_in]` lie one after the other; a list of spikes is given only to a part that [takes
    /// it](Self::takes_spikes).
    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut>;

    /// The adjoint of all steps.
    fn backward(&self, gpu: &Gpu, past: Saved<'_>, asked: OutGrads) -> Result<InGrads>;

    /// Its formula, if it is units side by side, for parts that put something around it.
    fn formula(&self) -> Option<Arc<dyn Formula>> {
        None
    }
}

/// What comes before the text of a formula.
pub fn definitions(facts: &Facts, kind: Kind) -> Result<String> {
    let (moving, states) = (facts.reads.len(), facts.reads.len() + facts.held);
    let reads = facts.reads.iter().rev().fold(0, |bits, reads| 2 * bits + i32::from(*reads));
    let (reads_input, spikes) = (i32::from(facts.reads_input), i32::from(facts.spikes));
    let real = real(kind)?;
    // Registers: what the adjoint reads of a step is there twice, for so many steps ahead.
    let read = facts.reads.iter().filter(|reads| **reads).count();
    let inputs = if facts.reads_input { facts.ports } else { 0 };
    let numbers = facts.outputs + inputs + usize::from(facts.spikes) + read;
    let ahead = match numbers * kind.elt_size_in_bytes() / 4 {
        0..=3 => 16,
        4..=6 => 8,
        _ => 4,
    };
    Ok(format!(
        "#define real {real}\n#define STATES {states}\n#define MOVING {moving}\n#define READS {reads}\n\
             #define READS_INPUT {reads_input}\n#define SPIKES {spikes}\n#define AHEAD {ahead}\n\
             struct Leaves {{ real *at[{LEAVES}]; }};\n"
    ))
}

/// Parts with their numbers of parameters, units in a row as one.
pub(super) fn in_a_chain(parts: Vec<(Arc<dyn GpuKernel>, usize)>) -> Vec<(Arc<dyn GpuKernel>, usize)> {
    let mut done: Vec<(Arc<dyn GpuKernel>, usize)> = Vec::new();
    for (kernel, n_params) in parts {
        let both = done.last().and_then(|(before, _)| fused_formula(&before.formula()?, &kernel.formula()?));
        match (both, done.last_mut()) {
            (Some(both), Some(last)) => *last = (Arc::new(UnitsOnGpu(both)), last.1 + n_params),
            _ => done.push((kernel, n_params)),
        }
    }
    done
}

/// Some steps of a series `[time, ..]`.
pub fn steps_of(series: &Tensor, steps: &Range<i64>) -> Tensor {
    series.narrow(0, steps.start, steps.end - steps.start)
}

/// Steps, samples and channels of a series.
pub fn series_size(series: &Tensor) -> [i64; 3] {
    std::array::from_fn(|i| series.size()[i])
}

/// The numbers of an input of a part that takes no list of spikes.
pub fn numbers(xs: &Inputs) -> &Tensor {
    let Inputs::Dense(numbers) = xs else { panic!("spikes were given to a part that does not take them") };
    numbers
}
