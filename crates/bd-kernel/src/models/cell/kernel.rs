//! [`CellKernel`]: all steps of a cell.

use std::ops::Range;
use std::sync::Arc;

use super::loops::{Adjoint, Forward, MOST, first_input};
use super::one_series::Workspace;
use super::step::CellStep;
use super::{CellUnit, CellWeights};
use crate::models::blocks::{Layout, read_step};
use crate::models::fixed::FixedWeights;
use crate::models::matrix::Matrix;
use crate::models::recording::{Recording, StepByStep};
use crate::{
    AnyKernel, Grads, Input, Kernel, Numbers, OneSeries, Real, RowsMut, SingleStep, Sizes, Start, Tile, Workspaces,
    vectorised,
};

/// All steps of a cell of `n` units.
///
/// The work of a step is, each part `[.., lane]`: for each phase what its product takes, `[x, h]` for the first and `[x, y]` for the second,
/// with `y` what came out of the first; the inputs of all phases, whose places the values of the functions take, and gradients of the
/// inputs in the end; and the numbers of state before the step other than `h`.
#[derive(Debug)]
pub struct CellKernel<U> {
    unit: U,
    n_in: usize,
    n: usize,
    phases: Vec<Phase>,
    /// The adjoint of all input weights.
    to_input: Matrix,
    bias: Numbers,
    /// Whether the weights are fixed, for which there are loops over a single series.
    fixed: bool,
    workspaces: Workspaces,
}

/// The products of a phase.
#[derive(Debug)]
struct Phase {
    forward: Matrix,
    /// To the gradient of what it sees of all units.
    to_units: Matrix,
}

/// The parts of a step's work.
struct Parts<'a, F> {
    /// What the products of the first and the second phase take.
    operands: [&'a mut [F]; 2],
    gates: &'a mut [F],
    /// The numbers of state but the first.
    others: &'a mut [F],
}

impl<U: CellUnit> CellKernel<U> {
    /// From copies of its weights.
    ///
    /// # Panics
    ///
    /// If the weights are those of another number of inputs a unit, or if the unit has more phases, inputs, functions or numbers of state
    /// than loops are made for.
    pub fn new(unit: U, weights: CellWeights) -> Self {
        let CellWeights { n_in, n, joined, bias } = weights;
        let width = Self::check(n, bias.len());
        let phase = |phase: usize| {
            let columns = columns::<U>(phase, n);
            Phase {
                forward: Matrix::new(&joined, width, 0..n_in + n, columns.clone()),
                to_units: Matrix::adjoint(&joined, width, n_in..n_in + n, columns),
            }
        };
        let phases = (0..U::PHASES.len()).map(phase).collect();
        let to_input = Matrix::adjoint(&joined, width, 0..n_in, 0..width);
        Self { unit, n_in, n, phases, to_input, bias, fixed: false, workspaces: Workspaces::default() }
    }

    /// From weights that are not trained, and a bias for each of their columns: products are sparse where most weights are zero.
    ///
    /// # Panics
    ///
    /// As for [`new`](Self::new), and if the unit has more than one phase or number of state.
    pub fn fixed<F: Real>(unit: U, weights: FixedWeights<'_, F>, bias: &[F]) -> Self {
        let (n_in, n) = (weights.n_in(), weights.n());
        let width = Self::check(n, bias.len());
        assert_eq!(weights.width(), width, "columns of the weights of {n} units of {}", U::NAME);
        assert!(U::PHASES.len() == 1 && U::STATES == 1, "{} has more than one phase or number of state", U::NAME);
        let forward = Matrix::fixed(weights, 0..n_in + n);
        let to_units = Matrix::fixed_adjoint(weights, n_in..n_in + n);
        let (phases, to_input) = (vec![Phase { forward, to_units }], Matrix::fixed_adjoint(weights, 0..n_in));
        let (bias, workspaces) = (Numbers::copy_of(bias), Workspaces::default());
        Self { unit, n_in, n, phases, to_input, bias, fixed: true, workspaces }
    }

    /// Refuses what loops are not made for, and another number of biases than the inputs of `n` units have; gives that number.
    fn check(n: usize, biases: usize) -> usize {
        let inputs: usize = U::PHASES.iter().sum();
        assert_eq!(biases, inputs * n, "the bias of {n} units of {}, which have {inputs} inputs", U::NAME);
        let last = U::PHASES.len() - 1;
        assert!(last < 2 && U::FUNCTIONS.len() == U::PHASES.len(), "{} has one or two phases", U::NAME);
        assert!((0..last).all(|phase| U::FUNCTIONS[phase] <= U::PHASES[phase]), "{}: many functions", U::NAME);
        let most = U::PHASES.iter().chain(U::FUNCTIONS).chain(&[U::STATES + U::PASSING]).max();
        assert!(most.is_some_and(|most| *most <= MOST), "{} has more than {MOST} of something", U::NAME);
        inputs * n
    }

    /// What a product takes of a step and sample.
    fn operand(&self) -> usize {
        self.n_in + self.n
    }

    /// Where the inputs of all phases begin in the work of a step and sample.
    fn gates(&self) -> usize {
        self.phases.len() * self.operand()
    }

    /// Numbers of work of a step and sample.
    fn block(&self) -> usize {
        let last = U::PHASES.len() - 1;
        let gates = first_input::<U>(last) + U::PHASES[last].max(U::FUNCTIONS[last]);
        self.gates() + (gates + U::STATES - 1) * self.n
    }

    fn parts<'a, F>(&self, tile: Tile, block: &'a mut [F]) -> Parts<'a, F> {
        let (operand, others) = (self.operand() * tile.lanes, (U::STATES - 1) * self.n * tile.lanes);
        let (first, rest) = block.split_at_mut(operand);
        let (second, rest) = rest.split_at_mut(operand * (self.phases.len() - 1));
        let (gates, others) = rest.split_at_mut(rest.len() - others);
        Parts { operands: [first, second], gates, others }
    }

    /// Numbers that pass, or their gradients, of all units and lanes.
    fn passing<F: Real>(&self, tile: Tile) -> Vec<F> {
        vec![F::default(); U::PASSING * self.n * tile.lanes]
    }
}

/// The columns of the weights that belong to a phase.
fn columns<U: CellUnit>(phase: usize, n: usize) -> Range<usize> {
    let first = first_input::<U>(phase);
    first * n..(first + U::PHASES[phase]) * n
}

impl<U: CellUnit> AnyKernel for CellKernel<U> {
    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        Some(Recording::of(self, leaves))
    }
}

impl<F: Real, U: CellUnit> Kernel<F> for CellKernel<U> {
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.n_in);
        let width = columns::<U>(self.phases.len() - 1, n).end;
        Sizes { n_in, n_out: n, n_state: U::STATES * n, n_work: 0, n_params: (n_in + n + 1) * width }
    }

    fn n_kept(&self, steps: usize) -> usize {
        self.block() * steps
    }

    fn stores(&self) -> bool {
        true
    }

    fn reads_inputs(&self) -> bool {
        false
    }

    fn forward(&self, tile: Tile, xs: Input<'_, F>, state: &mut [F], ys: &mut [F], kept: &mut [F], work: &mut [F]) {
        self.forward_watched(tile, xs, state, ys, kept, work, &mut |_, _| {});
    }

    fn takes_one_series(&self) -> bool {
        self.fixed
    }

    fn forward_of_one(&self, one: OneSeries<'_, F>) {
        let forward = &self.phases[0].forward;
        self.workspaces
            .with(|workspace: &mut Workspace<F>| workspace.run(self.unit, forward, F::numbers(&self.bias), one));
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        let weights = self.phases.iter().map(|phase| &phase.forward).collect::<Vec<_>>();
        Some(Box::new(CellStep::new(self.unit, [self.n_in, self.n], &weights, F::numbers(&self.bias))))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        self.backward_watched(tile, xs, kept, work, grads, &mut |_, _| {});
    }
}

impl<F: Real, U: CellUnit> StepByStep<F> for CellKernel<U> {
    fn forward_watched(
        &self,
        tile: Tile,
        xs: Input<'_, F>,
        state: &mut [F],
        ys: &mut [F],
        work: &mut [F],
        _: &mut [F],
        after: &mut dyn FnMut(usize, &[F]),
    ) {
        let (unit, lanes, instructions) = (self.unit, tile.lanes, tile.instructions);
        let (x, units) = (self.n_in * lanes, self.n * lanes);
        let bias = F::numbers(&self.bias);
        let mut passing = self.passing(tile);
        for (at, block) in (Layout { block: self.block(), tile }).steps() {
            let Parts { operands: [first, second], gates, others } = self.parts(tile, &mut work[block]);
            let passing = passing.as_mut_slice();
            read_step(xs.dense(), tile, at, &mut first[..x]);
            first[x..].copy_from_slice(&state[..units]);
            others.copy_from_slice(&state[units..]);
            let product = |phase: usize, operand: &[F], gates: &mut [F]| {
                let start = Start::Each(&bias[columns::<U>(phase, self.n)]);
                self.phases[phase].forward.step(instructions, lanes, operand, start, gates);
            };
            let (state, ys) = (&mut *state, Some((tile, at, &mut *ys)));
            if self.phases.len() == 1 {
                product(0, first, &mut gates[..U::PHASES[0] * units]);
                vectorised(instructions, Forward::<_, U, 0> { unit, gates, state, passing, out: &mut [], ys });
                after(at, state);
                continue;
            }
            let (gates, of_second) = gates.split_at_mut(U::PHASES[0] * units);
            product(0, first, gates);
            second[..x].copy_from_slice(&first[..x]);
            let out = &mut second[x..];
            vectorised(instructions, Forward::<_, U, 0> { unit, gates, state, passing, out, ys: None });
            product(1, second, &mut of_second[..U::PHASES[1] * units]);
            let (gates, out) = (of_second, &mut [][..]);
            vectorised(instructions, Forward::<_, U, 1> { unit, gates, state, passing, out, ys });
            after(at, state);
        }
    }

    fn backward_watched(
        &self,
        tile: Tile,
        _: Input<'_, F>,
        work: &mut [F],
        _: &mut [F],
        grads: Grads<'_, F>,
        watch: &mut dyn FnMut(usize, &mut [F]),
    ) {
        let (unit, n, lanes, instructions) = (self.unit, self.n, tile.lanes, tile.instructions);
        let (x, units) = (self.n_in * lanes, n * lanes);
        let layout = Layout { block: self.block(), tile };
        let (gstate, mut gpassing) = (grads.state, self.passing::<F>(tile));
        let mut gout = vec![F::default(); (self.phases.len() - 1) * units];
        for (at, block) in layout.steps().rev() {
            watch(at, gstate);
            let Parts { operands: [first, _], gates, others } = self.parts(tile, &mut work[block]);
            let (before, gpassing) = ((&first[x..], &*others), gpassing.as_mut_slice());
            let gys = Some((tile, at, grads.ys));
            if self.phases.len() == 1 {
                let (gates, gstate) = (&mut *gates, &mut *gstate);
                vectorised(instructions, Adjoint::<_, U, 0> { unit, gates, before, gout: &[], gstate, gpassing, gys });
            } else {
                vectorised(instructions, Adjoint::<_, U, 1> { unit, gates, before, gout: &[], gstate, gpassing, gys });
                let of_second = &gates[U::PHASES[0] * units..][..U::PHASES[1] * units];
                self.phases[1].to_units.step(instructions, lanes, of_second, Start::Zero, &mut gout);
                let gout = &*gout;
                vectorised(instructions, Adjoint::<_, U, 0> { unit, gates, before, gout, gstate, gpassing, gys: None });
            }
            let of_first = &gates[..U::PHASES[0] * units];
            self.phases[0].to_units.step(instructions, lanes, of_first, Start::There, &mut gstate[..units]);
            let all = columns::<U>(self.phases.len() - 1, n).end * lanes;
            self.to_input.input_gradient(tile, at, &gates[..all], grads.xs);
        }
        let (operand, gates) = (self.operand(), self.gates());
        let width = columns::<U>(self.phases.len() - 1, n).end;
        let (gweights, gbias) = grads.params.split_at_mut(operand * width);
        for phase in 0..self.phases.len() {
            let columns = columns::<U>(phase, n);
            let to = RowsMut { numbers: &mut gweights[columns.start..], stride: width };
            let xs = phase * operand..(phase + 1) * operand;
            layout.add_products(work, xs, gates + columns.start..gates + columns.end, to);
        }
        layout.add_totals(work, gates..gates + width, gbias);
    }
}
