//! One step of a recurrent system.

use crate::models::step_weight::StepWeight;
use crate::{Block, Instructions, Real, SingleStep, places, places_of};

/// [`SingleStep`] of a system whose outputs come back to its inputs.
#[derive(Debug)]
pub(super) struct RecurrentStep<F: Real> {
    inner: Box<dyn SingleStep<F>>,
    weight: StepWeight<F>,
    /// Inputs of the system.
    driven: Block<F>,
    /// Numbers of its state.
    states: usize,
    instructions: Instructions,
}

impl<F: Real> RecurrentStep<F> {
    pub(super) fn new(inner: Box<dyn SingleStep<F>>, weight: StepWeight<F>) -> Self {
        let (driven, states) = (Block::zeros(places::<F>(inner.n_in())), places_of::<F>(&inner.leaves()));
        Self { inner, weight, driven, states, instructions: Instructions::best() }
    }
}

impl<F: Real> SingleStep<F> for RecurrentStep<F> {
    fn n_in(&self) -> usize {
        self.inner.n_in()
    }

    fn n_out(&self) -> usize {
        self.inner.n_out()
    }

    /// Those of the system, then what comes back.
    fn leaves(&self) -> Vec<usize> {
        let mut leaves = self.inner.leaves();
        leaves.push(self.n_out());
        leaves
    }

    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]) {
        let Self { inner, weight, driven, states, instructions } = self;
        let (state, fed_back) = state.split_at_mut(*states);
        let n = driven.len();
        driven.copy_from_slice(&xs[..n]);
        weight.add(*instructions, fed_back, driven);
        inner.step(state, driven, &mut ys[..n]);
        fed_back[..n].copy_from_slice(&ys[..n]);
    }
}
