//! [`Events`]: the numbers of a tile's input that are not zero.

use super::Real;

/// One spike of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spike {
    /// In which step.
    pub step: u32,
    /// In which channel.
    pub channel: u32,
}

/// A number that is not zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<F> {
    /// Which sample of the tile.
    pub lane: u32,
    /// Which channel.
    pub channel: u32,
    /// The number; 1 for a spike.
    pub value: F,
}

/// Events of a stretch of steps.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a, F> {
    starts: &'a [u32],
    all: &'a [Event<F>],
}

impl<'a, F> Events<'a, F> {
    /// Those of step `t` of the stretch.
    #[inline(always)]
    pub fn at(&self, t: usize) -> &'a [Event<F>] {
        &self.all[self.starts[t] as usize..self.starts[t + 1] as usize]
    }
}

/// Events of a tile over all steps.
#[derive(Debug)]
pub struct TileEvents<F> {
    starts: Vec<u32>,
    all: Vec<Event<F>>,
}

impl<F: Real> TileEvents<F> {
    /// From the spikes of each lane, by counting those of each step.
    pub fn of_spikes<'a>(steps: usize, lanes: impl Iterator<Item = &'a [Spike]> + Clone) -> Self {
        let mut starts = vec![0u32; steps + 1];
        lanes.clone().flatten().for_each(|spike| starts[spike.step as usize + 1] += 1);
        (0..steps).for_each(|t| starts[t + 1] += starts[t]);
        let mut all = vec![Event { lane: 0, channel: 0, value: F::of(1.0) }; starts[steps] as usize];
        let mut next = starts.clone();
        for (lane, spikes) in lanes.enumerate() {
            for spike in spikes {
                let at = &mut next[spike.step as usize];
                (all[*at as usize].lane, all[*at as usize].channel) = (lane as u32, spike.channel);
                *at += 1;
            }
        }
        Self { starts, all }
    }

    /// From dense rows, `rows(t)` being `[lane, n]`; `None` if more than one number in eight is not zero, for then events are no
    /// gain.
    pub fn of_dense<'a>(steps: usize, n: usize, rows: impl Fn(usize) -> &'a [F]) -> Option<Self> {
        let (mut starts, mut all) = (Vec::with_capacity(steps + 1), Vec::new());
        starts.push(0);
        let mut seen = 0;
        for t in 0..steps {
            let row = rows(t);
            for (lane, x) in row.chunks_exact(n).enumerate() {
                push_nonzero(lane, x, &mut all);
            }
            seen += row.len();
            if all.len() * WORTH > seen.max(MIN_LOOK) {
                return None;
            }
            starts.push(u32::try_from(all.len()).ok()?);
        }
        Some(Self { starts, all })
    }

    /// The most events that [`of_dense`](Self::of_dense) lists of so many numbers.
    pub fn most_of_dense(numbers: usize) -> usize {
        (numbers / WORTH).max(MIN_LOOK)
    }

    /// Those of a stretch.
    pub fn stretch(&self, from: usize, steps: usize) -> Events<'_, F> {
        Events { starts: &self.starts[from..=from + steps], all: &self.all }
    }
}

/// One number in so many may be other than zero for events to be worth while.
const WORTH: usize = 8;
/// Numbers to have seen before a series is judged to be dense.
const MIN_LOOK: usize = 4096;

/// Appends what is not zero. Looking at a block is one comparison of vectors, so that passing over silence costs no more
/// than reading it.
#[inline(always)]
fn push_nonzero<F: Real>(lane: usize, x: &[F], all: &mut Vec<Event<F>>) {
    const BLOCK: usize = 16;
    for (i, block) in x.chunks(BLOCK).enumerate() {
        if block.iter().fold(false, |any, &x| any | (x != F::default())) {
            let nonzero = block.iter().enumerate().filter(|(_, x)| **x != F::default());
            let event = |(j, &value)| Event { lane: lane as u32, channel: (i * BLOCK + j) as u32, value };
            all.extend(nonzero.map(event));
        }
    }
}
