//! How the kernels of cells lay out their work: one block a step, `[channel, lane]` within it, so that what is done to
//! each number of a step is one loop. Inputs and outputs are `[channel, step, lane]`.

use std::ops::Range;

use crate::{Cpu, LANES, Loops, Real, RowsMut, Series, Tile, add_outer_product, add_totals, vectorised};

/// Sizes of the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Numbers of a step and sample.
    pub(crate) block: usize,
    pub(crate) tile: Tile,
}

impl Layout {
    /// First columns of the steps in a series, with the place of their blocks in the work.
    pub(crate) fn steps(self) -> impl DoubleEndedIterator<Item = (usize, Range<usize>)> {
        let (lanes, block) = (self.tile.lanes, self.block * self.tile.lanes);
        (0..self.tile.steps).map(move |t| (t * lanes, t * block..(t + 1) * block))
    }

    /// Channels of the blocks, over all steps.
    fn series<F>(self, work: &[F], channels: Range<usize>) -> Series<'_, F> {
        let lanes = self.tile.lanes;
        Series {
            numbers: &work[channels.start * lanes..],
            channels: channels.len(),
            stride: lanes,
            steps: self.tile.steps,
            step_stride: self.block * lanes,
            lanes,
        }
    }

    /// Adds the products of channels `xs` and `ys`, summed over the stretch, to the gradient of a weight.
    pub(crate) fn add_products<F: Real>(self, work: &[F], xs: Range<usize>, ys: Range<usize>, gweight: RowsMut<'_, F>) {
        add_outer_product(self.tile.instructions, self.series(work, xs), self.series(work, ys), gweight);
    }

    /// Adds the sums of channels over the stretch to the gradient of a bias.
    pub(crate) fn add_totals<F: Real>(self, work: &[F], channels: Range<usize>, gbias: &mut [F]) {
        add_totals(self.tile.instructions, self.series(work, channels), gbias);
    }
}

/// The samples of one step out of series, channel after channel.
#[inline(always)]
pub(crate) fn read_step<F: Real>(series: &[F], tile: Tile, at: usize, to: &mut [F]) {
    for (k, to) in to.chunks_exact_mut(tile.lanes).enumerate() {
        let from = &series[k * tile.len() + at..][..tile.lanes];
        to.as_chunks_mut::<LANES>().0.iter_mut().zip(from.as_chunks::<LANES>().0).for_each(|(to, from)| *to = *from);
    }
}

/// The other way round.
#[inline(always)]
pub(crate) fn write_step<F: Real>(from: &[F], tile: Tile, at: usize, series: &mut [F]) {
    for (k, from) in from.chunks_exact(tile.lanes).enumerate() {
        let to = &mut series[k * tile.len() + at..][..tile.lanes];
        to.as_chunks_mut::<LANES>().0.iter_mut().zip(from.as_chunks::<LANES>().0).for_each(|(to, from)| *to = *from);
    }
}

/// Adds the samples of one step of series to others, channel after channel.
#[inline(always)]
pub(crate) fn add_step<F: Real>(series: &[F], tile: Tile, at: usize, to: &mut [F]) {
    for (k, to) in to.chunks_exact_mut(tile.lanes).enumerate() {
        let from = &series[k * tile.len() + at..][..tile.lanes];
        for (to, from) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(from.as_chunks::<LANES>().0) {
            for l in 0..LANES {
                to[l] += from[l];
            }
        }
    }
}

/// What is done with one step of series, by the processor's longest vectors.
#[derive(Debug)]
pub(crate) enum OfStep<'a, F> {
    /// [`read_step`].
    Read(&'a [F], &'a mut [F]),
    /// [`write_step`].
    Write(&'a [F], &'a mut [F]),
    /// [`add_step`].
    Add(&'a [F], &'a mut [F]),
}

impl<F: Real> OfStep<'_, F> {
    /// Does it, at the step that begins at `at`.
    pub(crate) fn at(self, tile: Tile, at: usize) {
        vectorised(tile.instructions, At { what: self, tile, at });
    }
}

struct At<'a, F> {
    what: OfStep<'a, F>,
    tile: Tile,
    at: usize,
}

impl<F: Real> Loops for At<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { what, tile, at } = self;
        match what {
            OfStep::Read(series, to) => read_step(series, tile, at, to),
            OfStep::Write(from, series) => write_step(from, tile, at, series),
            OfStep::Add(series, to) => add_step(series, tile, at, to),
        }
    }
}
