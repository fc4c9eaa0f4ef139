//! What is done with one stretch of one tile: its input and state, the kernel, and back.

use bd_kernel::{AnyKernel, Grads, Input, Sizes, Tile, TileEvents, Typed};

use super::{Plan, Samples, Workspace};
use crate::fused::Element;
use crate::fused::driver::memory::{Beyond, Blocks, Strided};

impl Plan {
    /// A stretch of the input into `room.xs`, unless the kernel reads events in its place.
    pub(super) fn gather_input<F: Element>(
        &self,
        dense: &[F],
        events: Option<&TileEvents<F>>,
        samples: Samples,
        from: usize,
        tile: Tile,
        workspace: &mut Workspace<F>,
    ) {
        let Some(events) = events else {
            let dense = Strided::contiguous(dense, self.batch, self.sizes.n_in);
            return self.gather_series(
                Some(dense),
                samples,
                from,
                tile,
                self.sizes.n_in,
                &mut workspace.xs,
                Beyond::Last,
            );
        };
        if !self.takes_events {
            write_out(events, from, tile, &mut workspace.xs[..self.sizes.n_in * tile.len()]);
        }
    }

    /// What the kernel reads of a stretch.
    fn input<'a, F: Element>(
        &self,
        events: Option<&'a TileEvents<F>>,
        xs: &'a [F],
        from: usize,
        tile: Tile,
    ) -> Input<'a, F> {
        match events {
            Some(events) if self.takes_events => Input::Events(events.stretch(from, tile.steps)),
            _ => Input::Dense(&xs[..self.sizes.n_in * tile.len()]),
        }
    }

    /// One stretch from `room.state`: the state after it, `room.ys`, and what is kept where it is stored, or else in
    /// `room.kept`.
    pub(super) fn forward_stretch<F: Element>(
        &self,
        events: Option<&TileEvents<F>>,
        from: usize,
        tile: Tile,
        workspace: &mut Workspace<F>,
        stored: Option<&mut [F]>,
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let Sizes { n_out, n_work, .. } = self.sizes;
        let xs = self.input(events, &workspace.xs, from, tile);
        let (ys, kept) = (&mut workspace.ys[..n_out * tile.len()], stored.unwrap_or(&mut workspace.kept));
        let (kept, work) = (&mut kept[..self.kept::<F>(tile.steps)], &mut workspace.work[..n_work * tile.len()]);
        self.kernel().forward(tile, xs, &mut workspace.state, ys, kept, work);
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn backward_stretch<F: Element>(
        &self,
        events: Option<&TileEvents<F>>,
        from: usize,
        tile: Tile,
        workspace: &mut Workspace<F>,
        stored: Option<&mut [F]>,
        gstate: &mut [F],
        gparams: &mut [F],
        wants_gxs: bool,
    ) where
        dyn AnyKernel: Typed<F>,
    {
        let Sizes { n_in, n_out, n_work, .. } = self.sizes;
        let gxs = if wants_gxs { &mut workspace.gxs[..n_in * tile.len()] } else { &mut [] };
        let grads = Grads { ys: &workspace.gys[..n_out * tile.len()], state: gstate, xs: gxs, params: gparams };
        let xs = self.input(events, &workspace.xs, from, tile);
        let kept = &mut stored.unwrap_or(&mut workspace.kept)[..self.kept::<F>(tile.steps)];
        self.kernel().backward(tile, xs, kept, &mut workspace.work[..n_work * tile.len()], grads);
    }

    /// A leaf of the state is a series of one step.
    fn one_step(&self) -> Tile {
        Tile {
            steps: 1,
            lanes: self.lanes,
            keep: false,
            instructions: self.instructions,
            first_step: 0,
            first_sample: 0,
        }
    }

    pub(super) fn gather_state<F: Element>(
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

    pub(super) fn scatter_state<F: Element>(&self, mut state: &[F], leaves: &[Blocks<'_, F>], samples: Samples) {
        for (leaf, &width) in leaves.iter().zip(&self.widths) {
            let (own, rest) = state.split_at(width * self.lanes);
            self.scatter_series(own, leaf, samples, 0, self.one_step(), width);
            state = rest;
        }
    }

    /// Adds the gradient of a recorded leaf after step `t` to that of the state.
    pub(super) fn add_trace<F: Element>(
        &self,
        gtrace: Option<&[F]>,
        leaf: usize,
        samples: Samples,
        t: usize,
        gstate: &mut [F],
    ) {
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

/// Events of a stretch as numbers `[n_in, steps, lanes]`. Lanes beyond the samples are zero.
fn write_out<F: Element>(events: &TileEvents<F>, from: usize, tile: Tile, xs: &mut [F]) {
    xs.fill(F::default());
    let events = events.stretch(from, tile.steps);
    for t in 0..tile.steps {
        for event in events.at(t) {
            xs[event.channel as usize * tile.len() + t * tile.lanes + event.lane as usize] += event.value;
        }
    }
}
