//! [`Network`]: a checked network.

use std::sync::Arc;

use bd_equations::{Draw, Error, Initial, Model, NeuronText, Quantity, Result, Sent, Target};
use bd_kernel::Rng;

use crate::connect::Connect;
use crate::delay::LearnedDelay;
use crate::edges::drawn;
use crate::layout::Place;
use crate::place::located;
use crate::text::NetworkText;

/// A network that was checked: all names are known, all units fit.
#[derive(Debug, Clone)]
pub struct Network {
    /// The length of a step, in ms.
    pub dt_ms: f64,
    /// By name.
    pub populations: Vec<Population>,
    /// In the order of the text.
    pub projections: Vec<Projection>,
    /// In the order of the text.
    pub backgrounds: Vec<Background>,
    /// For each population whether its spikes are kept.
    pub keeps_spikes: Vec<bool>,
    /// Population, state and neurons of what is kept at every step.
    pub traces: Vec<(usize, usize, Vec<usize>)>,
    /// The population that a readout reads, if the text names one.
    pub readout: Option<usize>,
}

/// Neurons, or what stands for them.
#[derive(Debug, Clone)]
pub struct Population {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub n: usize,
    /// What they are.
    pub source: Source,
    /// Where each of them lies, if the text says so.
    pub positions: Option<Arc<[Place]>>,
}

/// Where the spikes of a population come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Equations.
    Neurons(Box<Neurons>),
    /// Chance: in each step with this probability.
    Poisson {
        /// Rate times the length of a step.
        probability: f64,
    },
    /// The input of the network, or a file of spikes.
    Input {
        /// The file of a simulation.
        file: Option<String>,
    },
}

/// Neurons of one kind, and through what they receive.
#[derive(Debug, Clone)]
pub struct Neurons {
    /// As they were written.
    pub text: NeuronText,
    /// Their equations.
    pub model: Model,
    /// What something arrives at: inputs of a step, in this order.
    pub targets: Vec<Target>,
    /// By target: what arrives in every step besides, in multiples of what 1 means there.
    pub drive: Vec<Option<Scaled>>,
}

/// A quantity, and by what it is multiplied for numbers of a step.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// As it was given.
    pub quantity: Quantity,
    /// Its factor.
    pub factor: f64,
}

/// What a projection carries. Numbers are of states, in the order of [`Model::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Spikes.
    Spikes,
    /// Spikes, each times a state after its step.
    SpikesTimes(usize),
    /// A state after each step.
    State(usize),
    /// The output of each step, of neurons that do not spike.
    Output,
}

impl Carried {
    /// The same of a single neuron.
    pub fn sent(self) -> Sent {
        match self {
            Self::Spikes | Self::Output => Sent::Output,
            Self::SpikesTimes(state) => Sent::OutputTimes(state),
            Self::State(state) => Sent::State(state),
        }
    }
}

/// Synapses from one population to one target of another.
#[derive(Debug, Clone)]
pub struct Projection {
    /// `E>I.g`.
    pub name: String,
    /// The population that sends.
    pub from: usize,
    /// What of it.
    pub carries: Carried,
    /// The population that receives.
    pub to: usize,
    /// Which of its targets.
    pub target: usize,
    /// Sizes of both.
    pub sizes: [usize; 2],
    /// Where the neurons of both lie, if their populations say so.
    pub places: [Option<Arc<[Place]>>; 2],
    /// Who is connected with whom.
    pub connect: Connect,
    /// What a spike adds, or a value of 1.
    pub weight: Quantity,
    /// By what the weight is multiplied for numbers of a step.
    pub factor: f64,
    /// In ms. Of delays that are learned what they begin with.
    pub delay: Quantity,
    /// What is learned of delays, if they are learned.
    pub learned_delay: Option<LearnedDelay>,
    /// Whether what is sent arrives in the same step. The delay is then 0.
    pub instant: bool,
    /// Whether weights are trained.
    pub trained: bool,
    /// Whether they keep their sign.
    pub keeps_sign: bool,
    /// Where it stands in the text: `projection.2`.
    pub(crate) part: String,
}

/// Spikes of unseen neurons, to each neuron its own.
#[derive(Debug, Clone)]
pub struct Background {
    /// `background>E.g`.
    pub name: String,
    /// The population that receives.
    pub to: usize,
    /// Which of its targets.
    pub target: usize,
    /// Spikes of a step that each neuron gets on average.
    pub per_step: f64,
    /// What a spike adds, in multiples of what 1 means at the target.
    pub weight: f64,
}

impl Projection {
    /// What is wrong with a key of it, to be [located] in its text.
    pub fn error(&self, key: &str, message: impl Into<String>) -> Error {
        Error::of(format!("{}.{key}", self.part), message)
    }
}

impl Network {
    /// Reads and checks a network. Errors have their position in the file.
    pub fn parse(toml: &str) -> Result<Self> {
        NetworkText::parse(toml)?.build().map_err(|error| located(toml, error))
    }

    /// The population that a readout reads: the one that the text names, or the only one that has neurons.
    pub fn read_population(&self) -> Result<&Population> {
        let is_of_neurons = |population: &&Population| matches!(population.source, Source::Neurons(_));
        let mut neurons = self.populations.iter().filter(is_of_neurons);
        match (self.readout, neurons.next(), neurons.next()) {
            (Some(at), ..) => Ok(&self.populations[at]),
            (None, Some(only), None) => Ok(only),
            (None, None, _) => Err(Error::of("population", "none has neurons that a readout could read")),
            (None, Some(one), Some(_)) => {
                let message = format!("name the population that is read: [readout], from = \"{}\"", one.name);
                Err(Error::of("readout", message))
            }
        }
    }

    /// By population, over how many instant projections between neurons, one behind the other, it is reached at most: within a step, neurons of a lower
    /// level come first. Refused if such projections form a cycle.
    pub fn levels(&self) -> Result<Vec<usize>> {
        let mut levels = vec![0; self.populations.len()];
        let instant = || self.projections.iter().filter(|projection| projection.instant);
        // What is not sent by neurons is there before.
        let after = |levels: &[usize], from: usize| match self.populations[from].source {
            Source::Neurons(_) => levels[from] + 1,
            Source::Poisson { .. } | Source::Input { .. } => 0,
        };
        for _ in &self.populations {
            for Projection { from, to, .. } in instant() {
                levels[*to] = levels[*to].max(after(&levels, *from));
            }
        }
        let behind = |projection: &&Projection| after(&levels, projection.from) > levels[projection.to];
        let Some(mut back) = instant().find(behind) else { return Ok(levels) };
        // The highest level that sends to it, again and again, is in a cycle in the end.
        for _ in &self.populations {
            let before = instant().filter(|projection| projection.to == back.from);
            back = before.max_by_key(|projection| after(&levels, projection.from)).unwrap_or(back);
        }
        let message = format!(
            "'{}' is part of a cycle of projections that are instant; leave 'instant' out of one of them",
            back.name
        );
        Err(back.error("instant", message))
    }

    /// The number of the population of this name.
    pub fn population(&self, name: &str) -> Option<usize> {
        self.populations.iter().position(|population| population.name == name)
    }
}

impl Population {
    /// Values of a state or of a number that is held, of each neuron before the first step, drawn by the seed and both names.
    pub fn initial(&self, name: &str, initial: &Initial, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, &format!("{}.{name}", self.name));
        let one = |_| {
            initial.value(|draw| match draw {
                Draw::Uniform => rng.uniform(),
                Draw::Normal => rng.normal(),
            })
        };
        (0..self.n).map(one).collect()
    }

    /// What arrives at each neuron in every step besides, by target, in multiples of what 1 means there.
    pub fn drive(&self, seed: u64) -> Vec<Option<Vec<f64>>> {
        let Source::Neurons(neurons) = &self.source else { return Vec::new() };
        let one = |(target, drive): (usize, &Option<Scaled>)| {
            let Scaled { quantity, factor } = drive.as_ref()?;
            let mut rng = Rng::new(seed, &format!("{}.drive {target}", self.name));
            Some((0..self.n).map(|_| factor * drawn(quantity, &mut rng)).collect())
        };
        neurons.drive.iter().enumerate().map(one).collect()
    }
}
