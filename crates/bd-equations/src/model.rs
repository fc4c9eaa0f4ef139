//! [`Model`]: a checked neuron, and its step.

use bd_kernel::models::surrogate::Surrogate;
use bd_kernel::{Compile, Num};

use crate::check::Draw;
use crate::dependence::{Dependence, dependence};
use crate::dimension::Dimension;
use crate::error::{Error, Result};
use crate::formula::{Environment, Formula, Term};
use crate::method::{Equations, Solver};
use crate::text::Method;

/// A neuron that was checked. Numbers of its variables are in ms, mV, pA and what follows from these: nS, pF, GOhm, fC, um, mM.
///
/// | numbers | which |
/// |---|---|
/// | inputs `x` of a step | one of each [port](Self::ports); 1 means the value of `inputs` |
/// | states `s` of a step | [states](Self::states), which move, and behind them what the neuron [holds](Self::held) |
///
/// The order within a step is Brian2's: differential equations, threshold, reset.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) facts: Facts,
    pub(crate) states: Vec<State>,
    pub(crate) ports: Vec<Port>,
    pub(crate) held: Vec<Held>,
    pub(crate) equations: Equations,
    pub(crate) method: Method,
    pub(crate) substeps: usize,
    pub(crate) compile: Compile,
    /// Of models with a threshold.
    pub(crate) firing: Option<Firing>,
    /// Nothing for the spike.
    pub(crate) output: Option<Formula>,
    /// States that equations know: what differential equations and resets change.
    pub(crate) variables: usize,
}

/// What is known of a neuron in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it is, in one line.
    pub summary: String,
    /// Where equations and numbers are from.
    pub source: String,
    /// What is to be known of it.
    pub note: String,
}

/// A number of state.
#[derive(Debug, Clone)]
pub struct State {
    /// `v`; `spike` for the spike, `refractory` for the steps that are left, or 1 while a condition is waited for.
    pub name: String,
    /// What it measures.
    pub dimension: Dimension,
    /// Its value before the first step.
    pub initial: Initial,
}

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name in the equations.
    pub name: String,
    /// What it measures.
    pub dimension: Dimension,
    /// The value that an input of 1 means.
    pub scale: f64,
}

/// A number that each neuron has of its own, and which no step changes.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its name in the equations.
    pub name: String,
    /// What it measures.
    pub dimension: Dimension,
    /// Its value, at first.
    pub initial: Initial,
    /// Whether it is trained.
    pub trained: bool,
    /// Whether it stays above 0, so that its logarithm is what is trained.
    pub positive: bool,
}

/// A number before the first step, which may be random.
#[derive(Debug, Clone)]
pub struct Initial {
    pub(crate) formula: Formula,
    pub(crate) draws: Vec<Draw>,
}

impl Initial {
    pub(crate) fn constant(value: f64) -> Self {
        Self { formula: Formula { term: Term::number(value), needs: Vec::new(), detached: false }, draws: Vec::new() }
    }

    /// Its value for one neuron. `draw` is called once for each `rand()` and `randn()`, from left to right.
    pub fn value(&self, draw: impl FnMut(Draw) -> f64) -> f64 {
        let slots = self.draws.iter().copied().map(draw).collect();
        Environment::new(slots, 0, &0.0).value(&self.formula, &[])
    }

    /// Whether it is another number for each neuron.
    pub fn is_random(&self) -> bool {
        !self.draws.is_empty()
    }
}

/// What happens at a threshold.
#[derive(Debug, Clone)]
pub(crate) struct Firing {
    /// At least 0 where it spikes.
    pub(crate) distance: Formula,
    pub(crate) scale: f64,
    /// Slots that are set, and to what.
    pub(crate) reset: Vec<(usize, Formula)>,
    pub(crate) detach_reset: bool,
    /// Slots whose reset is in the gradient all the same.
    pub(crate) attached: Vec<usize>,
    pub(crate) surrogate: Surrogate,
    pub(crate) refractory: Option<Refractory>,
}

/// How long a neuron does not spike again.
#[derive(Debug, Clone)]
pub(crate) enum Refractory {
    /// For a time in ms.
    Time(f64),
    /// While this is 1.
    While(Formula),
}

/// The middle of a step: the differential equations are solved, and no spike is known yet.
#[derive(Debug)]
pub(crate) struct Between<N> {
    now: Environment<N>,
    /// The state of refractoriness, outside the gradient.
    left: N,
    /// At least 0 where the neuron is not refractory; nothing if it never is.
    free: Option<N>,
}

impl<N: Clone> Between<N> {
    /// The first state.
    pub(crate) fn first(&self) -> N {
        self.now.slots[0].clone()
    }
}

/// What a step has made.
#[derive(Debug)]
pub(crate) struct Stepped<N> {
    pub(crate) output: N,
    /// The next state, without what is held.
    pub(crate) next: Vec<N>,
    /// Of each variable what a spike leaves, or would have left; nothing where no spike changes anything.
    pub(crate) left_by_spike: Vec<N>,
}

/// What steps of one length need; see [`Model::constants`].
#[derive(Debug, Clone)]
pub struct StepConstants {
    dt_ms: f64,
    solver: Solver,
    /// Steps after a spike in which the neuron is refractory.
    refractory_steps: f64,
}

impl Model {
    /// Where it is from.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its inputs, in the order of the lines of equations.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// What a step changes: variables of differential equations, parameters that the reset changes, `spike` of a neuron with a
    /// threshold, `refractory` of one that has such a time.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// What each neuron has of its own, in the order of lines, and then of names of constants.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// How its equations are solved.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether its output is a spike, so that it is 0 or 1.
    pub fn spikes(&self) -> bool {
        self.output.is_none()
    }

    /// Whether its loops are compiled.
    pub fn compile(&self) -> Compile {
        self.compile
    }

    /// What stands in for the derivative of its spikes, if it has a threshold.
    pub fn surrogate(&self) -> Option<Surrogate> {
        self.firing.as_ref().map(|firing| firing.surrogate)
    }

    /// What steps of `dt_ms` need, calculated in float64.
    pub fn constants(&self, dt_ms: f64) -> Result<StepConstants> {
        if !(dt_ms > 0.0 && dt_ms.is_finite()) {
            return Err(Error::of("dt_ms", format!("a step of {dt_ms} ms cannot be; it must be above 0")));
        }
        let solver = self.equations.solver(self.method, dt_ms / self.substeps as f64);
        if !solver.is_finite() {
            let message = format!(
                "over a step of {dt_ms} ms the solution of the equations grows beyond all numbers; take a smaller one"
            );
            return Err(Error::of("dt_ms", message));
        }
        let refractory_steps = match self.firing.as_ref().and_then(|firing| firing.refractory.as_ref()) {
            Some(Refractory::Time(time)) => refractory_steps(*time, dt_ms),
            _ => 0.0,
        };
        Ok(StepConstants { dt_ms, solver, refractory_steps })
    }

    /// One step: inputs and state, with what is held behind it, to the output and the next state, without what is held. A spike
    /// is `spike(distance)`, at most one a step: 1 where `distance >= 0`, else 0, and the surrogate backward.
    ///
    /// # Panics
    ///
    /// If `x` or `s` has another number of entries than there are ports, or states and held numbers.
    pub fn step<N: Num>(&self, constants: &StepConstants, x: &[N], s: &[N], spike: impl FnOnce(N) -> N) -> (N, Vec<N>) {
        assert_eq!(x.len(), self.ports.len(), "inputs");
        assert_eq!(s.len(), self.states.len() + self.held.len(), "states and held numbers");
        let between = self.integrate(constants, x, s);
        self.fire(constants, between, spike)
    }

    /// The first half of a step: the differential equations.
    pub(crate) fn integrate<N: Num>(&self, constants: &StepConstants, x: &[N], s: &[N]) -> Between<N> {
        let mut now = self.environment(constants, x, s);
        let left = s[self.states.len() - 1].clone().detach();
        let free = self.free(&left, &mut now);
        let h = constants.dt_ms / self.substeps as f64;
        for _ in 0..self.substeps {
            let next = self.equations.advance(&constants.solver, h, &now, free.as_ref());
            next.into_iter().enumerate().for_each(|(slot, value)| now.set(slot, value));
        }
        Between { now, left, free }
    }

    /// This neuron with the resets of the states of these numbers in the gradient, and of those that they follow from, even where the text
    /// detaches resets: of what projections carry, such as conductances that a spike opens. What the threshold reads stays as it is, for its resets
    /// are what is detached.
    pub fn with_resets_in_gradient(mut self, states: &[usize]) -> Self {
        let lines = &self.equations.lines;
        let reads = |formula: &Formula, slot: usize| {
            dependence(formula, lines, &|other| other == slot).map_or(true, Dependence::any)
        };
        let Some(firing) = &mut self.firing else { return self };
        let mut attached: Vec<usize> = states.iter().copied().filter(|state| *state < self.variables).collect();
        let mut done = 0;
        while let Some(&slot) = attached.get(done) {
            let slope = self.equations.slopes.get(slot);
            let resets = firing.reset.iter().filter(|(set, _)| *set == slot).map(|(_, value)| value);
            let formulas: Vec<&Formula> = slope.into_iter().chain(resets).collect();
            let found = (0..self.variables).filter(|other| formulas.iter().any(|formula| reads(formula, *other)));
            let new: Vec<usize> = found.filter(|other| !attached.contains(other)).collect();
            attached.extend(new);
            done += 1;
        }
        attached.retain(|slot| !reads(&firing.distance, *slot));
        firing.attached = attached;
        self
    }

    /// The second half: threshold and reset.
    pub(crate) fn fire<N: Num>(
        &self,
        constants: &StepConstants,
        between: Between<N>,
        spike: impl FnOnce(N) -> N,
    ) -> (N, Vec<N>) {
        let Stepped { output, next, .. } = self.stepped(constants, between, spike);
        (output, next)
    }

    /// The same, and what a spike leaves.
    pub(crate) fn stepped<N: Num>(
        &self,
        constants: &StepConstants,
        Between { mut now, left, free }: Between<N>,
        spike: impl FnOnce(N) -> N,
    ) -> Stepped<N> {
        let (mut tail, mut left_by_spike) = (Vec::new(), Vec::new());
        if let Some(firing) = &self.firing {
            let distance = now.value(&firing.distance, &self.equations.lines).scale(firing.scale.recip());
            let fired = spike(distance);
            let fired = match &free {
                Some(free) => free.clone().pick(fired.clone(), fired.lit(0.0)),
                None => fired,
            };
            left_by_spike = self.reset(firing, &mut now, &fired);
            tail.push(fired.clone());
            if let Some(free) = free {
                tail.push(after(firing, constants, &fired.detach(), left, free));
            }
        }
        let output = match &self.output {
            Some(output) => now.value(output, &self.equations.lines),
            None => tail[0].clone(),
        };
        let mut next = now.slots;
        next.truncate(self.variables);
        next.extend(tail);
        Stepped { output, next, left_by_spike }
    }

    /// Slots: variables, ports, held numbers, `dt`.
    fn environment<N: Num>(&self, constants: &StepConstants, x: &[N], s: &[N]) -> Environment<N> {
        let like = &s[0];
        let inputs = x.iter().zip(&self.ports).map(|(x, port)| x.clone().scale(port.scale));
        let held = s[self.states.len()..].iter().cloned();
        let slots = s[..self.variables].iter().cloned().chain(inputs).chain(held);
        let slots = slots.chain([like.lit(constants.dt_ms)]).collect();
        Environment::new(slots, self.equations.lines.len(), like)
    }

    /// At least 0 where a variable is not held; nothing if it never is.
    pub(crate) fn free_to_change<N: Num>(&self, variable: usize, constants: &StepConstants, s: &[N]) -> Option<N> {
        if !self.equations.held.get(variable).is_some_and(|held| *held) {
            return None;
        }
        let no_inputs = vec![s[0].lit(0.0); self.ports.len()];
        let mut now = self.environment(constants, &no_inputs, s);
        self.free(&s[self.states.len() - 1].clone().detach(), &mut now)
    }

    /// At least 0 where the neuron is not refractory; nothing if it never is. `left` is the state of refractoriness.
    fn free<N: Num>(&self, left: &N, now: &mut Environment<N>) -> Option<N> {
        let left = match self.firing.as_ref()?.refractory.as_ref()? {
            Refractory::Time(_) => left.clone(),
            Refractory::While(condition) => left.clone() * now.value(condition, &self.equations.lines).detach(),
        };
        Some((-left).shift(0.5))
    }

    /// Assignments, where it fired, and what they leave. A value that is picked is not changed by one that is infinite.
    fn reset<N: Num>(&self, firing: &Firing, now: &mut Environment<N>, fired: &N) -> Vec<N> {
        let before = now.slots.clone();
        for (slot, value) in &firing.reset {
            let value = now.value(value, &self.equations.lines);
            now.set(*slot, value);
        }
        let mut changed = now.slots.clone();
        for slot in 0..self.variables {
            if !firing.reset.iter().any(|(set, _)| *set == slot) {
                continue;
            }
            let (old, new) = (before[slot].clone(), changed[slot].clone());
            let value = match firing.detach_reset && !firing.attached.contains(&slot) {
                true => fired.clone().detach().shift(-0.5).pick(new, old),
                false => old.clone() + (new - old) * fired.clone(),
            };
            now.set(slot, value);
        }
        changed.truncate(self.variables);
        changed
    }
}

/// The state of refractoriness after a step in which it was `left`.
fn after<N: Num>(firing: &Firing, constants: &StepConstants, fired: &N, left: N, free: N) -> N {
    let (start, rest) = match firing.refractory {
        Some(Refractory::While(_)) => (1.0, free.clone().pick(left.lit(0.0), left.lit(1.0))),
        _ => (constants.refractory_steps, left.shift(-1.0).at_least(0.0)),
    };
    let start = rest.lit(start);
    fired.clone().shift(-0.5).pick(start, rest)
}

/// Steps after a spike in which a neuron is refractory for `time` ms. Brian2 lets it be free from step `timestep(time, dt)` after
/// the spike on, where `timestep(t, dt)` is the whole part of `(t + dt/1000) / dt`.
fn refractory_steps(time: f64, dt: f64) -> f64 {
    (((time + 1e-3 * dt) / dt).floor() - 1.0).max(0.0)
}
