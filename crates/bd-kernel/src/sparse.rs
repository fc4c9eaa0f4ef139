//! Matrices of which most is zero, as spikes are, and their products.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::lists::Lists;
use super::product::{Rows, RowsMut, Start};
use super::stripes::STRIPE;
use super::transpose::transpose_loops;
use super::vector::{Vector, prefetch};
use super::{Cpu, Instructions, Loops, Real, Striped, striped_len, vectorised};

/// Rows of a [`Sparse`] that are worked on at once: sums that do not wait for each other.
const GROUP: usize = 4;

/// Groups ahead of which sums are asked for.
const AHEAD: usize = 4;

/// Rows of a block: within it those of about the same length come together, and its product is transposed at once.
const BLOCK: usize = 32;

/// A matrix of which most is zero, arranged for products. Its memory is used again when it is arranged again.
#[derive(Debug, Clone)]
pub struct Sparse<F> {
    /// The rows in the order in which they are worked on, block after block: those of a group are about as long as each other.
    order: Vec<u32>,
    /// Where the entries of each group of rows begin; one more than there are.
    starts: Vec<u32>,
    /// Of each group how many of the first entries are 1 in all rows: all that all rows have, where all are spikes.
    ones: Vec<u32>,
    /// Columns and values of the rows of a group side by side; shorter rows are filled up with zeros.
    entries: Vec<[(u32, F); GROUP]>,
    /// Of each row its entries, then where the next one goes.
    filled: Vec<u32>,
    /// All entries are in columns below this.
    columns: usize,
}

impl<F> Default for Sparse<F> {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            starts: vec![0],
            ones: Vec::new(),
            entries: Vec::new(),
            filled: Vec::new(),
            columns: 0,
        }
    }
}

impl<F: Real> Sparse<F> {
    /// From lists of its rows, of so many columns.
    pub fn arrange(&mut self, lists: &Lists<F>, columns: usize) {
        let rows = lists.rows();
        let fits = |row: usize| lists.row(row).0.iter().all(|column| (*column as usize) < columns);
        // Before anything is changed: what is half arranged must not be used.
        assert!((0..rows).all(fits), "a list has a column too many");
        self.filled.clear();
        self.filled.extend((0..rows).map(|row| lists.row(row).0.len() as u32));
        self.begin(lists, columns);
        for (slot, &row) in self.order.iter().enumerate() {
            let (found, values) = lists.row(row as usize);
            let group = &mut self.entries[self.starts[slot / GROUP] as usize..];
            for (entry, (&column, &value)) in group.iter_mut().zip(found.iter().zip(values)) {
                entry[slot % GROUP] = (column, value);
            }
        }
    }

    /// From lists of its columns, of so many rows. Within a row they stay in order.
    pub fn arrange_transposed(&mut self, lists: &Lists<F>, rows: usize) {
        self.filled.clear();
        self.filled.resize(rows, 0);
        let columns = lists.rows();
        for column in 0..columns {
            lists.row(column).0.iter().for_each(|row| self.filled[*row as usize] += 1);
        }
        self.begin(lists, columns);
        // From now on where the next entry of each row goes.
        for (slot, &row) in self.order.iter().enumerate() {
            self.filled[row as usize] = self.starts[slot / GROUP] * GROUP as u32 + (slot % GROUP) as u32;
        }
        let entries = self.entries.as_flattened_mut();
        for column in 0..columns {
            let (rows, values) = lists.row(column);
            for (&row, &value) in rows.iter().zip(values) {
                let at = &mut self.filled[row as usize];
                entries[*at as usize] = (column as u32, value);
                *at += GROUP as u32;
            }
        }
    }

    /// Puts the rows, whose entries are `filled`, in order within blocks, and makes room.
    fn begin(&mut self, lists: &Lists<F>, columns: usize) {
        self.columns = columns;
        self.order.clear();
        self.order.extend(0..self.filled.len() as u32);
        for block in self.order.chunks_mut(BLOCK) {
            block.sort_unstable_by_key(|row| self.filled[*row as usize]);
        }
        self.starts.truncate(1);
        self.ones.clear();
        let (spikes, mut count) = (lists.are_ones(), 0);
        for group in self.order.chunks(GROUP) {
            // The rows are in the order of their lengths.
            let [shortest, longest] = [group[0], group[group.len() - 1]].map(|row| self.filled[row as usize]);
            count += longest;
            self.starts.push(count);
            self.ones.push(if spikes && group.len() == GROUP { shortest } else { 0 });
        }
        self.entries.clear();
        self.entries.resize(count as usize, [(0, F::default()); GROUP]);
    }

    /// `out[row, n] += sum_k a[row, k] b[k, n]`. The order of each sum is that of the entries, whatever the processor.
    pub fn add_product(&self, instructions: Instructions, b: Striped<'_, F>, out: RowsMut<'_, F>) {
        if self.entries.is_empty() || b.columns == 0 {
            return;
        }
        self.check(&b);
        assert!((self.order.len() - 1) * out.stride + b.columns <= out.numbers.len(), "there is too little workspace");
        vectorised(instructions, AddProduct { a: self, b, out });
    }

    /// The transpose of it: `out[n, row] = start + sum_k a[row, k] b[k, n]`.
    pub fn product_transposed(
        &self,
        instructions: Instructions,
        b: Striped<'_, F>,
        start: Start<'_, F>,
        out: RowsMut<'_, F>,
    ) {
        if self.order.is_empty() || b.columns == 0 {
            return;
        }
        self.check(&b);
        assert!((b.columns - 1) * out.stride + self.order.len() <= out.numbers.len(), "there is too little workspace");
        vectorised(instructions, ProductTurned { a: self, b, start, out });
    }

    /// What the loops rely on.
    fn check(&self, b: &Striped<'_, F>) {
        assert!(self.columns <= b.rows, "rows of b are missing");
        assert!(striped_len(b.rows, b.columns) <= b.numbers.len(), "stripes of b are missing");
    }

    #[inline(always)]
    fn group(&self, group: usize) -> Group<'_, F> {
        let rows = &self.order[group * GROUP..self.order.len().min((group + 1) * GROUP)];
        let entries = &self.entries[self.starts[group] as usize..self.starts[group + 1] as usize];
        let (ones, others) = entries.split_at(self.ones[group] as usize);
        Group { rows, ones, others }
    }
}

/// Rows that are worked on at once.
struct Group<'a, F> {
    rows: &'a [u32],
    /// Columns and values side by side, all values 1.
    ones: &'a [[(u32, F); GROUP]],
    /// The others.
    others: &'a [[(u32, F); GROUP]],
}

/// Two vectors of sums for each row of a group, over its entries; `b` begins at the first column.
///
/// # Safety
///
/// The processor has these vectors, and the rows of `b` are there.
#[inline(always)]
unsafe fn sums<F: Real, V: Vector<F>>(group: &Group<'_, F>, b: *const F) -> [[V; 2]; GROUP] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(F::default()); 2]; GROUP];
        add_entries::<F, V, true>(group.ones, b, &mut sums);
        add_entries::<F, V, false>(group.others, b, &mut sums);
        sums
    }
}

/// Entries of which all values are 1, or any.
///
/// # Safety
///
/// As for [`sums`].
#[inline(always)]
unsafe fn add_entries<F: Real, V: Vector<F>, const ONES: bool>(
    entries: &[[(u32, F); GROUP]],
    b: *const F,
    sums: &mut [[V; 2]; GROUP],
) {
    // SAFETY: the caller's.
    unsafe {
        let one = V::splat(F::of(1.0));
        for side_by_side in entries {
            for i in 0..GROUP {
                let (column, value) = side_by_side[i];
                let (b, value) = (b.add(column as usize * STRIPE), if ONES { one } else { V::splat(value) });
                for j in 0..2 {
                    sums[i][j] = value.mul_add(V::load(b.add(j * V::LEN)), sums[i][j]);
                }
            }
        }
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
        let (b, groups) = (b.from(first), a.starts.len() - 1);
        for group in 0..groups {
            let own = a.group(group);
            if own.ones.is_empty() && own.others.is_empty() {
                continue;
            }
            // What is added to comes from far away: ask for it some groups ahead.
            if group + AHEAD < groups {
                for &row in a.group(group + AHEAD).rows {
                    let out = out.numbers[row as usize * out.stride + first..].as_ptr();
                    prefetch(out);
                    prefetch(out.wrapping_add(V::LEN));
                }
            }
            // SAFETY: the caller's.
            unsafe {
                let sums = sums::<F, V>(&own, b.as_ptr());
                for (&row, sums) in own.rows.iter().zip(sums) {
                    let out = &mut out.numbers[row as usize * out.stride + first..][..width];
                    if width == 2 * V::LEN {
                        for j in 0..2 {
                            let out = out.as_mut_ptr().add(j * V::LEN);
                            sums[j].mul_add(V::splat(F::of(1.0)), V::load(out)).store(out);
                        }
                    } else {
                        let mut found = [F::default(); STRIPE];
                        (0..2).for_each(|j| sums[j].store(found.as_mut_ptr().add(j * V::LEN)));
                        out.iter_mut().zip(&found).for_each(|(out, found)| *out += *found);
                    }
                }
            }
        }
    }
}

struct ProductTurned<'a, F> {
    a: &'a Sparse<F>,
    b: Striped<'a, F>,
    start: Start<'a, F>,
    out: RowsMut<'a, F>,
}

impl<F: Real> Loops for ProductTurned<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { a, b, start, out } = self;
        let two = 2 * C::Vector::<F>::LEN;
        let (mut found, mut transposed) = ([F::default(); BLOCK * STRIPE], [F::default(); STRIPE * BLOCK]);
        // A part of `b` that stays in the nearest cache while all rows pass by.
        for first in (0..b.columns).step_by(two) {
            let width = two.min(b.columns - first);
            let b = b.from(first);
            for row in (0..a.order.len()).step_by(BLOCK) {
                let rows = BLOCK.min(a.order.len() - row);
                for group in row / GROUP..(row + rows).div_ceil(GROUP) {
                    let group = a.group(group);
                    // SAFETY: the rows of `b` are there, as the caller has checked; these are loops that `vectorised` runs.
                    let sums = unsafe { sums::<F, C::Vector<F>>(&group, b.as_ptr()) };
                    for (&own, sums) in group.rows.iter().zip(sums) {
                        let to = &mut found[(own as usize - row) * STRIPE..][..two];
                        // SAFETY: there is room for two vectors.
                        (0..2).for_each(|j| unsafe { sums[j].store(to.as_mut_ptr().add(j * C::Vector::<F>::LEN)) });
                    }
                }
                let (from, to) =
                    (Rows { numbers: &found, stride: STRIPE }, RowsMut { numbers: &mut transposed, stride: BLOCK });
                transpose_loops::<C, F>([rows, width], from, to);
                for (i, transposed) in transposed.chunks_exact(BLOCK).take(width).enumerate() {
                    let out = &mut out.numbers[(first + i) * out.stride + row..][..rows];
                    let both = out.iter_mut().zip(transposed);
                    match start {
                        Start::Zero => both.for_each(|(out, sum)| *out = *sum),
                        Start::Each(numbers) => both.for_each(|(out, sum)| *out = numbers[first + i] + *sum),
                        Start::There => both.for_each(|(out, sum)| *out += *sum),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Series, stripe, transpose_into_stripes};
    use super::*;
    use crate::testing::Noise;

    fn every_way() -> impl Iterator<Item = Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
    }

    /// Whole numbers, one in `one_in` other than zero, so that sums are exact.
    fn numbers(rng: &mut Noise, n: usize, one_in: u64) -> Vec<f64> {
        (0..n).map(|_| if rng.bits().is_multiple_of(one_in) { (rng.bits() % 9) as f64 - 4.0 } else { 0.0 }).collect()
    }

    /// `[step, channel, lane]`.
    fn series(numbers: &[f64], [steps, channels, lanes]: [usize; 3]) -> Series<'_, f64> {
        Series { numbers, channels, stride: lanes, steps, step_stride: channels * lanes, lanes }
    }

    /// Products of a matrix of series and of the transposed one with others that are laid out in both ways.
    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let mut rng = Noise(0);
        for ([steps, channels, lanes], n) in
            [([1, 1, 8], 1), ([2, 5, 16], 7), ([3, 9, 8], 67), ([1, 20, 32], 96), ([4, 3, 40], 131)]
        {
            let xs = numbers(&mut rng, steps * channels * lanes, 4);
            let columns = steps * lanes;
            let a = |row: usize, column: usize| xs[column / lanes * channels * lanes + row * lanes + column % lanes];
            let b = numbers(&mut rng, columns.max(channels) * n, 1);
            for instructions in every_way() {
                let mut lists = Lists::default();
                assert!(lists.find(instructions, series(&xs, [steps, channels, lanes]), xs.len()));
                let check = |rows: usize, terms: usize, striped: &[f64], transposed: bool| {
                    let sum = |row: usize, column: usize| -> f64 {
                        let a = |k: usize| if transposed { a(k, row) } else { a(row, k) };
                        (0..terms).map(|k| a(k) * b[k * n + column]).sum()
                    };
                    let striped = Striped { numbers: striped, rows: terms, columns: n };
                    let mut sparse = Sparse::default();
                    if transposed {
                        sparse.arrange_transposed(&lists, rows);
                        let mut out = vec![0.5; n * (rows + 2)];
                        let to = RowsMut { numbers: &mut out, stride: rows + 2 };
                        sparse.product_transposed(instructions, striped, Start::There, to);
                        for (i, found) in out.iter().enumerate() {
                            let (column, row) = (i / (rows + 2), i % (rows + 2));
                            let expected = 0.5 + if row < rows { sum(row, column) } else { 0.0 };
                            assert_eq!(*found, expected, "row {row}, column {column} of {n}, transposed");
                        }
                    } else {
                        sparse.arrange(&lists, terms);
                    }
                    let mut out = vec![0.5; rows * (n + 2)];
                    sparse.add_product(instructions, striped, RowsMut { numbers: &mut out, stride: n + 2 });
                    for (i, found) in out.iter().enumerate() {
                        let (row, column) = (i / (n + 2), i % (n + 2));
                        let expected = 0.5 + if column < n { sum(row, column) } else { 0.0 };
                        assert_eq!(*found, expected, "row {row}, column {column} of {n}");
                    }
                };
                check(channels, columns, &stripe(columns, n, |row, column| b[row * n + column]), false);
                // The same numbers, laid out from `[column, row]`, step by step.
                let by_column: Vec<f64> = (0..n * channels).map(|i| b[i % channels * n + i / channels]).collect();
                let mut striped = vec![0.0; striped_len(channels, n)];
                let from = Rows { numbers: &by_column, stride: channels };
                transpose_into_stripes(instructions, [n, channels], from, &mut striped, channels, 0);
                check(columns, channels, &striped, true);
            }
        }
    }

    #[test]
    fn what_is_not_sparse_is_refused() {
        let ones = vec![1.0; 4 * 8];
        for instructions in every_way() {
            let mut lists = Lists::default();
            assert!(!lists.find(instructions, series(&ones, [1, 4, 8]), 31));
            assert!(lists.find(instructions, series(&ones, [1, 4, 8]), 32));
            assert_eq!((lists.rows(), lists.row(3)), (4, (&[0, 1, 2, 3, 4, 5, 6, 7][..], &[1.0; 8][..])));
        }
    }
}
