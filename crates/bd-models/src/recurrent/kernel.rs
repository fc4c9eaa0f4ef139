//! The fused form of [`Recurrent`](super::Recurrent).

use std::sync::Arc;

use bd_core::kernel::{
    AnyKernel, Block, Entry, Grads, Input, Kernel, Real, Rooms, Rows, RowsMut, Series, Sizes, Sparse, Start, Striped,
    Tile, Typed, apart, find_entries, striped_len, turn, turn_into_stripes,
};

use crate::cell::{Matrix, WeightRows, add_step, read_step, write_step};

/// One number in so many may be other than zero for the rows of the weight that are wanted to be gathered. They come from
/// a farther cache than the operands of a product over everything.
const WORTH: usize = 4;

/// All steps of a recurrent system, whose own kernel does one step at a time.
///
/// What comes back is gathered: of the weight only the rows of the outputs that are not zero. So is the gradient of the
/// weight, once for a stretch; what is asked of the outputs is a product of everything, at every step.
///
/// `work`: that of the system, step by step; the outputs before each step and its inputs, `[step, n, lane]`; and what is asked of
/// the inputs, in stripes of `[step and lane, n]`.
#[derive(Debug)]
pub(super) struct RecurrentKernel {
    pub(super) n: usize,
    pub(super) inner: Arc<dyn AnyKernel>,
    pub(super) weight: WeightRows,
    pub(super) forward: Matrix,
    pub(super) adjoint: Matrix,
    pub(super) rooms: Rooms,
}

/// The work of a stretch.
struct Work<'a, F> {
    inner: &'a mut [F],
    before: &'a mut [F],
    driven: &'a mut [F],
    turned: &'a mut [F],
}

/// What is made anew at every step.
#[derive(Default)]
struct Room<F> {
    entries: Vec<Entry<F>>,
    sparse: Sparse<F>,
    /// `[lane, n]`.
    sums: Block<F>,
    /// `[n, lane]`.
    numbers: Block<F>,
}

impl RecurrentKernel {
    fn inner<F: Real>(&self) -> &dyn Kernel<F>
    where
        dyn AnyKernel: Typed<F>,
    {
        self.inner.typed()
    }

    fn work<'a, F: Real>(&self, tile: Tile, inner: Sizes, work: &'a mut [F]) -> Work<'a, F> {
        let (inner, rest) = work.split_at_mut(inner.n_work * tile.len());
        let (before, rest) = rest.split_at_mut(self.n * tile.len());
        let (driven, turned) = rest.split_at_mut(self.n * tile.len());
        Work { inner, before, driven, turned }
    }

    /// Adds what the outputs of the step before make of the inputs of this one, both `[n, lane]`.
    fn feed_back<F: Real>(&self, tile: Tile, before: &[F], x: &mut [F], room: &mut Room<F>) {
        let (n, lanes, instructions) = (self.n, tile.lanes, tile.instructions);
        let series = Series::by_channel(before, n, lanes);
        if !find_entries(instructions, series, before.len() / WORTH, &mut room.entries) {
            return self.forward.step(instructions, lanes, before, Start::There, x);
        }
        let stride = apart(n);
        room.sums.resize(stride * lanes);
        room.sums.fill(F::default());
        room.numbers.resize(n * lanes);
        room.sparse.arrange(lanes, room.entries.iter().map(|entry| entry.turned()));
        room.sparse.add_product(instructions, self.weight.striped(), rows_mut(&mut room.sums, stride));
        turn(instructions, [lanes, n], rows(&room.sums, stride), rows_mut(&mut room.numbers, lanes));
        x.iter_mut().zip(room.numbers.iter()).for_each(|(x, fed)| *x += *fed);
    }
}

fn rows<F>(numbers: &[F], stride: usize) -> Rows<'_, F> {
    Rows { numbers, stride }
}

fn rows_mut<F>(numbers: &mut [F], stride: usize) -> RowsMut<'_, F> {
    RowsMut { numbers, stride }
}

/// A tile of one of its steps.
fn one_step(tile: Tile) -> Tile {
    Tile { steps: 1, ..tile }
}

/// The numbers of step `t`, of which each step has `n` for each lane.
fn of_step(tile: Tile, n: usize, t: usize) -> std::ops::Range<usize> {
    t * n * tile.lanes..(t + 1) * n * tile.lanes
}

impl AnyKernel for RecurrentKernel {}

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
            n_work: inner.n_work + 2 * n + striped_len(1, n),
            n_params: inner.n_params + n * n,
        }
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], work: &mut [F]) {
        let (xs, n, sizes) = (xs.dense(), self.n, self.inner::<F>().sizes());
        let work = self.work(tile, sizes, work);
        let (state, fed_back) = state.split_at_mut(sizes.n_state * tile.lanes);
        self.rooms.with(|room: &mut Room<F>| {
            for t in 0..tile.steps {
                let (before, x) = (&mut work.before[of_step(tile, n, t)], &mut work.driven[of_step(tile, n, t)]);
                before.copy_from_slice(fed_back);
                read_step(xs, tile, t * tile.lanes, x);
                self.feed_back(tile, before, x, room);
                let own = &mut work.inner[of_step(tile, sizes.n_work, t)];
                self.inner().forward(one_step(tile), Input::Dense(x), state, fed_back, own);
                write_step(fed_back, tile, t * tile.lanes, ys);
            }
        });
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, work: &mut [F], grads: Grads<'_, F>) {
        debug_assert_eq!(xs.dense().len(), self.n * tile.len());
        let (n, lanes, instructions, sizes) = (self.n, tile.lanes, tile.instructions, self.inner::<F>().sizes());
        let Work { inner, before, driven, turned } = self.work(tile, sizes, work);
        let (state, asked) = grads.state.split_at_mut(sizes.n_state * lanes);
        let (params, gweight) = grads.params.split_at_mut(sizes.n_params);
        self.rooms.with(|room: &mut Room<F>| {
            room.numbers.resize(n * lanes);
            let gx = &mut room.numbers;
            for t in (0..tile.steps).rev() {
                let x = &driven[of_step(tile, n, t)];
                add_step(grads.ys, tile, t * lanes, asked);
                let own = Grads { ys: asked, state, xs: gx, params };
                self.inner().backward(one_step(tile), Input::Dense(x), &mut inner[of_step(tile, sizes.n_work, t)], own);
                self.adjoint.step(instructions, lanes, gx, Start::Zero, asked);
                if !grads.xs.is_empty() {
                    write_step(gx, tile, t * lanes, grads.xs);
                }
                turn_into_stripes(instructions, [n, lanes], rows(gx, lanes), turned, tile.len(), t * lanes);
            }
            let (steps, step_stride) = (tile.steps, n * lanes);
            let before = Series { numbers: before, channels: n, stride: lanes, steps, step_stride, lanes };
            let all = find_entries(instructions, before, n * tile.len(), &mut room.entries);
            debug_assert!(all);
            room.sparse.arrange(n, room.entries.iter().copied());
            let turned = Striped { numbers: turned, rows: tile.len(), columns: n };
            room.sparse.add_product(instructions, turned, rows_mut(gweight, n));
        });
    }
}
