//! [`RowOfKernels`]: a row of kernels is a kernel.

use std::sync::Arc;

use super::driver::Typed;
use super::{AnyKernel, Kernel, Real, Rows, Sizes, Tile};

/// Kernels in a row, each fed by the one before. A tile goes through all of them before the next one begins, so that what
/// one writes is still in the cache when the next one reads it.
#[derive(Debug)]
pub struct RowOfKernels {
    parts: Vec<Arc<dyn AnyKernel>>,
}

/// One kernel's share of the row's blocks: of `saved` (what it saves, then its outputs unless it is the last), of state and
/// of parameters.
struct Share {
    sizes: Sizes,
    n_outputs_saved: usize,
}

impl RowOfKernels {
    /// The kernels in order, at least one.
    pub fn new(parts: Vec<Arc<dyn AnyKernel>>) -> Self {
        assert!(!parts.is_empty(), "a row of kernels needs one");
        Self { parts }
    }

    fn shares(&self) -> Vec<Share> {
        let last = self.parts.len() - 1;
        let share = |(i, part): (usize, &Arc<dyn AnyKernel>)| {
            let sizes = Kernel::<f32>::sizes(part.as_ref());
            Share { sizes, n_outputs_saved: if i == last { 0 } else { sizes.n_out } }
        };
        self.parts.iter().enumerate().map(share).collect()
    }
}

impl<F: Real> Kernel<F> for RowOfKernels
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let shares = self.shares();
        let sum = |of: fn(&Share) -> usize| shares.iter().map(of).sum();
        Sizes {
            n_in: shares[0].sizes.n_in,
            n_out: shares[shares.len() - 1].sizes.n_out,
            n_state: sum(|share| share.sizes.n_state),
            n_saved: sum(|share| share.sizes.n_saved + share.n_outputs_saved),
            n_params: sum(|share| share.sizes.n_params),
        }
    }

    fn forward(&self, tile: Tile, xs: Rows<'_, F>, mut state: &mut [F], ys: &mut [F], mut saved: &mut [F]) {
        let mut xs = xs;
        let mut ys = Some(ys);
        for (part, share) in self.parts.iter().zip(self.shares()) {
            let (own_state, rest) = state.split_at_mut(tile.batch * share.sizes.n_state);
            state = rest;
            let (own_saved, rest) = saved.split_at_mut(tile.len(share.sizes.n_saved));
            let (between, rest) = rest.split_at_mut(tile.len(share.n_outputs_saved));
            saved = rest;
            if share.n_outputs_saved == 0 {
                part.typed().forward(tile, xs, own_state, ys.take().expect("only the last writes there"), own_saved);
            } else {
                part.typed().forward(tile, xs, own_state, between, own_saved);
                let width = tile.batch * share.sizes.n_out;
                xs = Rows::new(between, width, width);
            }
        }
    }

    fn backward(
        &self,
        tile: Tile,
        xs: Rows<'_, F>,
        mut saved: &[F],
        gys: &[F],
        mut gstate: &mut [F],
        gxs: &mut [F],
        mut gparams: &mut [F],
    ) {
        let mut gys_between = Vec::new();
        let mut gxs = Some(gxs);
        let shares = self.shares();
        for (i, (part, share)) in self.parts.iter().zip(&shares).enumerate().rev() {
            let Sizes { n_in, n_state, n_saved, n_params, .. } = share.sizes;
            // The blocks end with those of the last kernel.
            let (before, own_saved) = saved.split_at(saved.len() - tile.len(n_saved + share.n_outputs_saved));
            saved = before;
            let (before, own_gstate) = gstate.split_at_mut(gstate.len() - tile.batch * n_state);
            gstate = before;
            let (before, own_gparams) = gparams.split_at_mut(gparams.len() - n_params);
            gparams = before;
            let gys = if i + 1 == shares.len() { gys } else { &gys_between };
            let own_saved = &own_saved[..tile.len(n_saved)];
            if i == 0 {
                let gxs = gxs.take().expect("only the first writes there");
                part.typed().backward(tile, xs, own_saved, gys, own_gstate, gxs, own_gparams);
            } else {
                let width = tile.batch * n_in;
                let xs = Rows::new(&saved[saved.len() - tile.len(n_in)..], width, width);
                let mut own_gxs = vec![F::default(); tile.len(n_in)];
                part.typed().backward(tile, xs, own_saved, gys, own_gstate, &mut own_gxs, own_gparams);
                gys_between = own_gxs;
            }
        }
    }
}
