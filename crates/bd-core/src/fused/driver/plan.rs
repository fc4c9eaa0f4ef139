//! How one scan is cut up, and its two passes.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bd_kernel::{AnyKernel, Block, Instructions, Kernel, LANES, Sizes, Stretch, Tile, TileEvents, Typed};
use tch::Tensor;

use super::Tuning;
use super::parts::Parts;
use crate::fused::Element;
use crate::spikes::Spikes;

mod bytes;
mod one_series;
mod passes;
mod series;
mod storing;
mod stretch;

/// Limit of what is stored of kernels that do not [store much](Kernel::stores_much): above it recomputing is faster than memory.
pub(super) const NEAR_BYTES: usize = 64 << 20;

/// An input that is a tensor; spikes are read into lists of events by the forward pass.
pub(super) struct Dense {
    /// Contiguous, outside the graph.
    pub(super) xs: Tensor,
    /// Whether its gradient is wanted.
    pub(super) wants_gxs: bool,
}

/// How one scan is cut up: plain data that threads can share.
pub(super) struct Plan {
    kernel: Arc<dyn AnyKernel>,
    sizes: Sizes,
    /// Outputs of the system, behind which are the leaves that the kernel records.
    n_out: usize,
    time: usize,
    /// Steps of the scan before these.
    before: usize,
    batch: usize,
    /// Samples in a tile, and lanes that they take.
    samples: usize,
    lanes: usize,
    /// Steps in a stretch.
    stretch: usize,
    /// Whether what the adjoint needs is stored, and not calculated again.
    stores: bool,
    /// Whether the kernel reads lists of what is not zero; for one that does not they are written out, stretch by stretch.
    takes_events: bool,
    instructions: Instructions,
    threads: usize,
    /// Widths of the state's leaves.
    widths: Vec<usize>,
    /// Leaves that are recorded: by the kernel, or else they are read off its state, after stretches of one step.
    traced: Vec<usize>,
    /// Whether it is the kernel.
    kernel_records: bool,
}

/// What the backward pass needs.
pub(super) struct Kept<F> {
    tiles: Vec<KeptTile<F>>,
    /// What the kernel has kept of all tiles, one after the other, if that is stored. An adjoint uses it up; another one through
    /// a graph that is retained calculates it again.
    stored: Mutex<Option<Tensor>>,
}

struct KeptTile<F> {
    events: Option<TileEvents<F>>,
    /// The state before each stretch; where everything else is stored, before the first.
    states: Vec<F>,
}

/// Blocks that a thread works in.
struct Workspace<F> {
    xs: Block<F>,
    ys: Block<F>,
    kept: Block<F>,
    work: Block<F>,
    state: Block<F>,
    gxs: Block<F>,
    gys: Block<F>,
}

/// Samples of a tile: the first, and how many.
#[derive(Clone, Copy)]
struct Samples {
    first: usize,
    count: usize,
}

/// The kernel that records some leaves of the state, whose widths these are.
fn recording_kernel<F>(kernel: &Arc<dyn AnyKernel>, widths: &[usize], traced: &[usize]) -> Option<Arc<dyn AnyKernel>>
where
    dyn AnyKernel: Typed<F>,
{
    if traced.is_empty() {
        return None;
    }
    let range = |leaf: usize| {
        let begin = widths[..leaf].iter().sum::<usize>();
        begin..begin + widths[leaf]
    };
    let leaves: Vec<_> = traced.iter().map(|leaf| range(*leaf)).collect();
    let recording = kernel.clone().recording(&leaves)?;
    let [plain, found] = [kernel, &recording].map(|kernel| Typed::<F>::typed(kernel.as_ref()).sizes());
    let n_out = plain.n_out + leaves.iter().map(Range::len).sum::<usize>();
    assert_eq!(
        found,
        Sizes { n_out, n_work: found.n_work, ..plain },
        "a kernel that records has its records behind its outputs"
    );
    Some(recording)
}

impl Plan {
    pub(super) fn new<F: Element>(
        kernel: Arc<dyn AnyKernel>,
        (time, batch): (usize, usize),
        widths: Vec<usize>,
        traced: &[usize],
        (listed, record): (bool, bool),
        tuning: Tuning,
    ) -> Self
    where
        dyn AnyKernel: Typed<F>,
    {
        let n_out = Typed::<F>::typed(kernel.as_ref()).sizes().n_out;
        let recording = recording_kernel::<F>(&kernel, &widths, traced);
        let kernel_records = recording.is_some();
        let by_state = !traced.is_empty() && !kernel_records;
        let kernel = recording.unwrap_or(kernel);
        let typed = Typed::<F>::typed(kernel.as_ref());
        let sizes = typed.sizes();
        let samples = if typed.fills_vectors() { tuning.vector_samples } else { tuning.samples };
        let samples = samples.clamp(1, batch);
        let lanes = samples.next_multiple_of(LANES);
        assert_eq!(widths.iter().sum::<usize>(), sizes.n_state, "a kernel's state is its system's");
        let takes_events = typed.takes_events();
        // The state before each stretch is kept: stretches that grow as the root of the time bound what wide layers
        // keep over long times, to four times that root.
        let least = tuning.min_steps.max(if record { time.isqrt() / 4 } else { 1 });
        let stretch = Stretch { bytes: tuning.bytes, min_steps: least };
        let stretch = if by_state { 1 } else { stretch.steps(typed, lanes, listed).clamp(1, time) };
        let (stores, much) = (record && typed.stores(), typed.stores_much());
        let plan = Self {
            kernel,
            sizes,
            n_out,
            time,
            before: 0,
            batch,
            samples,
            lanes,
            stretch,
            stores,
            takes_events,
            instructions: tuning.instructions,
            threads: tuning.threads,
            widths,
            traced: traced.to_vec(),
            kernel_records,
        };
        let stored_bytes = plan.kept_of_tile::<F>() * plan.tiles() * size_of::<F>();
        let most = tuning.stored_bytes.min(if much { usize::MAX } else { NEAR_BYTES });
        Self { stores: stores && stored_bytes <= most, ..plan }
    }

    /// The same over `time` steps, before which the scan has `before`: for a piece of the time.
    pub(super) fn of_steps(&self, before: usize, time: usize) -> Self {
        let (kernel, widths, traced) = (self.kernel.clone(), self.widths.clone(), self.traced.clone());
        Self { kernel, widths, traced, before, time, ..*self }
    }

    /// Steps in a stretch.
    pub(super) fn stretch(&self) -> usize {
        self.stretch
    }

    /// Leaves of the state.
    pub(super) fn n_leaves(&self) -> usize {
        self.widths.len()
    }

    /// Numbers of the output.
    pub(super) fn n_out(&self) -> usize {
        self.n_out
    }

    /// The channels of the kernel's outputs in which each recorded leaf is, if they are there.
    fn recorded(&self) -> impl Iterator<Item = Range<usize>> {
        let mut end = self.n_out;
        self.traced.iter().map(move |&leaf| {
            let begin = end;
            end += self.widths[leaf];
            begin..end
        })
    }

    fn kernel<F>(&self) -> &dyn Kernel<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        self.kernel.as_ref().typed()
    }

    fn tiles(&self) -> usize {
        self.batch.div_ceil(self.samples)
    }

    /// In how many parts, of how many tiles each, gradients of parameters are summed.
    fn parts(&self) -> Parts {
        Parts::of(self.tiles(), self.sizes.n_params)
    }

    fn samples_of(&self, tile: usize) -> Samples {
        let first = tile * self.samples;
        Samples { first, count: self.samples.min(self.batch - first) }
    }

    /// First steps of the stretches of some samples, with their tiles.
    fn stretches(&self, keep: bool, samples: Samples) -> impl DoubleEndedIterator<Item = (usize, Tile)> {
        let Self { time, before, stretch, lanes, instructions, .. } = *self;
        (0..time.div_ceil(stretch)).map(move |i| {
            let from = i * stretch;
            let (first_step, first_sample) = (before + from, samples.first);
            (from, Tile { steps: stretch.min(time - from), lanes, keep, instructions, first_step, first_sample })
        })
    }

    /// With room for what a stretch keeps unless that is stored.
    fn workspace<F: Element>(&self, backward: bool) -> Workspace<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        let block = |n: usize| Block::zeros(n * self.stretch * self.lanes);
        let (n_in, n_out) = (self.sizes.n_in, self.sizes.n_out);
        Workspace {
            xs: block(n_in),
            ys: block(n_out),
            kept: if self.stores { Block::default() } else { Block::zeros(self.kept::<F>(self.stretch)) },
            work: block(self.sizes.n_work),
            state: Block::zeros(self.sizes.n_state * self.lanes),
            gxs: if backward { block(n_in) } else { Block::default() },
            gys: if backward { block(n_out) } else { Block::default() },
        }
    }

    fn shape(&self, n: usize) -> [i64; 3] {
        [self.time as i64, self.batch as i64, n as i64]
    }

    /// The samples of a tile at step `t` of a contiguous `[time, batch, n]`.
    #[inline(always)]
    fn row<'a, F>(&self, data: &'a [F], t: usize, samples: Samples, n: usize) -> &'a [F] {
        &data[(t * self.batch + samples.first) * n..][..samples.count * n]
    }

    fn events_of_spikes<F: Element>(&self, spikes: &Spikes, samples: Samples) -> TileEvents<F> {
        let lanes = (0..samples.count).map(|lane| spikes.sample(samples.first + lane));
        TileEvents::of_spikes(self.time, lanes)
    }
}
