//! What kernels keep for the adjoint: how much of it there is, and where it is stored.

use bd_kernel::{AnyKernel, Tile, Typed};
use tch::Tensor;

use super::Plan;
use crate::fused::Element;
use crate::fused::driver::memory::{Blocks, uninitialised};

impl Plan {
    /// Numbers that the kernel keeps of so many steps of a tile.
    pub(super) fn kept<F: Element>(&self, steps: usize) -> usize
    where
        dyn AnyKernel: Typed<F>,
    {
        self.kernel::<F>().n_kept(steps) * self.lanes
    }

    /// Numbers that it keeps of one tile over all time.
    pub(super) fn kept_of_tile<F: Element>(&self) -> usize
    where
        dyn AnyKernel: Typed<F>,
    {
        self.time / self.stretch * self.kept::<F>(self.stretch) + self.kept::<F>(self.time % self.stretch)
    }

    /// States of each tile that are kept.
    pub(super) fn states_kept(&self) -> usize {
        if self.stores { 1 } else { self.time.div_ceil(self.stretch) }
    }

    /// Memory for what is kept of all tiles.
    pub(super) fn storage<F: Element>(&self) -> Tensor
    where
        dyn AnyKernel: Typed<F>,
    {
        uninitialised::<F>(&[(self.kept_of_tile::<F>() * self.tiles()) as i64])
    }

    /// Where what is kept of a stretch of the `i`th tile is stored.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn stored<'a, F: Element>(
        &self,
        stored: &'a Blocks<'_, F>,
        i: usize,
        from: usize,
        tile: Tile,
    ) -> &'a mut [F]
    where
        dyn AnyKernel: Typed<F>,
    {
        let at = i * self.kept_of_tile::<F>() + from / self.stretch * self.kept::<F>(self.stretch);
        // SAFETY: of this stretch of this tile, which only one thread has in its hands, and only here and for one pass.
        unsafe { stored.part(at, self.kept::<F>(tile.steps)) }
    }
}
