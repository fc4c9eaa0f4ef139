//! [`Convolutions`]: random convolutions of a sequence, and the share of its steps at which each is above a threshold.
//!
//! MiniRocket: Dempster, Schmidt, Webb: "MiniRocket: a very fast (almost) deterministic transform for time series classification",
//! KDD 2021. A kernel has nine weights, 2 at three places and -1 at the other six, so that a constant sequence gives zero: there are
//! 84. With dilation `d` and a sequence `x` that is zero outside of its steps,
//!
//! ```text
//! c(t) = sum over channels of  3 (x(t + d (p1 - 4)) + x(t + d (p2 - 4)) + x(t + d (p3 - 4))) - sum over j = -4..4 of x(t + d j)
//! feature = share of the steps t with c(t) > threshold
//! ```
//!
//! Dilations are powers of 2 between 1 and a reach of the whole sequence. Every second pair of kernel and dilation counts only the
//! steps at which all nine places lie in the sequence, if there are any.

mod layout;
#[cfg(test)]
mod tests;

use self::layout::Dilation;
pub use self::layout::KERNELS;
use self::layout::{MOST_CHANNELS, PLACES, SPAN};
use crate::{Cpu, Instructions, Loops, vectorised};

/// Numbers of a row of [`Convolutions::rows`].
pub const ROW: usize = 2 + KERNELS * MOST_CHANNELS;

/// A sequence: `[channel][step]`.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    values: &'a [f32],
    steps: usize,
}

impl<'a> Sequence<'a> {
    /// Of `steps` steps, those of one channel after those of the other. Panics if they are no whole channels, or none.
    pub fn new(values: &'a [f32], steps: usize) -> Self {
        assert!(
            steps > 0 && !values.is_empty() && values.len().is_multiple_of(steps),
            "whole channels of {steps} steps"
        );
        Self { values, steps }
    }

    fn channel(self, channel: usize) -> &'a [f32] {
        &self.values[channel * self.steps..][..self.steps]
    }
}

/// Which convolutions there are, and which channels each of them adds up. What they are compared with, the thresholds, is drawn from
/// data by [`thresholds`](Self::thresholds).
#[derive(Debug, Clone, PartialEq)]
pub struct Convolutions {
    channels: usize,
    dilations: Vec<Dilation>,
}

/// Memory that is used again from sequence to sequence.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Of each channel, with zeros on both sides.
    padded: Vec<f32>,
    /// Of each channel the sum over all nine places.
    totals: Vec<f32>,
    /// A convolution, `[step]`.
    convolved: Vec<f32>,
}

impl Convolutions {
    /// About `features` of them, at least [`KERNELS`] and a multiple of that, for sequences of up to `steps` steps and `channels`
    /// channels. `uniform` draws from `[0, 1)` which channels a convolution adds up: between 1 and 9 of them, few more often than many.
    pub fn new(steps: usize, channels: usize, features: usize, mut uniform: impl FnMut() -> f64) -> Self {
        let mut deck = layout::Deck::new(channels);
        let dilations = layout::dilations(steps, features / KERNELS)
            .into_iter()
            .map(|(steps, thresholds)| Dilation {
                steps,
                thresholds,
                channels: (0..KERNELS).map(|_| deck.draw(&mut uniform)).collect(),
            })
            .collect();
        Self { channels, dilations }
    }

    /// As numbers that can be saved: of each dilation its steps, its thresholds, and of each kernel its channels with -1 behind them,
    /// [`ROW`] in all.
    pub fn rows(&self) -> Vec<[i64; ROW]> {
        let row = |dilation: &Dilation| {
            let mut row = [-1; ROW];
            (row[0], row[1]) = (dilation.steps as i64, dilation.thresholds as i64);
            for (channels, place) in dilation.channels.iter().zip(row[2..].chunks_exact_mut(MOST_CHANNELS)) {
                channels.iter().zip(place).for_each(|(channel, place)| *place = *channel as i64);
            }
            row
        };
        self.dilations.iter().map(row).collect()
    }

    /// Those of [`rows`](Self::rows), for `channels` channels; `None` if they are of no such convolutions.
    pub fn of_rows(channels: usize, rows: &[[i64; ROW]]) -> Option<Self> {
        let dilation = |row: &[i64; ROW]| {
            let of_kernel = |place: &[i64]| {
                let known: Option<Vec<usize>> = place
                    .iter()
                    .filter(|channel| **channel != -1)
                    .map(|channel| usize::try_from(*channel).ok())
                    .collect();
                known.filter(|known| !known.is_empty() && known.iter().all(|channel| *channel < channels))
            };
            let all: Option<Vec<_>> = row[2..].chunks_exact(MOST_CHANNELS).map(of_kernel).collect();
            let [steps, thresholds] = [row[0], row[1]].map(|number| usize::try_from(number).ok().filter(|n| *n > 0));
            Some(Dilation { steps: steps?, thresholds: thresholds?, channels: all? })
        };
        let dilations: Option<Vec<Dilation>> = rows.iter().map(dilation).collect();
        dilations.map(|dilations| Self { channels, dilations })
    }

    /// How many features there are.
    pub fn n_features(&self) -> usize {
        self.dilations.iter().map(|dilation| dilation.thresholds * KERNELS).sum()
    }

    /// Thresholds, one for each feature: quantiles of the convolution of a sequence that `pick` gives, `[channel][step]`, another one
    /// for each pair of kernel and dilation. Which quantiles are taken follows the golden ratio, so that they are spread evenly.
    pub fn thresholds<'a>(&self, mut pick: impl FnMut() -> Sequence<'a>) -> Vec<f32> {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let mut scratch = Scratch::default();
        let mut thresholds = Vec::with_capacity(self.n_features());
        for dilation in &self.dilations {
            for kernel in 0..KERNELS {
                let sequence = pick();
                scratch.prepare(sequence, dilation.steps, &dilation.channels[kernel]);
                scratch.convolve(sequence.steps, dilation, kernel);
                scratch.convolved.sort_unstable_by(f32::total_cmp);
                for _ in 0..dilation.thresholds {
                    let quantile = ((thresholds.len() + 1) as f64 * GOLDEN).fract();
                    thresholds.push(layout::quantile(&scratch.convolved, quantile));
                }
            }
        }
        thresholds
    }

    /// The features of a sequence into `out`, which has a place for each, as the thresholds have.
    pub fn features(&self, sequence: Sequence<'_>, thresholds: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        assert_eq!(sequence.values.len(), self.channels * sequence.steps, "the channels of the sequence");
        assert_eq!((thresholds.len(), out.len()), (self.n_features(), self.n_features()), "a place for each feature");
        vectorised(Instructions::best(), Features { convolutions: self, sequence, thresholds, out, scratch });
    }
}

impl Scratch {
    /// Pads some channels of a sequence for a dilation, and adds up the nine places.
    #[inline(always)]
    fn prepare(&mut self, sequence: Sequence<'_>, dilation: usize, channels: &[usize]) {
        let (steps, count) = (sequence.steps, sequence.values.len() / sequence.steps);
        let wide = steps + (SPAN - 1) * dilation;
        self.padded.resize(count * wide, 0.0);
        self.totals.resize(count * steps, 0.0);
        for &channel in channels {
            let padded = &mut self.padded[channel * wide..][..wide];
            padded.fill(0.0);
            padded[SPAN / 2 * dilation..][..steps].copy_from_slice(sequence.channel(channel));
            let total = &mut self.totals[channel * steps..][..steps];
            total.fill(0.0);
            for place in 0..SPAN {
                let shifted = &padded[place * dilation..][..steps];
                total.iter_mut().zip(shifted).for_each(|(total, x)| *total += x);
            }
        }
    }

    /// The convolution by a kernel of what is prepared.
    #[inline(always)]
    fn convolve(&mut self, steps: usize, dilation: &Dilation, kernel: usize) {
        let wide = steps + (SPAN - 1) * dilation.steps;
        self.convolved.clear();
        self.convolved.resize(steps, 0.0);
        for &channel in &dilation.channels[kernel] {
            let padded = &self.padded[channel * wide..][..wide];
            let [a, b, c] = PLACES[kernel].map(|place| &padded[place * dilation.steps..][..steps]);
            let total = &self.totals[channel * steps..][..steps];
            let (convolved, a, b, c) = (&mut self.convolved[..steps], &a[..steps], &b[..steps], &c[..steps]);
            for t in 0..steps {
                convolved[t] += 3.0 * (a[t] + b[t] + c[t]) - total[t];
            }
        }
    }
}

/// All features of a sequence.
struct Features<'a> {
    convolutions: &'a Convolutions,
    sequence: Sequence<'a>,
    thresholds: &'a [f32],
    out: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl Loops for Features<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { convolutions, sequence, thresholds, out, scratch } = self;
        let steps = sequence.steps;
        let all: Vec<usize> = (0..convolutions.channels).collect();
        let mut at = 0;
        for (number, dilation) in convolutions.dilations.iter().enumerate() {
            scratch.prepare(sequence, dilation.steps, &all);
            for kernel in 0..KERNELS {
                scratch.convolve(steps, dilation, kernel);
                let counted = &scratch.convolved[layout::counted(steps, dilation.steps, number + kernel)];
                for _ in 0..dilation.thresholds {
                    let threshold = thresholds[at];
                    let above: u32 = counted.iter().map(|&c| u32::from(c > threshold)).sum();
                    out[at] = above as f32 / counted.len() as f32;
                    at += 1;
                }
            }
        }
    }
}
