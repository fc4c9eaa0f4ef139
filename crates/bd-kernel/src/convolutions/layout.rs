//! Which convolutions there are: kernels, dilations, channels, the steps that count.

use std::ops::Range;

/// Weights of a kernel.
pub(super) const SPAN: usize = 9;
/// Ways to choose three of nine places.
pub const KERNELS: usize = 84;
/// Dilations at most.
const MOST_DILATIONS: usize = 32;
/// Channels that a convolution adds up, at most.
pub(super) const MOST_CHANNELS: usize = 9;

/// Where the weights of each kernel are 2, in lexicographic order.
pub(super) const PLACES: [[usize; 3]; KERNELS] = places();

const fn places() -> [[usize; 3]; KERNELS] {
    let mut all = [[0; 3]; KERNELS];
    let (mut count, mut a) = (0, 0);
    while a < SPAN {
        let mut b = a + 1;
        while b < SPAN {
            let mut c = b + 1;
            while c < SPAN {
                all[count] = [a, b, c];
                count += 1;
                c += 1;
            }
            b += 1;
        }
        a += 1;
    }
    all
}

/// All kernels with one dilation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dilation {
    /// Steps between two places of a kernel.
    pub(super) steps: usize,
    /// Of each kernel.
    pub(super) thresholds: usize,
    /// Of each kernel those that it adds up.
    pub(super) channels: Vec<Vec<usize>>,
}

/// Dilations in steps and how many thresholds each kernel has with them: in all `thresholds`, at least 1.
///
/// They are rounded powers of 2 with evenly spaced exponents, from 1 to what lets a kernel span the sequence. Where several of them
/// round to one, that has the thresholds of all.
pub(super) fn dilations(steps: usize, thresholds: usize) -> Vec<(usize, usize)> {
    let thresholds = thresholds.max(1);
    let count = thresholds.min(MOST_DILATIONS);
    let most = ((steps.max(SPAN) - 1) as f64 / (SPAN - 1) as f64).log2();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for i in 0..count {
        let exponent = if count > 1 { most * i as f64 / (count - 1) as f64 } else { 0.0 };
        // Round-off must not make 7.999.. of 2^3.
        let dilation = (exponent.exp2() + 1e-9).floor() as usize;
        match found.last_mut().filter(|(last, _)| *last == dilation) {
            Some((_, number)) => *number += thresholds / count,
            None => found.push((dilation, thresholds / count)),
        }
    }
    // The rest goes round, the shortest dilation first.
    let different = found.len();
    (0..thresholds % count).for_each(|i| found[i % different].1 += 1);
    found
}

/// Channels in an order that is drawn anew when all have been given: with many channels and few convolutions each is still seen.
pub(super) struct Deck {
    channels: usize,
    left: Vec<usize>,
}

impl Deck {
    /// Of `channels` channels, at least 1.
    pub(super) fn new(channels: usize) -> Self {
        Self { channels, left: Vec::new() }
    }

    /// Between 1 and [`MOST_CHANNELS`] different channels, rising. Their number is a power of 2 with an exponent that is drawn evenly,
    /// rounded down.
    pub(super) fn draw(&mut self, uniform: &mut impl FnMut() -> f64) -> Vec<usize> {
        let most = self.channels.min(MOST_CHANNELS);
        let count = ((uniform() * (most as f64 + 1.0).log2()).exp2().floor() as usize).clamp(1, most);
        let mut drawn: Vec<usize> = Vec::new();
        while drawn.len() < count {
            if self.left.is_empty() {
                self.left = (0..self.channels).filter(|channel| !drawn.contains(channel)).collect();
            }
            let place = (uniform() * self.left.len() as f64) as usize;
            drawn.push(self.left.swap_remove(place.min(self.left.len() - 1)));
        }
        drawn.sort_unstable();
        drawn
    }
}

/// Which steps of a convolution count, by the number of its pair of kernel and dilation.
#[inline(always)]
pub(super) fn counted(steps: usize, dilation: usize, number: usize) -> Range<usize> {
    let edge = SPAN / 2 * dilation;
    if number.is_multiple_of(2) || steps <= 2 * edge { 0..steps } else { edge..steps - edge }
}

/// A quantile of rising numbers, linear between two of them.
pub(super) fn quantile(rising: &[f32], quantile: f64) -> f32 {
    let place = quantile * (rising.len() - 1) as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(rising.len() - 1);
    let [below, above] = [below, above].map(|at| f64::from(rising[at]));
    (below + (above - below) * share) as f32
}
