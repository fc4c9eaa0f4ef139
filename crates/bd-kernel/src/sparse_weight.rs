//! [`SparseWeight`]: a weight most of whose entries are zero and stay so, as that of a reservoir, and its products.

// Loops over blocks are written with indices: so they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

use super::product::{Rows, RowsMut, Start, reach};
use super::vector::Vector;
use super::{Cpu, Instructions, LANES, Loops, Real, vectorised};

/// Outputs whose sums are formed together: they do not wait for each other.
const GROUP: usize = 8;

/// A weight from `n_in` inputs to `n_out` outputs, `y[o] = sum_i w[i, o] x[i]`, of which only the entries that are not zero are stored.
///
/// Outputs are sorted by their number of entries and divided into groups of 8, whose entries lie side by side, filled up with zeros to
/// equal length. The order of each sum is that of the inputs, so that the results are those of the dense [`product`](super::product)
/// to the last bit. An entry takes 2 bytes for its input and those of its value.
#[derive(Debug)]
pub struct SparseWeight<F> {
    n_in: usize,
    /// All outputs in the order of the groups.
    order: Vec<u32>,
    /// Where the entries of each group begin; one more than there are groups.
    starts: Vec<usize>,
    inputs: Vec<[u16; GROUP]>,
    values: Vec<[F; GROUP]>,
}

impl<F: Real> SparseWeight<F> {
    /// Inputs at most: their numbers have two bytes.
    pub const MOST_INPUTS: usize = 1 << 16;

    /// From the entries `(input, output, value)`, each output's in the order of its inputs. They are iterated over twice.
    ///
    /// # Panics
    ///
    /// If there is no input, more than [`MOST_INPUTS`](Self::MOST_INPUTS), or an entry outside.
    pub fn new<E: Iterator<Item = (usize, usize, F)>>([n_in, n_out]: [usize; 2], entries: impl Fn() -> E) -> Self {
        assert!((1..=Self::MOST_INPUTS).contains(&n_in), "a sparse weight of {n_in} inputs");
        let mut counts = vec![0usize; n_out];
        for (input, output, _) in entries() {
            assert!(input < n_in, "an entry of input {input} of {n_in}");
            counts[output] += 1;
        }
        let mut order: Vec<u32> = (0..n_out as u32).collect();
        order.sort_by_key(|&output| counts[output as usize]);
        let mut starts = vec![0];
        for group in order.chunks(GROUP) {
            // The last one has the most.
            let longest = group.last().map_or(0, |&output| counts[output as usize]);
            starts.push(starts[starts.len() - 1] + longest);
        }
        let length = starts[starts.len() - 1];
        let mut inputs = vec![[0; GROUP]; length];
        let mut values = vec![[F::default(); GROUP]; length];
        let mut slots = vec![0; n_out];
        order.iter().enumerate().for_each(|(slot, &output)| slots[output as usize] = slot);
        // From now on where the next entry of each output goes.
        let mut next = counts;
        (0..n_out).for_each(|output| next[output] = starts[slots[output] / GROUP]);
        for (input, output, value) in entries() {
            // Once more: nothing makes an iterator say the same twice, and products rely on it.
            assert!(input < n_in, "an entry of input {input} of {n_in}");
            let (at, lane) = (next[output], slots[output] % GROUP);
            (inputs[at][lane], values[at][lane]) = (input as u16, value);
            next[output] += 1;
        }
        Self { n_in, order, starts, inputs, values }
    }

    /// Outputs for `columns` samples side by side, a multiple of [`LANES`]: `out[o, n] = start + sum_i w[i, o] xs[i, n]`.
    pub fn product(
        &self,
        instructions: Instructions,
        columns: usize,
        xs: Rows<'_, F>,
        start: Start<'_, F>,
        out: RowsMut<'_, F>,
    ) {
        let n_out = self.order.len();
        if n_out == 0 || columns == 0 {
            return;
        }
        // What the loops rely on.
        assert!(columns.is_multiple_of(LANES), "columns come in vectors");
        assert!(reach(self.n_in, xs.stride, columns) <= xs.numbers.len(), "inputs are missing");
        assert!(reach(n_out, out.stride, columns) <= out.numbers.len(), "there is too little workspace");
        vectorised(instructions, Product { weight: self, columns, xs, start, out });
    }

    /// Outputs for one sample: `out[o] = start + sum_i w[i, o] x[i]`.
    pub fn product_of_one(&self, instructions: Instructions, x: &[F], start: Start<'_, F>, out: &mut [F]) {
        // What the loop relies on.
        assert!(self.n_in <= x.len() && self.order.len() <= out.len(), "inputs or outputs are missing");
        vectorised(instructions, ProductOfOne { weight: self, x, start, out });
    }

    /// Outputs of a group, with inputs and values of its entries.
    #[inline(always)]
    fn group(&self, group: usize) -> (&[u32], &[[u16; GROUP]], &[[F; GROUP]]) {
        let outputs = &self.order[group * GROUP..self.order.len().min((group + 1) * GROUP)];
        let entries = self.starts[group]..self.starts[group + 1];
        (outputs, &self.inputs[entries.clone()], &self.values[entries])
    }
}

struct ProductOfOne<'a, F> {
    weight: &'a SparseWeight<F>,
    x: &'a [F],
    start: Start<'a, F>,
    out: &'a mut [F],
}

impl<F: Real> Loops for ProductOfOne<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { weight, x, start, out } = self;
        for group in 0..weight.starts.len() - 1 {
            let (outputs, inputs, values) = weight.group(group);
            let mut sums = [F::default(); GROUP];
            for (sum, &output) in sums.iter_mut().zip(outputs) {
                *sum = match start {
                    Start::Zero => F::default(),
                    Start::Each(numbers) => numbers[output as usize],
                    Start::There => out[output as usize],
                };
            }
            for (inputs, values) in inputs.iter().zip(values) {
                for i in 0..GROUP {
                    // SAFETY: `new` has checked all inputs, and the caller how many there are.
                    let x = unsafe { *x.get_unchecked(inputs[i] as usize) };
                    sums[i] = C::mul_add(values[i], x, sums[i]);
                }
            }
            for (&sum, &output) in sums.iter().zip(outputs) {
                out[output as usize] = sum;
            }
        }
    }
}

struct Product<'a, F> {
    weight: &'a SparseWeight<F>,
    columns: usize,
    xs: Rows<'a, F>,
    start: Start<'a, F>,
    out: RowsMut<'a, F>,
}

impl<F: Real> Loops for Product<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(mut self) {
        let (long, short) = (C::Vector::<F>::LEN, C::Short::<F>::LEN);
        let mut at = 0;
        while at < self.columns {
            let left = self.columns - at;
            // SAFETY: columns, inputs and outputs are there, as the caller has checked; these are loops that `vectorised` runs.
            at += unsafe {
                match left {
                    _ if left >= 2 * long => self.some_columns::<C, C::Vector<F>, 2>(at),
                    _ if left >= long => self.some_columns::<C, C::Vector<F>, 1>(at),
                    _ => self.some_columns::<C, C::Short<F>, 1>(at),
                }
            };
            debug_assert!(at >= short);
        }
    }
}

impl<F: Real> Product<'_, F> {
    /// `N` vectors of columns from `at` on, of all outputs; gives how many columns that are.
    ///
    /// # Safety
    ///
    /// The processor has these vectors; columns, inputs and outputs are there.
    #[inline(always)]
    unsafe fn some_columns<C: Cpu, V: Vector<F>, const N: usize>(&mut self, at: usize) -> usize {
        for group in 0..self.weight.starts.len() - 1 {
            // SAFETY: the caller's.
            unsafe {
                if C::MANY_REGISTERS {
                    self.block::<V, GROUP, N>(group, 0, at);
                } else {
                    self.block::<V, { GROUP / 2 }, N>(group, 0, at);
                    self.block::<V, { GROUP / 2 }, N>(group, GROUP / 2, at);
                }
            }
        }
        N * V::LEN
    }

    /// `M` outputs of a group from its `first` on, whose sums stay in registers.
    ///
    /// # Safety
    ///
    /// As for [`some_columns`](Self::some_columns).
    #[inline(always)]
    unsafe fn block<V: Vector<F>, const M: usize, const N: usize>(&mut self, group: usize, first: usize, at: usize) {
        let (outputs, inputs, values) = self.weight.group(group);
        let outputs = &outputs[first.min(outputs.len())..outputs.len().min(first + M)];
        // SAFETY: the caller's; `new` has checked all inputs.
        unsafe {
            let mut sums = [[V::splat(F::default()); N]; M];
            for (sums, &output) in sums.iter_mut().zip(outputs) {
                match self.start {
                    Start::Zero => {}
                    Start::Each(numbers) => *sums = [V::splat(numbers[output as usize]); N],
                    Start::There => {
                        let there = self.out.numbers.as_ptr().add(output as usize * self.out.stride + at);
                        (0..N).for_each(|j| sums[j] = V::load(there.add(j * V::LEN)));
                    }
                }
            }
            let xs = self.xs.numbers.as_ptr().add(at);
            for (inputs, values) in inputs.iter().zip(values) {
                for i in 0..M {
                    let x = xs.add(inputs[first + i] as usize * self.xs.stride);
                    let value = V::splat(values[first + i]);
                    for j in 0..N {
                        sums[i][j] = value.mul_add(V::load(x.add(j * V::LEN)), sums[i][j]);
                    }
                }
            }
            for (sums, &output) in sums.iter().zip(outputs) {
                let out = self.out.numbers.as_mut_ptr().add(output as usize * self.out.stride + at);
                (0..N).for_each(|j| sums[j].store(out.add(j * V::LEN)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Packed, Shape, pack, product, product_of_one};
    use super::*;
    use crate::testing::Noise;

    fn every_way() -> impl Iterator<Item = Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
    }

    /// All bits are those of the dense products, of one sample and of many, whatever they begin at.
    #[test]
    fn products_are_those_of_the_dense_weight_to_the_last_bit() {
        let mut rng = Noise(0);
        for ([n_in, n_out], columns, one_in) in [
            ([1, 1], 8, 1),
            ([5, 3], 16, 2),
            ([9, 67], 24, 3),
            ([40, 29], 32, 10),
            ([30, 131], 40, 5),
            ([20, 16], 8, 1),
        ] {
            let zero_or = |rng: &mut Noise| if rng.bits().is_multiple_of(one_in) { rng.uniform() - 0.5 } else { 0.0 };
            let dense: Vec<f64> = (0..n_in * n_out).map(|_| zero_or(&mut rng)).collect();
            let of = |i: usize, o: usize| dense[i * n_out + o];
            let weight = SparseWeight::new([n_in, n_out], || {
                (0..n_in * n_out).map(|at| (at / n_out, at % n_out, dense[at])).filter(|(.., value)| *value != 0.0)
            });
            let packed = pack(n_in, n_out, of);
            let xs: Vec<f64> = (0..n_in * columns).map(|_| rng.uniform() - 0.5).collect();
            let bias: Vec<f64> = (0..n_out).map(|_| rng.uniform() - 0.5).collect();
            let (rows, shape) = (Rows { numbers: &xs, stride: columns }, Shape { rows: n_out, terms: n_in, columns });
            for (instructions, start) in
                every_way().flat_map(|way| [Start::Zero, Start::Each(&bias), Start::There].map(|start| (way, start)))
            {
                let [mut found, mut known] = [vec![0.25; n_out * columns], vec![0.25; n_out * columns]];
                let to = |numbers| RowsMut { numbers, stride: columns };
                weight.product(instructions, columns, rows, start, to(&mut found));
                product(instructions, shape, Packed(&packed), rows, start, to(&mut known));
                assert_eq!(found, known, "{n_in} to {n_out}, {columns} columns, {instructions:?}, {start:?}");
                let x: Vec<f64> = xs.chunks(columns).map(|row| row[3]).collect();
                let [mut of_sparse, mut of_dense] = [vec![0.25; n_out], vec![0.25; n_out]];
                weight.product_of_one(instructions, &x, start, &mut of_sparse);
                product_of_one(instructions, [n_in, n_out], Packed(&packed), &x, start, &mut of_dense);
                let known: Vec<f64> = known.chunks(columns).map(|row| row[3]).collect();
                assert_eq!(
                    (&of_sparse, &of_dense),
                    (&known, &known),
                    "{n_in} to {n_out}, one sample, {instructions:?}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "an entry of input 3 of 3")]
    fn an_entry_outside_is_refused() {
        let _ = SparseWeight::new([3, 1], || [(3, 0, 1.0)].into_iter());
    }
}
