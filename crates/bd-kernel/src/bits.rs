//! [`Bits`]: zeros and ones, a bit each.

use super::{Cpu, Instructions, LANES, Loops, Real, Tile, Vector, vectorised};

/// Outputs that are all 0 or 1, `[step, channel, lane]`, in what would be room for numbers: a thirty-second part of their memory.
#[derive(Debug, Clone, Copy)]
pub struct Bits {
    /// Channels.
    pub channels: usize,
    /// Samples side by side.
    pub lanes: usize,
}

/// Numbers for each lane that hold the bits of so many channels and steps.
pub fn bits_len<F>(channels: usize, steps: usize) -> usize {
    (channels * steps).div_ceil(8 * size_of::<F>())
}

fn bytes<F: Real>(workspace: &[F]) -> &[u8] {
    // SAFETY: numbers are bytes without gaps, and any address will do for bytes.
    unsafe { std::slice::from_raw_parts(workspace.as_ptr().cast(), size_of_val(workspace)) }
}

fn bytes_mut<F: Real>(workspace: &mut [F]) -> &mut [u8] {
    // SAFETY: as above; and all bits are numbers.
    unsafe { std::slice::from_raw_parts_mut(workspace.as_mut_ptr().cast(), size_of_val(workspace)) }
}

impl Bits {
    /// Bytes of a step.
    fn step(self) -> usize {
        self.channels * self.lanes / LANES
    }

    /// Writes those of step `t` from its numbers, `[channel, lane]`.
    pub fn write<F: Real>(self, instructions: Instructions, numbers: &[F], t: usize, workspace: &mut [F]) {
        assert_eq!(numbers.len(), self.channels * self.lanes);
        let bits = &mut bytes_mut(workspace)[t * self.step()..][..self.step()];
        vectorised(instructions, WriteBits { numbers, bits });
    }

    /// As numbers, `[channel, step, lane]`.
    pub fn read<F: Real>(self, tile: Tile, workspace: &[F], to: &mut [F]) {
        let in_a_channel = self.lanes / LANES;
        for (k, own) in to.chunks_exact_mut(tile.len()).enumerate() {
            for (t, own) in own.chunks_exact_mut(tile.lanes).enumerate() {
                let bits = &bytes(workspace)[t * self.step() + k * in_a_channel..][..in_a_channel];
                for (own, bits) in own.as_chunks_mut::<LANES>().0.iter_mut().zip(bits) {
                    for (l, own) in own.iter_mut().enumerate() {
                        *own = if bits >> l & 1 == 1 { F::of(1.0) } else { F::default() };
                    }
                }
            }
        }
    }

    /// Those of a channel at step `t`.
    #[inline(always)]
    pub(super) fn of<F: Real>(self, workspace: &[F], t: usize, channel: usize) -> &[u8] {
        let in_a_channel = self.lanes / LANES;
        &bytes(workspace)[t * self.step() + channel * in_a_channel..][..in_a_channel]
    }
}

/// A bit for each number: whether it is not zero.
pub(crate) struct WriteBits<'a, F> {
    pub(crate) numbers: &'a [F],
    pub(crate) bits: &'a mut [u8],
}

impl<F: Real> Loops for WriteBits<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        write_bits::<C, F>(self.numbers, self.bits);
    }
}

/// A bit for each number: whether it is not zero.
#[inline(always)]
pub(super) fn write_bits<C: Cpu, F: Real>(numbers: &[F], bits: &mut [u8]) {
    let (numbers, _) = numbers.as_chunks::<LANES>();
    for (bits, numbers) in bits.iter_mut().zip(numbers) {
        let mut all = 0;
        for at in (0..LANES).step_by(C::Short::<F>::LEN) {
            // SAFETY: within the lanes, of which `LEN` is a divisor; this is called by loops that `vectorised` runs.
            all |= unsafe { C::Short::<F>::load(numbers.as_ptr().add(at)).nonzero() } << at;
        }
        *bits = all as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<F: Real>(instructions: Instructions) {
        for (channels, lanes, steps) in [(1, 8, 1), (5, 24, 3), (3, 32, 9)] {
            let tile = Tile { steps, lanes, keep: true, instructions, first_step: 0, first_sample: 0 };
            // `[channel, step, lane]`
            let numbers: Vec<F> = (0..channels * tile.len()).map(|i| F::of(f64::from(i * i % 7 < 3))).collect();
            let bits = Bits { channels, lanes };
            let mut workspace = vec![F::of(0.5); lanes * bits_len::<F>(channels, steps)];
            for t in 0..steps {
                let of_step = |k: usize| &numbers[k * tile.len() + t * lanes..][..lanes];
                let step: Vec<F> = (0..channels).flat_map(of_step).copied().collect();
                bits.write(instructions, &step, t, &mut workspace);
            }
            let mut found = vec![F::of(0.5); numbers.len()];
            bits.read(tile, &workspace, &mut found);
            assert!(found == numbers, "{channels} channels, {lanes} lanes, {steps} steps");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for instructions in
            [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
        {
            check::<f32>(instructions);
            check::<f64>(instructions);
        }
    }
}
