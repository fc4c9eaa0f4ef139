//! A matrix laid out for products.

use std::ops::Range;
use std::sync::Arc;

use crate::{
    Instructions, Numbers, Packed, Real, Rows, RowsMut, Shape, SparseWeight, Start, Striped, Tile, pack, product,
    product_of_one, stripe,
};

use super::fixed::{FixedWeights, SparseNumbers};
use super::step_weight::StepWeight;

/// Part of a weight, or of its transpose, laid out for products: the same numbers are read at every step.
#[derive(Debug)]
pub(crate) struct Matrix {
    n_in: usize,
    n_out: usize,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    /// All entries, [packed](pack).
    Packed(Numbers),
    /// Those that are not zero.
    Sparse(Arc<SparseNumbers>),
}

impl Matrix {
    /// `y[o] = sum_i w[i, o] x[i]` with some rows `i` and columns `o` of a weight whose rows are `width` long.
    pub(crate) fn new(weight: &Numbers, width: usize, rows: Range<usize>, columns: Range<usize>) -> Self {
        let at = |i: usize, o: usize| (rows.start + i) * width + columns.start + o;
        Self::packed(packed(weight, rows.len(), columns.len(), at), rows.len(), columns.len())
    }

    /// The adjoint of it: `x[i] = sum_o w[i, o] y[o]`.
    pub(crate) fn adjoint(weight: &Numbers, width: usize, rows: Range<usize>, columns: Range<usize>) -> Self {
        let at = |o: usize, i: usize| (rows.start + i) * width + columns.start + o;
        Self::packed(packed(weight, columns.len(), rows.len(), at), columns.len(), rows.len())
    }

    fn packed(packed: Numbers, n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, layout: Layout::Packed(packed) }
    }

    /// [`new`](Self::new) of weights that are never trained: sparse if most of them are zero.
    pub(crate) fn fixed<F: Real>(weights: FixedWeights<'_, F>, rows: Range<usize>) -> Self {
        let [n_in, n_out] = [rows.len(), weights.width()];
        let layout = match weights.is_sparse(&rows) {
            true => Layout::Sparse(stored(SparseWeight::new([n_in, n_out], || weights.entries(rows.clone())))),
            false => Layout::Packed(F::stored(pack(n_in, n_out, |i, o| weights.row(rows.start + i)[o]))),
        };
        Self { n_in, n_out, layout }
    }

    /// [`adjoint`](Self::adjoint) of such weights.
    pub(crate) fn fixed_adjoint<F: Real>(weights: FixedWeights<'_, F>, rows: Range<usize>) -> Self {
        let [n_in, n_out] = [weights.width(), rows.len()];
        let transposed = || weights.entries(rows.clone()).map(|(i, o, value)| (o, i, value));
        let layout = match weights.is_sparse(&rows) {
            true => Layout::Sparse(stored(SparseWeight::new([n_in, n_out], transposed))),
            false => Layout::Packed(F::stored(pack(n_in, n_out, |o, i| weights.row(rows.start + i)[o]))),
        };
        Self { n_in, n_out, layout }
    }

    /// Laid out for one sample at a time.
    pub(crate) fn step_weight<F: Real>(&self) -> StepWeight<F> {
        self.step_weight_at([self.n_in, self.n_out], |i, o| Some([i, o]))
    }

    /// The same with entries that stand elsewhere in a weight of other sizes, or nowhere.
    pub(crate) fn step_weight_at<F: Real>(
        &self,
        sizes: [usize; 2],
        at: impl Fn(usize, usize) -> Option<[usize; 2]>,
    ) -> StepWeight<F> {
        match &self.layout {
            Layout::Packed(packed) => {
                let packed = Packed(F::numbers(packed));
                let entry = |[i, o]: [usize; 2]| packed.factor([self.n_in, self.n_out], i, o);
                StepWeight::new(sizes, |i, o| at(i, o).map_or(F::default(), entry))
            }
            Layout::Sparse(_) => unreachable!("a sparse weight is not laid out densely"),
        }
    }

    /// Itself if it is sparse.
    pub(crate) fn sparse(&self) -> Option<Arc<SparseNumbers>> {
        match &self.layout {
            Layout::Packed(_) => None,
            Layout::Sparse(sparse) => Some(Arc::clone(sparse)),
        }
    }

    /// Inputs.
    pub(crate) fn n_in(&self) -> usize {
        self.n_in
    }

    /// Outputs for `columns` samples or steps side by side, added to what they start at.
    pub(crate) fn apply<F: Real>(
        &self,
        instructions: Instructions,
        columns: usize,
        xs: Rows<'_, F>,
        start: Start<'_, F>,
        ys: RowsMut<'_, F>,
    ) {
        match &self.layout {
            Layout::Packed(packed) => {
                let shape = Shape { rows: self.n_out, terms: self.n_in, columns };
                product(instructions, shape, Packed(F::numbers(packed)), xs, start, ys);
            }
            Layout::Sparse(sparse) => F::sparse(sparse).product(instructions, columns, xs, start, ys),
        }
    }

    /// Outputs of one sample.
    pub(crate) fn of_one<F: Real>(&self, instructions: Instructions, x: &[F], start: Start<'_, F>, y: &mut [F]) {
        match &self.layout {
            Layout::Packed(packed) => {
                product_of_one(instructions, [self.n_in, self.n_out], Packed(F::numbers(packed)), x, start, y);
            }
            Layout::Sparse(sparse) => F::sparse(sparse).product_of_one(instructions, x, start, y),
        }
    }

    /// The same for the samples of one step, channel after channel.
    pub(crate) fn step<F: Real>(
        &self,
        instructions: Instructions,
        lanes: usize,
        xs: &[F],
        start: Start<'_, F>,
        ys: &mut [F],
    ) {
        let (xs, ys) = (Rows { numbers: xs, stride: lanes }, RowsMut { numbers: ys, stride: lanes });
        self.apply(instructions, lanes, xs, start, ys);
    }

    /// What is asked of the input of the step that begins at `at`, where that is wanted: into `gxs`, `[channel, step, lane]`.
    pub(crate) fn input_gradient<F: Real>(&self, tile: Tile, at: usize, asked: &[F], gxs: &mut [F]) {
        if gxs.is_empty() {
            return;
        }
        let from = Rows { numbers: asked, stride: tile.lanes };
        let to = RowsMut { numbers: &mut gxs[at..], stride: tile.len() };
        self.apply(tile.instructions, tile.lanes, from, Start::Zero, to);
    }
}

/// A weight laid out so that rows of it can be added up.
#[derive(Debug)]
pub(crate) struct WeightRows {
    rows: usize,
    columns: usize,
    striped: Numbers,
}

impl WeightRows {
    /// All of a weight `[rows, columns]`.
    pub(crate) fn new(weight: &Numbers, rows: usize, columns: usize) -> Self {
        let striped = match weight {
            Numbers::Single(all) => Numbers::Single(stripe(rows, columns, |row, column| all[row * columns + column])),
            Numbers::Double(all) => Numbers::Double(stripe(rows, columns, |row, column| all[row * columns + column])),
        };
        Self { rows, columns, striped }
    }

    pub(crate) fn striped<F: Real>(&self) -> Striped<'_, F> {
        Striped { numbers: F::numbers(&self.striped), rows: self.rows, columns: self.columns }
    }
}

fn stored<F: Real>(weight: SparseWeight<F>) -> Arc<SparseNumbers> {
    Arc::new(F::stored_sparse(weight))
}

fn packed(weight: &Numbers, terms: usize, rows: usize, at: impl Fn(usize, usize) -> usize) -> Numbers {
    match weight {
        Numbers::Single(all) => Numbers::Single(pack(terms, rows, |k, m| all[at(k, m)])),
        Numbers::Double(all) => Numbers::Double(pack(terms, rows, |k, m| all[at(k, m)])),
    }
}
