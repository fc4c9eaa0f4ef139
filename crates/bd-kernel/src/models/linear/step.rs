//! One step of a linear map.

use super::LinearKernel;
use crate::models::step_weight::StepWeight;
use crate::single_step::padded;
use crate::{Block, Instructions, Real, SingleStep, places};

/// [`SingleStep`] of a linear map.
#[derive(Debug)]
pub(super) struct LinearStep<F: Real> {
    sizes: [usize; 2],
    weight: StepWeight<F>,
    /// Zeros where there is no bias.
    bias: Block<F>,
    instructions: Instructions,
}

impl<F: Real> LinearStep<F> {
    pub(super) fn new(kernel: &LinearKernel) -> Self {
        let bias = kernel.bias::<F>().map_or_else(|| Block::zeros(places::<F>(kernel.n_out)), padded);
        let (sizes, weight) = ([kernel.n_in, kernel.n_out], kernel.matrix.step_weight());
        Self { sizes, weight, bias, instructions: Instructions::best() }
    }
}

impl<F: Real> SingleStep<F> for LinearStep<F> {
    fn n_in(&self) -> usize {
        self.sizes[0]
    }

    fn n_out(&self) -> usize {
        self.sizes[1]
    }

    fn leaves(&self) -> Vec<usize> {
        Vec::new()
    }

    fn step(&mut self, _state: &mut [F], xs: &[F], ys: &mut [F]) {
        let ys = &mut ys[..self.bias.len()];
        ys.copy_from_slice(&self.bias);
        self.weight.add(self.instructions, xs, ys);
    }
}
