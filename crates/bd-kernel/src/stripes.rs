//! [`Striped`]: matrices in stripes of columns, of which products with sparse ones read rows.

use super::product::{Rows, RowsMut};
use super::transpose::transpose_loops;
use super::{Block, Cpu, Instructions, Loops, Real, vectorised};

/// Columns of a stripe: with some hundred rows it stays in the nearest cache.
pub(super) const STRIPE: usize = 32;

/// A matrix in stripes: some columns of all rows, then the next ones, so that what a product reads lies close together. The last
/// stripe is filled up.
#[derive(Debug, Clone, Copy)]
pub struct Striped<'a, F> {
    /// All of it.
    pub numbers: &'a [F],
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
}

/// Numbers of a [`Striped`] matrix.
pub fn striped_len(rows: usize, columns: usize) -> usize {
    rows.checked_mul(columns.next_multiple_of(STRIPE)).expect("a matrix that memory can hold")
}

/// Lays out a matrix in stripes.
pub fn stripe<F: Real>(rows: usize, columns: usize, number: impl Fn(usize, usize) -> F) -> Block<F> {
    let mut numbers = Vec::with_capacity(striped_len(rows, columns));
    for first in (0..columns).step_by(STRIPE) {
        for row in 0..rows {
            let number = |column| if column < columns { number(row, column) } else { F::default() };
            numbers.extend((first..first + STRIPE).map(number));
        }
    }
    Block::from(numbers.as_slice())
}

/// Channels with lanes side by side, `[channels, lanes]`, as `lanes` rows from `first` on of a striped matrix of `rows` rows, with a
/// column for each channel.
pub fn transpose_into_stripes<F: Real>(
    instructions: Instructions,
    [channels, lanes]: [usize; 2],
    from: Rows<'_, F>,
    striped: &mut [F],
    rows: usize,
    first: usize,
) {
    vectorised(instructions, TurnIntoStripes { channels, lanes, from, striped, rows, first });
}

struct TurnIntoStripes<'a, F> {
    channels: usize,
    lanes: usize,
    from: Rows<'a, F>,
    striped: &'a mut [F],
    rows: usize,
    first: usize,
}

impl<F: Real> Loops for TurnIntoStripes<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        for channel in (0..self.channels).step_by(STRIPE) {
            let width = STRIPE.min(self.channels - channel);
            let from = Rows { numbers: &self.from.numbers[channel * self.from.stride..], stride: self.from.stride };
            let at = channel * self.rows + self.first * STRIPE;
            let to = RowsMut { numbers: &mut self.striped[at..], stride: STRIPE };
            transpose_loops::<C, F>([width, self.lanes], from, to);
        }
    }
}

impl<F: Real> Striped<'_, F> {
    /// The numbers from some column of the first row on. Stripes are a multiple of two vectors of any processor.
    #[inline(always)]
    pub(super) fn from(&self, first: usize) -> &[F] {
        &self.numbers[first / STRIPE * STRIPE * self.rows + first % STRIPE..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_into_stripes_in_pieces() {
        let (channels, rows) = (45, 24);
        let all: Vec<f32> = (0..channels * rows).map(|i| i as f32).collect();
        let expected = stripe(rows, channels, |row, column| all[column * rows + row]);
        for instructions in
            [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
        {
            let mut striped = vec![0.0; striped_len(rows, channels)];
            for first in (0..rows).step_by(8) {
                let from = Rows { numbers: &all[first..], stride: rows };
                transpose_into_stripes(instructions, [channels, 8], from, &mut striped, rows, first);
            }
            assert_eq!(*striped, *expected);
        }
    }
}
