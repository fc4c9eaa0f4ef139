//! The forward pass over series that are so few that each is calculated alone.

use bd_kernel::{AnyKernel, Block, OneSeries, Rows, RowsMut, Stretch, Typed, flush};
use tch::Tensor;

use super::{Dense, Plan};
use crate::fused::Element;
use crate::fused::driver::memory::{Blocks, host};
use crate::fused::driver::{Outcome, Room};
use crate::threads::in_parallel;

/// Series up to this number are calculated one by one: beside each other they take as long as eight, of which a sparse product of 1,000
/// units takes as long as 3.4 (of density 0.1) to 4.2 (of 0.005) with one series each.
const FEW: usize = 3;

const STRETCH: usize = Stretch::OF_ONE_SERIES;

impl Plan {
    /// Whether [`forward_of_each`](Self::forward_of_each) is to be used, of numbers and without a graph.
    pub(super) fn goes_one_by_one<F: Element>(&self) -> bool
    where
        dyn AnyKernel: Typed<F>,
    {
        self.batch <= FEW && self.traced.is_empty() && self.kernel::<F>().takes_one_series()
    }

    /// Outputs and last state, series by series, which threads share.
    pub(super) fn forward_of_each<F: Element>(&self, dense: &Dense, leaves: &[Tensor], room: Room) -> Outcome
    where
        dyn AnyKernel: Typed<F>,
    {
        let (n_in, n_out, batch) = (self.sizes.n_in, self.sizes.n_out, self.batch);
        let Room { ys, .. } = room;
        let last: Vec<Tensor> = leaves.iter().map(|leaf| leaf.detach().contiguous().copy()).collect();
        let (ys_out, last_out) = (Blocks::<F>::of(&ys), last.iter().map(Blocks::of).collect::<Vec<_>>());
        let xs: &[F] = host(&dense.xs);
        let workspace = || Block::zeros(STRETCH * n_out);
        in_parallel(batch, self.threads, workspace, |outputs: &mut Block<F>, sample| {
            // SAFETY: rows of this sample, which no other thread touches.
            let rows = || last_out.iter().zip(&self.widths).map(|(leaf, &n)| unsafe { leaf.part(sample * n, n) });
            let mut state: Vec<F> = rows().flat_map(|row| row.iter().copied()).collect();
            for from in (0..self.time).step_by(STRETCH) {
                let steps = STRETCH.min(self.time - from);
                let (xs, ys) = (&xs[(from * batch + sample) * n_in..], &mut outputs[..steps * n_out]);
                self.kernel().forward_of_one(OneSeries {
                    instructions: self.instructions,
                    steps,
                    xs: Rows { numbers: xs, stride: batch * n_in },
                    state: &mut state,
                    ys: RowsMut { numbers: ys, stride: n_out },
                });
                flush(self.instructions, &mut state);
                for (t, row) in outputs.chunks_exact(n_out).take(steps).enumerate() {
                    let at = ((from + t) * batch + sample) * n_out;
                    // SAFETY: as above.
                    unsafe { ys_out.part(at, n_out) }.copy_from_slice(row);
                }
            }
            let mut state = state.as_slice();
            for row in rows() {
                let (own, rest) = state.split_at(row.len());
                row.copy_from_slice(own);
                state = rest;
            }
        });
        Outcome { ys, last, traces: Vec::new() }
    }
}
