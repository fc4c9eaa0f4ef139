//! [`Noise`]: numbers of spikes at random, each a function of a key, a step, a sample and a unit.

use crate::rng::{philox4x32, philox4x32_of_8};
use crate::{Cpu, LANES, Loops, Real, Tile, portable, vectorised};

/// How often something happens in a step: as many times as there are bounds that 32 random bits reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Of counts 0, 1, ...: the probability of no more, in units of 2^-32.
    cumulative: Vec<u32>,
}

/// Bits that one word has: probabilities are multiples of the inverse.
const WORDS: f64 = 4_294_967_296.0;

impl Counts {
    /// A Poisson distribution of this mean.
    pub fn poisson(mean: f64) -> Self {
        let (mut probability, mut sum, mut count) = (portable::exp(-mean), 0.0, 0.0);
        let mut cumulative = Vec::new();
        loop {
            sum += probability;
            let scaled = sum * WORDS;
            if scaled >= WORDS - 0.5 || count > mean + 1000.0 {
                return Self { cumulative };
            }
            cumulative.push(scaled as u32);
            count += 1.0;
            probability *= mean / count;
        }
    }

    /// Once with this probability, and else not at all.
    pub fn once(probability: f64) -> Self {
        let bound = ((1.0 - probability) * WORDS).round();
        Self { cumulative: if bound < WORDS { vec![bound as u32] } else { Vec::new() } }
    }

    /// The count of a random word.
    #[inline(always)]
    pub fn of(&self, word: u32) -> u32 {
        self.of_each([word])[0]
    }

    /// The counts of some words, to be inlined into [loops](Loops).
    #[inline(always)]
    pub fn of_each<const N: usize>(&self, words: [u32; N]) -> [u32; N] {
        let mut found = [0; N];
        for bound in &self.cumulative {
            for i in 0..N {
                found[i] += u32::from(words[i] >= *bound);
            }
        }
        found
    }
}

/// Spikes of unseen units, to each unit and sample of a batch their own: independent of all else, and the same in however many tiles and
/// stretches a scan is cut up.
#[derive(Debug, Clone)]
pub struct Noise {
    /// How many there are in a step.
    pub counts: Counts,
    /// What one of them adds.
    pub weight: f64,
    /// Of the random numbers.
    pub key: u64,
    /// The number of the scan's first step.
    pub first_step: usize,
    /// The number of the batch's first sample.
    pub first_sample: usize,
}

/// Units whose words are of one counter.
const UNITS: usize = 4;

impl Noise {
    /// What is added in one step to so many units of so many samples, from the first one of the batch on: `[sample][unit]`.
    pub fn of_step(&self, samples: usize, units: usize) -> Vec<f64> {
        self.of_steps(1, samples, units)
    }

    /// What is added in so many steps: `[step][sample][unit]`.
    pub fn of_steps(&self, steps: usize, samples: usize, units: usize) -> Vec<f64> {
        let mut all = Vec::with_capacity(steps * samples * units);
        for at in 0..steps * samples {
            let (step, sample) = (self.first_step + at / samples, self.first_sample + at % samples);
            for block in 0..units.div_ceil(UNITS) {
                let words = philox4x32(self.counter(step, sample, block), self.halves());
                let own = words.into_iter().take(units - block * UNITS);
                all.extend(own.map(|word| f64::from(self.counts.of(word)) * self.weight));
            }
        }
        all
    }

    /// Adds to numbers `[unit][step][lane]` of a tile.
    pub fn add<F: Real>(&self, tile: Tile, numbers: &mut [F]) {
        vectorised(tile.instructions, AddNoise { noise: self, tile, numbers });
    }

    fn halves(&self) -> [u32; 2] {
        [self.key as u32, (self.key >> 32) as u32]
    }

    #[inline(always)]
    fn counter(&self, step: usize, sample: usize, block: usize) -> [u32; 4] {
        [step as u32, ((step as u64) >> 32) as u32, sample as u32, block as u32]
    }
}

struct AddNoise<'a, F> {
    noise: &'a Noise,
    tile: Tile,
    numbers: &'a mut [F],
}

impl<F: Real> Loops for AddNoise<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { noise, tile, numbers } = self;
        let (key, weight) = (noise.halves(), F::of(noise.weight));
        for (block, numbers) in numbers.chunks_mut(UNITS * tile.len()).enumerate() {
            for t in 0..tile.steps {
                for lane in (0..tile.lanes).step_by(LANES) {
                    let counter = noise.counter(
                        noise.first_step + tile.first_step + t,
                        noise.first_sample + tile.first_sample + lane,
                        block,
                    );
                    let words = philox4x32_of_8(counter, key);
                    for (unit, words) in numbers.chunks_exact_mut(tile.len()).zip(words) {
                        let own = &mut unit[t * tile.lanes + lane..][..LANES];
                        for (number, count) in own.iter_mut().zip(noise.counts.of_each(words)) {
                            *number += F::of(f64::from(count)) * weight;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instructions;

    /// Probabilities of the distribution against those of the counts, at the middle of each of 2^16 parts.
    #[test]
    fn counts_have_their_probabilities() {
        let words = (0..1u32 << 16).map(|k| (k << 16) + (1 << 15));
        for mean in [0.02, 1.28, 30.0] {
            let counts = Counts::poisson(mean);
            let drawn: Vec<u32> = words.clone().map(|word| counts.of(word)).collect();
            let mut probability = f64::exp(-mean);
            for count in 0..80 {
                let share = drawn.iter().filter(|drawn| **drawn == count).count() as f64 / drawn.len() as f64;
                assert!((share - probability).abs() < 2e-5, "{mean}, {count}: {share} and not {probability}");
                probability *= mean / f64::from(count + 1);
            }
        }
        for probability in [0.0, 0.015, 0.75, 1.0] {
            let counts = Counts::once(probability);
            let share = words.clone().map(|word| f64::from(counts.of(word))).sum::<f64>() / 65_536.0;
            assert!((share - probability).abs() < 2e-5, "{share} and not {probability}");
            assert!(words.clone().chain([0, u32::MAX]).all(|word| counts.of(word) <= 1));
        }
        assert_eq!([Counts::once(0.0).of(u32::MAX), Counts::once(1.0).of(0)], [0, 1]);
    }

    /// Tiles of any steps and samples have the numbers of single steps.
    #[test]
    fn tiles_have_the_numbers_of_their_steps() {
        let (samples, units) = (24, 7);
        let noise = Noise {
            counts: Counts::poisson(1.3),
            weight: 0.5,
            key: 0x0123_4567_89ab_cdef,
            first_step: 5,
            first_sample: 3,
        };
        for instructions in
            [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
        {
            for (from, steps, first, lanes) in [(0, 4, 0, 24), (2, 3, 8, 8), (9, 1, 8, 16)] {
                let tile = Tile { steps, lanes, keep: false, instructions, first_step: from, first_sample: first };
                let mut numbers = vec![1.0; units * tile.len()];
                noise.add(tile, &mut numbers);
                for t in 0..steps {
                    let expected =
                        Noise { first_step: noise.first_step + from + t, ..noise.clone() }.of_step(samples, units);
                    for (unit, lane) in (0..units).flat_map(|unit| (0..lanes).map(move |lane| (unit, lane))) {
                        let found = numbers[unit * tile.len() + t * lanes + lane];
                        assert_eq!(found, 1.0 + expected[(first + lane) * units + unit]);
                    }
                }
            }
        }
        let of_step = |t: usize| Noise { first_step: noise.first_step + t, ..noise.clone() }.of_step(samples, units);
        assert_eq!(noise.of_steps(3, samples, units), (0..3).flat_map(of_step).collect::<Vec<_>>());
        let all = noise.of_step(1000, units);
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        // The deviation of the mean is 0.5 sqrt(1.3 / 7000) = 0.007.
        assert!((mean - 0.65).abs() < 0.03, "{mean}");
    }
}
