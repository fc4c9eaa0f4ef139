//! [`FixedWeights`]: the weights of a cell that are never trained, of which most may be zero.

use std::ops::Range;

use crate::{Real, SparseWeight};

/// Up to this share of entries other than zero a sparse product is used. Of 1,000 x 1,000 weights in float64 with AVX-512 it takes as long
/// as a dense one at a share of 0.24 with 8 samples, which most tiles have, at 0.84 with one and at 0.7 with 32
/// (`cargo bench --bench reservoir -- --densities`).
const SPARSE: f64 = 0.25;

/// Weights from the inputs and from the units of a cell to its gates: rows of `width` numbers, the inputs' first.
#[derive(Debug, Clone, Copy)]
pub struct FixedWeights<'a, F> {
    input: &'a [F],
    recurrent: &'a [F],
    width: usize,
}

impl<'a, F: Real> FixedWeights<'a, F> {
    /// From an input weight `[n_in, width]` and a recurrent weight `[n, width]`, row by row.
    ///
    /// # Panics
    ///
    /// If they are no whole rows.
    pub fn new(input: &'a [F], recurrent: &'a [F], width: usize) -> Self {
        let whole = [input, recurrent].iter().all(|rows| rows.len().is_multiple_of(width));
        assert!(width > 0 && whole, "{} and {} weights in rows of {width}", input.len(), recurrent.len());
        Self { input, recurrent, width }
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows of the inputs.
    pub(crate) fn n_in(&self) -> usize {
        self.input.len() / self.width
    }

    /// Rows of the units.
    pub(crate) fn n(&self) -> usize {
        self.recurrent.len() / self.width
    }

    pub(crate) fn row(&self, row: usize) -> &'a [F] {
        let n_in = self.n_in();
        let (rows, row) = if row < n_in { (self.input, row) } else { (self.recurrent, row - n_in) };
        &rows[row * self.width..][..self.width]
    }

    /// What is not zero in some rows: row within these, column and value, row after row.
    pub(crate) fn entries(self, rows: Range<usize>) -> impl Iterator<Item = (usize, usize, F)> {
        let numbered = rows
            .enumerate()
            .flat_map(move |(i, row)| self.row(row).iter().enumerate().map(move |(column, &value)| (i, column, value)));
        numbered.filter(|(.., value)| *value != F::default())
    }

    /// Whether products of some rows are faster by what is not zero.
    pub(crate) fn is_sparse(self, rows: &Range<usize>) -> bool {
        let count: usize =
            rows.clone().map(|row| self.row(row).iter().filter(|value| **value != F::default()).count()).sum();
        let fits = rows.len().max(self.width) <= SparseWeight::<F>::MOST_INPUTS;
        fits && !rows.is_empty() && count as f64 <= SPARSE * (rows.len() * self.width) as f64
    }
}

/// A [`SparseWeight`] in its own dtype.
#[derive(Debug)]
pub enum SparseNumbers {
    /// float32.
    Single(SparseWeight<f32>),
    /// float64.
    Double(SparseWeight<f64>),
}
