//! One step of a cell of one series, with units side by side.

use std::sync::Arc;

use super::CellUnits;
use super::loops::Forward;
use super::units::{AnyUnit, UnitLoops};
use crate::models::fixed::SparseNumbers;
use crate::models::matrix::Matrix;
use crate::models::step_weight::StepWeight;
use crate::{Block, Instructions, Real, SingleStep, Start, places};

/// [`SingleStep`] of a cell. The inputs of its units stand in places, `[input, place]`.
#[derive(Debug)]
pub(super) struct CellStep<F: Real> {
    units: CellUnits,
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

impl<F: Real> CellStep<F> {
    /// Of the weights of each phase, and the biases of all.
    pub(super) fn new(units: &CellUnits, [n_in, n]: [usize; 2], weights: &[&Matrix], bias: &[F]) -> Self {
        let (room, shape) = (places::<F>(n), units.shape());
        let phase = |(phase, weights): (usize, &&Matrix)| {
            let inputs = shape.phases[phase];
            let bias = &bias[shape.inputs_of(phase).start * n..][..inputs * n];
            Phase {
                operand: Block::zeros(n_in + room),
                gates: Block::zeros(inputs.max(shape.functions[phase]) * room),
                weights: Weights::new(weights, [n_in + n, n, inputs], bias),
            }
        };
        let phases = weights.iter().enumerate().map(phase).collect();
        let passing = Block::zeros(shape.passing * room);
        Self { units: units.clone(), n_in, n, phases, passing, instructions: Instructions::best() }
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

impl<F: Real> SingleStep<F> for CellStep<F>
where
    dyn AnyUnit: UnitLoops<F>,
{
    fn n_in(&self) -> usize {
        self.n_in
    }

    fn n_out(&self) -> usize {
        self.n
    }

    fn leaves(&self) -> Vec<usize> {
        vec![self.n; self.units.shape().states]
    }

    fn step(&mut self, state: &mut [F], xs: &[F], ys: &mut [F]) {
        let Self { ref units, n_in, n, ref mut phases, ref mut passing, instructions } = *self;
        let loops = units.loops();
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
                loops.forward(0, instructions, Forward { gates, state, passing, out: &mut [], ys: None });
            }
            Some(second) => {
                second.operand[..n_in].copy_from_slice(&xs[..n_in]);
                let (gates, out) = (&mut *first.gates, &mut second.operand[n_in..]);
                let state = &mut *state;
                loops.forward(0, instructions, Forward { gates, state, passing, out, ys: None });
                second.product(instructions, n);
                let (gates, out) = (&mut *second.gates, &mut [][..]);
                loops.forward(1, instructions, Forward { gates, state, passing, out, ys: None });
            }
        }
        ys[..room].copy_from_slice(&state[..room]);
    }
}
