//! The two passes over all tiles.

use std::sync::{Mutex, PoisonError};

use bd_kernel::{AnyKernel, Block, TileEvents, Typed, flush};
use tch::{Device, Tensor};

use super::{Dense, Kept, KeptTile, Plan};
use crate::autograd::Gradients;
use crate::error::Result;
use crate::fused::Element;
use crate::fused::driver::memory::{Beyond, Blocks, Strided, host, uninitialised};
use crate::fused::driver::parts::GradientParts;
use crate::fused::driver::{Outcome, Room};
use crate::spikes::Spikes;
use crate::threads::in_parallel;

impl Plan {
    /// Room for outputs and records.
    pub(in crate::fused::driver) fn room<F: Element>(&self) -> Room {
        Room { ys: uninitialised::<F>(&self.shape(self.n_out)), traces: self.room_of_traces::<F>() }
    }

    /// Room for records.
    pub(in crate::fused::driver) fn room_of_traces<F: Element>(&self) -> Vec<Tensor> {
        self.traced.iter().map(|&leaf| uninitialised::<F>(&self.shape(self.widths[leaf]))).collect()
    }

    /// Room for what is asked of the input.
    pub(in crate::fused::driver) fn input_room<F: Element>(&self) -> Tensor {
        uninitialised::<F>(&self.shape(self.sizes.n_in))
    }

    /// Outputs, last state and records, and what the backward pass needs of each tile (nothing unless `record`).
    pub(in crate::fused::driver) fn forward<F: Element>(
        &self,
        dense: Option<&Dense>,
        spikes: Option<&Spikes>,
        leaves: &[Tensor],
        record: bool,
        room: Room,
    ) -> (Outcome, Kept<F>)
    where
        dyn AnyKernel: Typed<F>,
    {
        if let Some(dense) = dense.filter(|_| !record && self.goes_one_by_one::<F>()) {
            return (self.forward_of_each(dense, leaves, room), Kept { tiles: Vec::new(), stored: Mutex::new(None) });
        }
        let Room { ys, traces } = room;
        let last: Vec<Tensor> = leaves.iter().map(|leaf| leaf.detach().contiguous().copy()).collect();
        let (ys_out, last_out) = (Blocks::<F>::of(&ys), last.iter().map(Blocks::of).collect::<Vec<_>>());
        let traces_out: Vec<Blocks<F>> = traces.iter().map(Blocks::of).collect();
        let wants_gxs = dense.is_some_and(|dense| dense.wants_gxs);
        let dense: &[F] = dense.map_or(&[], |dense| host(&dense.xs));
        let stored = self.stores.then(|| self.storage::<F>());
        let stored_out = stored.as_ref().map(Blocks::<F>::of);
        let workspace = || self.workspace::<F>(false);
        let tiles = in_parallel(self.tiles(), self.threads, workspace, |workspace, i| {
            let samples = self.samples_of(i);
            let events = match spikes {
                Some(spikes) => Some(self.events_of_spikes(spikes, samples)),
                None if wants_gxs || !self.takes_events => None,
                None => {
                    TileEvents::of_dense(self.time, self.sizes.n_in, |t| self.row(dense, t, samples, self.sizes.n_in))
                }
            };
            let mut states = Vec::with_capacity(if record { self.states_kept() * workspace.state.len() } else { 0 });
            self.gather_state(&last_out, samples, &mut workspace.state, Beyond::Last);
            for (from, tile) in self.stretches(self.stores, samples) {
                if record && (from == 0 || !self.stores) {
                    states.extend_from_slice(&workspace.state);
                }
                self.gather_input(dense, events.as_ref(), samples, from, tile, workspace);
                let stored = stored_out.as_ref().map(|stored| self.stored(stored, i, from, tile));
                self.forward_stretch(events.as_ref(), from, tile, workspace, stored);
                flush(self.instructions, &mut workspace.state);
                self.scatter_series(&workspace.ys, &ys_out, samples, from, tile, self.n_out);
                for ((&leaf, channels), trace) in self.traced.iter().zip(self.recorded()).zip(&traces_out) {
                    let block = match self.kernel_records {
                        true => &workspace.ys[tile.channels(channels)],
                        false => &workspace.state[self.widths[..leaf].iter().sum::<usize>() * self.lanes..],
                    };
                    self.scatter_series(block, trace, samples, from, tile, self.widths[leaf]);
                }
            }
            self.scatter_state(&workspace.state, &last_out, samples);
            KeptTile { events: events.filter(|_| record), states }
        });
        (Outcome { ys, last, traces }, Kept { tiles, stored: Mutex::new(stored) })
    }

    /// Gradients of the input, into `gxs` where that is wanted, of the leaves of the first state, and of the parameters.
    pub(in crate::fused::driver) fn backward<F: Element>(
        &self,
        dense: Option<&Dense>,
        kept: &Kept<F>,
        grads: &[Option<Tensor>],
        params: &[Vec<i64>],
        gxs: Option<Tensor>,
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
        let wants_gxs = gxs.is_some();

        let dense: &[F] = dense.map_or(&[], |dense| host(&dense.xs));
        let stored = kept.stored.lock().unwrap_or_else(PoisonError::into_inner).take();
        let used_up = self.stores && stored.is_none();
        let stored = stored.or_else(|| used_up.then(|| self.storage::<F>()));
        let stored = stored.as_ref().map(Blocks::<F>::of);
        let gys_in = gys.as_ref().map(Strided::<F>::of);
        let gtraces_in: Vec<Option<&[F]>> = gtraces.iter().map(|trace| trace.as_ref().map(host)).collect();
        let gleaves_out: Vec<_> = gleaves.iter().map(Blocks::<F>::of).collect();
        let gxs_out = gxs.as_ref().map(Blocks::<F>::of);
        let summed = self.parts();
        let workspace = || (self.workspace::<F>(true), Block::zeros(self.sizes.n_state * self.lanes));
        let parts = in_parallel(summed.count(), self.threads, workspace, |(workspace, gstate), part| {
            let mut gparams = vec![F::default(); self.sizes.n_params];
            for i in summed.tiles(part) {
                let (samples, kept) = (self.samples_of(i), &kept.tiles[i]);
                let mut states = kept.states.rchunks_exact((self.sizes.n_state * self.lanes).max(1));
                let events = kept.events.as_ref();
                if let Some(stored) = stored.as_ref().filter(|_| used_up) {
                    workspace.state.copy_from_slice(states.next().unwrap_or(&[]));
                    for (from, tile) in self.stretches(true, samples) {
                        self.gather_input(dense, events, samples, from, tile, workspace);
                        self.forward_stretch(events, from, tile, workspace, Some(self.stored(stored, i, from, tile)));
                        flush(self.instructions, &mut workspace.state);
                    }
                }
                self.gather_state(&gleaves_out, samples, gstate, Beyond::Zeros);
                for (from, tile) in self.stretches(true, samples).rev() {
                    for ((&leaf, channels), gtrace) in self.traced.iter().zip(self.recorded()).zip(&gtraces_in) {
                        if self.kernel_records {
                            let (n, block) = (self.widths[leaf], &mut workspace.gys[tile.channels(channels)]);
                            let gtrace = gtrace.map(|gtrace| Strided::contiguous(gtrace, self.batch, n));
                            self.gather_series(gtrace, samples, from, tile, n, block, Beyond::Zeros);
                        } else {
                            self.add_trace(*gtrace, leaf, samples, from, gstate);
                        }
                    }
                    let stored = stored.as_ref().map(|stored| self.stored(stored, i, from, tile));
                    if stored.is_none() || self.kernel::<F>().reads_inputs() {
                        self.gather_input(dense, events, samples, from, tile, workspace);
                    }
                    if stored.is_none() {
                        workspace.state.copy_from_slice(states.next().unwrap_or(&[]));
                        self.forward_stretch(events, from, tile, workspace, None);
                    }
                    self.gather_series(
                        gys_in,
                        samples,
                        from,
                        tile,
                        self.n_out,
                        &mut workspace.gys[tile.channels(0..self.n_out)],
                        Beyond::Zeros,
                    );
                    self.backward_stretch(events, from, tile, workspace, stored, gstate, &mut gparams, wants_gxs);
                    flush(self.instructions, gstate);
                    if let Some(out) = &gxs_out {
                        self.scatter_series(&workspace.gxs, out, samples, from, tile, self.sizes.n_in);
                    }
                }
                self.scatter_state(gstate, &gleaves_out, samples);
            }
            gparams
        });
        let gparams = GradientParts(parts).sum_in_order(params);
        let first = if is_dense { vec![gxs] } else { Vec::new() };
        Ok(first.into_iter().chain(gleaves.into_iter().chain(gparams).map(Some)).collect())
    }
}
