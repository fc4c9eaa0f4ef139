//! How one scan is cut up, and its two passes.

use std::sync::{Arc, Mutex, PoisonError};

use bd_kernel::{
    AnyKernel, Block, Grads, Input, Instructions, Kernel, LANES, Sizes, Tile, TileEvents, Typed, vectorised,
};
use tch::{Device, Tensor};

use super::memory::{Beyond, Blocks, FlushTiny, Strided, host, room_for};
use super::parallel::in_parallel;
use super::{Outcome, Tuning};
use crate::autograd::Gradients;
use crate::error::Result;
use crate::fused::Element;
use crate::spikes::Spikes;

mod bytes;
mod series;
mod storing;

/// Gradients of parameters are summed in so many parts at most, each in the order of its tiles, and then in the order
/// of the parts: the same bytes whatever the number of threads, and memory that does not grow with the batch.
const PARTS: usize = 32;

/// Numbers of all parts together at most, unless one part has more.
const PARTS_NUMBERS: usize = 1 << 24;

/// What is stored of kernels that had better not [store much](Kernel::stores_much): more of it takes longer to write and to read
/// than to calculate.
const NEAR_BYTES: usize = 64 << 20;

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
    time: usize,
    batch: usize,
    /// Samples in a tile, and lanes that they take.
    samples: usize,
    lanes: usize,
    /// Steps in a stretch.
    stretch: usize,
    /// Whether what the adjoint needs is stored, and not calculated again.
    stores: bool,
    instructions: Instructions,
    threads: usize,
    /// Widths of the state's leaves.
    widths: Vec<usize>,
    /// Leaves that are recorded.
    traced: Vec<usize>,
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
struct Room<F> {
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
        let typed = Typed::<F>::typed(kernel.as_ref());
        let sizes = typed.sizes();
        let samples = tuning.samples.clamp(1, batch);
        let lanes = samples.next_multiple_of(LANES);
        assert_eq!(widths.iter().sum::<usize>(), sizes.n_state, "a kernel's state is its system's");
        // Of an input that is a list nothing is laid out.
        let n_in = if listed { 0 } else { 2 * sizes.n_in };
        let n_kept = typed.n_kept(LANES).div_ceil(LANES);
        let bytes_a_step = (n_in + 2 * sizes.n_out + n_kept + sizes.n_work) * lanes * size_of::<F>();
        // The state before each stretch is kept: stretches that grow as the root of the time bound what wide layers
        // keep over long times, to four times that root.
        let least = tuning.min_steps.max(if record { time.isqrt() / 4 } else { 1 });
        // What is recorded is read off the state after each step.
        let stretch =
            if traced.is_empty() { (tuning.bytes / bytes_a_step.max(1)).max(least).clamp(1, time) } else { 1 };
        let (stores, much) = (record && typed.stores(), typed.stores_much());
        let plan = Self {
            kernel,
            sizes,
            time,
            batch,
            samples,
            lanes,
            stretch,
            stores,
            instructions: tuning.instructions,
            threads: tuning.threads,
            widths,
            traced: traced.to_vec(),
        };
        let stored_bytes = plan.kept_of_tile::<F>() * plan.tiles() * size_of::<F>();
        let most = tuning.stored_bytes.min(if much { usize::MAX } else { NEAR_BYTES });
        Self { stores: stores && stored_bytes <= most, ..plan }
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

    /// A function of the sizes alone, like everything that decides in which order is summed.
    fn tiles_a_part(&self) -> usize {
        self.tiles().div_ceil((PARTS_NUMBERS / self.sizes.n_params.max(1)).clamp(2, PARTS))
    }

    fn samples_of(&self, tile: usize) -> Samples {
        let first = tile * self.samples;
        Samples { first, count: self.samples.min(self.batch - first) }
    }

    /// First steps of the stretches, with their tiles.
    fn stretches(&self, keep: bool) -> impl DoubleEndedIterator<Item = (usize, Tile)> {
        let Self { time, stretch, lanes, instructions, .. } = *self;
        (0..time.div_ceil(stretch)).map(move |i| {
            let from = i * stretch;
            (from, Tile { steps: stretch.min(time - from), lanes, keep, instructions })
        })
    }

    /// With room for what a stretch keeps unless that is stored.
    fn room<F: Element>(&self, backward: bool) -> Room<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        let block = |n: usize| Block::zeros(n * self.stretch * self.lanes);
        let (n_in, n_out) = (self.sizes.n_in, self.sizes.n_out);
        Room {
            xs: block(n_in),
            ys: block(n_out),
            kept: if self.stores { Block::default() } else { Block::zeros(self.kept::<F>(self.stretch)) },
            work: block(self.sizes.n_work),
            state: Block::zeros(self.sizes.n_state * self.lanes),
            gxs: if backward { block(n_in) } else { Block::default() },
            gys: if backward { block(n_out) } else { Block::default() },
        }
    }

    /// Outputs, last state and records, and what the backward pass needs of each tile (nothing unless `record`).
    pub(super) fn forward<F: Element>(
        &self,
        dense: Option<&Dense>,
        spikes: Option<&Spikes>,
        leaves: &[Tensor],
        record: bool,
    ) -> (Outcome, Kept<F>)
    where
        dyn AnyKernel: Typed<F>,
    {
        let series = |n: usize| room_for::<F>(&self.shape(n));
        let ys = series(self.sizes.n_out);
        let last: Vec<Tensor> = leaves.iter().map(|leaf| leaf.detach().contiguous().copy()).collect();
        let traces: Vec<Tensor> = self.traced.iter().map(|&leaf| series(self.widths[leaf])).collect();
        let (ys_out, last_out) = (Blocks::<F>::of(&ys), last.iter().map(Blocks::of).collect::<Vec<_>>());
        let traces_out: Vec<Blocks<F>> = traces.iter().map(Blocks::of).collect();
        let wants_gxs = dense.is_some_and(|dense| dense.wants_gxs);
        let dense: &[F] = dense.map_or(&[], |dense| host(&dense.xs));
        let stored = self.stores.then(|| self.room_to_store::<F>());
        let stored_out = stored.as_ref().map(Blocks::<F>::of);
        let room = || self.room::<F>(false);
        let tiles = in_parallel(self.tiles(), self.threads, room, |room, i| {
            let samples = self.samples_of(i);
            let events = match spikes {
                Some(spikes) => Some(self.events_of_spikes(spikes, samples)),
                None if wants_gxs || !self.kernel::<F>().takes_events() => None,
                None => {
                    TileEvents::of_dense(self.time, self.sizes.n_in, |t| self.row(dense, t, samples, self.sizes.n_in))
                }
            };
            let mut states = Vec::with_capacity(if record { self.states_kept() * room.state.len() } else { 0 });
            self.gather_state(&last_out, samples, &mut room.state, Beyond::Last);
            for (from, tile) in self.stretches(self.stores) {
                if record && (from == 0 || !self.stores) {
                    states.extend_from_slice(&room.state);
                }
                self.gather_input(dense, events.as_ref(), samples, from, tile, room);
                let stored = stored_out.as_ref().map(|stored| self.stored(stored, i, from, tile));
                self.forward_stretch(events.as_ref(), from, tile, room, stored);
                vectorised(self.instructions, FlushTiny(&mut room.state));
                self.scatter_series(&room.ys, &ys_out, samples, from, tile, self.sizes.n_out);
                for (&leaf, trace) in self.traced.iter().zip(&traces_out) {
                    let at = self.widths[..leaf].iter().sum::<usize>() * self.lanes;
                    self.scatter_series(&room.state[at..], trace, samples, from, tile, self.widths[leaf]);
                }
            }
            self.scatter_state(&room.state, &last_out, samples);
            KeptTile { events: events.filter(|_| record), states }
        });
        (Outcome { ys, last, traces }, Kept { tiles, stored: Mutex::new(stored) })
    }

    /// Gradients of the input, of the leaves of the first state, and of the parameters.
    pub(super) fn backward<F: Element>(
        &self,
        dense: Option<&Dense>,
        kept: &Kept<F>,
        grads: &[Option<Tensor>],
        params: &[Vec<i64>],
    ) -> Result<Gradients>
    where
        dyn AnyKernel: Typed<F>,
    {
        let on = (F::KIND, Device::Cpu);
        let is_dense = dense.is_some();
        let given = |grad: &Option<Tensor>| grad.as_ref().map(|grad| grad.to_kind(F::KIND).contiguous());
        // Not written out where it can be read as it is.
        let gys = grads[0].as_ref().map(|grad| grad.to_kind(F::KIND));
        let gys = gys.map(|grad| if Strided::<F>::can_be(&grad) { grad } else { grad.contiguous() });
        let leaf_shape = |width: usize| [self.batch as i64, width as i64];
        let gleaves: Vec<Tensor> = self
            .widths
            .iter()
            .zip(&grads[1..])
            .map(|(&width, grad)| given(grad).map_or_else(|| Tensor::zeros(leaf_shape(width), on), |grad| grad.copy()))
            .collect();
        let gtraces: Vec<Option<Tensor>> = grads[1 + self.widths.len()..].iter().map(given).collect();
        let wants_gxs = dense.is_some_and(|dense| dense.wants_gxs);
        let gxs = wants_gxs.then(|| room_for::<F>(&self.shape(self.sizes.n_in)));

        let dense: &[F] = dense.map_or(&[], |dense| host(&dense.xs));
        let stored = kept.stored.lock().unwrap_or_else(PoisonError::into_inner).take();
        let used_up = self.stores && stored.is_none();
        let stored = stored.or_else(|| used_up.then(|| self.room_to_store::<F>()));
        let stored = stored.as_ref().map(Blocks::<F>::of);
        let gys_in = gys.as_ref().map(Strided::<F>::of);
        let gtraces_in: Vec<Option<&[F]>> = gtraces.iter().map(|trace| trace.as_ref().map(host)).collect();
        let gleaves_out: Vec<_> = gleaves.iter().map(Blocks::<F>::of).collect();
        let gxs_out = gxs.as_ref().map(Blocks::<F>::of);
        let tiles_a_part = self.tiles_a_part();
        let room = || (self.room::<F>(true), Block::zeros(self.sizes.n_state * self.lanes));
        let parts = in_parallel(self.tiles().div_ceil(tiles_a_part), self.threads, room, |(room, gstate), part| {
            let mut gparams = vec![F::default(); self.sizes.n_params];
            let tiles = part * tiles_a_part..((part + 1) * tiles_a_part).min(self.tiles());
            for i in tiles {
                let (samples, kept) = (self.samples_of(i), &kept.tiles[i]);
                let mut states = kept.states.rchunks_exact((self.sizes.n_state * self.lanes).max(1));
                let events = kept.events.as_ref();
                if let Some(stored) = stored.as_ref().filter(|_| used_up) {
                    room.state.copy_from_slice(states.next().unwrap_or(&[]));
                    for (from, tile) in self.stretches(true) {
                        self.gather_input(dense, events, samples, from, tile, room);
                        self.forward_stretch(events, from, tile, room, Some(self.stored(stored, i, from, tile)));
                        vectorised(self.instructions, FlushTiny(&mut room.state));
                    }
                }
                self.gather_state(&gleaves_out, samples, gstate, Beyond::Zeros);
                for (from, tile) in self.stretches(true).rev() {
                    for (&leaf, gtrace) in self.traced.iter().zip(&gtraces_in) {
                        self.add_trace(*gtrace, leaf, samples, from, gstate);
                    }
                    let stored = stored.as_ref().map(|stored| self.stored(stored, i, from, tile));
                    if stored.is_none() || self.kernel::<F>().reads_inputs() {
                        self.gather_input(dense, events, samples, from, tile, room);
                    }
                    if stored.is_none() {
                        room.state.copy_from_slice(states.next().unwrap_or(&[]));
                        self.forward_stretch(events, from, tile, room, None);
                    }
                    self.gather_series(gys_in, samples, from, tile, self.sizes.n_out, &mut room.gys, Beyond::Zeros);
                    self.backward_stretch(events, from, tile, room, stored, gstate, &mut gparams, wants_gxs);
                    vectorised(self.instructions, FlushTiny(gstate));
                    if let Some(out) = &gxs_out {
                        self.scatter_series(&room.gxs, out, samples, from, tile, self.sizes.n_in);
                    }
                }
                self.scatter_state(gstate, &gleaves_out, samples);
            }
            gparams
        });
        let gparams = split(&sum_in_order(parts), params);
        let first = if is_dense { vec![gxs] } else { Vec::new() };
        Ok(first.into_iter().chain(gleaves.into_iter().chain(gparams).map(Some)).collect())
    }

    /// A stretch of the input into `room.xs`, unless there are events in its place.
    fn gather_input<F: Element>(
        &self,
        dense: &[F],
        events: Option<&TileEvents<F>>,
        samples: Samples,
        from: usize,
        tile: Tile,
        room: &mut Room<F>,
    ) {
        if events.is_none() {
            let dense = Strided::contiguous(dense, self.batch, self.sizes.n_in);
            self.gather_series(Some(dense), samples, from, tile, self.sizes.n_in, &mut room.xs, Beyond::Last);
        }
    }

    /// One stretch from `room.state`: the state after it, `room.ys`, and what is kept where it is stored, or else in
    /// `room.kept`.
    fn forward_stretch<F: Element>(
        &self,
        events: Option<&TileEvents<F>>,
        from: usize,
        tile: Tile,
        room: &mut Room<F>,
        stored: Option<&mut [F]>,
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let Sizes { n_in, n_out, n_work, .. } = self.sizes;
        let xs = input(events, &room.xs, from, tile, n_in);
        let (ys, kept) = (&mut room.ys[..n_out * tile.len()], stored.unwrap_or(&mut room.kept));
        let (kept, work) = (&mut kept[..self.kept::<F>(tile.steps)], &mut room.work[..n_work * tile.len()]);
        self.kernel().forward(tile, xs, &mut room.state, ys, kept, work);
    }

    #[allow(clippy::too_many_arguments)]
    fn backward_stretch<F: Element>(
        &self,
        events: Option<&TileEvents<F>>,
        from: usize,
        tile: Tile,
        room: &mut Room<F>,
        stored: Option<&mut [F]>,
        gstate: &mut [F],
        gparams: &mut [F],
        wants_gxs: bool,
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let Sizes { n_in, n_out, n_work, .. } = self.sizes;
        let gxs = if wants_gxs { &mut room.gxs[..n_in * tile.len()] } else { &mut [] };
        let grads = Grads { ys: &room.gys[..n_out * tile.len()], state: gstate, xs: gxs, params: gparams };
        let xs = input(events, &room.xs, from, tile, n_in);
        let kept = &mut stored.unwrap_or(&mut room.kept)[..self.kept::<F>(tile.steps)];
        self.kernel().backward(tile, xs, kept, &mut room.work[..n_work * tile.len()], grads);
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

    /// A leaf of the state is a series of one step.
    fn one_step(&self) -> Tile {
        Tile { steps: 1, lanes: self.lanes, keep: false, instructions: self.instructions }
    }

    fn gather_state<F: Element>(
        &self,
        leaves: &[Blocks<'_, F>],
        samples: Samples,
        mut state: &mut [F],
        beyond: Beyond,
    ) {
        for (leaf, &width) in leaves.iter().zip(&self.widths) {
            let (own, rest) = state.split_at_mut(width * self.lanes);
            // SAFETY: the rows of this tile's samples, which no other tile touches.
            let rows: &[F] = unsafe { leaf.part(samples.first * width, samples.count * width) };
            let rows = Strided::contiguous(rows, samples.count, width);
            self.gather_series(Some(rows), Samples { first: 0, ..samples }, 0, self.one_step(), width, own, beyond);
            state = rest;
        }
    }

    fn scatter_state<F: Element>(&self, mut state: &[F], leaves: &[Blocks<'_, F>], samples: Samples) {
        for (leaf, &width) in leaves.iter().zip(&self.widths) {
            let (own, rest) = state.split_at(width * self.lanes);
            self.scatter_series(own, leaf, samples, 0, self.one_step(), width);
            state = rest;
        }
    }

    /// What is asked of a recorded leaf after step `t` is asked of the state.
    fn add_trace<F: Element>(&self, gtrace: Option<&[F]>, leaf: usize, samples: Samples, t: usize, gstate: &mut [F]) {
        let Some(gtrace) = gtrace else { return };
        let width = self.widths[leaf];
        let own = &mut gstate[self.widths[..leaf].iter().sum::<usize>() * self.lanes..];
        for (l, sample) in self.row(gtrace, t, samples, width).chunks_exact(width).enumerate() {
            for (k, g) in sample.iter().enumerate() {
                own[k * self.lanes + l] += *g;
            }
        }
    }
}

/// What the kernel reads of a stretch.
fn input<'a, F: Element>(
    events: Option<&'a TileEvents<F>>,
    xs: &'a [F],
    from: usize,
    tile: Tile,
    n_in: usize,
) -> Input<'a, F> {
    match events {
        Some(events) => Input::Events(events.stretch(from, tile.steps)),
        None => Input::Dense(&xs[..n_in * tile.len()]),
    }
}

/// The sum in the order of the parts, whichever thread did them.
fn sum_in_order<F: Element>(parts: Vec<Vec<F>>) -> Vec<F> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_default();
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sum
}

/// Numbers one after the other as tensors of these shapes.
fn split<F: Element>(mut numbers: &[F], shapes: &[Vec<i64>]) -> Vec<Tensor> {
    let mut next = |shape: &Vec<i64>| {
        let (own, rest) = numbers.split_at(shape.iter().product::<i64>() as usize);
        numbers = rest;
        Tensor::from_slice(own).reshape(shape)
    };
    shapes.iter().map(&mut next).collect()
}
