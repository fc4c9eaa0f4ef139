//! From a [`Model`] to what runs it.

use bd_kernel::{NoSpikes, UnitFormula, UnitProgram};

use crate::{Model, StepConstants};

impl Model {
    /// Step and adjoint as graphs. The adjoint is worked out by reverse mode.
    pub fn formula(&self, constants: &StepConstants) -> UnitFormula {
        let sizes = [self.ports().len(), self.states().len() + self.held().len()];
        let step = |x: &[_], s: &[_], spike: &mut dyn FnMut(_) -> _| self.step(constants, x, s, spike);
        match self.surrogate() {
            Some(surrogate) => UnitFormula::new("neuron of equations", sizes, &surrogate, step),
            None => UnitFormula::new("neuron of equations", sizes, &NoSpikes, step),
        }
    }

    /// The same for the interpreter.
    pub fn program(&self, constants: &StepConstants) -> UnitProgram {
        UnitProgram::new(&self.formula(constants), self.surrogate(), self.spikes())
    }
}
