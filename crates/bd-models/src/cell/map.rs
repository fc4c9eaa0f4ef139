//! A linear map without a bias, laid out for the products of both passes.

use std::ops::Range;

use bd_core::kernel::{Factors, Instructions, Numbers, Real, Rows, RowsMut, Shape, Start, pack, product};

/// Some columns of a weight, `y[o] = sum_i w[i, o] x[i]`, packed for it and for its adjoint: the same numbers are read at every step.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) n_in: usize,
    pub(crate) n_out: usize,
    forward: Numbers,
    backward: Numbers,
}

impl Map {
    /// `columns` of a weight of `n_in` rows, each of `width` numbers.
    pub(crate) fn new(weight: &Numbers, n_in: usize, width: usize, columns: Range<usize>) -> Self {
        let (first, n_out) = (columns.start, columns.len());
        let forward = packed(weight, n_in, n_out, |i, o| i * width + first + o);
        let backward = packed(weight, n_out, n_in, |o, i| i * width + first + o);
        Self { n_in, n_out, forward, backward }
    }

    /// `ys = start + W^T xs`, for `columns` samples or steps.
    pub(crate) fn apply<F: Real>(
        &self,
        instructions: Instructions,
        columns: usize,
        xs: Rows<'_, F>,
        start: Start<'_, F>,
        ys: RowsMut<'_, F>,
    ) {
        let shape = Shape { rows: self.n_out, terms: self.n_in, columns };
        product(instructions, shape, Factors::Packed(F::numbers(&self.forward)), xs, start, ys);
    }

    /// The adjoint: `gxs = start + W gys`.
    pub(crate) fn pull<F: Real>(
        &self,
        instructions: Instructions,
        columns: usize,
        gys: Rows<'_, F>,
        start: Start<'_, F>,
        gxs: RowsMut<'_, F>,
    ) {
        let shape = Shape { rows: self.n_in, terms: self.n_out, columns };
        product(instructions, shape, Factors::Packed(F::numbers(&self.backward)), gys, start, gxs);
    }
}

fn packed(numbers: &Numbers, terms: usize, rows: usize, at: impl Fn(usize, usize) -> usize) -> Numbers {
    match numbers {
        Numbers::Single(all) => Numbers::Single(pack(terms, rows, |k, m| all[at(k, m)])),
        Numbers::Double(all) => Numbers::Double(pack(terms, rows, |k, m| all[at(k, m)])),
    }
}
