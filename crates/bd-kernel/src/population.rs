//! [`Population`]: many neurons of one kind, simulated by themselves.

use std::sync::Arc;

use crate::{Block, Instructions, Real, UnitProgram};

mod group;

pub use group::{GroupWorkspace, NeuronGroup, NeuronNumber, PortInput};

/// `n` neurons of a [`UnitProgram`], which do not see each other, each with numbers of its own. Where [`GraphKernel`](crate::GraphKernel) has
/// samples side by side, this has neurons.
///
/// ```
/// use std::sync::Arc;
/// use bd_kernel::{Code, Instructions, NoSpikes, Num, Population, UnitFormula, UnitProgram};
///
/// // v <- v + (x - v) / 10
/// let step = |x: &[Code], s: &[Code], _: &mut dyn FnMut(Code) -> Code| {
///     let (x, v) = (x[0].clone(), s[0].clone());
///     let next = v.clone() + (x - v).scale(0.1);
///     (next.clone(), vec![next])
/// };
/// let unit = UnitProgram::new(&UnitFormula::new("leaky", [1, 1], &NoSpikes, step), None, false);
/// let mut neurons = Population::<f64>::new(3, Arc::new(unit));
/// neurons.set_input(0, &[1.0, 2.0, 3.0]);
/// neurons.advance(2, Instructions::best(), 1);
/// assert!((neurons.state(0)[2] - 3.0 * (1.0 - 0.9 * 0.9)).abs() < 1e-15);
/// ```
#[derive(Debug)]
pub struct Population<F: Real> {
    n: usize,
    parts: Vec<Part<F>>,
    /// Steps that were made.
    done: usize,
}

/// A spike of a [`Population`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PopulationSpike {
    /// In this step, from 0.
    pub step: usize,
    /// Of this neuron.
    pub neuron: usize,
}

/// The neurons of a group, and what comes in.
#[derive(Debug)]
struct Part<F: Real> {
    /// The first neuron.
    first: usize,
    group: NeuronGroup<F>,
    /// By port, `[neuron]`, in whole chunks.
    inputs: Vec<Block<F>>,
    /// What they have sent.
    spikes: Vec<PopulationSpike>,
}

impl<F: Real> Population<F> {
    /// `n` neurons. All numbers are 0 at first.
    pub fn new(n: usize, unit: Arc<UnitProgram>) -> Self {
        let mut first = 0;
        let part = |group: NeuronGroup<F>| {
            let inputs = (0..unit.ports()).map(|_| Block::zeros(group.padded_len())).collect();
            let begin = first;
            first += group.len();
            Part { first: begin, group, inputs, spikes: Vec::new() }
        };
        let groups = NeuronGroup::groups(n, &unit, NeuronGroup::<F>::STEPS);
        Self { n, parts: groups.into_iter().map(part).collect(), done: 0 }
    }

    /// Each part with its numbers of `values`, `[n]`.
    fn each(&mut self, values: &[F], set: impl Fn(&mut Part<F>, &[F])) {
        assert_eq!(values.len(), self.n, "one number of each neuron");
        for part in &mut self.parts {
            let own = part.first..part.first + part.group.len();
            set(part, &values[own]);
        }
    }

    /// What comes in at a port from now on, `[n]`.
    pub fn set_input(&mut self, port: usize, values: &[F]) {
        self.each(values, |part, values| part.inputs[port][..values.len()].copy_from_slice(values));
    }

    /// A number that the neurons hold, `[n]`.
    pub fn set_held(&mut self, which: usize, values: &[F]) {
        self.each(values, |part, values| part.group.set(NeuronNumber::Held(which), values));
    }

    /// A number of state, `[n]`.
    pub fn set_state(&mut self, which: usize, values: &[F]) {
        self.each(values, |part, values| part.group.set(NeuronNumber::State(which), values));
    }

    /// A number of state, `[n]`.
    pub fn state(&self, which: usize) -> Vec<F> {
        self.parts.iter().flat_map(|part| part.group.get(NeuronNumber::State(which))).copied().collect()
    }

    /// Makes so many steps on so many threads. The spikes, by step and then by neuron; no number of threads changes them.
    pub fn advance(&mut self, steps: usize, instructions: Instructions, threads: usize) -> Vec<PopulationSpike> {
        let of_a_thread = self.parts.len().div_ceil(threads.max(1)).max(1);
        let run = |parts: &mut [Part<F>]| {
            let mut workspace = GroupWorkspace::default();
            parts.iter_mut().for_each(|part| part.advance(steps, instructions, &mut workspace));
        };
        let shares = self.parts.chunks_mut(of_a_thread);
        match shares.len() {
            0 | 1 => shares.for_each(run),
            _ => std::thread::scope(|scope| shares.for_each(|share| drop(scope.spawn(|| run(share))))),
        }
        let spikes: Vec<_> = self.parts.iter_mut().flat_map(|part| std::mem::take(&mut part.spikes)).collect();
        let mut spikes = in_order(&spikes, steps);
        spikes.iter_mut().for_each(|spike| spike.step += self.done);
        self.done += steps;
        spikes
    }
}

impl<F: Real> Part<F> {
    fn advance(&mut self, steps: usize, instructions: Instructions, workspace: &mut GroupWorkspace<F>) {
        let Self { first, group, inputs, spikes } = self;
        let inputs: Vec<_> = inputs.iter().map(|xs| PortInput::Constant(xs)).collect();
        for from in (0..steps).step_by(NeuronGroup::<F>::STEPS) {
            let stretch = NeuronGroup::<F>::STEPS.min(steps - from);
            group.advance(instructions, stretch, &inputs, (&[], &mut []), workspace);
            group.spikes(instructions, workspace, |t, neuron| {
                spikes.push(PopulationSpike { step: from + t, neuron: *first + neuron });
            });
        }
    }
}

/// By step, and within a step as they were: by neuron, since those of earlier neurons come first.
fn in_order(spikes: &[PopulationSpike], steps: usize) -> Vec<PopulationSpike> {
    let mut places = vec![0; steps + 1];
    spikes.iter().for_each(|spike| places[spike.step + 1] += 1);
    for step in 0..steps {
        places[step + 1] += places[step];
    }
    let mut ordered = vec![PopulationSpike { step: 0, neuron: 0 }; spikes.len()];
    for spike in spikes {
        ordered[places[spike.step]] = *spike;
        places[spike.step] += 1;
    }
    ordered
}

#[cfg(test)]
mod tests;
