//! One step of kernels in a row.

use super::super::{Block, Real, SingleStep, places, places_of};

/// [`SingleStep`] of several, each fed by the one before.
#[derive(Debug)]
pub(super) struct ChainStep<F: Real> {
    steps: Vec<Box<dyn SingleStep<F>>>,
    /// Numbers of state of each, places included.
    states: Vec<usize>,
    /// What is between two.
    between: [Block<F>; 2],
}

impl<F: Real> ChainStep<F> {
    /// Of one at least.
    pub(super) fn new(steps: Vec<Box<dyn SingleStep<F>>>) -> Self {
        let states = steps.iter().map(|step| places_of::<F>(&step.leaves())).collect();
        let widest = steps.iter().map(|step| places::<F>(step.n_out())).max().unwrap_or(0);
        Self { steps, states, between: [Block::zeros(widest), Block::zeros(widest)] }
    }
}

impl<F: Real> SingleStep<F> for ChainStep<F> {
    fn n_in(&self) -> usize {
        self.steps[0].n_in()
    }

    fn n_out(&self) -> usize {
        self.steps[self.steps.len() - 1].n_out()
    }

    fn leaves(&self) -> Vec<usize> {
        self.steps.iter().flat_map(|step| step.leaves()).collect()
    }

    fn step(&mut self, mut state: &mut [F], xs: &[F], ys: &mut [F]) {
        let Self { steps, states, between: [one, other] } = self;
        let (mut given, mut next) = (&mut **one, &mut **other);
        let last = steps.len() - 1;
        for (i, (step, states)) in steps.iter_mut().zip(states).enumerate() {
            let (own, rest) = state.split_at_mut(*states);
            state = rest;
            let xs = if i == 0 { xs } else { &*given };
            match i == last {
                true => step.step(own, xs, ys),
                false => step.step(own, xs, next),
            }
            (given, next) = (next, given);
        }
    }
}
