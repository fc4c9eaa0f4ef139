//! [`Digits`]: synthetic spoken digits, of the shape of the Spiking Heidelberg Digits, for trying networks without a download.
//!
//! Cramer, Stradmann, Schemmel and Zenke, "The Heidelberg spiking data sets" (2020), have 700 channels of a model of the inner ear,
//! 20 classes (ten digits in two languages) and about a second of spikes for each word. Here a word is a few ridges, like the
//! formants of speech: the channel of ridge `r` at time `t` since its beginning is
//!
//! ```text
//! c_r(t) = c0 + sweep t/d + bend sin(pi t/d),   0 <= t < d
//! ```
//!
//! and its spikes are a Poisson process around that, with an envelope `sin(pi t/d)` and a normal spread over channels. Classes
//! `2k` and `2k + 1` are the same ridges, the latter backwards in time: every channel spikes as often in both, so that a count of
//! spikes tells ten pairs apart, and only time tells the two of a pair.
//!
//! Each sample is drawn anew: stretched in time, each ridge louder or softer and moved by some channels, with noise in all
//! channels.

use std::f64::consts::PI;

use bd_core::{Result, Rng, portable, setting};

use super::LabelledEvents;
use super::events::labelled;

/// Settings of the data.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `classes` | 20 | 2 to 1000 | words |
/// | `channels` | 700 | 10 to 100,000 | units |
/// | `seed` | 0 | | of templates and samples |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the table has them
pub struct Digits {
    pub classes: usize,
    pub channels: usize,
    pub seed: u64,
}

impl Default for Digits {
    fn default() -> Self {
        Self { classes: 20, channels: 700, seed: 0 }
    }
}

/// Ridges of a word.
const RIDGES: usize = 5;
/// Seconds of a word before it is stretched.
const DURATION_S: f64 = 0.9;
/// A word is up to this part faster or slower.
const STRETCH: f64 = 0.1;
/// Spikes of a ridge, for 700 channels, and the part by which it is louder or softer.
const SPIKES: f64 = 550.0;
const LOUDNESS: f64 = 0.3;
/// Standard deviations over channels, as a fraction of all of them: of the spikes of a ridge, and of a ridge from sample to sample.
const SPREAD: f64 = 0.015;
const SHIFT: f64 = 0.01;
/// Standard deviation of the time of a spike.
const JITTER_S: f64 = 0.003;
/// Spikes of noise in each channel.
const NOISE_HZ: f64 = 1.0;

/// Times are fractions of the word, channels of all channels.
#[derive(Debug, Clone, Copy)]
struct Ridge {
    begin: f64,
    duration: f64,
    channel: f64,
    sweep: f64,
    bend: f64,
}

impl Ridge {
    /// The `i`-th of a word: they follow one another and overlap a little.
    fn draw(i: usize, rng: &mut Rng) -> Self {
        let mut between = |from: f64, to: f64| from + (to - from) * rng.uniform();
        let duration = between(0.2, 0.3);
        let begin = (i as f64 / RIDGES as f64 + between(-0.03, 0.03)).clamp(0.0, 1.0 - duration);
        let sweep = between(0.1, 0.3) * if between(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 };
        let channel = between(0.1 + (-sweep).max(0.0), 0.9 - sweep.max(0.0));
        Self { begin, duration, channel, sweep, bend: between(-0.05, 0.05) }
    }

    /// Time and channel at a fraction of the way through it.
    fn at(&self, way: f64) -> (f64, f64) {
        (self.begin + way * self.duration, self.channel + self.sweep * way + self.bend * portable::sin(PI * way))
    }
}

impl Digits {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        let Self { classes, channels, .. } = *self;
        for (name, value, least, most) in [("classes", classes, 2, 1000), ("channels", channels, 10, 100_000)] {
            let fits = (least..=most).contains(&value);
            setting::check(&format!("digits.{name}"), value, fits, &format!("from {least} to {most}"))?;
        }
        Ok(())
    }

    /// So many samples of a part, whose name tells its samples from those of other parts, with their labels, int64: as many of each
    /// class, or one more. The first samples of more are the same.
    pub fn draw(&self, part: &str, count: usize) -> Result<LabelledEvents> {
        self.check()?;
        setting::at_least(&format!("the number of samples of {part}"), count, 1)?;
        let templates: Vec<_> = (0..self.classes.div_ceil(2)).map(|pair| self.template(pair)).collect();
        labelled(count, self.classes, |sample, label| {
            let mut rng = Rng::new(self.seed, &format!("digits {part} {sample}"));
            self.word(&templates[label / 2], label % 2 == 1, &mut rng)
        })
    }

    fn template(&self, pair: usize) -> [Ridge; RIDGES] {
        let mut rng = Rng::new(self.seed, &format!("digits template {pair}"));
        std::array::from_fn(|i| Ridge::draw(i, &mut rng))
    }

    /// Times in seconds and units of the spikes of a sample, in no order.
    fn word(&self, ridges: &[Ridge], backwards: bool, rng: &mut Rng) -> Vec<(f32, i32)> {
        let channels = self.channels as f64;
        let length_s = DURATION_S * (1.0 + STRETCH * (2.0 * rng.uniform() - 1.0));
        let mut spikes = Vec::new();
        let mut add = |time_s: f64, channel: f64| {
            let unit = (channel * channels).floor();
            if (0.0..length_s).contains(&time_s) && (0.0..channels).contains(&unit) {
                spikes.push((time_s as f32, unit as i32));
            }
        };
        for ridge in ridges {
            let loudness = 1.0 + LOUDNESS * (2.0 * rng.uniform() - 1.0);
            let shift = SHIFT * rng.normal();
            for _ in 0..poisson(SPIKES * channels / 700.0 * loudness, rng) {
                // The distribution whose density is the envelope: the integral of sin is 1 - cos.
                let way = (1.0 - 2.0 * rng.uniform()).acos() / PI;
                let (time, channel) = ridge.at(way);
                let time = if backwards { 1.0 - time } else { time };
                add(time * length_s + JITTER_S * rng.normal(), channel + shift + SPREAD * rng.normal());
            }
        }
        for _ in 0..poisson(NOISE_HZ * channels * length_s, rng) {
            add(length_s * rng.uniform(), rng.uniform());
        }
        spikes
    }
}

/// A number with Poisson's distribution: as many as there are gaps, exponentially distributed with mean 1, below `mean`.
fn poisson(mean: f64, rng: &mut Rng) -> usize {
    let (mut at, mut count) = (0.0, 0);
    loop {
        at -= portable::ln(1.0 - rng.uniform());
        if at > mean {
            return count;
        }
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use bd_core::files::sha256_hex;
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_samples_and_more_begin_with_fewer() {
        let [few, more] = [3, 5].map(|count| Digits::default().draw("train", count).unwrap().0);
        for sample in 0..3 {
            assert_eq!(few.sample(sample).unwrap(), more.sample(sample).unwrap());
        }
        let first = |digits: Digits, part| digits.draw(part, 1).unwrap().0.sample(0).unwrap();
        let here = first(Digits::default(), "train");
        assert_ne!(here, first(Digits::default(), "test"));
        assert_ne!(here, first(Digits { seed: 1, ..Digits::default() }, "train"));
    }

    /// Recordings that were published with a seed stay what they were.
    #[test]
    fn a_seed_gives_the_same_bytes_everywhere() {
        let (events, _) = Digits::default().draw("train", 20).unwrap();
        let samples = (0..20).map(|sample| events.sample(sample).unwrap());
        let bytes: Vec<u8> = samples
            .flat_map(|(times, units)| times.into_iter().zip(units))
            .flat_map(|(time, unit)| [time.to_le_bytes(), unit.to_le_bytes()].concat())
            .collect();
        assert_eq!(sha256_hex(&bytes)[..16], *"911fe11c70ae2f2f");
    }

    #[test]
    fn shape_balance_order_and_density() {
        let (events, labels) = Digits::default().draw("train", 60).unwrap();
        assert_eq!((events.count(), labels.kind()), (60, Kind::Int64));
        assert_eq!(Vec::<i64>::try_from(labels.bincount::<Tensor>(None, 20)).unwrap(), [3; 20]);
        for sample in 0..60 {
            let (times, units) = events.sample(sample).unwrap();
            assert!(times.is_sorted() && times[0] >= 0.0 && times[times.len() - 1] < 0.99);
            assert!(units.iter().all(|unit| (0..700).contains(unit)));
        }
        // Of 700 channels in steps of 4 ms about 2 %.
        let binned = events.bin(4.0, [250, 700], (Kind::Float, Device::Cpu)).unwrap();
        let density = binned.spikes.count() as f64 / (60.0 * 250.0 * 700.0);
        assert!((0.015..0.025).contains(&density), "{density}");
        assert_eq!(binned.late, 0);
    }

    /// Over many samples every channel spikes as often in both classes of a pair, and in another pair it does not.
    #[test]
    fn a_pair_differs_in_time_only() {
        let digits = Digits { classes: 4, channels: 40, seed: 2 };
        let (events, _) = digits.draw("train", 1200).unwrap();
        let mut counts = vec![vec![0.0; 40]; 4];
        for sample in 0..1200 {
            events.sample(sample).unwrap().1.iter().for_each(|unit| counts[sample % 4][*unit as usize] += 1.0);
        }
        let furthest = |a: usize, b: usize| {
            let deviations =
                counts[a].iter().zip(&counts[b]).map(|(a, b): (&f64, &f64)| (a - b).abs() / (a + b).sqrt());
            deviations.fold(0.0, f64::max)
        };
        // Ridges that move make the variance some times Poisson's.
        assert!(furthest(0, 1) < 8.0 && furthest(2, 3) < 8.0, "{} {}", furthest(0, 1), furthest(2, 3));
        assert!(furthest(0, 2) > 30.0, "{}", furthest(0, 2));
    }

    #[test]
    fn counts_have_poissons_mean_and_variance() {
        let mut rng = Rng::new(0, "poisson");
        let counts: Vec<f64> = (0..20_000).map(|_| poisson(4.0, &mut rng) as f64).collect();
        let mean = counts.iter().sum::<f64>() / 20_000.0;
        let variance = counts.iter().map(|count| (count - 4.0).powi(2)).sum::<f64>() / 20_000.0;
        // Standard errors: sqrt(4 / n), and for the variance sqrt((4 + 2 16) / n).
        assert!((mean - 4.0).abs() < 5.0 * 0.0142 && (variance - 4.0).abs() < 5.0 * 0.0425, "{mean} {variance}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (digits, count, words) in [
            (Digits { classes: 1, ..Digits::default() }, 1, "digits.classes is 1; it must be from 2 to 1000"),
            (Digits { channels: 3, ..Digits::default() }, 1, "digits.channels is 3"),
            (Digits::default(), 0, "samples of train is 0;"),
        ] {
            let error = digits.draw("train", count).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
