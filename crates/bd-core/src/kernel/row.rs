//! [`RowOfKernels`]: a row of kernels is a kernel.

use std::sync::Arc;

use super::{AnyKernel, Grads, Input, Kernel, Real, Sizes, Tile, Typed};

/// Kernels in a row, each fed by the one before. A stretch goes through all of them before the next one begins, so that
/// what one writes is still in the cache when the next one reads it.
///
/// `work`: for each kernel its own, then its outputs unless it is the last; at the end two blocks for gradients in
/// between.
#[derive(Debug)]
pub struct RowOfKernels {
    parts: Vec<(Arc<dyn AnyKernel>, Sizes)>,
}

impl RowOfKernels {
    /// The kernels in order, at least one.
    pub fn new(parts: Vec<Arc<dyn AnyKernel>>) -> Self {
        assert!(!parts.is_empty(), "a row of kernels needs one");
        let with_sizes = |part: Arc<dyn AnyKernel>| {
            let sizes = Kernel::<f32>::sizes(part.as_ref());
            (part, sizes)
        };
        Self { parts: parts.into_iter().map(with_sizes).collect() }
    }

    /// Outputs of the `i`th kernel that are kept in `work`.
    fn n_between(&self, i: usize) -> usize {
        if i + 1 == self.parts.len() { 0 } else { self.parts[i].1.n_out }
    }

    fn widest(&self) -> usize {
        (0..self.parts.len()).map(|i| self.n_between(i)).max().unwrap_or(0)
    }
}

impl AnyKernel for RowOfKernels {}

impl<F: Real> Kernel<F> for RowOfKernels
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let sum = |of: fn(&Sizes) -> usize| self.parts.iter().map(|(_, sizes)| of(sizes)).sum::<usize>();
        let between: usize = (0..self.parts.len()).map(|i| self.n_between(i)).sum();
        Sizes {
            n_in: self.parts[0].1.n_in,
            n_out: self.parts[self.parts.len() - 1].1.n_out,
            n_state: sum(|sizes| sizes.n_state),
            n_work: sum(|sizes| sizes.n_work) + between + 2 * self.widest(),
            n_params: sum(|sizes| sizes.n_params),
        }
    }

    fn takes_events(&self) -> bool {
        self.parts[0].0.typed().takes_events()
    }

    /// One that had better be stored is worth storing all.
    fn stores_work(&self) -> bool {
        self.parts.iter().any(|(part, _)| part.typed().stores_work())
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, mut state: &mut [F], ys: &mut [F], mut work: &mut [F]) {
        let mut xs = xs;
        let mut ys = Some(ys);
        for (i, (part, sizes)) in self.parts.iter().enumerate() {
            let (own_state, rest) = state.split_at_mut(tile.lanes * sizes.n_state);
            state = rest;
            let (own_work, rest) = work.split_at_mut(tile.len() * sizes.n_work);
            let (between, rest) = rest.split_at_mut(tile.len() * self.n_between(i));
            work = rest;
            if i + 1 == self.parts.len() {
                part.typed().forward(tile, xs, own_state, ys.take().expect("only the last writes there"), own_work);
            } else {
                part.typed().forward(tile, xs, own_state, between, own_work);
                xs = Input::Dense(between);
            }
        }
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        let Grads { ys, state: mut gstate, xs: gxs, params: mut gparams } = grads;
        let (mut work, room) = work.split_at_mut(work.len() - 2 * tile.len() * self.widest());
        let (mut one, mut other) = room.split_at_mut(tile.len() * self.widest());
        let mut gxs = Some(gxs);
        for (i, (part, sizes)) in self.parts.iter().enumerate().rev() {
            // The blocks end with those of the last kernel.
            let (before, own_work) = work.split_at_mut(work.len() - tile.len() * (sizes.n_work + self.n_between(i)));
            let (before_state, own_gstate) = gstate.split_at_mut(gstate.len() - tile.lanes * sizes.n_state);
            let (before_params, own_gparams) = gparams.split_at_mut(gparams.len() - sizes.n_params);
            let own_work = &mut own_work[..tile.len() * sizes.n_work];
            let own_ys = if i + 1 == self.parts.len() { ys } else { &other[..tile.len() * sizes.n_out] };
            if i == 0 {
                let own_gxs = gxs.take().expect("only the first writes there");
                let grads = Grads { ys: own_ys, state: own_gstate, xs: own_gxs, params: own_gparams };
                part.typed().backward(tile, xs, own_work, grads);
            } else {
                let len = tile.len() * sizes.n_in;
                let own_xs = Input::Dense(&before[before.len() - len..]);
                let grads = Grads { ys: own_ys, state: own_gstate, xs: &mut one[..len], params: own_gparams };
                part.typed().backward(tile, own_xs, own_work, grads);
            }
            (work, gstate, gparams) = (before, before_state, before_params);
            (one, other) = (other, one);
        }
    }
}
