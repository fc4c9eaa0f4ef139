//! [`Port`]: what arrives at neurons, by step.

use std::ops::Range;

use bd_kernel::{Block, NeuronGroup, Real};

use super::Timing;

/// Neurons of a chunk.
pub(crate) const CHUNK: usize = NeuronGroup::<f32>::CHUNK;

/// What arrives at one target of a part.
#[derive(Debug)]
pub(crate) enum Port<F: Real> {
    /// The same in every step, `[neuron]`.
    Constant(Block<F>),
    /// `[slice][chunk][step][neuron of the chunk]`; and what each begins with, if that is not 0.
    Ring { numbers: Block<F>, chunks: usize, drive: Option<Block<F>> },
}

impl<F: Real> Port<F> {
    pub(crate) fn new(drive: Option<&[F]>, fed: bool, n: usize, timing: Timing) -> Self {
        let padded = n.next_multiple_of(CHUNK);
        let drive = drive.map(|drive| {
            let mut block = Block::zeros(padded);
            block[..n].copy_from_slice(drive);
            block
        });
        if !fed {
            return Self::Constant(drive.unwrap_or_else(|| Block::zeros(padded)));
        }
        let chunks = padded / CHUNK;
        let numbers = Block::zeros(timing.ring * padded * timing.slice);
        let mut port = Self::Ring { numbers, chunks, drive };
        for slice in 0..timing.ring {
            (0..timing.slice).for_each(|t| port.clear(timing, slice, t..t + 1));
        }
        port
    }

    /// Some steps of a slice for some neurons, in whole chunks: `[chunk][step][neuron of the chunk]`.
    pub(crate) fn piece(
        &self,
        timing: Timing,
        neurons: Range<usize>,
        slice: usize,
        from: usize,
        steps: usize,
    ) -> Block<F> {
        let Self::Ring { numbers, chunks, .. } = self else { return Block::default() };
        let of_chunks = neurons.step_by(CHUNK).flat_map(|neuron| {
            let begin = (slice * chunks + neuron / CHUNK) * timing.slice + from;
            &numbers[begin * CHUNK..(begin + steps) * CHUNK]
        });
        of_chunks.copied().collect()
    }

    /// Some steps of a slice begin anew.
    pub(crate) fn clear(&mut self, timing: Timing, slice: usize, steps: Range<usize>) {
        let Self::Ring { numbers, chunks, drive } = self else { return };
        let of_slice = &mut numbers[slice * *chunks * timing.slice * CHUNK..][..*chunks * timing.slice * CHUNK];
        if drive.is_none() && steps.len() == timing.slice {
            return of_slice.fill(F::default());
        }
        for (chunk, numbers) in of_slice.chunks_exact_mut(timing.slice * CHUNK).enumerate() {
            for numbers in numbers[steps.start * CHUNK..steps.end * CHUNK].chunks_exact_mut(CHUNK) {
                match drive {
                    Some(drive) => numbers.copy_from_slice(&drive[chunk * CHUNK..][..CHUNK]),
                    None => numbers.fill(F::default()),
                }
            }
        }
    }
}
