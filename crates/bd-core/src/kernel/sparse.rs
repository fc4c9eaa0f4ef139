//! Matrices of which most is zero, as spikes are, and their products.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::outer::Series;
use super::product::{Rows, RowsMut};
use super::turn::turn_loops;
use super::vector::Vector;
use super::{Block, Cpu, Instructions, Loops, Real, vectorised};

/// A number that is not zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<F> {
    /// Its row.
    pub row: u32,
    /// Its column.
    pub column: u32,
    /// The number; 1 for a spike.
    pub value: F,
}

impl<F> Entry<F> {
    /// That of the turned matrix.
    #[inline(always)]
    pub fn turned(self) -> Self {
        Self { row: self.column, column: self.row, value: self.value }
    }
}

/// What is not zero of a series, in order: a row for each channel, and a column for each lane of each step. False, and with no use in
/// it, if more than `most` numbers are not zero.
#[must_use]
pub fn find_entries<F: Real>(
    instructions: Instructions,
    series: Series<'_, F>,
    most: usize,
    entries: &mut Vec<Entry<F>>,
) -> bool {
    series.check();
    entries.clear();
    let of_channel = series.steps * series.lanes;
    // A channel may have as many too many before that is seen.
    entries.reserve(most.min(series.channels * of_channel) + of_channel);
    let mut few = true;
    vectorised(instructions, Fill { to: entries, series, most, few: &mut few });
    few
}

/// Rows of a [`Sparse`] that are worked on at once: sums that do not wait for each other.
const GROUP: usize = 4;

/// Columns of a stripe: with some hundred rows it stays in the nearest cache.
const STRIPE: usize = 32;

/// A matrix of which most is zero, arranged for products. Its memory is used again when it is arranged again.
#[derive(Debug, Clone)]
pub struct Sparse<F> {
    rows: usize,
    /// Where the entries of each group of rows begin; one more than there are.
    starts: Vec<u32>,
    /// Columns and values of the rows of a group side by side; shorter rows are filled up with zeros.
    entries: Vec<[(u32, F); GROUP]>,
    /// Entries of each row, while they are put in.
    filled: Vec<u32>,
    /// One more than the greatest column.
    columns: usize,
}

impl<F> Default for Sparse<F> {
    fn default() -> Self {
        Self { rows: 0, starts: vec![0], entries: Vec::new(), filled: Vec::new(), columns: 0 }
    }
}

impl<F: Real> Sparse<F> {
    /// From entries of `rows` rows. Within a row they stay in order.
    pub fn arrange(&mut self, rows: usize, entries: impl Iterator<Item = Entry<F>> + Clone) {
        (self.rows, self.columns) = (rows, 0);
        self.filled.clear();
        self.filled.resize(rows.next_multiple_of(GROUP), 0);
        for entry in entries.clone() {
            self.filled[entry.row as usize] += 1;
            self.columns = self.columns.max(entry.column as usize + 1);
        }
        self.starts.truncate(1);
        let mut count = 0;
        for group in self.filled.chunks_exact_mut(GROUP) {
            count += group.iter().copied().max().unwrap_or(0);
            self.starts.push(count);
            group.fill(0);
        }
        self.entries.clear();
        self.entries.resize(count as usize, [(0, F::default()); GROUP]);
        for entry in entries {
            let row = entry.row as usize;
            let at = self.starts[row / GROUP] + self.filled[row];
            self.entries[at as usize][row % GROUP] = (entry.column, entry.value);
            self.filled[row] += 1;
        }
    }

    /// `out[row, n] += sum_k a[row, k] b[k, n]`. The order of each sum is that of the entries, whatever the processor.
    pub fn add_product(&self, instructions: Instructions, b: Striped<'_, F>, out: RowsMut<'_, F>) {
        if self.entries.is_empty() || b.columns == 0 {
            return;
        }
        assert!(self.columns <= b.rows, "rows of b are missing");
        assert!(striped_len(b.rows, b.columns) <= b.numbers.len(), "stripes of b are missing");
        assert!((self.rows - 1) * out.stride + b.columns <= out.numbers.len(), "there is too little room");
        vectorised(instructions, AddProduct { a: self, b, out });
    }
}

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
    rows * columns.next_multiple_of(STRIPE)
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
pub fn turn_into_stripes<F: Real>(
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
            turn_loops::<C, F>([width, self.lanes], from, to);
        }
    }
}

/// How far apart rows of `n` numbers should lie, of which many are written in turn: never by a multiple of 1 KiB, or they would
/// all want the same few places of the nearest cache.
pub fn apart(n: usize) -> usize {
    let lines = n.div_ceil(16);
    16 * (lines + usize::from(lines.is_multiple_of(4)))
}

struct Fill<'a, F> {
    to: &'a mut Vec<Entry<F>>,
    series: Series<'a, F>,
    most: usize,
    few: &'a mut bool,
}

impl<F: Real> Loops for Fill<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        // SAFETY: these are loops that `vectorised` runs; lanes are a multiple of the shorter vectors' length.
        unsafe {
            match self.series.lanes % C::Vector::<F>::LEN {
                0 => self.by::<C::Vector<F>>(),
                _ => self.by::<C::Short<F>>(),
            }
        }
    }
}

impl<F: Real> Fill<'_, F> {
    /// # Safety
    ///
    /// The processor has these vectors, and lanes are a multiple of their length.
    #[inline(always)]
    unsafe fn by<V: Vector<F>>(self) {
        let Self { to, series: Series { numbers, channels, stride, steps, step_stride, lanes }, most, few } = self;
        let mut count = 0;
        let first = to.as_mut_ptr();
        for channel in 0..channels {
            for step in 0..steps {
                for at in (0..lanes).step_by(V::LEN) {
                    // SAFETY: `check` has seen that the channels are there at all steps; there is room for `most` entries and
                    // all of a channel, and no more than `most` are there when a channel begins.
                    unsafe {
                        let own = numbers.as_ptr().add(channel * stride + step * step_stride + at);
                        let mut found = V::load(own).nonzero();
                        while found != 0 {
                            let lane = found.trailing_zeros() as usize;
                            let column = (step * lanes + at + lane) as u32;
                            first.add(count).write(Entry { row: channel as u32, column, value: *own.add(lane) });
                            count += 1;
                            found &= found - 1;
                        }
                    }
                }
            }
            if count > most {
                *few = false;
                return;
            }
        }
        // SAFETY: so many were written.
        unsafe { to.set_len(count) };
    }
}

struct AddProduct<'a, F> {
    a: &'a Sparse<F>,
    b: Striped<'a, F>,
    out: RowsMut<'a, F>,
}

impl<F: Real> Loops for AddProduct<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(mut self) {
        // Two vectors of each row of a group, whose sums stay in registers.
        for first in (0..self.b.columns).step_by(2 * C::Vector::<F>::LEN) {
            // SAFETY: rows and columns are there, as the caller has checked; these are loops that `vectorised` runs.
            unsafe { self.columns::<C::Vector<F>>(first) }
        }
    }
}

impl<F: Real> AddProduct<'_, F> {
    /// Two vectors of columns from `first` on, of all rows.
    ///
    /// # Safety
    ///
    /// The processor has these vectors; entries, stripes and rows are there.
    #[inline(always)]
    unsafe fn columns<V: Vector<F>>(&mut self, first: usize) {
        let Self { a, b, out } = self;
        let width = (2 * V::LEN).min(b.columns - first);
        // Stripes are a multiple of two vectors of any processor.
        let b = &b.numbers[first / STRIPE * STRIPE * b.rows + first % STRIPE..];
        for (group, bounds) in a.starts.windows(2).enumerate() {
            let entries = &a.entries[bounds[0] as usize..bounds[1] as usize];
            if entries.is_empty() {
                continue;
            }
            // SAFETY: the caller's.
            unsafe {
                let mut sums = [[V::splat(F::default()); 2]; GROUP];
                for side_by_side in entries {
                    for i in 0..GROUP {
                        let (column, value) = side_by_side[i];
                        let (b, value) = (b.as_ptr().add(column as usize * STRIPE), V::splat(value));
                        for j in 0..2 {
                            sums[i][j] = value.mul_add(V::load(b.add(j * V::LEN)), sums[i][j]);
                        }
                    }
                }
                for i in 0..GROUP.min(a.rows - group * GROUP) {
                    let mut found = [F::default(); STRIPE];
                    for j in 0..2 {
                        sums[i][j].store(found.as_mut_ptr().add(j * V::LEN));
                    }
                    let out = &mut out.numbers[(group * GROUP + i) * out.stride + first..][..width];
                    out.iter_mut().zip(&found).for_each(|(out, found)| *out += *found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn every_way() -> impl Iterator<Item = Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
    }

    /// Whole numbers, one in `one_in` other than zero, so that sums are exact.
    fn numbers(rng: &mut Rng, n: usize, one_in: u64) -> Vec<f64> {
        (0..n).map(|_| if rng.bits().is_multiple_of(one_in) { (rng.bits() % 9) as f64 - 4.0 } else { 0.0 }).collect()
    }

    /// `[step, channel, lane]`.
    fn series(numbers: &[f64], [steps, channels, lanes]: [usize; 3]) -> Series<'_, f64> {
        Series { numbers, channels, stride: lanes, steps, step_stride: channels * lanes, lanes }
    }

    /// Products of a matrix of series and of the turned one with others that are laid out in both ways.
    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let mut rng = Rng::new(0, "sparse");
        for ([steps, channels, lanes], n) in
            [([1, 1, 8], 1), ([2, 5, 16], 7), ([3, 9, 8], 67), ([1, 20, 32], 96), ([4, 3, 40], 131)]
        {
            let xs = numbers(&mut rng, steps * channels * lanes, 4);
            let columns = steps * lanes;
            let a = |row: usize, column: usize| xs[column / lanes * channels * lanes + row * lanes + column % lanes];
            let b = numbers(&mut rng, columns.max(channels) * n, 1);
            for instructions in every_way() {
                let mut entries = Vec::new();
                assert!(find_entries(instructions, series(&xs, [steps, channels, lanes]), xs.len(), &mut entries));
                let check = |rows: usize, terms: usize, striped: &[f64], turned: bool| {
                    let (mut sparse, mut out) = (Sparse::default(), vec![0.5; rows * (n + 2)]);
                    sparse.arrange(rows, entries.iter().map(|entry| if turned { entry.turned() } else { *entry }));
                    let striped = Striped { numbers: striped, rows: terms, columns: n };
                    sparse.add_product(instructions, striped, RowsMut { numbers: &mut out, stride: n + 2 });
                    for (i, found) in out.iter().enumerate() {
                        let (row, column) = (i / (n + 2), i % (n + 2));
                        let a = |k: usize| if turned { a(k, row) } else { a(row, k) };
                        let terms = if column < n { terms } else { 0 };
                        let sum: f64 = (0..terms).map(|k| a(k) * b[k * n + column]).sum();
                        assert_eq!(*found, 0.5 + sum, "row {row}, column {column} of {n}");
                    }
                };
                check(channels, columns, &stripe(columns, n, |row, column| b[row * n + column]), false);
                // The same numbers, laid out from `[column, row]`, step by step.
                let by_column: Vec<f64> = (0..n * channels).map(|i| b[i % channels * n + i / channels]).collect();
                let mut striped = vec![0.0; striped_len(channels, n)];
                let from = Rows { numbers: &by_column, stride: channels };
                turn_into_stripes(instructions, [n, channels], from, &mut striped, channels, 0);
                check(columns, channels, &striped, true);
            }
        }
    }

    #[test]
    fn rows_go_into_stripes_in_pieces() {
        let (channels, rows) = (45, 24);
        let all: Vec<f32> = (0..channels * rows).map(|i| i as f32).collect();
        let expected = stripe(rows, channels, |row, column| all[column * rows + row]);
        for instructions in every_way() {
            let mut striped = vec![0.0; striped_len(rows, channels)];
            for first in (0..rows).step_by(8) {
                let from = Rows { numbers: &all[first..], stride: rows };
                turn_into_stripes(instructions, [channels, 8], from, &mut striped, rows, first);
            }
            assert_eq!(*striped, *expected);
        }
    }

    #[test]
    fn what_is_not_sparse_is_refused() {
        let ones = vec![1.0; 4 * 8];
        for instructions in every_way() {
            let mut entries = Vec::new();
            assert!(!find_entries(instructions, series(&ones, [1, 4, 8]), 31, &mut entries));
            assert!(find_entries(instructions, series(&ones, [1, 4, 8]), 32, &mut entries));
            assert_eq!((entries.len(), entries[31]), (32, Entry { row: 3, column: 7, value: 1.0 }));
        }
    }
}
