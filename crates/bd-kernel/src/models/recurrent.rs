//! The loops of a system whose outputs come back to its inputs a step later, through weights.

use std::ops::Range;
use std::sync::Arc;

use crate::{
    AnyKernel, Bits, Block, Grads, Input, Kernel, Lists, Numbers, Real, Rows, RowsMut, Series, SingleStep, Sizes,
    Sparse, Start, Striped, Tile, Typed, Workspaces, bits_len, striped_len, transpose_into_stripes,
};

use super::blocks::OfStep;
use super::matrix::{Matrix, WeightRows};
use super::recording::{Recording, StepByStep};
use step::RecurrentStep;

mod step;

/// One number in so many may be other than zero for the rows of the weight that are wanted to be gathered. They come from
/// a farther cache than the operands of a product over everything.
const WORTH: usize = 4;

/// All steps of a recurrent system, whose own kernel does one step at a time.
///
/// What comes back is gathered: of the weight only the rows of the outputs that are not zero. So is the gradient of the
/// weight, once for a stretch; what is asked of the outputs is a product of everything, at every step.
///
/// Kept is what the system keeps, step by step; its inputs, `[step, n, lane]`, if its adjoint reads them; the outputs before the first
/// step; and those of all steps, if they are spikes a bit each, or else `[step, n, lane]`. `work`: what is asked of the inputs, in
/// stripes of `[step and lane, n]`.
#[derive(Debug)]
pub struct RecurrentKernel {
    n: usize,
    inner: Arc<dyn AnyKernel>,
    weight: WeightRows,
    forward: Matrix,
    adjoint: Matrix,
    workspaces: Workspaces,
}

/// What is kept of a stretch.
struct Kept<'a, F> {
    inner: &'a mut [F],
    driven: &'a mut [F],
    /// The outputs before the first step, and then those of all steps.
    outputs: &'a mut [F],
}

/// What is made anew at every step.
#[derive(Default)]
struct Workspace<F> {
    lists: Lists<F>,
    sparse: Sparse<F>,
    /// What is asked of the inputs of the system at one step, `[n, lane]`.
    asked: Block<F>,
    /// Inputs of the system at one step.
    driven: Block<F>,
    /// What the system works in.
    inner: Block<F>,
}

impl RecurrentKernel {
    /// Around a kernel of as many inputs as outputs, with weights from these to those, `[n, n]`, row by row.
    ///
    /// # Panics
    ///
    /// If there are other numbers of them.
    pub fn new(inner: Arc<dyn AnyKernel>, weight: &Numbers) -> Self {
        let Sizes { n_in: n, n_out, .. } = Kernel::<f32>::sizes(inner.as_ref());
        assert_eq!((n_out, weight.len()), (n, n * n), "weights from {n_out} outputs to {n} inputs");
        Self {
            forward: Matrix::new(weight, n, 0..n, 0..n),
            adjoint: Matrix::adjoint(weight, n, 0..n, 0..n),
            inner,
            weight: WeightRows::new(weight, n, n),
            n,
            workspaces: Workspaces::default(),
        }
    }

    fn inner<F: Real>(&self) -> &dyn Kernel<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        self.inner.typed()
    }

    /// Numbers of each part of what is kept, for each lane.
    fn parts<F: Real>(&self, steps: usize) -> [usize; 4]
    where
        dyn AnyKernel: Typed<F>,
    {
        let (n, inner) = (self.n, self.inner::<F>());
        let driven = if inner.reads_inputs() { n * steps } else { 0 };
        let outputs = if inner.spikes() { bits_len::<F>(n, steps) } else { n * steps };
        [inner.n_kept(1) * steps, driven, n, outputs]
    }

    fn kept<'a, F: Real>(&self, tile: Tile, kept: &'a mut [F]) -> Kept<'a, F>
    where
        dyn AnyKernel: Typed<F>,
    {
        let [inner, driven, _, _] = self.parts::<F>(tile.steps).map(|n| n * tile.lanes);
        let (inner, rest) = kept.split_at_mut(inner);
        let (driven, outputs) = rest.split_at_mut(driven);
        Kept { inner, driven, outputs }
    }

    fn bits(&self, tile: Tile) -> Bits {
        Bits { channels: self.n, lanes: tile.lanes }
    }

    /// Adds what the outputs of the step before make of the inputs of this one, both `[n, lane]`.
    fn feed_back<F: Real>(&self, tile: Tile, before: &[F], x: &mut [F], workspace: &mut Workspace<F>) {
        let (n, lanes, instructions) = (self.n, tile.lanes, tile.instructions);
        let series = Series::by_channel(before, n, lanes);
        if !workspace.lists.find(instructions, series, before.len() / WORTH) {
            return self.forward.step(instructions, lanes, before, Start::There, x);
        }
        workspace.sparse.arrange_transposed(&workspace.lists, lanes);
        workspace.sparse.product_transposed(instructions, self.weight.striped(), Start::There, rows_mut(x, lanes));
    }

    /// What is not zero of the outputs before each step.
    fn find_before<F: Real>(&self, tile: Tile, outputs: &[F], lists: &mut Lists<F>)
    where
        dyn AnyKernel: Typed<F>,
    {
        let (n, lanes, steps, step_stride) = (self.n, tile.lanes, tile.steps, self.n * tile.lanes);
        if self.inner::<F>().spikes() {
            let (first, bits) = outputs.split_at(step_stride);
            return lists.find_late(tile.instructions, first, self.bits(tile), bits, steps);
        }
        let before = Series { numbers: outputs, channels: n, stride: lanes, steps, step_stride, lanes };
        let all = lists.find(tile.instructions, before, n * tile.len());
        debug_assert!(all);
    }
}

fn rows<F>(numbers: &[F], stride: usize) -> Rows<'_, F> {
    Rows { numbers, stride }
}

fn rows_mut<F>(numbers: &mut [F], stride: usize) -> RowsMut<'_, F> {
    RowsMut { numbers, stride }
}

/// The numbers of step `t`, of which each step has `n` for each lane.
fn of_step(tile: Tile, n: usize, t: usize) -> Range<usize> {
    t * n * tile.lanes..(t + 1) * n * tile.lanes
}

impl AnyKernel for RecurrentKernel {
    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        Some(Recording::of(self, leaves))
    }
}

impl<F: Real> Kernel<F> for RecurrentKernel
where
    dyn AnyKernel: Typed<F>,
{
    fn sizes(&self) -> Sizes {
        let (n, inner) = (self.n, self.inner::<F>().sizes());
        Sizes {
            n_in: n,
            n_out: n,
            n_state: inner.n_state + n,
            n_work: striped_len(1, n),
            n_params: inner.n_params + n * n,
        }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.parts::<F>(steps).iter().sum()
    }

    fn stores(&self) -> bool {
        true
    }

    fn stores_much(&self) -> bool {
        true
    }

    fn reads_inputs(&self) -> bool {
        false
    }

    fn spikes(&self) -> bool {
        self.inner::<F>().spikes()
    }

    fn keeps_outputs(&self) -> bool {
        true
    }

    fn outputs(&self, tile: Tile, kept: &[F], ys: &mut [F]) {
        let outputs = &kept[kept.len() - self.parts::<F>(tile.steps)[3] * tile.lanes..];
        if self.inner::<F>().spikes() {
            return self.bits(tile).read(tile, outputs, ys);
        }
        for t in 0..tile.steps {
            OfStep::Write(&outputs[of_step(tile, self.n, t)], ys).at(tile, t * tile.lanes);
        }
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]) {
        self.forward_watched(tile, xs, state, ys, kept, work, &mut |_, _| {});
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        let inner = self.inner::<F>().single_step()?;
        Some(Box::new(RecurrentStep::new(inner, self.forward.step_weight())))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        self.backward_watched(tile, xs, kept, work, grads, &mut |_, _| {});
    }
}

impl<F: Real> StepByStep<F> for RecurrentKernel
where
    dyn AnyKernel: Typed<F>,
{
    fn forward_watched(
        &self,
        tile: Tile,
        xs: Input<'_, F>,
        all: &mut [F],
        ys: &mut [F],
        kept: &mut [F],
        _: &mut [F],
        after: &mut dyn FnMut(usize, &[F]),
    ) {
        let (xs, n, lanes, inner) = (xs.dense(), self.n, tile.lanes, self.inner::<F>());
        let (sizes, n_kept) = (inner.sizes(), inner.n_kept(1));
        let kept = self.kept(tile, kept);
        self.workspaces.with(|workspace: &mut Workspace<F>| {
            let (mut driven, mut own_work) =
                (std::mem::take(&mut workspace.driven), std::mem::take(&mut workspace.inner));
            driven.resize(n * lanes);
            own_work.resize(sizes.n_work * lanes);
            if tile.keep {
                kept.outputs[..n * lanes].copy_from_slice(&all[sizes.n_state * lanes..]);
            }
            for t in 0..tile.steps {
                let (state, fed_back) = all.split_at_mut(sizes.n_state * lanes);
                let x = match inner.reads_inputs() {
                    true => &mut kept.driven[of_step(tile, n, t)],
                    false => &mut *driven,
                };
                OfStep::Read(xs, x).at(tile, t * lanes);
                self.feed_back(tile, fed_back, x, workspace);
                let own = &mut kept.inner[of_step(tile, n_kept, t)];
                inner.forward(tile.part(t..t + 1), Input::Dense(x), state, fed_back, own, &mut own_work);
                OfStep::Write(fed_back, ys).at(tile, t * lanes);
                match inner.spikes() {
                    _ if !tile.keep => {}
                    true => self.bits(tile).write(tile.instructions, fed_back, t, &mut kept.outputs[n * lanes..]),
                    false => kept.outputs[of_step(tile, n, t + 1)].copy_from_slice(fed_back),
                }
                after(t * lanes, all);
            }
            (workspace.driven, workspace.inner) = (driven, own_work);
        });
    }

    fn backward_watched(
        &self,
        tile: Tile,
        _: Input<'_, F>,
        kept: &mut [F],
        transposed: &mut [F],
        grads: Grads<'_, F>,
        before: &mut dyn FnMut(usize, &mut [F]),
    ) {
        let (n, lanes, instructions, inner) = (self.n, tile.lanes, tile.instructions, self.inner::<F>());
        let (sizes, n_kept) = (inner.sizes(), inner.n_kept(1));
        let kept = self.kept(tile, kept);
        let (params, gweight) = grads.params.split_at_mut(sizes.n_params);
        self.workspaces.with(|workspace: &mut Workspace<F>| {
            workspace.asked.resize(n * lanes);
            workspace.driven.resize(n * lanes);
            workspace.inner.resize(sizes.n_work * lanes);
            let gx = &mut workspace.asked;
            for t in (0..tile.steps).rev() {
                before(t * lanes, grads.state);
                let (state, asked) = grads.state.split_at_mut(sizes.n_state * lanes);
                let x = match inner.reads_inputs() {
                    true => &kept.driven[of_step(tile, n, t)],
                    false => &*workspace.driven,
                };
                OfStep::Add(grads.ys, asked).at(tile, t * lanes);
                let own = Grads { ys: asked, state, xs: gx, params };
                let own_kept = &mut kept.inner[of_step(tile, n_kept, t)];
                inner.backward(tile.part(t..t + 1), Input::Dense(x), own_kept, &mut workspace.inner, own);
                self.adjoint.step(instructions, lanes, gx, Start::Zero, asked);
                if !grads.xs.is_empty() {
                    OfStep::Write(gx, grads.xs).at(tile, t * lanes);
                }
                transpose_into_stripes(instructions, [n, lanes], rows(gx, lanes), transposed, tile.len(), t * lanes);
            }
            self.find_before(tile, kept.outputs, &mut workspace.lists);
            workspace.sparse.arrange(&workspace.lists, tile.len());
            let transposed = Striped { numbers: transposed, rows: tile.len(), columns: n };
            workspace.sparse.add_product(instructions, transposed, rows_mut(gweight, n));
        });
    }
}
