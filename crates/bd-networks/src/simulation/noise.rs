//! [`Noise`]: spikes of unseen neurons.

use std::ops::Range;

use bd_kernel::rng::philox4x32_of_8;
use bd_kernel::{Counts, Cpu, Instructions, Loops, Real, Rng, vectorised};

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
            counts: Counts::poisson(background.per_step),
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
                for (number, count) in numbers.iter_mut().zip(counts.of_each(words)) {
                    *number += F::of(f64::from(count)) * *weight;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By single words: the count of neuron `8 w + i` of a chunk is that of word `w` of counter `i`.
    #[test]
    fn counts_are_those_of_their_words() {
        let counts = Counts::poisson(1.3);
        let noise = Noise { target: 0, counts: counts.clone(), weight: 0.5, key: [3, 4] };
        let mut numbers = vec![1.0; 3 * CHUNK];
        vectorised(Instructions::best(), AddCounts { noise: &noise, at: 7, chunk: 5, numbers: &mut numbers });
        for (t, numbers) in numbers.chunks(CHUNK).enumerate() {
            for (neuron, number) in numbers.iter().enumerate() {
                let words = bd_kernel::rng::philox4x32([7 + t as u32, 0, 40 + (neuron % 8) as u32, 0], [3, 4]);
                let count = counts.of(words[neuron / 8]);
                assert_eq!(*number, 1.0 + 0.5 * f64::from(count));
            }
        }
    }
}
