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

fn bytes<F: Real>(room: &[F]) -> &[u8] {
    // SAFETY: numbers are bytes without gaps, and any address will do for bytes.
    unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), size_of_val(room)) }
}

fn bytes_mut<F: Real>(room: &mut [F]) -> &mut [u8] {
    // SAFETY: as above; and all bits are numbers.
    unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast(), size_of_val(room)) }
}

impl Bits {
    /// Bytes of a step.
    fn step(self) -> usize {
        self.channels * self.lanes / LANES
    }

    /// Writes those of step `t` from its numbers, `[channel, lane]`.
    pub fn write<F: Real>(self, instructions: Instructions, numbers: &[F], t: usize, room: &mut [F]) {
        assert_eq!(numbers.len(), self.channels * self.lanes);
        let bits = &mut bytes_mut(room)[t * self.step()..][..self.step()];
        vectorised(instructions, Write { numbers, bits });
    }

    /// As numbers, `[channel, step, lane]`.
    pub fn read<F: Real>(self, tile: Tile, room: &[F], to: &mut [F]) {
        let in_a_channel = self.lanes / LANES;
        for (k, own) in to.chunks_exact_mut(tile.len()).enumerate() {
            for (t, own) in own.chunks_exact_mut(tile.lanes).enumerate() {
                let bits = &bytes(room)[t * self.step() + k * in_a_channel..][..in_a_channel];
                for (own, bits) in own.as_chunks_mut::<LANES>().0.iter_mut().zip(bits) {
                    for l in 0..LANES {
                        own[l] = if bits >> l & 1 == 1 { F::of(1.0) } else { F::default() };
                    }
                }
            }
        }
    }

    /// Gives `found` the channel's lanes that are 1 at step `t`.
    #[inline(always)]
    pub fn ones<F: Real>(self, room: &[F], t: usize, channel: usize, mut found: impl FnMut(usize)) {
        let in_a_channel = self.lanes / LANES;
        let bits = &bytes(room)[t * self.step() + channel * in_a_channel..][..in_a_channel];
        for (i, bits) in bits.iter().enumerate() {
            let mut bits = u32::from(*bits);
            while bits != 0 {
                found(i * LANES + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

struct Write<'a, F> {
    numbers: &'a [F],
    bits: &'a mut [u8],
}

impl<F: Real> Loops for Write<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let (numbers, _) = self.numbers.as_chunks::<LANES>();
        for (bits, numbers) in self.bits.iter_mut().zip(numbers) {
            let mut all = 0;
            for at in (0..LANES).step_by(C::Short::<F>::LEN) {
                // SAFETY: within the lanes, of which `LEN` is a divisor; these are loops that `vectorised` runs.
                all |= unsafe { C::Short::<F>::load(numbers.as_ptr().add(at)).nonzero() } << at;
            }
            *bits = all as u8;
        }
    }
}
