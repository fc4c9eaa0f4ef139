//! [`Recording`]: kernels that go step by step, with their state behind their outputs.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::blocks::OfStep;
use crate::leaves::numbers_of;
use crate::{AnyKernel, Grads, Input, Kernel, Real, Sizes, Tile};

/// A kernel that goes through a stretch step by step, and lets somebody see its state between two steps.
pub(crate) trait StepByStep<F>: Kernel<F> {
    /// [`Kernel::forward`], which calls `after` with where each step begins in a channel's series, and the state after it.
    #[allow(clippy::too_many_arguments)]
    fn forward_watched(
        &self,
        tile: Tile,
        xs: Input<'_, F>,
        state: &mut [F],
        ys: &mut [F],
        kept: &mut [F],
        work: &mut [F],
        after: &mut dyn FnMut(usize, &[F]),
    );

    /// [`Kernel::backward`], which calls `before` with where each step begins, and the gradient of the state after it, of which the step
    /// takes what is added there.
    fn backward_watched(
        &self,
        tile: Tile,
        xs: Input<'_, F>,
        kept: &mut [F],
        work: &mut [F],
        grads: Grads<'_, F>,
        before: &mut dyn FnMut(usize, &mut [F]),
    );
}

/// The same with some leaves of the state behind its outputs.
#[derive(Debug)]
pub(crate) struct Recording<K> {
    kernel: Arc<K>,
    leaves: Vec<Range<usize>>,
}

impl<K> Recording<K>
where
    K: AnyKernel + StepByStep<f32> + StepByStep<f64>,
{
    pub(crate) fn of(kernel: Arc<K>, leaves: &[Range<usize>]) -> Arc<dyn AnyKernel> {
        Arc::new(Self { kernel, leaves: leaves.to_vec() })
    }

    /// The leaves, and the channels of their series behind the outputs.
    fn series(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.leaves.iter().scan(0, |end, leaf| {
            let begin = *end;
            *end += leaf.len();
            Some((leaf.clone(), begin..*end))
        })
    }
}

impl<K> AnyKernel for Recording<K> where K: AnyKernel + StepByStep<f32> + StepByStep<f64> {}

impl<F: Real, K> Kernel<F> for Recording<K>
where
    K: AnyKernel + StepByStep<f32> + StepByStep<f64> + StepByStep<F>,
{
    fn sizes(&self) -> Sizes {
        let sizes = Kernel::<F>::sizes(&*self.kernel);
        Sizes { n_out: sizes.n_out + numbers_of(&self.leaves), ..sizes }
    }

    fn takes_events(&self) -> bool {
        Kernel::<F>::takes_events(&*self.kernel)
    }

    fn n_kept(&self, steps: usize) -> usize {
        Kernel::<F>::n_kept(&*self.kernel, steps)
    }

    fn stores(&self) -> bool {
        Kernel::<F>::stores(&*self.kernel)
    }

    fn stores_much(&self) -> bool {
        Kernel::<F>::stores_much(&*self.kernel)
    }

    fn fills_vectors(&self) -> bool {
        Kernel::<F>::fills_vectors(&*self.kernel)
    }

    fn reads_inputs(&self) -> bool {
        Kernel::<F>::reads_inputs(&*self.kernel)
    }

    fn keeps_outputs(&self) -> bool {
        Kernel::<F>::keeps_outputs(&*self.kernel)
    }

    fn outputs(&self, tile: Tile, kept: &[F], ys: &mut [F]) {
        self.kernel.outputs(tile, kept, ys);
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]) {
        let n_out = Kernel::<F>::sizes(&*self.kernel).n_out;
        let (ys, recorded) = ys.split_at_mut(n_out * tile.len());
        self.kernel.forward_watched(tile, xs, state, ys, kept, work, &mut |at, state| {
            for (leaf, channels) in self.series() {
                let numbers = &state[leaf.start * tile.lanes..leaf.end * tile.lanes];
                OfStep::Write(numbers, &mut recorded[tile.channels(channels)]).at(tile, at);
            }
        });
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        let n_out = Kernel::<F>::sizes(&*self.kernel).n_out;
        let (ys, recorded) = grads.ys.split_at(n_out * tile.len());
        self.kernel.backward_watched(tile, xs, kept, work, Grads { ys, ..grads }, &mut |at, gstate| {
            for (leaf, channels) in self.series() {
                let numbers = &mut gstate[leaf.start * tile.lanes..leaf.end * tile.lanes];
                OfStep::Add(&recorded[tile.channels(channels)], numbers).at(tile, at);
            }
        });
    }
}
