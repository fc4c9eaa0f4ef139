//! [`Population`]: many neurons of one kind, simulated by themselves.

use std::ops::Range;
use std::sync::Arc;

use crate::bits::WriteBits;
use crate::program::{CHUNK, Channel, Loaded, Registers, Steps, run_steps};
use crate::{Block, Instructions, LANES, Real, UnitProgram, vectorised};

/// Steps after which spikes are looked for, so that outputs stay in the nearest cache.
const STRETCH: usize = 16;

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
    unit: Arc<UnitProgram>,
    /// Inputs, and then what the neurons hold: `[number][neuron]`, each padded to whole chunks.
    given: Vec<Block<F>>,
    /// The states, likewise.
    states: Vec<Block<F>>,
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

impl<F: Real> Population<F> {
    /// `n` neurons. All numbers are 0 at first.
    pub fn new(n: usize, unit: Arc<UnitProgram>) -> Self {
        let zeros = |count: usize| (0..count).map(|_| Block::zeros(n.next_multiple_of(CHUNK))).collect();
        let (given, states) = (zeros(unit.ports() + unit.held()), zeros(unit.moving()));
        Self { n, unit, given, states, done: 0 }
    }

    /// What comes in at a port from now on, `[n]`.
    pub fn set_input(&mut self, port: usize, values: &[F]) {
        assert!(port < self.unit.ports(), "there is no port {port}");
        set(&mut self.given[port], values, self.n);
    }

    /// A number that the neurons hold, `[n]`.
    pub fn set_held(&mut self, which: usize, values: &[F]) {
        let at = self.unit.ports() + which;
        set(&mut self.given[at], values, self.n);
    }

    /// A number of state, `[n]`.
    pub fn set_state(&mut self, which: usize, values: &[F]) {
        set(&mut self.states[which], values, self.n);
    }

    /// A number of state, `[n]`.
    pub fn state(&self, which: usize) -> &[F] {
        &self.states[which][..self.n]
    }

    /// Makes so many steps on so many threads. The spikes, by step and then by neuron; no number of threads changes them.
    pub fn advance(&mut self, steps: usize, instructions: Instructions, threads: usize) -> Vec<PopulationSpike> {
        let chunks = self.n.div_ceil(CHUNK);
        let of_a_thread = chunks.div_ceil(threads.max(1));
        let (unit, given, done) = (&*self.unit, &self.given[..], self.done);
        let program: Loaded<F> = unit.stepping().load();
        let mut parts: Vec<Part<'_, F>> = (0..chunks)
            .step_by(of_a_thread.max(1))
            .map(|first| Part { unit, given, first, states: Vec::new(), spikes: Vec::new() })
            .collect();
        for state in &mut self.states {
            for (part, numbers) in parts.iter_mut().zip(state.chunks_mut(of_a_thread.max(1) * CHUNK)) {
                part.states.push(numbers);
            }
        }
        let run = |part: &mut Part<'_, F>| part.advance(&program, steps, instructions);
        match &mut parts[..] {
            [] => {}
            [one] => run(one),
            several => std::thread::scope(|scope| {
                several.iter_mut().for_each(|part| drop(scope.spawn(|| run(part))));
            }),
        }
        let spikes: Vec<_> =
            parts.into_iter().flat_map(|part| part.spikes).filter(|spike| spike.neuron < self.n).collect();
        let mut spikes = in_order(&spikes, steps);
        spikes.iter_mut().for_each(|spike| spike.step += done);
        self.done += steps;
        spikes
    }
}

/// The last one fills the last chunk.
fn set<F: Real>(block: &mut Block<F>, values: &[F], n: usize) {
    assert_eq!(values.len(), n, "one number of each neuron");
    block[..n].copy_from_slice(values);
    if let Some(last) = values.last() {
        block[n..].fill(*last);
    }
}

/// Neurons that one thread advances.
struct Part<'a, F: Real> {
    unit: &'a UnitProgram,
    given: &'a [Block<F>],
    /// The first chunk.
    first: usize,
    /// Their states.
    states: Vec<&'a mut [F]>,
    /// What they have sent.
    spikes: Vec<PopulationSpike>,
}

impl<F: Real> Part<'_, F> {
    fn advance(&mut self, program: &Loaded<F>, steps: usize, instructions: Instructions) {
        let unit = self.unit;
        let units = unit.units_of_a_row::<F>(CHUNK);
        let chunks = self.states.first().map_or(0, |numbers| numbers.len() / CHUNK);
        let mut ys = Block::zeros(units * STRETCH * CHUNK);
        for first in (0..chunks).step_by(units) {
            let units = units.min(chunks - first);
            let own = first * CHUNK..(first + units) * CHUNK;
            let mut registers = Registers::new(unit.stepping().rows(), units * CHUNK);
            let begin = (self.first + first) * CHUNK;
            let (ports, moving) = (unit.ports(), unit.moving());
            for (j, state) in self.states.iter().enumerate() {
                registers.row_mut(ports + j).copy_from_slice(&state[own.clone()]);
            }
            for (j, held) in self.given[ports..].iter().enumerate() {
                registers.row_mut(ports + moving + j).copy_from_slice(&held[begin..begin + units * CHUNK]);
            }
            let inputs: Vec<&[F]> = self.given[..ports].iter().map(|given| &given[..]).collect();
            let load = |port| Channel { row: port, block: port, begin, own: false, constant: true };
            let loads: Vec<Channel> = (0..ports).map(load).collect();
            let (row, own_row) = (unit.stepping().result(0), unit.stepping().owns(0));
            let stores = [Channel { row, block: 0, begin: 0, own: own_row, constant: false }];
            for from in (0..steps).step_by(STRETCH) {
                let stretch = STRETCH.min(steps - from);
                let steps = Steps {
                    program,
                    steps: stretch,
                    backward: false,
                    lanes: CHUNK,
                    units,
                    read: &inputs,
                    loads: &loads,
                    written: &mut [&mut ys],
                    keeps: &[],
                    stores: &stores,
                };
                run_steps(instructions, steps, &mut registers);
                if unit.sends_spikes() {
                    self.collect(&ys, first..first + units, from, stretch, instructions);
                }
                for j in (0..moving).filter(|j| unit.repeats(*j)) {
                    for (k, lanes) in self.states[j][own.clone()].chunks_exact_mut(CHUNK).enumerate() {
                        lanes.copy_from_slice(&ys[(k * stretch + stretch - 1) * CHUNK..][..CHUNK]);
                    }
                }
            }
            for j in (0..moving).filter(|j| !unit.repeats(*j)) {
                self.states[j][own.clone()].copy_from_slice(registers.row(ports + j));
            }
        }
    }

    /// The spikes of some chunks in a stretch that begins at step `from`.
    fn collect(&mut self, ys: &[F], chunks: Range<usize>, from: usize, steps: usize, instructions: Instructions) {
        let mut bits = [0; STRETCH * CHUNK / LANES];
        for (series, chunk) in ys.chunks_exact(steps * CHUNK).zip(chunks) {
            let first = (self.first + chunk) * CHUNK;
            vectorised(instructions, WriteBits { numbers: series, bits: &mut bits });
            // A chunk of neurons has as many bits as an `u32`.
            for (t, bits) in bits.as_chunks::<{ CHUNK / LANES }>().0[..steps].iter().enumerate() {
                let mut fired = u32::from_le_bytes(*bits);
                while fired != 0 {
                    let neuron = first + fired.trailing_zeros() as usize;
                    self.spikes.push(PopulationSpike { step: from + t, neuron });
                    fired &= fired - 1;
                }
            }
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
