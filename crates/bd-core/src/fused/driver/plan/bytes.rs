//! What a plan takes of memory when it is carried out.

use bd_kernel::{AnyKernel, Event, TileEvents, Typed};

use super::Plan;
use crate::fused::Element;
use crate::fused::driver::bytes::{COPIES, ScanBytes, ScanOf};

impl Plan {
    /// All of it, in bytes.
    pub(in crate::fused::driver) fn bytes<F: Element>(&self, scan: &ScanOf, takes_events: bool) -> ScanBytes
    where
        dyn AnyKernel: Typed<F>,
    {
        let (sizes, tiles) = (self.sizes, self.tiles());
        let numbers = |n: usize| n * size_of::<F>();
        let if_recorded = |bytes: usize| if scan.record { bytes } else { 0 };
        let series = |n: usize| numbers(n * self.time * self.batch);
        let (n_in, n_out) = (sizes.n_in, sizes.n_out);
        let state = numbers(sizes.n_state * self.batch);
        let wants_gxs = scan.record && scan.wants_input_gradient;

        let list = |events: usize| events * size_of::<Event<F>>() + (self.time + 1) * size_of::<u32>() * tiles;
        let events = match scan.spikes {
            Some(spikes) => list(spikes),
            None if wants_gxs || !takes_events => 0,
            None => list(TileEvents::<F>::most_of_dense(n_in * self.time * self.batch)),
        };

        let parts = self.parts().count();
        let jobs = if scan.record { parts } else { tiles };
        let threads = self.threads.min(jobs).max(1);
        let passes = if scan.record { 2 } else { 1 };
        let kept = if self.stores { 0 } else { self.kept::<F>(self.stretch) };
        let a_step = passes * (n_in + n_out) + sizes.n_work + sizes.n_work / 2;
        let workspace = (a_step * self.stretch + passes * sizes.n_state) * self.lanes + kept;

        ScanBytes {
            outputs_bytes: series(n_out),
            output_gradients_bytes: if_recorded(series(n_out)),
            states_bytes: 2 * state + if_recorded(state),
            input_gradient_bytes: if wants_gxs { series(n_in) } else { 0 },
            events_bytes: events,
            kept_states_bytes: if_recorded(numbers(self.states_kept() * sizes.n_state * self.lanes * tiles)),
            stored_bytes: if self.stores { numbers(self.kept_of_tile::<F>() * tiles) } else { 0 },
            workspaces_bytes: numbers(workspace) * threads,
            partial_sums_bytes: if_recorded(numbers(parts * sizes.n_params)),
            parameter_copies_bytes: numbers(COPIES * sizes.n_params),
            parameter_gradients_bytes: if_recorded(numbers(sizes.n_params)),
        }
    }
}
