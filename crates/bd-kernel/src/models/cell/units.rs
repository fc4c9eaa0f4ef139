//! [`CellUnits`]: the units of a cell with their loops, whatever their type.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::loops::{Adjoint, AdjointOf, Forward, ForwardOf};
use super::{CellUnit, Own};
use crate::{Code, Dual, Instructions, Real, vectorised};

/// The units of a cell with their loops and their formula: a [`CellUnit`] without its type.
///
/// What goes around the loops, [`CellKernel`](super::CellKernel) above all, is compiled once and not for each unit. The loops
/// are compiled where a unit becomes this; those of the models here are in this crate, see for instance
/// [`rnn::units`](crate::models::rnn::units).
#[derive(Debug, Clone)]
pub struct CellUnits(Arc<dyn AnyUnit>);

impl<U: CellUnit> From<U> for CellUnits {
    fn from(unit: U) -> Self {
        Self(Arc::new(unit))
    }
}

impl CellUnits {
    /// How many numbers they have.
    pub fn shape(&self) -> CellShape {
        self.0.shape()
    }

    /// All that their formula depends on, in words: two of the same name have the same formula. So the `Debug` of a unit has to print each
    /// of its constants.
    pub fn name(&self) -> String {
        format!("{} {:?}", self.shape().name, self.0)
    }

    /// [`CellUnit::phase`] as text, of as many inputs `a` as the phase has and [all numbers](CellShape::numbers) `s`, which become the next
    /// ones.
    pub fn phase_as_code(&self, phase: usize, a: &[Code], s: &mut [Code]) -> Code {
        self.0.phase_as_code(phase, a, s)
    }

    /// The same of numbers with their derivatives by one of them, the one that is [varied](Dual::varied).
    pub fn phase_as_dual_code(&self, phase: usize, a: &[Dual<Code>], s: &mut [Dual<Code>]) -> Dual<Code> {
        self.0.phase_as_dual_code(phase, a, s)
    }

    pub(super) fn loops(&self) -> &(dyn AnyUnit + 'static) {
        &*self.0
    }
}

/// The constants of a [`CellUnit`]: how many numbers of each kind it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellShape {
    /// [`CellUnit::NAME`].
    pub name: &'static str,
    /// [`CellUnit::PHASES`]: inputs of each phase.
    pub phases: &'static [usize],
    /// [`CellUnit::FUNCTIONS`] of each phase.
    pub functions: &'static [usize],
    /// [`CellUnit::STATES`].
    pub states: usize,
    /// [`CellUnit::PASSING`].
    pub passing: usize,
}

impl CellShape {
    fn of<U: CellUnit>() -> Self {
        let (phases, functions) = (U::PHASES, U::FUNCTIONS);
        Self { name: U::NAME, phases, functions, states: U::STATES, passing: U::PASSING }
    }

    /// Inputs of all phases.
    pub fn inputs(&self) -> usize {
        self.phases.iter().sum()
    }

    /// Where the inputs of a phase, 0 or 1, stand among those of all phases.
    pub fn inputs_of(&self, phase: usize) -> Range<usize> {
        let first = self.phases[..phase].iter().sum();
        first..first + self.phases[phase]
    }

    /// Numbers that a phase gets and leaves: those of the state, and those that pass.
    pub fn numbers(&self) -> usize {
        self.states + self.passing
    }
}

/// The loops of a phase over all units and lanes.
pub(super) trait UnitLoops<F> {
    fn forward(&self, phase: usize, instructions: Instructions, numbers: Forward<'_, F>);
    fn adjoint(&self, phase: usize, instructions: Instructions, numbers: Adjoint<'_, F>);
}

impl<F: Real, U: CellUnit> UnitLoops<F> for U {
    fn forward(&self, phase: usize, instructions: Instructions, numbers: Forward<'_, F>) {
        // Of units of one phase the compiler leaves out the second.
        match phase > 0 && U::PHASES.len() > 1 {
            false => vectorised(instructions, ForwardOf::<_, _, 0> { unit: *self, numbers }),
            true => vectorised(instructions, ForwardOf::<_, _, 1> { unit: *self, numbers }),
        }
    }

    fn adjoint(&self, phase: usize, instructions: Instructions, numbers: Adjoint<'_, F>) {
        match phase > 0 && U::PHASES.len() > 1 {
            false => vectorised(instructions, AdjointOf::<_, _, 0> { unit: *self, numbers }),
            true => vectorised(instructions, AdjointOf::<_, _, 1> { unit: *self, numbers }),
        }
    }
}

/// A [`CellUnit`] of any type.
pub(super) trait AnyUnit: UnitLoops<f32> + UnitLoops<f64> + Debug + Send + Sync {
    fn shape(&self) -> CellShape;
    fn phase_as_code(&self, phase: usize, a: &[Code], s: &mut [Code]) -> Code;
    fn phase_as_dual_code(&self, phase: usize, a: &[Dual<Code>], s: &mut [Dual<Code>]) -> Dual<Code>;
}

impl<U: CellUnit> AnyUnit for U {
    fn shape(&self) -> CellShape {
        CellShape::of::<U>()
    }

    fn phase_as_code(&self, phase: usize, a: &[Code], s: &mut [Code]) -> Code {
        self.phase(phase, a, s, &mut Own)
    }

    fn phase_as_dual_code(&self, phase: usize, a: &[Dual<Code>], s: &mut [Dual<Code>]) -> Dual<Code> {
        self.phase(phase, a, s, &mut Own)
    }
}
