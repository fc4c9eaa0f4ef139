//! [`Worker`]: what one thread simulates.

use std::ops::Range;
use std::sync::Arc;

use bd_kernel::{Block, GroupWorkspace, Instructions, NeuronGroup, NeuronNumber, PortInput, Real, UnitProgram};
use smallvec::SmallVec;

use crate::network::{Carried, Network};

use super::Timing;
use super::generators::Generator;
use super::noise::Noise;
use super::port::{CHUNK, Port};
use super::sent::{Channel, Now, Sent};

/// Neurons and sources of spikes of one thread.
#[derive(Debug)]
pub(crate) struct Worker<F: Real> {
    pub(crate) parts: Vec<Part<F>>,
    pub(crate) generators: Vec<Generator>,
    workspace: GroupWorkspace<F>,
    /// By population, those that are kept: step and neuron.
    pub(crate) spikes: Vec<Vec<(u64, u32)>>,
    keeps: Vec<bool>,
    channels: Vec<Channel>,
    /// Numbers of the channels of each population.
    of_populations: Vec<Vec<usize>>,
    /// See [`Network::levels`].
    levels: Vec<usize>,
}

/// Neurons of one population.
#[derive(Debug)]
pub(crate) struct Part<F: Real> {
    pub(crate) population: usize,
    pub(crate) range: Range<usize>,
    pub(crate) unit: Arc<UnitProgram>,
    groups: Vec<NeuronGroup<F>>,
    /// By target.
    pub(crate) ports: Vec<Port<F>>,
    noises: Vec<Noise<F>>,
    traced: Traced<F>,
}

/// What a group has made of some steps.
struct Made<'a, F: Real> {
    /// The first neuron.
    first: usize,
    group: &'a NeuronGroup<F>,
    workspace: &'a mut GroupWorkspace<F>,
    looked: Looked<'a, F>,
}

/// What is kept of states after each step.
#[derive(Debug)]
struct Traced<F: Real> {
    states: Vec<usize>,
    /// Whether projections carry one of them.
    sent: bool,
    /// State, neuron, and its values.
    values: Vec<(usize, usize, Vec<F>)>,
    block: Block<F>,
}

impl<F: Real> Part<F> {
    pub(crate) fn new(population: usize, range: Range<usize>, unit: &Arc<UnitProgram>, timing: Timing) -> Self {
        let groups = NeuronGroup::groups(range.len(), unit, timing.slice);
        let traced = Traced { states: Vec::new(), sent: false, values: Vec::new(), block: Block::default() };
        Self { population, range, unit: Arc::clone(unit), groups, ports: Vec::new(), noises: Vec::new(), traced }
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

    /// Keeps states of those of some neurons that it has, and looks at states that projections carry.
    pub(crate) fn trace(&mut self, recorded: &[(usize, &[usize])], channels: &[Channel]) {
        let mut look = |state: usize| {
            if !self.traced.states.contains(&state) {
                self.traced.states.push(state);
            }
        };
        for (state, neurons) in recorded {
            for neuron in neurons.iter().filter(|neuron| self.range.contains(neuron)) {
                look(*state);
                self.traced.values.push((*state, *neuron, Vec::new()));
            }
        }
        for channel in channels.iter().filter(|channel| channel.population == self.population) {
            if let Carried::State(state) | Carried::SpikesTimes(state) = channel.carries {
                look(state);
                self.traced.sent = true;
            }
        }
    }

    /// Makes steps from `at` on, within a slice, and gives each group's to `found`: its first neuron, the group, its workspace, and states that
    /// are traced with their values.
    fn advance(
        &mut self,
        timing: Timing,
        instructions: Instructions,
        at: u64,
        steps: usize,
        workspace: &mut GroupWorkspace<F>,
        found: &mut impl FnMut(Made<'_, F>),
    ) {
        let (slice, first_step) = timing.split(at);
        let whole = steps == timing.slice;
        for noise in &self.noises {
            noise.add(instructions, timing, at, steps, &self.range, &mut self.ports[noise.target]);
        }
        let mut first = 0;
        for group in &mut self.groups {
            let own = first..first + group.padded_len();
            // Of a part of a slice, the steps are not one behind the other.
            let pieces: Vec<Block<F>> = match whole {
                true => Vec::new(),
                false => {
                    self.ports.iter().map(|port| port.piece(timing, own.clone(), slice, first_step, steps)).collect()
                }
            };
            let inputs = self.ports.iter().enumerate().map(|(at, port)| match port {
                Port::Constant(numbers) => PortInput::Constant(&numbers[own.clone()]),
                Port::Ring { .. } if !whole => PortInput::Series(&pieces[at]),
                Port::Ring { numbers, chunks, .. } => {
                    let begin = (slice * chunks * CHUNK + own.start) * timing.slice;
                    PortInput::Series(&numbers[begin..begin + own.len() * timing.slice])
                }
            });
            let inputs: SmallVec<[PortInput<'_, F>; 8]> = inputs.collect();
            let global = self.range.start + first;
            let recorded = self.traced.values.iter().any(|(_, id, _)| (global..global + group.len()).contains(id));
            let states = if recorded || self.traced.sent { &self.traced.states[..] } else { &[] };
            self.traced.block.resize(states.len() * steps * group.padded_len());
            group.advance(instructions, steps, &inputs, (states, &mut self.traced.block), workspace);
            let looked = Looked { states, traced: &self.traced.block, steps, padded: group.padded_len() };
            found(Made { first: global, group, workspace, looked });
            if recorded {
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
        for (state, id, values) in self.values.iter_mut().filter(|(_, id, _)| neurons.contains(id)) {
            let which = self.states.iter().position(|known| known == state).expect("it is traced");
            let (chunk, lane) = ((*id - neurons.start) / CHUNK, (*id - neurons.start) % CHUNK);
            let begin = which * steps * padded + chunk * steps * CHUNK + lane;
            values.extend(self.block[begin..].iter().step_by(CHUNK).take(steps));
        }
    }
}

impl<F: Real> Worker<F> {
    pub(crate) fn new(network: &Network, channels: &[Channel], levels: &[usize]) -> Self {
        Self {
            of_populations: (0..network.populations.len())
                .map(|at| (0..channels.len()).filter(|number| channels[*number].population == at).collect())
                .collect(),
            channels: channels.to_vec(),
            parts: Vec::new(),
            generators: Vec::new(),
            workspace: GroupWorkspace::default(),
            spikes: vec![Vec::new(); network.populations.len()],
            keeps: network.keeps_spikes.clone(),
            levels: levels.to_vec(),
        }
    }

    pub(crate) fn add_backgrounds(&mut self, network: &Network, seed: u64) {
        for part in &mut self.parts {
            let of_part = network.backgrounds.iter().filter(|background| background.to == part.population);
            part.noises = of_part.map(|background| Noise::new(background, seed)).collect();
        }
    }

    /// Makes steps from `at` on, within a slice, or none, of the neurons of a level. Sources of spikes, which are of the lowest, are a slice ahead, so
    /// that what they send can arrive in the next step.
    pub(crate) fn advance(
        &mut self,
        timing: Timing,
        instructions: Instructions,
        (at, steps): (u64, usize),
        level: usize,
        sent: &mut Sent<F>,
    ) {
        let Self { parts, generators, workspace, spikes, keeps, channels, of_populations, levels } = self;
        let end = at + steps as u64;
        for part in parts.iter_mut().filter(|part| levels[part.population] == level) {
            let population = part.population;
            let own = &of_populations[population];
            for number in own {
                sent.begin(*number, at, end);
            }
            if steps == 0 {
                continue;
            }
            let kept = &mut spikes[population];
            let before = kept.len();
            part.advance(timing, instructions, at, steps, workspace, &mut |made| {
                let Made { first, group, looked, .. } = made;
                group.spikes(instructions, made.workspace, |t, neuron| {
                    let id = (first + neuron) as u32;
                    if keeps[population] {
                        kept.push((at + t as u64, id));
                    }
                    for number in own {
                        looked.send_spike(channels[*number].carries, &mut sent.of_mut(*number)[t], neuron, t, id);
                    }
                });
                for number in own {
                    made.send_values(channels[*number].carries, sent.of_mut(*number));
                }
            });
            // Groups come one after the other, and each has all steps.
            kept[before..].sort_unstable();
        }
        for generator in generators.iter_mut().filter(|_| level == 0) {
            let population = generator.population;
            let (from, to) = (generator.made(), end + timing.slice as u64);
            let to = to.max(from);
            let mut lists = of_populations[population].first().map(|number| sent.begin(*number, from, to));
            generator.advance(to, &mut |step, neuron| {
                if keeps[population] {
                    spikes[population].push((step, neuron));
                }
                if let Some(lists) = &mut lists {
                    lists[(step - from) as usize].neurons.push(neuron);
                }
            });
        }
    }

    /// The values of a state of a neuron that were kept, if it is one of this thread.
    pub(crate) fn trace(&self, population: usize, state: usize, neuron: usize) -> Option<&[F]> {
        let part = self.parts.iter().find(|part| part.population == population && part.range.contains(&neuron))?;
        let found = part.traced.values.iter().find(|(kept, id, _)| (*kept, *id) == (state, neuron))?;
        Some(&found.2)
    }
}

/// States of a group after each of some steps.
#[derive(Clone, Copy)]
struct Looked<'a, F> {
    states: &'a [usize],
    /// `[state][chunk][step][neuron of the chunk]`.
    traced: &'a [F],
    steps: usize,
    /// Neurons in whole chunks.
    padded: usize,
}

impl<F: Real> Looked<'_, F> {
    fn state(self, state: usize, t: usize, neuron: usize) -> F {
        let which = self.states.iter().position(|known| *known == state).expect("it is traced");
        self.traced[which * self.steps * self.padded + place(t, neuron, self.steps)]
    }

    fn send_spike(self, carries: Carried, now: &mut Now<F>, neuron: usize, t: usize, id: u32) {
        match carries {
            Carried::Spikes => now.neurons.push(id),
            Carried::SpikesTimes(state) => {
                now.neurons.push(id);
                now.values.push(self.state(state, t, neuron));
            }
            Carried::State(_) | Carried::Output => {}
        }
    }
}

impl<F: Real> Made<'_, F> {
    /// What is sent in each step, if it is not spikes. Zeros are left out.
    fn send_values(&self, carries: Carried, lists: &mut [Now<F>]) {
        let value = |t: usize, neuron: usize| match carries {
            Carried::State(state) => self.looked.state(state, t, neuron),
            _ => self.group.outputs(self.workspace)[place(t, neuron, self.looked.steps)],
        };
        if matches!(carries, Carried::Spikes | Carried::SpikesTimes(_)) {
            return;
        }
        for (t, now) in lists.iter_mut().enumerate() {
            for neuron in 0..self.group.len() {
                let value = value(t, neuron);
                if value != F::default() {
                    now.neurons.push((self.first + neuron) as u32);
                    now.values.push(value);
                }
            }
        }
    }
}

/// In `[chunk][step][neuron of the chunk]`.
fn place(t: usize, neuron: usize, steps: usize) -> usize {
    (neuron / CHUNK * steps + t) * CHUNK + neuron % CHUNK
}
