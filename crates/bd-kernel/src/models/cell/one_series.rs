//! The steps of a cell of one phase and one number of state over a single series.

use super::CellUnits;
use super::loops::{Forward, MOST};
use super::units::{AnyUnit, UnitLoops};
use crate::models::matrix::Matrix;
use crate::{Block, LANES, OneSeries, Real, Start};

/// Numbers of all units, one behind the other, with as many places as fill whole vectors: what lies beyond the units is calculated as
/// if it were some, and read by nobody.
#[derive(Default)]
pub(super) struct Workspace<F> {
    /// What the product takes: inputs, then units.
    operand: Block<F>,
    /// What it gives, without places between the gates.
    sums: Block<F>,
    /// `[gate, place]`.
    gates: Block<F>,
    /// `[place]`.
    state: Block<F>,
}

impl<F: Real> Workspace<F>
where
    dyn AnyUnit: UnitLoops<F>,
{
    /// All steps of such units, whose gates are `weights` times inputs and units, and `bias`.
    pub(super) fn run(&mut self, units: &CellUnits, weights: &Matrix, bias: &[F], one: OneSeries<'_, F>) {
        let (loops, shape) = (units.loops(), units.shape());
        let OneSeries { instructions, steps, xs, state, ys } = one;
        let (n, inputs) = (state.len(), shape.phases[0]);
        let n_in = weights.n_in() - n;
        let places = n.next_multiple_of(LANES);
        let Self { operand, sums, gates, state: h } = self;
        operand.resize(n_in + n);
        sums.resize(inputs * n);
        gates.resize(inputs.max(shape.functions[0]).min(MOST) * places);
        h.resize(places);
        h[..n].copy_from_slice(state);
        for t in 0..steps {
            operand[..n_in].copy_from_slice(&xs.numbers[t * xs.stride..][..n_in]);
            operand[n_in..].copy_from_slice(&h[..n]);
            weights.of_one(instructions, operand, Start::Each(bias), sums);
            for (gate, sums) in sums.chunks_exact(n).enumerate() {
                gates[gate * places..][..n].copy_from_slice(sums);
            }
            let (gates, state, passing, out) = (&mut **gates, &mut **h, &mut [][..], &mut [][..]);
            loops.forward(0, instructions, Forward { gates, state, passing, out, ys: None });
            ys.numbers[t * ys.stride..][..n].copy_from_slice(&h[..n]);
        }
        state.copy_from_slice(&h[..n]);
    }
}
