//! [`Sparse`]: matrices of which most is zero, as spikes are, and their products.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::outer::Series;
use super::product::{Rows, RowsMut};
use super::vector::Vector;
use super::{Cpu, Instructions, LANES, Loops, Real, vectorised};

/// A number that is not zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<F> {
    /// Its column.
    pub column: u32,
    /// The number; 1 for a spike.
    pub value: F,
}

/// A matrix as the list of what is not zero, row by row, in the order of columns.
///
/// Its memory is used again when it is filled again.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse<F> {
    /// Where the entries of each row begin; one more than there are rows.
    starts: Vec<u32>,
    entries: Vec<Entry<F>>,
}

impl<F> Default for Sparse<F> {
    fn default() -> Self {
        Self { starts: vec![0], entries: Vec::new() }
    }
}

impl<F: Real> Sparse<F> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of a row.
    #[inline(always)]
    fn row(&self, row: usize) -> &[Entry<F>] {
        &self.entries[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// Empties it, to be filled row by row.
    pub fn clear(&mut self) {
        self.starts.truncate(1);
        self.entries.clear();
    }

    /// One more entry of the row that has not ended.
    #[inline(always)]
    pub fn push(&mut self, entry: Entry<F>) {
        self.entries.push(entry);
    }

    /// Ends a row, or several of which all but the first are empty.
    #[inline(always)]
    pub fn end_rows(&mut self, count: usize) {
        self.starts.resize(self.starts.len() + count, self.entries.len() as u32);
    }

    /// A row for each channel and a column for each lane of each step. False, and with no use in it, if more than `most` numbers
    /// are not zero.
    #[must_use]
    pub fn fill(&mut self, instructions: Instructions, series: Series<'_, F>, most: usize) -> bool {
        self.clear();
        series.check();
        let mut few = true;
        vectorised(instructions, Fill { to: self, series, most, few: &mut few });
        few
    }

    /// This matrix with rows as columns, of which there are `columns`, into `to`.
    pub fn turn(&self, columns: usize, to: &mut Self) {
        to.starts.clear();
        to.starts.resize(columns + 1, 0);
        self.entries.iter().for_each(|entry| to.starts[entry.column as usize + 1] += 1);
        (0..columns).for_each(|column| to.starts[column + 1] += to.starts[column]);
        to.entries.clear();
        to.entries.resize(self.entries.len(), Entry { column: 0, value: F::default() });
        // The start of each row, moved on as it is filled, ends as that of the next.
        for row in 0..self.rows() {
            for entry in self.row(row) {
                let next = &mut to.starts[entry.column as usize];
                to.entries[*next as usize] = Entry { column: row as u32, value: entry.value };
                *next += 1;
            }
        }
        to.starts.rotate_right(1);
        to.starts[0] = 0;
    }

    /// `out[row, n] += sum_k a[row, k] b[k, n]` for `columns` columns `n`: of `b` only the rows are read that an entry
    /// names. The order of each sum is that of `k`, whatever the processor.
    pub fn add_product(&self, instructions: Instructions, columns: usize, b: Rows<'_, F>, out: RowsMut<'_, F>) {
        self.add_product_of_rows(instructions, 0..self.rows(), columns, b, out);
    }

    /// [`add_product`](Self::add_product) of some of the rows.
    pub fn add_product_of_rows(
        &self,
        instructions: Instructions,
        rows: std::ops::Range<usize>,
        columns: usize,
        b: Rows<'_, F>,
        out: RowsMut<'_, F>,
    ) {
        if rows.is_empty() || columns == 0 {
            return;
        }
        let entries = &self.entries[self.starts[rows.start] as usize..self.starts[rows.end] as usize];
        let Some(last) = entries.iter().map(|entry| entry.column as usize).max() else { return };
        assert!(last * b.stride + columns <= b.numbers.len(), "rows of b are missing");
        assert!((rows.len() - 1) * out.stride + columns <= out.numbers.len(), "there is too little room");
        vectorised(instructions, AddProduct { a: self, rows, columns, b, out });
    }
}

struct Fill<'a, F> {
    to: &'a mut Sparse<F>,
    series: Series<'a, F>,
    most: usize,
    few: &'a mut bool,
}

impl<F: Real> Loops for Fill<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { to, series, most, few } = self;
        let side = C::Short::<F>::LEN;
        for channel in 0..series.channels {
            to.entries.reserve(series.steps * series.lanes);
            for step in 0..series.steps {
                let own = &series.numbers[channel * series.stride + step * series.step_stride..][..series.lanes];
                for at in (0..series.lanes).step_by(side) {
                    // SAFETY: lanes are a multiple of the vector's length; this is called by loops that `vectorised` runs.
                    let mut found = unsafe { C::Short::<F>::load(own.as_ptr().add(at)).nonzero() };
                    while found != 0 {
                        let lane = at + found.trailing_zeros() as usize;
                        to.entries.push(Entry { column: (step * series.lanes + lane) as u32, value: own[lane] });
                        found &= found - 1;
                    }
                }
            }
            if to.entries.len() > most {
                *few = false;
                return;
            }
            to.starts.push(to.entries.len() as u32);
        }
    }
}

struct AddProduct<'a, F> {
    a: &'a Sparse<F>,
    rows: std::ops::Range<usize>,
    columns: usize,
    b: Rows<'a, F>,
    out: RowsMut<'a, F>,
}

impl<F: Real> Loops for AddProduct<'_, F> {
    /// Some columns of all rows before the next ones: so many of `b` stay in the cache.
    #[inline(always)]
    fn run<C: Cpu>(mut self) {
        let (long, short) = (C::Vector::<F>::LEN, C::Short::<F>::LEN);
        debug_assert!(LANES.is_multiple_of(short));
        let mut at = 0;
        while at < self.columns {
            let left = self.columns - at;
            // SAFETY: rows and columns are there, as the caller has checked; these are loops that `vectorised` runs.
            at += unsafe {
                match left / long {
                    16.. if C::MANY_REGISTERS => self.block::<C::Vector<F>, 16>(at),
                    8.. => self.block::<C::Vector<F>, 8>(at),
                    4.. => self.block::<C::Vector<F>, 4>(at),
                    2.. => self.block::<C::Vector<F>, 2>(at),
                    1 => self.block::<C::Vector<F>, 1>(at),
                    _ if left >= short => self.block::<C::Short<F>, 1>(at),
                    _ => self.column::<C>(at),
                }
            };
        }
    }
}

impl<F: Real> AddProduct<'_, F> {
    /// `N` vectors of columns from `at` on, of all rows: their sums stay in registers over a row's entries. Gives the number of
    /// columns.
    ///
    /// # Safety
    ///
    /// The processor has these vectors, and so many columns are left.
    #[inline(always)]
    unsafe fn block<V: Vector<F>, const N: usize>(&mut self, at: usize) -> usize {
        for (i, row) in self.rows.clone().enumerate() {
            let entries = self.a.row(row);
            if entries.is_empty() {
                continue;
            }
            // SAFETY: the caller's.
            unsafe {
                let out = self.out.numbers.as_mut_ptr().add(i * self.out.stride + at);
                let mut sums = [V::splat(F::default()); N];
                for j in 0..N {
                    sums[j] = V::load(out.add(j * V::LEN));
                }
                for entry in entries {
                    let value = V::splat(entry.value);
                    let b = self.b.numbers.as_ptr().add(entry.column as usize * self.b.stride + at);
                    for j in 0..N {
                        sums[j] = value.mul_add(V::load(b.add(j * V::LEN)), sums[j]);
                    }
                }
                for j in 0..N {
                    sums[j].store(out.add(j * V::LEN));
                }
            }
        }
        N * V::LEN
    }

    /// One column, of those that fill no vector.
    #[inline(always)]
    fn column<C: Cpu>(&mut self, at: usize) -> usize {
        for (i, row) in self.rows.clone().enumerate() {
            let sum = &mut self.out.numbers[i * self.out.stride + at];
            for entry in self.a.row(row) {
                *sum = C::mul_add(entry.value, self.b.numbers[entry.column as usize * self.b.stride + at], *sum);
            }
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn every_way() -> impl Iterator<Item = Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
    }

    /// Channels over steps and lanes, `[step, channel, lane]`, one in `one_in` not zero; whole numbers, so that sums are exact.
    fn numbers(rng: &mut Rng, n: usize, one_in: u64) -> Vec<f64> {
        (0..n).map(|_| if rng.bits() % one_in == 0 { (rng.bits() % 9) as f64 - 4.0 } else { 0.0 }).collect()
    }

    fn series(numbers: &[f64], [steps, channels, lanes]: [usize; 3]) -> Series<'_, f64> {
        Series { numbers, channels, stride: lanes, steps, step_stride: channels * lanes, lanes }
    }

    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let mut rng = Rng::new(0, "sparse");
        for ([steps, channels, lanes], n) in
            [([1, 1, 8], 1), ([2, 5, 16], 7), ([3, 9, 8], 67), ([1, 20, 32], 300), ([4, 3, 40], 131)]
        {
            let xs = numbers(&mut rng, steps * channels * lanes, 4);
            let columns = steps * lanes;
            let at = |channel: usize, column: usize| {
                xs[column / lanes * channels * lanes + channel * lanes + column % lanes]
            };
            let b = numbers(&mut rng, columns.max(channels) * (n + 1), 1);
            for instructions in every_way() {
                let (mut a, mut turned) = (Sparse::default(), Sparse::default());
                assert!(a.fill(instructions, series(&xs, [steps, channels, lanes]), xs.len()));
                a.turn(columns, &mut turned);
                let mut again = Sparse::default();
                turned.turn(channels, &mut again);
                assert_eq!(again, a, "turned twice");
                for (a, rows, terms, at) in [
                    (&a, channels, columns, &at as &dyn Fn(usize, usize) -> f64),
                    (&turned, columns, channels, &|row, k| at(k, row)),
                ] {
                    let mut out = vec![0.5; rows * (n + 2)];
                    let (from, to) =
                        (Rows { numbers: &b, stride: n + 1 }, RowsMut { numbers: &mut out, stride: n + 2 });
                    a.add_product(instructions, n, from, to);
                    for (i, found) in out.iter().enumerate() {
                        let (row, column) = (i / (n + 2), i % (n + 2));
                        let terms = if column < n { terms } else { 0 };
                        let sum: f64 = (0..terms).map(|k| at(row, k) * b[k * (n + 1) + column]).sum();
                        assert_eq!(*found, 0.5 + sum, "row {row}, column {column} of {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_sparse_is_refused() {
        let ones = vec![1.0; 4 * 8];
        for instructions in every_way() {
            let mut a = Sparse::default();
            assert!(!a.fill(instructions, series(&ones, [1, 4, 8]), 31));
            assert!(a.fill(instructions, series(&ones, [1, 4, 8]), 32));
            assert_eq!((a.rows(), a.row(3).len()), (4, 8));
        }
    }
}
