//! From a [`Model`] to what runs it.

use bd_kernel::{NoSpikes, Num, UnitFormula, UnitProgram};

use crate::model::Stepped;
use crate::{Dimension, Model, StepConstants};

/// What a neuron of a network receives something through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A [port](Model::ports): what arrives is its value during the step, in multiples of the value of `inputs`.
    Port(usize),
    /// A variable of a differential equation: what arrives is added to it before the step. One with the flag `unless refractory` loses what
    /// arrives while the neuron is refractory, as in Brian2.
    Variable(usize),
}

/// What a neuron of a network sends in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Its output: a spike, if it spikes.
    Output,
    /// Its output times a [state](Model::states) after the step. The derivative by the output is what a spike would leave there.
    OutputTimes(usize),
    /// A state after the step.
    State(usize),
}

impl Sent {
    /// The state that is sent, if one is.
    pub fn state(self) -> Option<usize> {
        match self {
            Self::Output => None,
            Self::OutputTimes(state) | Self::State(state) => Some(state),
        }
    }

    /// The number that is sent.
    fn value<N: Num>(self, made: &Stepped<N>) -> N {
        match self {
            Self::Output => made.output.clone(),
            // Where there is a spike, what it leaves is the next state.
            Self::OutputTimes(state) => {
                made.output.clone() * made.left_by_spike.get(state).unwrap_or(&made.next[state]).clone()
            }
            Self::State(state) => made.next[state].clone(),
        }
    }
}

impl Model {
    /// The port or variable of this name.
    pub fn target(&self, name: &str) -> Option<Target> {
        let port = self.ports().iter().position(|port| port.name == name).map(Target::Port);
        let variables = &self.states()[..self.equations.slopes.len()];
        port.or_else(|| variables.iter().position(|state| state.name == name).map(Target::Variable))
    }

    /// Names of what there is to be a target.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        let variables = &self.states()[..self.equations.slopes.len()];
        self.ports().iter().map(|port| &port.name[..]).chain(variables.iter().map(|state| &state.name[..]))
    }

    /// What arrives at a target measures, and the number that one of it is inside.
    pub fn measure(&self, target: Target) -> (Dimension, f64) {
        match target {
            Target::Port(i) => (self.ports()[i].dimension, self.ports()[i].scale),
            Target::Variable(j) => (self.states()[j].dimension, 1.0),
        }
    }

    /// [`step`](Self::step) of a neuron of a network: `x` is what arrives at each of its `targets`; other ports get nothing.
    pub fn step_of<N: Num>(
        &self,
        targets: &[Target],
        constants: &StepConstants,
        x: &[N],
        s: &[N],
        spike: impl FnOnce(N) -> N,
    ) -> (N, Vec<N>) {
        let (ports, s) = self.with_arriving(targets, constants, x, s);
        self.step(constants, &ports, &s, spike)
    }

    /// The same, and what is `sent` instead of the output.
    pub fn step_sending<N: Num>(
        &self,
        (targets, sent): (&[Target], &[Sent]),
        constants: &StepConstants,
        x: &[N],
        s: &[N],
        spike: impl FnOnce(N) -> N,
    ) -> (Vec<N>, Vec<N>) {
        let (ports, s) = self.with_arriving(targets, constants, x, s);
        let made = self.stepped(constants, self.integrate(constants, &ports, &s), spike);
        (sent.iter().map(|sent| sent.value(&made)).collect(), made.next)
    }

    /// Inputs and state of a step to whose targets this arrives.
    fn with_arriving<N: Num>(
        &self,
        targets: &[Target],
        constants: &StepConstants,
        x: &[N],
        s: &[N],
    ) -> (Vec<N>, Vec<N>) {
        let mut ports = vec![s[0].lit(0.0); self.ports().len()];
        let mut s = s.to_vec();
        for (target, x) in targets.iter().zip(x) {
            match *target {
                Target::Port(i) => ports[i] = x.clone(),
                Target::Variable(j) => {
                    let arriving = match self.free_to_change(j, constants, &s) {
                        Some(free) => free.pick(x.clone(), x.lit(0.0)),
                        None => x.clone(),
                    };
                    s[j] = s[j].clone() + arriving;
                }
            }
        }
        (ports, s)
    }

    /// Step and adjoint as graphs. The adjoint is worked out by reverse mode.
    pub fn formula(&self, constants: &StepConstants) -> UnitFormula {
        let ports: Vec<_> = (0..self.ports().len()).map(Target::Port).collect();
        self.formula_of(&ports, &[Sent::Output], constants)
    }

    /// The same of a neuron of a network, with an input for each of its `targets` and an output for each of what is `sent`.
    pub fn formula_of(&self, targets: &[Target], sent: &[Sent], constants: &StepConstants) -> UnitFormula {
        let sizes = [targets.len(), self.states().len() + self.held().len()];
        let step = |x: &[_], s: &[_], spike: &mut dyn FnMut(_) -> _| {
            self.step_sending((targets, sent), constants, x, s, spike)
        };
        match self.surrogate() {
            Some(surrogate) => UnitFormula::with_outputs("neuron of equations", sizes, &surrogate, step),
            None => UnitFormula::with_outputs("neuron of equations", sizes, &NoSpikes, step),
        }
    }

    /// [`formula`](Self::formula) for the interpreter.
    pub fn program(&self, constants: &StepConstants) -> UnitProgram {
        UnitProgram::new(&self.formula(constants), self.surrogate(), self.spikes()).compiled(self.compile)
    }

    /// [`formula_of`](Self::formula_of) for the interpreter. What is sent first is the output.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn program_of(&self, targets: &[Target], sent: &[Sent], constants: &StepConstants) -> UnitProgram {
        assert_eq!(sent.first(), Some(&Sent::Output), "the output is sent first");
        let formula = self.formula_of(targets, sent, constants);
        UnitProgram::new(&formula, self.surrogate(), self.spikes()).compiled(self.compile)
    }
}
