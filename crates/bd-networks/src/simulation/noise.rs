//! [`Noise`]: spikes of unseen neurons.

use std::ops::Range;

use bd_kernel::rng::philox4x32_of_8;
use bd_kernel::{Cpu, Instructions, Loops, Real, Rng, portable, vectorised};

use crate::network::Background;

use super::Timing;
use super::port::{CHUNK, Port};

/// The background of one target of some neurons. The count of a step and neuron is a function of seed, name, step and neuron.
#[derive(Debug)]
pub(crate) struct Noise<F> {
    pub(crate) target: usize,
    counts: Counts,
    weight: F,
    key: [u32; 2],
}

impl<F: Real> Noise<F> {
    pub(crate) fn new(background: &Background, seed: u64) -> Self {
        Self {
            target: background.target,
            counts: Counts::new(background.per_step),
            weight: F::of(background.weight),
            key: Rng::new(seed, &background.name).key(),
        }
    }

    /// Adds the spikes of steps `at..at + steps` to the numbers of their slice.
    pub(crate) fn add(
        &self,
        instructions: Instructions,
        timing: Timing,
        at: u64,
        steps: usize,
        range: &Range<usize>,
        port: &mut Port<F>,
    ) {
        let Port::Ring { numbers, chunks, .. } = port else { unreachable!("a background feeds a ring") };
        let (slice, first_step) = timing.split(at);
        for chunk in 0..*chunks {
            let begin = ((slice * *chunks + chunk) * timing.slice + first_step) * CHUNK;
            let numbers = &mut numbers[begin..begin + steps * CHUNK];
            let chunk = (range.start / CHUNK + chunk) as u32;
            vectorised(instructions, AddCounts { noise: self, at, chunk, numbers });
        }
    }
}

/// Adds the spikes of a chunk of neurons, `[step][neuron]`, from step `at` on.
struct AddCounts<'a, F> {
    noise: &'a Noise<F>,
    at: u64,
    /// The number of the chunk in its population.
    chunk: u32,
    numbers: &'a mut [F],
}

impl<F: Real> Loops for AddCounts<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Noise { counts, weight, key, .. } = self.noise;
        for (step, numbers) in (self.at..).zip(self.numbers.as_chunks_mut::<CHUNK>().0) {
            let words = philox4x32_of_8([step as u32, (step >> 32) as u32, self.chunk * 8, 0], *key);
            for (numbers, words) in numbers.as_chunks_mut::<8>().0.iter_mut().zip(words) {
                let mut found = [0u32; 8];
                for bound in &counts.cumulative {
                    for i in 0..8 {
                        found[i] += u32::from(words[i] >= *bound);
                    }
                }
                for i in 0..8 {
                    numbers[i] += F::of(f64::from(found[i])) * *weight;
                }
            }
        }
    }
}

/// Counts of a Poisson distribution: as many as there are bounds that 32 random bits reach.
#[derive(Debug, Clone)]
struct Counts {
    /// Of counts 0, 1, ...: the probability of no more, in units of 2^-32.
    cumulative: Vec<u32>,
}

impl Counts {
    /// Of this mean.
    fn new(mean: f64) -> Self {
        let (mut probability, mut sum, mut count) = (portable::exp(-mean), 0.0, 0.0);
        let mut cumulative = Vec::new();
        loop {
            sum += probability;
            let scaled = sum * 4_294_967_296.0;
            if scaled >= 4_294_967_295.5 || count > mean + 1000.0 {
                return Self { cumulative };
            }
            cumulative.push(scaled as u32);
            count += 1.0;
            probability *= mean / count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of the distribution against those of the counts, at the middle of each of 2^16 parts.
    #[test]
    fn counts_have_their_probabilities() {
        for mean in [0.02, 1.28, 30.0] {
            let counts = Counts::new(mean);
            let drawn: Vec<u32> = (0..1u32 << 16)
                .map(|k| {
                    let bits = (k << 16) + (1 << 15);
                    counts.cumulative.iter().filter(|bound| bits >= **bound).count() as u32
                })
                .collect();
            let mut probability = f64::exp(-mean);
            for count in 0..80 {
                let share = drawn.iter().filter(|drawn| **drawn == count).count() as f64 / drawn.len() as f64;
                assert!((share - probability).abs() < 2e-5, "{mean}, {count}: {share} and not {probability}");
                probability *= mean / f64::from(count + 1);
            }
        }
    }

    /// The same by single words: the count of neuron `8 w + i` of a chunk is that of word `w` of counter `i`.
    #[test]
    fn counts_are_those_of_their_words() {
        let counts = Counts::new(1.3);
        let noise = Noise { target: 0, counts: counts.clone(), weight: 0.5, key: [3, 4] };
        let mut numbers = vec![1.0; 3 * CHUNK];
        vectorised(Instructions::best(), AddCounts { noise: &noise, at: 7, chunk: 5, numbers: &mut numbers });
        for (t, numbers) in numbers.chunks(CHUNK).enumerate() {
            for (neuron, number) in numbers.iter().enumerate() {
                let words = bd_kernel::rng::philox4x32([7 + t as u32, 0, 40 + (neuron % 8) as u32, 0], [3, 4]);
                let count = counts.cumulative.iter().filter(|bound| words[neuron / 8] >= **bound).count();
                assert_eq!(*number, 1.0 + 0.5 * count as f64);
            }
        }
    }
}
