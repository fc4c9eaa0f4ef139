//! Stretches of series in and out of tiles: `[time, batch, n]` there, `[channel, step, lane]` here.

use bd_kernel::{Cpu, Loops, Tile, vectorised};

use super::{Plan, Samples};
use crate::fused::Element;
use crate::fused::driver::memory::{Beyond, Blocks, Strided, gather, scatter};

impl Plan {
    /// A stretch of a series into a block; zeros where there is no series.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn gather_series<F: Element>(
        &self,
        series: Option<Strided<'_, F>>,
        samples: Samples,
        from: usize,
        tile: Tile,
        n: usize,
        block: &mut [F],
        beyond: Beyond,
    ) {
        let Some(series) = series else { return block.fill(F::default()) };
        vectorised(self.instructions, GatherSeries { series, samples, from, tile, n, block, beyond });
    }

    pub(super) fn scatter_series<F: Element>(
        &self,
        block: &[F],
        out: &Blocks<'_, F>,
        samples: Samples,
        from: usize,
        tile: Tile,
        n: usize,
    ) {
        vectorised(self.instructions, ScatterSeries { plan: self, block, out, samples, from, tile, n });
    }
}

struct GatherSeries<'a, F> {
    series: Strided<'a, F>,
    samples: Samples,
    from: usize,
    tile: Tile,
    n: usize,
    block: &'a mut [F],
    beyond: Beyond,
}

impl<F: Element> Loops for GatherSeries<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { series, samples, from, tile, n, block, beyond } = self;
        for t in 0..tile.steps {
            let rows = series.rows(from + t, samples.first, samples.count);
            gather::<C, F>(rows, [samples.count, n], block, t * tile.lanes, tile.len(), tile.lanes, beyond);
        }
    }
}

struct ScatterSeries<'a, F> {
    plan: &'a Plan,
    block: &'a [F],
    out: &'a Blocks<'a, F>,
    samples: Samples,
    from: usize,
    tile: Tile,
    n: usize,
}

impl<F: Element> Loops for ScatterSeries<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { plan, block, out, samples, from, tile, n } = self;
        for t in 0..tile.steps {
            let at = ((from + t) * plan.batch + samples.first) * n;
            // Steps lie a batch apart, further than a processor looks by itself: without this, it waits for the memory that it writes to.
            out.prefetch(at + plan.batch * n, samples.count * n);
            // SAFETY: the rows of this tile's samples, which no other tile touches.
            let row = unsafe { out.part(at, samples.count * n) };
            scatter::<C, F>(block, t * tile.lanes, tile.len(), row, n);
        }
    }
}
