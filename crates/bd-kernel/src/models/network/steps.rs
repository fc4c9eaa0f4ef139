//! Where the numbers of steps and channels lie in blocks.

use std::ops::{Deref, Range};

use crate::Tile;

/// A stretch of time in slices of a few steps, the last one perhaps shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slices {
    /// Steps of a slice.
    slice: usize,
    /// The whole stretch.
    tile: Tile,
}

/// Where the numbers of a step begin, and how far its channels are apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    begin: usize,
    stride: usize,
}

impl Place {
    /// Where the numbers of a channel begin.
    #[inline(always)]
    pub(super) fn of(self, channel: usize) -> usize {
        self.begin + channel * self.stride
    }
}

impl Slices {
    pub(super) fn new(slice: usize, tile: Tile) -> Self {
        Self { slice: slice.min(tile.steps).max(1), tile }
    }

    /// Their steps.
    pub(super) fn all(self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let Self { slice, tile } = self;
        (0..tile.steps.div_ceil(slice)).map(move |i| i * slice..((i + 1) * slice).min(tile.steps))
    }

    /// Steps of the first, and of all but the last.
    pub(super) fn longest(self) -> usize {
        self.slice
    }

    /// Which of them this is.
    pub(super) fn number(self, steps: &Range<usize>) -> usize {
        steps.start / self.slice
    }

    /// The sum of what each has, by its number of steps.
    pub(super) fn sum(self, each: impl Fn(usize) -> usize) -> usize {
        let (whole, rest) = (self.tile.steps / self.slice, self.tile.steps % self.slice);
        whole * each(self.slice) + if rest > 0 { each(rest) } else { 0 }
    }

    /// A tile of one of them.
    pub(super) fn tile(self, steps: &Range<usize>) -> Tile {
        self.tile.part(steps.clone())
    }

    /// The numbers of some of `n` channels in a slice, in a block `[slice][channel, step, lane]`.
    pub(super) fn block(self, n: usize, steps: &Range<usize>, channels: Range<usize>) -> Range<usize> {
        let (begin, of_channel) = (steps.start * n * self.tile.lanes, steps.len() * self.tile.lanes);
        begin + channels.start * of_channel..begin + channels.end * of_channel
    }

    /// Of all steps in a block `[slice][channel, step, lane]` of `n` channels.
    pub(super) fn places(self, n: usize) -> Vec<Place> {
        let lanes = self.tile.lanes;
        let of_slice = move |steps: Range<usize>| {
            let (first, stride) = (steps.start, steps.len() * lanes);
            steps.map(move |t| Place { begin: first * n * lanes + (t - first) * lanes, stride })
        };
        self.all().flat_map(of_slice).collect()
    }
}

/// Of so many steps in a block `[channel, step, lane]`.
pub(super) fn by_channel(steps: usize, lanes: usize) -> Vec<Place> {
    (0..steps).map(|t| Place { begin: t * lanes, stride: steps * lanes }).collect()
}

/// Of so many steps in a block `[step, channel, lane]` of `n` channels.
pub(super) fn by_step(steps: usize, n: usize, lanes: usize) -> Vec<Place> {
    (0..steps).map(|t| Place { begin: t * n * lanes, stride: lanes }).collect()
}

/// Numbers of channels over some steps. Those of a step and channel lie side by side, one for each lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps<'a, N> {
    pub(super) numbers: N,
    /// The first step, counted from the beginning of the stretch.
    pub(super) first: isize,
    /// Of each step.
    pub(super) places: &'a [Place],
}

impl<F, N: Deref<Target = [F]>> Steps<'_, N> {
    /// The step of a number and where its numbers of a channel begin.
    #[inline(always)]
    pub(super) fn nth(&self, number: usize, channel: usize) -> (isize, usize) {
        (self.first + number as isize, self.places[number].of(channel))
    }
}

impl<N> Steps<'_, N> {
    /// The place of a step, if it is among these.
    #[inline(always)]
    pub(super) fn place(&self, step: isize) -> Option<Place> {
        // Of an earlier step the difference is a large number.
        self.places.get((step - self.first) as usize).copied()
    }
}

impl<F> Steps<'_, &mut [F]> {
    /// The same, borrowed.
    pub(super) fn again(&mut self) -> Steps<'_, &mut [F]> {
        Steps { numbers: &mut *self.numbers, first: self.first, places: self.places }
    }
}
