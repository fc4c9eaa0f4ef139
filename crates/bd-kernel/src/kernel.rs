//! [`Kernel`]: all steps of a system over a stretch of time, and their adjoint, on blocks of numbers.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use crate::{Events, Formula, Instructions, Rows, RowsMut, SingleStep, UnitFormula};

/// Samples that lie side by side are a multiple of this: what vectors of numbers are filled with.
pub const LANES: usize = 8;

/// How much a kernel works on at once: some samples side by side, over a stretch of steps.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Number of steps.
    pub steps: usize,
    /// Number of samples, a multiple of [`LANES`]. Where the batch ends earlier, its last sample is repeated.
    pub lanes: usize,
    /// Whether the adjoint of this stretch comes, so that `kept` must hold what it needs.
    pub keep: bool,
    /// What loops may use, for [`vectorised`](crate::vectorised).
    pub instructions: Instructions,
    /// The number in the scan of its first step.
    pub first_step: usize,
    /// The number in the batch of its first sample.
    pub first_sample: usize,
}

impl Tile {
    /// The numbers of some channels in a block `[channel, step, lane]`.
    #[inline(always)]
    pub fn channels(&self, channels: Range<usize>) -> Range<usize> {
        channels.start * self.len()..channels.end * self.len()
    }

    /// Of some of its steps.
    #[inline(always)]
    pub fn part(self, steps: Range<usize>) -> Self {
        Self { steps: steps.len(), first_step: self.first_step + steps.start, ..self }
    }

    /// Numbers of one channel.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.steps * self.lanes
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a kernel reads.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a, F> {
    /// `[n_in, steps, lanes]`.
    Dense(&'a [F]),
    /// What is not zero; given only to a kernel that [takes events](Kernel::takes_events).
    Events(Events<'a, F>),
}

impl<'a, F> Input<'a, F> {
    /// The numbers, for a kernel that does not take events.
    pub fn dense(self) -> &'a [F] {
        let Self::Dense(numbers) = self else { panic!("events were given to a kernel that does not take them") };
        numbers
    }
}

/// Numbers that a kernel takes and gives: for each sample and step (`n_in`, `n_out`, `n_work`), for each sample
/// (`n_state`), and in all (`n_params`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Inputs.
    pub n_in: usize,
    /// Outputs.
    pub n_out: usize,
    /// Numbers of state.
    pub n_state: usize,
    /// Numbers of workspace that `forward` and `backward` each may use; its contents are not read afterwards.
    pub n_work: usize,
    /// Numbers of all parameters.
    pub n_params: usize,
}

/// Gradients that the adjoint of a stretch reads and writes.
#[derive(Debug)]
pub struct Grads<'a, F> {
    /// Read: those of the outputs, `[n_out, steps, lanes]`.
    pub ys: &'a [F],
    /// Turned from that of the state after the last step into that before the first.
    pub state: &'a mut [F],
    /// Written: those of the inputs, `[n_in, steps, lanes]`. Empty: not wanted.
    pub xs: &'a mut [F],
    /// Added to: those of the parameters, in order.
    pub params: &'a mut [F],
}

/// Some steps of a single series, whose numbers of a step lie side by side.
#[derive(Debug)]
pub struct OneSeries<'a, F> {
    /// What loops may use.
    pub instructions: Instructions,
    /// Number of steps.
    pub steps: usize,
    /// A row of `n_in` inputs for each step.
    pub xs: Rows<'a, F>,
    /// The state before the first step, which becomes that after the last.
    pub state: &'a mut [F],
    /// A row of `n_out` outputs for each step.
    pub ys: RowsMut<'a, F>,
}

/// The fused form of a system: plain data, with copies of its parameters and constants.
///
/// Blocks are `[channel, step, lane]`, so that the series of a channel lie one after the other with samples side by
/// side. `state` holds the leaves of the system's state one after the other, in the order of
/// its tree, each `[channel, lane]`.
///
/// A scan goes through time in stretches and keeps only the state at the beginning of each. Backward, each stretch is
/// calculated again with `keep`, then its adjoint: what lies between stays in the cache. Where a kernel is faster if [what it keeps is
/// stored](Self::stores), and memory allows it, `forward` runs once, with `keep`, and `backward` comes much later.
pub trait Kernel<F>: Debug + Send + Sync {
    /// Its sizes.
    fn sizes(&self) -> Sizes;

    /// Whether it can read [`Input::Events`].
    fn takes_events(&self) -> bool {
        false
    }

    /// Numbers for each lane that `forward` leaves for `backward` of a stretch of so many steps.
    fn n_kept(&self, _steps: usize) -> usize {
        0
    }

    /// Whether storing `kept` for `backward` is faster than calculating it again: so it is where every step is a product with a
    /// matrix.
    fn stores(&self) -> bool {
        false
    }

    /// Whether to store it even beyond the size of a processor's caches: few bytes, expensive to recompute.
    fn stores_much(&self) -> bool {
        false
    }

    /// Whether its loops take as long for half a vector of lanes as for a whole one, so that whole vectors are worth more than tiles for
    /// many threads.
    fn fills_vectors(&self) -> bool {
        false
    }

    /// Whether `backward` reads the inputs; if not, it is given whatever stands there.
    fn reads_inputs(&self) -> bool {
        true
    }

    /// Whether all outputs are exactly 0 or 1.
    fn spikes(&self) -> bool {
        false
    }

    /// Whether what is kept says what the [outputs](Self::outputs) were, without what is recorded behind them.
    fn keeps_outputs(&self) -> bool {
        false
    }

    /// Fills `ys` from what was `kept` of a stretch, if that [says it](Self::keeps_outputs). What is [recorded](AnyKernel::recording) is none
    /// of it.
    fn outputs(&self, _tile: Tile, _kept: &[F], _ys: &mut [F]) {
        unreachable!("a kernel was asked for outputs that it does not keep")
    }

    /// All steps of a stretch: fills `ys`, and turns `state` from that before the first step into that after the last.
    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]);

    /// Whether [`forward_of_one`](Self::forward_of_one) is there.
    fn takes_one_series(&self) -> bool {
        false
    }

    /// All steps of a series that is alone, if the kernel [has loops](Self::takes_one_series) for it: without those for samples side by
    /// side, of which there are [`LANES`] at least.
    fn forward_of_one(&self, _one: OneSeries<'_, F>) {
        unreachable!("a kernel was given a single series that it does not take")
    }

    /// The same for one step of one series at a time, with weights and memory of its own, if the kernel has loops for that.
    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        None
    }

    /// The adjoint of the stretch whose `kept` `forward` has filled with `keep`; `kept` is not read again.
    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>);
}

/// See [`AnyKernel::plain_units`].
pub struct PlainUnits<'a> {
    /// How many.
    pub n: usize,
    /// All that the formula depends on.
    pub name: String,
    /// Their formula.
    pub formula: Box<dyn Fn() -> UnitFormula + 'a>,
}

impl Debug for PlainUnits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.n, self.name)
    }
}

/// A kernel for both dtypes.
pub trait AnyKernel: Kernel<f32> + Kernel<f64> + Any {
    /// One kernel that does what the one `before`, whose outputs this one reads, and this one do in a row: with the same state, and
    /// better than [`KernelChain`](crate::KernelChain).
    fn behind(&self, _before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        None
    }

    /// The same with the series of some leaves of its state behind its outputs: the values after each step, leaf by leaf, of which the
    /// adjoint takes gradients in the same places. A leaf is a range of its numbers of state; they are in order and do not overlap. What
    /// is kept, and all sizes but those of outputs and work, stay as they are. Nothing if it has no loops for that: its state can then be read off after each step.
    fn recording(self: Arc<Self>, _leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        None
    }

    /// Its units, if it is units side by side that have one input and do not spike, and hold nothing: units of graphs that read their outputs
    /// can take them along.
    fn plain_units(&self) -> Option<PlainUnits<'_>> {
        None
    }

    /// Its formula, if it is equal units side by side: all that a GPU needs.
    fn formula(self: Arc<Self>) -> Option<Arc<dyn Formula>> {
        None
    }
}

/// A kernel for both dtypes as one of either: [`AnyKernel`] behind a pointer is.
pub trait Typed<F> {
    /// The kernel.
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
