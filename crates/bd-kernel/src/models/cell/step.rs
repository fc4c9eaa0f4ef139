//! One step of a cell of one series, with units side by side.

use std::sync::Arc;

use super::CellUnit;
use super::loops::{Forward, first_input};
use crate::models::fixed::SparseNumbers;
use crate::models::matrix::Matrix;
use crate::models::step_weight::StepWeight;
use crate::{Block, Instructions, Real, SingleStep, Start, places, vectorised};

/// [`SingleStep`] of a cell. The inputs of its units stand in places, `[input, place]`.
#[derive(Debug)]
pub(super) struct CellStep<F: Real, U> {
    unit: U,
    n_in: usize,
    n: usize,
    phases: Vec<Phase<F>>,
    /// What passes from the first phase to the second, `[number, place]`.
    passing: Block<F>,
    instructions: Instructions,
}

#[derive(Debug)]
struct Phase<F: Real> {
    /// What its product takes: the inputs, then what it sees of the units.
    operand: Block<F>,
    weights: Weights<F>,
    /// What the product gives, whose places the values of functions take.
    gates: Block<F>,
}

/// The products of a phase.
#[derive(Debug)]
enum Weights<F: Real> {
    /// With the bias in places.
    Dense(StepWeight<F>, Block<F>),
    /// With the bias, and with sums that have no places between the gates.
    Sparse(Arc<SparseNumbers>, Block<F>, Block<F>),
}

impl<F: Real, U: CellUnit> CellStep<F, U> {
    /// Of the weights of each phase, and the biases of all.
    pub(super) fn new(unit: U, [n_in, n]: [usize; 2], weights: &[&Matrix], bias: &[F]) -> Self {
        let room = places::<F>(n);
        let phase = |(phase, weights): (usize, &&Matrix)| {
            let inputs = U::PHASES[phase];
            let bias = &bias[first_input::<U>(phase) * n..][..inputs * n];
            Phase {
                operand: Block::zeros(n_in + room),
                gates: Block::zeros(inputs.max(U::FUNCTIONS[phase]) * room),
                weights: Weights::new(weights, [n_in + n, n, inputs], bias),
            }
        };
        let phases = weights.iter().enumerate().map(phase).collect();
        let passing = Block::zeros(U::PASSING * room);
        Self { unit, n_in, n, phases, passing, instructions: Instructions::best() }
    }
}

impl<F: Real> Weights<F> {
    fn new(matrix: &Matrix, [terms, n, inputs]: [usize; 3], bias: &[F]) -> Self {
        if let Some(sparse) = matrix.sparse() {
            return Self::Sparse(sparse, Block::from(bias), Block::zeros(inputs * n));
        }
        let room = places::<F>(n);
        let place = |column: usize| Some(column / room * n + column % room).filter(|_| column % room < n);
        let weight =
            matrix.step_weight_at([terms, inputs * room], |term, column| place(column).map(|column| [term, column]));
        let bias = (0..inputs * room).map(|column| place(column).map_or(F::default(), |column| bias[column]));
        Self::Dense(weight, bias.collect())
    }
}

impl<F: Real> Phase<F> {
    /// Inputs of the units, of what stands in the operand.
    fn product(&mut self, instructions: Instructions, n: usize) {
        let Self { operand, weights, gates } = self;
        match weights {
            Weights::Dense(weight, bias) => {
                let gates = &mut gates[..bias.len()];
                gates.copy_from_slice(bias);
                weight.add(instructions, operand, gates);
            }
            Weights::Sparse(weight, bias, sums) => {
                F::sparse(weight).product_of_one(instructions, operand, Start::Each(bias), sums);
                for (gate, sums) in gates.chunks_exact_mut(places::<F>(n)).zip(sums.chunks_exact(n)) {
                    gate[..n].copy_from_slice(sums);
                }
            }
        }
    }
}

impl<F: Real, U: CellUnit> SingleStep<F> for CellStep<F, U> {
    fn n_in(&self) -> usize {
        self.n_in
    }

    fn n_out(&self) -> usize {
        self.n
    }

    fn leaves(&self) -> Vec<usize> {
        vec![self.n; U::STATES]
    }

    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]) {
        let Self { unit, n_in, n, ref mut phases, ref mut passing, instructions } = *self;
        let room = places::<F>(n);
        let passing = &mut **passing;
        let (first, second) = phases.split_at_mut(1);
        let first = &mut first[0];
        first.operand[..n_in].copy_from_slice(&xs[..n_in]);
        first.operand[n_in..].copy_from_slice(&state[..room]);
        first.product(instructions, n);
        match second.first_mut() {
            None => {
                let (gates, state) = (&mut *first.gates, &mut *state);
                vectorised(instructions, Forward::<_, U, 0> { unit, gates, state, passing, out: &mut [], ys: None });
            }
            Some(second) => {
                second.operand[..n_in].copy_from_slice(&xs[..n_in]);
                let (gates, out) = (&mut *first.gates, &mut second.operand[n_in..]);
                let state = &mut *state;
                vectorised(instructions, Forward::<_, U, 0> { unit, gates, state, passing, out, ys: None });
                second.product(instructions, n);
                let (gates, out) = (&mut *second.gates, &mut [][..]);
                vectorised(instructions, Forward::<_, U, 1> { unit, gates, state, passing, out, ys: None });
            }
        }
        ys[..room].copy_from_slice(&state[..room]);
    }
}
