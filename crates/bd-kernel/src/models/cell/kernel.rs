//! [`CellKernel`]: all steps of a cell.

use std::ops::Range;
use std::sync::Arc;

use super::loops::{Adjoint, Forward, MOST};
use super::one_series::Workspace;
use super::step::CellStep;
use super::units::{AnyUnit, UnitLoops};
use super::{CellShape, CellUnits, CellWeights};
use crate::models::blocks::{Layout, read_step};
use crate::models::fixed::FixedWeights;
use crate::models::matrix::Matrix;
use crate::models::recording::{Recording, StepByStep};
use crate::{
    AnyKernel, Grads, Input, Kernel, Numbers, OneSeries, Real, RowsMut, SingleStep, Sizes, Start, Tile, Workspaces,
};

/// All steps of a cell of `n` units.
///
/// The work of a step is, each part `[.., lane]`: for each phase what its product takes, `[x, h]` for the first and `[x, y]` for the second,
/// with `y` what came out of the first; the inputs of all phases, whose places the values of the functions take, and gradients of the
/// inputs in the end; and the numbers of state before the step other than `h`.
#[derive(Debug)]
pub struct CellKernel {
    units: CellUnits,
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

impl CellKernel {
    /// From copies of its weights.
    ///
    /// # Panics
    ///
    /// If the weights are those of another number of inputs a unit, or if the unit has more phases, inputs, functions or numbers of state
    /// than loops are made for.
    pub fn new(units: impl Into<CellUnits>, weights: CellWeights) -> Self {
        Self::of(units.into(), weights)
    }

    /// Of no type parameter, so that it is compiled once.
    fn of(units: CellUnits, weights: CellWeights) -> Self {
        let CellWeights { n_in, n, joined, bias } = weights;
        let width = check(&units, n, bias.len());
        let phase = |phase: usize| {
            let columns = columns(&units, phase, n);
            Phase {
                forward: Matrix::new(&joined, width, 0..n_in + n, columns.clone()),
                to_units: Matrix::adjoint(&joined, width, n_in..n_in + n, columns),
            }
        };
        let phases = (0..units.shape().phases.len()).map(phase).collect();
        let to_input = Matrix::adjoint(&joined, width, 0..n_in, 0..width);
        Self { units, n_in, n, phases, to_input, bias, fixed: false, workspaces: Workspaces::default() }
    }

    /// From weights that are not trained, and a bias for each of their columns: products are sparse where most weights are zero.
    ///
    /// # Panics
    ///
    /// As for [`new`](Self::new), and if the units have more than one phase or number of state.
    pub fn fixed<F: Real>(units: impl Into<CellUnits>, weights: FixedWeights<'_, F>, bias: &[F]) -> Self {
        Self::fixed_of(units.into(), weights, bias)
    }

    fn fixed_of<F: Real>(units: CellUnits, weights: FixedWeights<'_, F>, bias: &[F]) -> Self {
        let (n_in, n, shape) = (weights.n_in(), weights.n(), units.shape());
        let (width, name) = (check(&units, n, bias.len()), shape.name);
        assert_eq!(weights.width(), width, "columns of the weights of {n} units of {name}");
        assert!(shape.phases.len() == 1 && shape.states == 1, "{name} has more than one phase or number of state");
        let forward = Matrix::fixed(weights, 0..n_in + n);
        let to_units = Matrix::fixed_adjoint(weights, n_in..n_in + n);
        let (phases, to_input) = (vec![Phase { forward, to_units }], Matrix::fixed_adjoint(weights, 0..n_in));
        let (bias, workspaces) = (Numbers::copy_of(bias), Workspaces::default());
        Self { units, n_in, n, phases, to_input, bias, fixed: true, workspaces }
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
        let shape = self.units.shape();
        let last = shape.phases.len() - 1;
        let gates = shape.inputs_of(last).start + shape.phases[last].max(shape.functions[last]);
        self.gates() + (gates + shape.states - 1) * self.n
    }

    fn parts<'a, F>(&self, tile: Tile, block: &'a mut [F]) -> Parts<'a, F> {
        let others = (self.units.shape().states - 1) * self.n * tile.lanes;
        let operand = self.operand() * tile.lanes;
        let (first, rest) = block.split_at_mut(operand);
        let (second, rest) = rest.split_at_mut(operand * (self.phases.len() - 1));
        let (gates, others) = rest.split_at_mut(rest.len() - others);
        Parts { operands: [first, second], gates, others }
    }

    /// Numbers that pass, or their gradients, of all units and lanes.
    fn passing<F: Real>(&self, tile: Tile) -> Vec<F> {
        vec![F::default(); self.units.shape().passing * self.n * tile.lanes]
    }
}

/// The columns of the weights that belong to a phase.
fn columns(units: &CellUnits, phase: usize, n: usize) -> Range<usize> {
    let inputs = units.shape().inputs_of(phase);
    inputs.start * n..inputs.end * n
}

/// Refuses what loops are not made for, and another number of biases than the inputs of `n` units have; gives that number.
fn check(units: &CellUnits, n: usize, biases: usize) -> usize {
    let shape = units.shape();
    let CellShape { name, phases, functions, .. } = shape;
    let inputs = shape.inputs();
    assert_eq!(biases, inputs * n, "the bias of {n} units of {name}, which have {inputs} inputs");
    let last = phases.len() - 1;
    assert!(last < 2 && functions.len() == phases.len(), "{name} has one or two phases");
    assert!((0..last).all(|phase| functions[phase] <= phases[phase]), "{name}: many functions");
    let most = phases.iter().chain(functions).copied().chain([shape.numbers()]).max();
    assert!(most.is_some_and(|most| most <= MOST), "{name} has more than {MOST} of something");
    inputs * n
}

impl AnyKernel for CellKernel {
    fn recording(self: Arc<Self>, leaves: &[Range<usize>]) -> Option<Arc<dyn AnyKernel>> {
        Some(Recording::of(self, leaves))
    }
}

impl<F: Real> Kernel<F> for CellKernel
where
    dyn AnyUnit: UnitLoops<F>,
{
    fn sizes(&self) -> Sizes {
        let (n, n_in) = (self.n, self.n_in);
        let shape = self.units.shape();
        let width = shape.inputs() * n;
        Sizes { n_in, n_out: n, n_state: shape.states * n, n_work: 0, n_params: (n_in + n + 1) * width }
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
            .with(|workspace: &mut Workspace<F>| workspace.run(&self.units, forward, F::numbers(&self.bias), one));
    }

    fn single_step(&self) -> Option<Box<dyn SingleStep<F>>> {
        let weights = self.phases.iter().map(|phase| &phase.forward).collect::<Vec<_>>();
        Some(Box::new(CellStep::new(&self.units, [self.n_in, self.n], &weights, F::numbers(&self.bias))))
    }

    fn backward(&self, tile: Tile, xs: Input<'_, F>, kept: &mut [F], work: &mut [F], grads: Grads<'_, F>) {
        self.backward_watched(tile, xs, kept, work, grads, &mut |_, _| {});
    }
}

impl<F: Real> StepByStep<F> for CellKernel
where
    dyn AnyUnit: UnitLoops<F>,
{
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
        let (loops, shape) = (self.units.loops(), self.units.shape());
        let (lanes, instructions) = (tile.lanes, tile.instructions);
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
                let start = Start::Each(&bias[columns(&self.units, phase, self.n)]);
                self.phases[phase].forward.step(instructions, lanes, operand, start, gates);
            };
            let (state, ys) = (&mut *state, Some((tile, at, &mut *ys)));
            if self.phases.len() == 1 {
                product(0, first, &mut gates[..shape.phases[0] * units]);
                loops.forward(0, instructions, Forward { gates, state, passing, out: &mut [], ys });
                after(at, state);
                continue;
            }
            let (gates, of_second) = gates.split_at_mut(shape.phases[0] * units);
            product(0, first, gates);
            second[..x].copy_from_slice(&first[..x]);
            let out = &mut second[x..];
            loops.forward(0, instructions, Forward { gates, state, passing, out, ys: None });
            product(1, second, &mut of_second[..shape.phases[1] * units]);
            let (gates, out) = (of_second, &mut [][..]);
            loops.forward(1, instructions, Forward { gates, state, passing, out, ys });
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
        let (loops, shape) = (self.units.loops(), self.units.shape());
        let (n, lanes, instructions) = (self.n, tile.lanes, tile.instructions);
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
                loops.adjoint(0, instructions, Adjoint { gates, before, gout: &[], gstate, gpassing, gys });
            } else {
                loops.adjoint(1, instructions, Adjoint { gates, before, gout: &[], gstate, gpassing, gys });
                let of_second = &gates[shape.phases[0] * units..][..shape.phases[1] * units];
                self.phases[1].to_units.step(instructions, lanes, of_second, Start::Zero, &mut gout);
                let gout = &*gout;
                loops.adjoint(0, instructions, Adjoint { gates, before, gout, gstate, gpassing, gys: None });
            }
            let of_first = &gates[..shape.phases[0] * units];
            self.phases[0].to_units.step(instructions, lanes, of_first, Start::There, &mut gstate[..units]);
            let all = shape.inputs() * n * lanes;
            self.to_input.input_gradient(tile, at, &gates[..all], grads.xs);
        }
        let (operand, gates) = (self.operand(), self.gates());
        let width = shape.inputs() * n;
        let (gweights, gbias) = grads.params.split_at_mut(operand * width);
        for phase in 0..self.phases.len() {
            let columns = columns(&self.units, phase, n);
            let to = RowsMut { numbers: &mut gweights[columns.start..], stride: width };
            let xs = phase * operand..(phase + 1) * operand;
            layout.add_products(work, xs, gates + columns.start..gates + columns.end, to);
        }
        layout.add_totals(work, gates..gates + width, gbias);
    }
}
