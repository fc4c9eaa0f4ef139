//! [`Lags`]: spikes in which the order of two channels tells the class, for networks that learn delays.
//!
//! Channels come in pairs. In each pair both channels spike once, the second one `lag_ms` after the first, at a time that is drawn anew for each
//! pair and sample. With label 0 the first is the even channel of each pair, with label 1 the odd one. So every channel has one spike in
//! every sample: what has no memory of `lag_ms` cannot tell the classes, and a neuron to which the channels of a pair come with delays
//! that differ by `lag_ms` sees them at once in one of the classes.

use bd_core::{Result, Rng, setting};

use super::LabelledEvents;
use super::events::labelled;

/// Settings of the data.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `channels` | 4 | even, 2 to 100,000 | | units, two of each pair |
/// | `lag_ms` | 12 | 1 to 1000 | ms | from the first spike of a pair to the second |
/// | `seed` | 0 | | | of the times of the pairs |
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // the table has them
pub struct Lags {
    pub channels: usize,
    pub lag_ms: f64,
    pub seed: u64,
}

impl Default for Lags {
    fn default() -> Self {
        Self { channels: 4, lag_ms: 12.0, seed: 0 }
    }
}

impl Lags {
    /// Classes.
    pub const CLASSES: usize = 2;
    /// Whole milliseconds in which the first spike of a pair may be.
    const FIRST_MS: usize = 40;

    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        let Self { channels, lag_ms, .. } = *self;
        let fits = (2..=100_000).contains(&channels) && channels.is_multiple_of(2);
        setting::check("lags.channels", channels, fits, "an even number from 2 to 100000")?;
        setting::check("lags.lag_ms", lag_ms, (1.0..=1000.0).contains(&lag_ms), "from 1 to 1000")
    }

    /// So many samples of a part, whose name tells its samples from those of other parts, with their labels, int64: as many of each
    /// class, or one more. The first samples of more are the same. Times are in seconds, in the middle of milliseconds where the lag is whole.
    pub fn draw(&self, part: &str, count: usize) -> Result<LabelledEvents> {
        self.check()?;
        setting::at_least(&format!("the number of samples of {part}"), count, 1)?;
        labelled(count, Self::CLASSES, |sample, label| {
            let mut rng = Rng::new(self.seed, &format!("lags {part} {sample}"));
            let mut spikes = Vec::with_capacity(self.channels);
            for pair in 0..self.channels / 2 {
                let first_ms = (rng.uniform() * Self::FIRST_MS as f64).floor() + 0.5;
                for (channel, time_ms) in [(label, first_ms), (1 - label, first_ms + self.lag_ms)] {
                    spikes.push(((time_ms / 1000.0) as f32, (2 * pair + channel) as i32));
                }
            }
            spikes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each pair the one is so much later than the other, in the order that the label says; other samples have other times.
    #[test]
    fn the_order_of_a_pair_is_the_label() {
        let lags = Lags { channels: 6, lag_ms: 7.0, seed: 3 };
        let (events, labels) = lags.draw("train", 40).unwrap();
        let mut firsts = Vec::new();
        for sample in 0..40 {
            let (times, units) = events.sample(sample).unwrap();
            let of = |unit: i64| times[units.iter().position(|known| *known == unit).unwrap()];
            assert_eq!(units.len(), 6);
            for pair in 0..3 {
                let sign = 1.0 - 2.0 * labels.int64_value(&[sample as i64]) as f64;
                assert!((sign * (of(2 * pair + 1) - of(2 * pair)) - 0.007).abs() < 1e-6);
            }
            firsts.push(times[0].to_bits());
        }
        firsts.dedup();
        assert!(firsts.len() > 30, "{} of 40 differ from the one before", firsts.len());
        let (few, _) = lags.draw("train", 3).unwrap();
        assert_eq!(few.sample(2).unwrap(), events.sample(2).unwrap());
        assert_ne!(lags.draw("test", 3).unwrap().0.sample(2).unwrap(), events.sample(2).unwrap());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (lags, words) in [
            (Lags { channels: 3, ..Lags::default() }, "lags.channels is 3; it must be an even number"),
            (Lags { lag_ms: 0.0, ..Lags::default() }, "lags.lag_ms is 0; it must be from 1 to 1000"),
        ] {
            let error = lags.draw("train", 4).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
