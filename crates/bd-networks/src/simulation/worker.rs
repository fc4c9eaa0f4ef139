//! [`Worker`]: what one thread simulates.

use std::ops::Range;
use std::sync::Arc;

use bd_kernel::rng::philox4x32;
use bd_kernel::{Block, GroupWorkspace, Instructions, NeuronGroup, NeuronNumber, PortInput, Real, Rng, UnitProgram};

use crate::network::Network;

use super::Timing;
use super::generators::{Counts, Generator};

/// Neurons and sources of spikes of one thread.
#[derive(Debug)]
pub(crate) struct Worker<F: Real> {
    pub(crate) parts: Vec<Part<F>>,
    pub(crate) generators: Vec<Generator>,
    workspace: GroupWorkspace<F>,
    /// By population, those that are kept: step and neuron.
    pub(crate) spikes: Vec<Vec<(u64, u32)>>,
    keeps: Vec<bool>,
}

/// Spikes that a thread has sent: by population, by step, by neuron.
#[derive(Debug)]
pub(crate) struct Sent {
    populations: Vec<Vec<(u64, Vec<u32>)>>,
}

impl Sent {
    pub(crate) fn new(populations: usize) -> Self {
        Self { populations: vec![Vec::new(); populations] }
    }

    /// Steps with spikes of a population, and the neurons.
    pub(crate) fn of(&self, population: usize) -> &[(u64, Vec<u32>)] {
        &self.populations[population]
    }

    /// Makes a population's lists of steps `from..to` empty.
    fn begin(&mut self, population: usize, from: u64, to: u64) {
        let lists = &mut self.populations[population];
        lists.resize((to - from) as usize, (0, Vec::new()));
        for ((step, neurons), now) in lists.iter_mut().zip(from..) {
            *step = now;
            neurons.clear();
        }
    }
}

/// What arrives at one target of a part.
#[derive(Debug)]
pub(crate) enum Port<F: Real> {
    /// The same in every step, `[neuron]`.
    Constant(Block<F>),
    /// `[slice][chunk][step][neuron of the chunk]`; and what each begins with, if that is not 0.
    Ring { numbers: Block<F>, chunks: usize, drive: Option<Block<F>> },
}

impl<F: Real> Port<F> {
    pub(crate) fn new(drive: Option<&[F]>, fed: bool, n: usize, timing: Timing) -> Self {
        let padded = n.next_multiple_of(NeuronGroup::<F>::CHUNK);
        let drive = drive.map(|drive| {
            let mut block = Block::zeros(padded);
            block[..n].copy_from_slice(drive);
            block
        });
        if !fed {
            return Self::Constant(drive.unwrap_or_else(|| Block::zeros(padded)));
        }
        let chunks = padded / NeuronGroup::<F>::CHUNK;
        let numbers = Block::zeros(timing.ring * padded * timing.slice);
        let mut port = Self::Ring { numbers, chunks, drive };
        for slice in 0..timing.ring {
            (0..timing.slice).for_each(|t| port.clear(timing, slice, t..t + 1));
        }
        port
    }

    /// Some steps of a slice begin anew.
    fn clear(&mut self, timing: Timing, slice: usize, steps: Range<usize>) {
        const CHUNK: usize = NeuronGroup::<f32>::CHUNK;
        let Self::Ring { numbers, chunks, drive } = self else { return };
        let of_slice = &mut numbers[slice * *chunks * timing.slice * CHUNK..][..*chunks * timing.slice * CHUNK];
        if drive.is_none() && steps.len() == timing.slice {
            return of_slice.fill(F::default());
        }
        for (chunk, numbers) in of_slice.chunks_exact_mut(timing.slice * CHUNK).enumerate() {
            for numbers in numbers[steps.start * CHUNK..steps.end * CHUNK].chunks_exact_mut(CHUNK) {
                match drive {
                    Some(drive) => numbers.copy_from_slice(&drive[chunk * CHUNK..][..CHUNK]),
                    None => numbers.fill(F::default()),
                }
            }
        }
    }
}

/// Neurons of one population.
#[derive(Debug)]
pub(crate) struct Part<F: Real> {
    pub(crate) population: usize,
    pub(crate) range: Range<usize>,
    groups: Vec<NeuronGroup<F>>,
    /// By target.
    pub(crate) ports: Vec<Port<F>>,
    noises: Vec<Noise<F>>,
    traced: Traced<F>,
}

/// The background of one target.
#[derive(Debug)]
struct Noise<F> {
    target: usize,
    counts: Counts,
    weight: F,
    key: [u32; 2],
}

/// What is kept of states after each step.
#[derive(Debug)]
struct Traced<F: Real> {
    states: Vec<usize>,
    /// State, neuron, and its values.
    values: Vec<(usize, usize, Vec<F>)>,
    block: Block<F>,
}

impl<F: Real> Part<F> {
    pub(crate) fn new(population: usize, range: Range<usize>, unit: &Arc<UnitProgram>) -> Self {
        let groups = NeuronGroup::groups(range.len(), unit);
        let traced = Traced { states: Vec::new(), values: Vec::new(), block: Block::default() };
        Self { population, range, groups, ports: Vec::new(), noises: Vec::new(), traced }
    }

    /// Sets a number of its neurons.
    pub(crate) fn set(&mut self, number: NeuronNumber, values: &[F]) {
        let mut rest = values;
        for group in &mut self.groups {
            let (own, others) = rest.split_at(group.len());
            group.set(number, own);
            rest = others;
        }
    }

    /// A state of its neurons.
    pub(crate) fn state(&self, state: usize) -> impl Iterator<Item = F> + '_ {
        self.groups.iter().flat_map(move |group| group.get(NeuronNumber::State(state))).copied()
    }

    /// Keeps states of those of some neurons that it has.
    pub(crate) fn trace(&mut self, traced: &[(usize, &[usize])]) {
        for (state, neurons) in traced {
            for neuron in neurons.iter().filter(|neuron| self.range.contains(neuron)) {
                if !self.traced.states.contains(state) {
                    self.traced.states.push(*state);
                }
                self.traced.values.push((*state, *neuron, Vec::new()));
            }
        }
    }

    /// Makes steps from `at` on, within a slice, and gives their spikes to `found`.
    fn advance(
        &mut self,
        timing: Timing,
        instructions: Instructions,
        at: u64,
        steps: usize,
        workspace: &mut GroupWorkspace<F>,
        found: &mut impl FnMut(usize, u32),
    ) {
        const CHUNK: usize = NeuronGroup::<f32>::CHUNK;
        let (slice, first_step) = timing.split(at);
        let whole = steps == timing.slice;
        for noise in &self.noises {
            noise.add(timing, at, steps, &self.range, &mut self.ports[noise.target]);
        }
        let mut first = 0;
        for group in &mut self.groups {
            let own = first..first + group.padded_len();
            // Of a part of a slice, the steps are not one behind the other.
            let pieces: Vec<Option<Block<F>>> = (self.ports.iter())
                .map(|port| match port {
                    Port::Ring { numbers, chunks, .. } if !whole => {
                        let of_chunks = own.clone().step_by(CHUNK).flat_map(|chunk| {
                            let begin = (slice * chunks + chunk / CHUNK) * timing.slice + first_step;
                            &numbers[begin * CHUNK..(begin + steps) * CHUNK]
                        });
                        Some(of_chunks.copied().collect())
                    }
                    _ => None,
                })
                .collect();
            let inputs: Vec<PortInput<'_, F>> = (self.ports.iter().zip(&pieces))
                .map(|(port, piece)| match (port, piece) {
                    (_, Some(piece)) => PortInput::Series(piece),
                    (Port::Constant(numbers), None) => PortInput::Constant(&numbers[own.clone()]),
                    (Port::Ring { numbers, chunks, .. }, None) => {
                        let begin = (slice * chunks * CHUNK + own.start) * timing.slice;
                        PortInput::Series(&numbers[begin..begin + own.len() * timing.slice])
                    }
                })
                .collect();
            let global = self.range.start + first;
            let wanted = self.traced.values.iter().any(|(_, id, _)| (global..global + group.len()).contains(id));
            let states = if wanted { &self.traced.states[..] } else { &[] };
            self.traced.block.resize(states.len() * steps * group.padded_len());
            group.advance(instructions, steps, &inputs, (states, &mut self.traced.block), workspace);
            group.spikes(instructions, workspace, |t, neuron| found(t, (global + neuron) as u32));
            if wanted {
                self.traced.take(global..global + group.len(), steps, group.padded_len());
            }
            first = own.end;
        }
        for port in &mut self.ports {
            port.clear(timing, slice, first_step..first_step + steps);
        }
    }
}

impl<F: Real> Traced<F> {
    /// Takes the values of some neurons over from the block, `[state][chunk][step][neuron of the chunk]`.
    fn take(&mut self, neurons: Range<usize>, steps: usize, padded: usize) {
        const CHUNK: usize = NeuronGroup::<f32>::CHUNK;
        for (state, id, values) in self.values.iter_mut().filter(|(_, id, _)| neurons.contains(id)) {
            let which = self.states.iter().position(|known| known == state).expect("it is traced");
            let (chunk, lane) = ((*id - neurons.start) / CHUNK, (*id - neurons.start) % CHUNK);
            let begin = which * steps * padded + chunk * steps * CHUNK + lane;
            values.extend(self.block[begin..].iter().step_by(CHUNK).take(steps));
        }
    }
}

impl<F: Real> Noise<F> {
    /// Adds the spikes of unseen neurons to steps of a ring. The count of a step and neuron is a function of seed, name, step and neuron.
    fn add(&self, timing: Timing, at: u64, steps: usize, range: &Range<usize>, port: &mut Port<F>) {
        const CHUNK: usize = NeuronGroup::<f32>::CHUNK;
        let Port::Ring { numbers, chunks, .. } = port else { unreachable!("a background feeds a ring") };
        let (slice, first_step) = timing.split(at);
        for chunk in 0..*chunks {
            for t in 0..steps {
                let step = at + t as u64;
                let begin = ((slice * *chunks + chunk) * timing.slice + first_step + t) * CHUNK;
                let neuron = range.start + chunk * CHUNK;
                for (four, numbers) in numbers[begin..begin + CHUNK].chunks_exact_mut(4).enumerate() {
                    let counter = [step as u32, (step >> 32) as u32, (neuron / 4 + four) as u32, 0];
                    let words = philox4x32(counter, self.key);
                    for (number, bits) in numbers.iter_mut().zip(words) {
                        let count = self.counts.of(bits);
                        if count > 0 {
                            *number += F::of(f64::from(count)) * self.weight;
                        }
                    }
                }
            }
        }
    }
}

impl<F: Real> Worker<F> {
    pub(crate) fn new(network: &Network) -> Self {
        Self {
            parts: Vec::new(),
            generators: Vec::new(),
            workspace: GroupWorkspace::default(),
            spikes: vec![Vec::new(); network.populations.len()],
            keeps: network.keeps_spikes.clone(),
        }
    }

    pub(crate) fn add_backgrounds(&mut self, network: &Network, seed: u64) {
        for part in &mut self.parts {
            let of_part = network.backgrounds.iter().filter(|background| background.to == part.population);
            part.noises = of_part
                .map(|background| Noise {
                    target: background.target,
                    counts: Counts::new(background.per_step),
                    weight: F::of(background.weight),
                    key: Rng::new(seed, &background.name).key(),
                })
                .collect();
        }
    }

    /// Makes steps from `at` on, within a slice, or none. Sources of spikes are a slice ahead, so that what they send can arrive in the next
    /// step.
    pub(crate) fn advance(
        &mut self,
        timing: Timing,
        instructions: Instructions,
        at: u64,
        steps: usize,
        sent: &mut Sent,
    ) {
        let Self { parts, generators, workspace, spikes, keeps } = self;
        let end = at + steps as u64;
        for part in parts {
            let population = part.population;
            sent.begin(population, at, end);
            if steps == 0 {
                continue;
            }
            let lists = &mut sent.populations[population];
            part.advance(timing, instructions, at, steps, workspace, &mut |t, neuron| lists[t].1.push(neuron));
            keep(keeps[population], lists, &mut spikes[population]);
        }
        for generator in generators {
            let population = generator.population;
            let (from, to) = (generator.made(), end + timing.slice as u64);
            sent.begin(population, from, to.max(from));
            let lists = &mut sent.populations[population];
            generator.advance(to, &mut |step, neuron| lists[(step - from) as usize].1.push(neuron));
            keep(keeps[population], lists, &mut spikes[population]);
        }
    }

    /// The values of a state of a neuron that were kept, if it is one of this thread.
    pub(crate) fn trace(&self, population: usize, state: usize, neuron: usize) -> Option<&[F]> {
        let part = self.parts.iter().find(|part| part.population == population && part.range.contains(&neuron))?;
        let found = part.traced.values.iter().find(|(kept, id, _)| (*kept, *id) == (state, neuron))?;
        Some(&found.2)
    }
}

fn keep(kept: bool, lists: &[(u64, Vec<u32>)], spikes: &mut Vec<(u64, u32)>) {
    if kept {
        spikes.extend(lists.iter().flat_map(|(step, neurons)| neurons.iter().map(|neuron| (*step, *neuron))));
    }
}
