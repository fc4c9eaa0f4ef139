//! [`Simulation`]: all neurons of a network over time.

mod deliver;
mod draw;
mod generators;
mod noise;
mod port;
mod sent;
mod worker;

use std::sync::{Arc, RwLock};

use bd_equations::{Error, Initial, Result};
use bd_kernel::{Compile, Instructions, NeuronGroup, NeuronNumber, Real, Rng};

use crate::barrier::Barrier;
use crate::connect::EdgeList;
use crate::edges::Edges;
use crate::given::Given;
use crate::network::{Network, Neurons, Source};
use deliver::Delivery;
use draw::draw_all;
pub use draw::{Origins, ReadEdges, ReadTrain};
use generators::Generator;
use port::Port;
use sent::{Channel, Sent};
use worker::{Part, Worker};

/// A network that runs. Neurons are shared by threads in whole chunks; results do not depend on how.
///
/// It is as large as its numbers: for each synapse 4 bytes, and a number if its weight is its own, and 2 bytes if its delay is; for each neuron
/// and target a number for each step of the longest delay.
#[derive(Debug)]
pub struct Simulation<F: Real> {
    network: Network,
    timing: Timing,
    /// What of populations is carried.
    channels: usize,
    /// Parts of a step, one after the other: see [`Network::levels`].
    levels: usize,
    deliveries: Vec<Delivery<F>>,
    workers: Vec<Worker<F>>,
    instructions: Instructions,
    /// Steps that were made.
    done: u64,
}

/// Lengths in steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Steps of a slice, in which no neuron sees another.
    pub(crate) slice: usize,
    /// Slices of a ring, whose steps what arrives is collected for.
    pub(crate) ring: usize,
}

impl Timing {
    /// Slice and step within it, of a step.
    pub(crate) fn split(self, step: u64) -> (usize, usize) {
        let slice = self.slice as u64;
        ((step / slice % self.ring as u64) as usize, (step % slice) as usize)
    }
}

/// Spikes that come in: times in ms, and neurons, in any order.
pub type SpikeTrain = Vec<(f64, u32)>;

/// The spikes of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct PopulationSpikes {
    /// Its name.
    pub population: String,
    /// By step, and in it by neuron: the step, from 0, and the neuron.
    pub spikes: Vec<(u64, u32)>,
}

/// A state of some neurons, after each step.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace<F> {
    /// `E.v`.
    pub name: String,
    /// The neurons.
    pub neurons: Vec<usize>,
    /// Of each of them, by step.
    pub values: Vec<Vec<F>>,
}

/// What a simulation has kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording<F> {
    /// How many steps there are.
    pub steps: u64,
    /// Of each population that is kept.
    pub spikes: Vec<PopulationSpikes>,
    /// In the order of the text.
    pub traces: Vec<Trace<F>>,
}

/// How a network is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of all that is drawn.
    pub seed: u64,
    /// Threads, at least one. They change no number.
    pub threads: usize,
    /// Whether the loops of neurons are compiled, where there is a compiler. It changes no number.
    pub compile: Compile,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, threads: 1, compile: Compile::Never }
    }
}

impl<F: Real> Simulation<F> {
    /// Draws synapses and initial values. `files` reads a file of synapses, `trains` one of spikes.
    pub fn new(
        network: &Network,
        options: Options,
        files: &dyn Fn(&str) -> Result<EdgeList, String>,
        trains: &dyn Fn(&str) -> Result<SpikeTrain, String>,
    ) -> Result<Self> {
        let origins = Origins { edges: files, trains, given: &Given::default(), wanted: &|_| true };
        Ok(Self::of(network, options, &origins)?.expect("it is wanted to the end"))
    }

    /// The same with numbers that are given, watched while synapses are drawn: nothing once they are not wanted any more.
    pub fn of(network: &Network, options: Options, origins: &Origins<'_>) -> Result<Option<Self>> {
        let Options { seed, threads, .. } = options;
        origins.given.check(network)?;
        let Some(edges): Option<Vec<Edges<F>>> = draw_all(network, seed, threads.max(1), origins)? else {
            return Ok(None);
        };
        let timing = timing(network, &edges);
        let mut channels: Vec<Channel> = Vec::new();
        let mut of_projections = Vec::new();
        for projection in &network.projections {
            let channel = Channel { population: projection.from, carries: projection.carries };
            let known = channels.iter().position(|known| *known == channel);
            of_projections.push(known.unwrap_or(channels.len()));
            if known.is_none() {
                channels.push(channel);
            }
        }
        let levels = network.levels()?;
        let mut workers: Vec<Worker<F>> =
            (0..threads.max(1)).map(|_| Worker::new(network, &channels, &levels)).collect();
        for (at, population) in network.populations.iter().enumerate() {
            match &population.source {
                Source::Neurons(neurons) => {
                    share(network, at, neurons, (options, origins.given), (timing, &channels), &mut workers)?
                }
                Source::Poisson { probability } => {
                    let rng = Rng::new(seed, &format!("{}.poisson", population.name));
                    for (worker, range) in shares(population.n, 1, workers.len()) {
                        workers[worker].generators.push(Generator::poisson(at, range, *probability, rng.clone()));
                    }
                }
                Source::Input { file: None } => {
                    let message = "a simulation needs a 'file' of spikes for a population of kind 'input'";
                    return Err(Error::of(format!("population.{}", population.name), message));
                }
                Source::Input { file: Some(file) } => {
                    let wrong = |message| {
                        Error::of(format!("population.{}.file", population.name), format!("{file}: {message}"))
                    };
                    let train = (origins.trains)(file).map_err(wrong)?;
                    let generator = Generator::train(at, &train, population.n, network.dt_ms).map_err(wrong)?;
                    workers[0].generators.push(generator);
                }
            }
        }
        workers.iter_mut().for_each(|worker| worker.add_backgrounds(network, seed));
        let deliveries = network.projections.iter().zip(&of_projections).zip(edges);
        let deliveries = deliveries
            .map(|((projection, channel), edges)| {
                let by_neurons = matches!(network.populations[projection.from].source, Source::Neurons(_));
                let from = (*channel, levels[projection.from], by_neurons);
                Delivery::new(projection, from, edges, timing, &workers)
            })
            .collect();
        Ok(Some(Self {
            channels: channels.len(),
            levels: levels.into_iter().max().map_or(1, |most| most + 1),
            network: network.clone(),
            timing,
            deliveries,
            workers,
            instructions: Instructions::best(),
            done: 0,
        }))
    }

    /// How many synapses there are.
    pub fn synapses(&self) -> usize {
        self.deliveries.iter().map(|delivery| delivery.edges.len()).sum()
    }

    /// The synapses of a projection, by its place in the text, as they were drawn or given.
    pub fn edges(&self, projection: usize) -> Edges<F> {
        self.deliveries[projection].drawn(self.timing, &self.workers)
    }

    /// For each population of neurons, in one line, whether its loops are compiled, as far as they have run, and why not.
    pub fn outcomes(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for part in self.workers.iter().flat_map(|worker| &worker.parts) {
            let name = &self.network.populations[part.population].name;
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.clone(), part.unit.outcome()));
            }
        }
        found
    }

    /// Steps that were made.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Makes so many steps.
    pub fn advance(&mut self, steps: u64) {
        let (from, to) = (self.done, self.done + steps);
        let threads = self.workers.len();
        let barrier = Barrier::new(threads);
        let (channels, levels) = (self.channels, self.levels);
        let of_levels = || (0..levels).map(|_| RwLock::new(Sent::new(channels))).collect::<Vec<_>>();
        let sent: Vec<[Vec<RwLock<Sent<F>>>; 2]> = (0..threads).map(|_| [of_levels(), of_levels()]).collect();
        let (timing, instructions, deliveries) = (self.timing, self.instructions, &self.deliveries[..]);
        let run = |number: usize, worker: &mut Worker<F>| {
            let mut at = from;
            let mut turn = 0;
            // Before the first slice sources of spikes alone, which are a slice ahead.
            let mut steps = 0;
            while at < to {
                let mut all = Vec::new();
                for level in 0..levels {
                    {
                        let mut own =
                            sent[number][turn][level].write().unwrap_or_else(|poisoned| poisoned.into_inner());
                        worker.advance(timing, instructions, (at, steps), level, &mut own);
                    }
                    barrier.wait();
                    // Nobody writes to these before all have passed the next meeting.
                    let of_level = sent.iter().map(|of_worker| {
                        of_worker[turn][level].read().unwrap_or_else(|poisoned| poisoned.into_inner())
                    });
                    all.push(of_level.collect::<Vec<_>>());
                    let now = deliveries.iter().filter(|delivery| delivery.at_once && delivery.level == level);
                    Delivery::deliver_all(now, number, timing, &all, worker);
                }
                let later = deliveries.iter().filter(|delivery| !delivery.at_once);
                Delivery::deliver_all(later, number, timing, &all, worker);
                at += steps as u64;
                turn = 1 - turn;
                steps = (timing.slice as u64 - at % timing.slice as u64).min(to - at) as usize;
            }
        };
        match &mut self.workers[..] {
            [one] => run(0, one),
            several => std::thread::scope(|scope| {
                for (number, worker) in several.iter_mut().enumerate() {
                    scope.spawn(move || run(number, worker));
                }
            }),
        }
        self.done = to;
    }

    /// What was kept so far.
    pub fn recording(&self) -> Recording<F> {
        let kept = self.network.populations.iter().enumerate().filter(|(at, _)| self.network.keeps_spikes[*at]);
        let spikes = kept.map(|(at, population)| {
            let all = self.workers.iter().flat_map(|worker| &worker.spikes[at]);
            let mut spikes: Vec<_> = all.copied().filter(|(step, _)| *step < self.done).collect();
            spikes.sort_unstable();
            PopulationSpikes { population: population.name.clone(), spikes }
        });
        let traces = self.network.traces.iter().map(|(at, state, ids)| {
            let population = &self.network.populations[*at];
            let Source::Neurons(neurons) = &population.source else { unreachable!("traces are of neurons") };
            let values = ids.iter().map(|id| {
                let found = self.workers.iter().find_map(|worker| worker.trace(*at, *state, *id));
                found.expect("some worker has the neuron").to_vec()
            });
            let name = format!("{}.{}", population.name, neurons.model.states()[*state].name);
            Trace { name, neurons: ids.clone(), values: values.collect() }
        });
        Recording { steps: self.done, spikes: spikes.collect(), traces: traces.collect() }
    }

    /// A state of a neuron that is infinite or no number now, in words, if there is one.
    pub fn not_finite(&self) -> Option<String> {
        let parts = self.workers.iter().flat_map(|worker| &worker.parts);
        parts.into_iter().find_map(|part| {
            let population = &self.network.populations[part.population];
            let Source::Neurons(neurons) = &population.source else { return None };
            neurons.model.states().iter().enumerate().find_map(|(which, state)| {
                // Times 0 only finite numbers are 0.
                let at = part.state(which).position(|x| x * F::default() != F::default())?;
                Some(format!("{}.{} of neuron {}", population.name, state.name, part.range.start + at))
            })
        })
    }

    /// A state of all neurons of a population now, by name.
    pub fn state(&self, population: &str, state: &str) -> Option<Vec<F>> {
        let at = self.network.population(population)?;
        let Source::Neurons(neurons) = &self.network.populations[at].source else { return None };
        let state = neurons.model.states().iter().position(|known| known.name == state)?;
        let parts = self.workers.iter().flat_map(|worker| &worker.parts).filter(|part| part.population == at);
        Some(parts.flat_map(|part| part.state(state)).collect())
    }
}

/// A slice is as long as the shortest delay between neurons, and one; the ring reaches from the first step of a slice to the last that a spike
/// can arrive in, where sources of spikes are a slice ahead.
fn timing<F: Real>(network: &Network, edges: &[Edges<F>]) -> Timing {
    let (mut shortest, mut longest) = (usize::MAX, 0);
    for (projection, edges) in network.projections.iter().zip(edges) {
        let Some([least, most]) = edges.delays.bounds() else { continue };
        longest = longest.max(usize::from(most));
        if matches!(network.populations[projection.from].source, Source::Neurons(_)) && !projection.instant {
            shortest = shortest.min(usize::from(least));
        }
    }
    let slice = shortest.saturating_add(1).min(NeuronGroup::<F>::STEPS);
    Timing { slice, ring: (2 * slice + longest + 1).div_ceil(slice) + 1 }
}

/// Ranges of `n` neurons for each of some threads, which begin at multiples of `unit`.
fn shares(n: usize, unit: usize, threads: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let units = n.div_ceil(unit);
    let bound = move |thread: usize| (units * thread / threads * unit).min(n);
    (0..threads).map(move |thread| (thread, bound(thread)..bound(thread + 1))).filter(|(_, range)| !range.is_empty())
}

/// Gives each thread its neurons, with initial values.
fn share<F: Real>(
    network: &Network,
    at: usize,
    neurons: &Neurons,
    (Options { seed, compile, .. }, given): (Options, &Given),
    (timing, channels): (Timing, &[Channel]),
    workers: &mut [Worker<F>],
) -> Result<()> {
    let population = &network.populations[at];
    let within = |error: Error| Error { part: format!("population.{}.{}", population.name, error.part), ..error };
    let model = &neurons.model;
    let constants = model.constants(network.dt_ms).map_err(within)?;
    let unit = model.program_of(&neurons.targets, &[bd_equations::Sent::Output], &constants);
    // A text may ask for it by itself.
    let unit = Arc::new(if compile == Compile::IfFound { unit.compiled(compile) } else { unit });
    let numbers = |values: Vec<f64>| -> Vec<F> { values.into_iter().map(F::of).collect() };
    let initial = |name: &str, initial: &Initial| match given.of_neurons(&population.name, name) {
        Some(values) => numbers(values.to_vec()),
        None => numbers(population.initial(name, initial, seed)),
    };
    let states: Vec<Vec<F>> = model.states().iter().map(|state| initial(&state.name, &state.initial)).collect();
    let held: Vec<Vec<F>> = model.held().iter().map(|held| initial(&held.name, &held.initial)).collect();
    let drive: Vec<Option<Vec<F>>> = population.drive(seed).into_iter().map(|drive| drive.map(numbers)).collect();
    let fed = |target: usize| {
        network.projections.iter().any(|projection| (projection.to, projection.target) == (at, target))
            || network.backgrounds.iter().any(|background| (background.to, background.target) == (at, target))
    };
    let traced: Vec<(usize, &[usize])> = network
        .traces
        .iter()
        .filter(|(population, ..)| *population == at)
        .map(|(_, state, ids)| (*state, &ids[..]))
        .collect();
    for (worker, range) in shares(population.n, NeuronGroup::<F>::CHUNK, workers.len()) {
        let mut part = Part::new(at, range.clone(), &unit, timing);
        for (numbers, values) in
            [(NeuronNumber::State as fn(usize) -> NeuronNumber, &states), (NeuronNumber::Held, &held)]
        {
            values.iter().enumerate().for_each(|(which, values)| part.set(numbers(which), &values[range.clone()]));
        }
        part.ports = (drive.iter().enumerate())
            .map(|(target, drive)| {
                Port::new(drive.as_ref().map(|drive| &drive[range.clone()]), fed(target), range.len(), timing)
            })
            .collect();
        part.trace(&traced, channels);
        workers[worker].parts.push(part);
    }
    Ok(())
}
