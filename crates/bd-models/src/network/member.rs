//! [`Member`]: a population of a network that is trained.

use std::sync::Arc;

use bd_core::kernel::{Processor, numbers_of};
use bd_core::{ParamPath, Result, Shared, System};
use bd_equations::Sent;
use bd_kernel::models::network::{Population as Units, Sender};
use bd_kernel::{Counts, Noise};
use bd_networks::{Background, Network, Population, Source};
use tch::{Device, Kind, Tensor};

use super::gpu::{PopulationOnGpu, SenderOnGpu};
use super::state::PopulationState;
use crate::equation_neurons::EquationNeurons;

/// A population.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Arc<str>,
    pub(super) n: i64,
    pub(super) origin: Origin,
    /// What each of its units sends in a step.
    sent: Vec<Sent>,
    /// What arrives in every step besides: `[targets n]`.
    drive: Option<Tensor>,
    /// What arrives at random, with its target.
    noise: Vec<(i64, Chance)>,
    /// Within a step, those of a lower level come first.
    pub(super) level: usize,
    /// Steps whose outputs are on their way.
    pub(super) memory: i64,
}

/// Where its outputs come from.
#[derive(Debug)]
pub(super) enum Origin {
    Input,
    Neurons(Box<EquationNeurons>),
    Random(Chance),
}

/// What is drawn anew for each scan, step, sample and neuron.
#[derive(Debug)]
pub(super) struct Chance {
    /// It enters the key.
    name: String,
    counts: Counts,
    weight: f64,
}

impl Chance {
    /// From the step and for the batch of `sha`, which is that of the population.
    fn noise(&self, sha: &Shared) -> Noise {
        let (counts, key) = (self.counts.clone(), sha.within(&self.name).key);
        Noise { counts, weight: self.weight, key, first_step: sha.i, first_sample: sha.sample }
    }

    /// Its numbers of one step, `[batch, n]`.
    fn of_step(&self, sha: &Shared, [batch, n]: [i64; 2], (kind, device): (Kind, Device)) -> Tensor {
        let numbers = self.noise(sha).of_step(batch as usize, n as usize);
        Tensor::from_slice(&numbers).view([batch, n]).to_kind(kind).to_device(device)
    }
}

impl From<&Background> for Chance {
    fn from(background: &Background) -> Self {
        let counts = Counts::poisson(background.per_step);
        Self { name: background.name.clone(), counts, weight: background.weight }
    }
}

impl Member {
    /// The population of this number and level in its network, with what is on its way for so many steps.
    pub(super) fn new(
        path: &mut ParamPath<'_>,
        network: &Network,
        (at, level): (usize, usize),
        memory: i64,
        seed: u64,
    ) -> Result<Self> {
        let population = &network.populations[at];
        let (name, sent) = (&population.name, sent_by(network, at));
        let (origin, drive) = match &population.source {
            Source::Neurons(neurons) => {
                let path = &mut path.at(name);
                let neurons = EquationNeurons::of_population(path, population, neurons, sent.clone(), seed)?;
                (Origin::Neurons(Box::new(neurons)), population.drive(seed))
            }
            Source::Input { .. } => (Origin::Input, Vec::new()),
            Source::Poisson { probability } => {
                let spikes = Chance { name: "spikes".into(), counts: Counts::once(*probability), weight: 1.0 };
                (Origin::Random(spikes), Vec::new())
            }
        };
        let of_population = network.backgrounds.iter().filter(|background| background.to == at);
        Ok(Self {
            name: name.as_str().into(),
            n: population.n as i64,
            origin,
            sent,
            drive: drive_of(population, drive).map(|drive| drive.to_kind(path.on().0).to_device(path.on().1)),
            noise: of_population.map(|background| (background.target as i64, background.into())).collect(),
            level,
            memory,
        })
    }

    /// Through how many targets it receives.
    fn targets(&self) -> i64 {
        match &self.origin {
            Origin::Neurons(neurons) => neurons.n_in() / self.n,
            Origin::Input | Origin::Random(_) => 0,
        }
    }

    /// Numbers that all of it sends in a step.
    pub(super) fn sends(&self) -> i64 {
        self.sent.len() as i64 * self.n
    }

    /// Which of its outputs this is.
    pub(super) fn output(&self, sent: Sent) -> usize {
        self.sent.iter().position(|known| *known == sent).expect("a population knows what it sends")
    }

    /// What arrives at each target without any projection, `[batch, n]` each.
    pub(super) fn arrivals(&self, sha: &Shared, batch: i64, on: (Kind, Device)) -> Vec<Tensor> {
        let begin = |target: i64| match &self.drive {
            Some(drive) => drive.narrow(0, target * self.n, self.n).expand([batch, self.n], true),
            None => Tensor::zeros([batch, self.n], on),
        };
        let mut arrivals: Vec<Tensor> = (0..self.targets()).map(begin).collect();
        let sha = sha.within(&self.name);
        for (target, chance) in &self.noise {
            let target = &mut arrivals[*target as usize];
            *target = &*target + chance.of_step(&sha, [batch, self.n], on);
        }
        arrivals
    }

    /// One step from what arrives, or from the input `x` of the network: the outputs, `[batch, n]` each, and the next state.
    pub(super) fn step(
        &self,
        sha: &Shared,
        (x, arriving): (&Tensor, &[Tensor]),
        before: &PopulationState,
    ) -> (Vec<Tensor>, PopulationState) {
        let sha = sha.within(&self.name);
        let (outputs, neurons) = match (&self.origin, &before.neurons) {
            (Origin::Neurons(neurons), Some(state)) => {
                let nothing = [Tensor::zeros([x.size()[0], 0], (x.kind(), x.device()))];
                let arriving = Tensor::cat(if arriving.is_empty() { &nothing } else { arriving }, 1);
                let (sent, next) = neurons.step_sending(&sha, &arriving, state);
                (sent, Some(next))
            }
            (Origin::Random(chance), _) => {
                (vec![chance.of_step(&sha, [x.size()[0], self.n], (x.kind(), x.device()))], None)
            }
            _ => (vec![x.shallow_clone()], None),
        };
        let later = |sent: &Tensor| {
            let still = sent.narrow(1, self.sends(), (self.memory - 1) * self.sends());
            Tensor::cat(&std::iter::once(&still).chain(&outputs).collect::<Vec<_>>(), 1)
        };
        let sent = before.sent.as_ref().map(later);
        (outputs, PopulationState { name: Arc::clone(&self.name), neurons, sent })
    }

    /// For a kernel on the CPU: the population and its parameters, in the graph.
    pub(super) fn units(&self, sha: &Shared) -> Option<(Units, Vec<Tensor>)> {
        let own = sha.within(&self.name);
        let (sender, spikes, params) = match &self.origin {
            Origin::Input => (Sender::Input, true, Vec::new()),
            Origin::Random(chance) => (Sender::Random(chance.noise(&own)), true, Vec::new()),
            Origin::Neurons(neurons) => {
                let fused = neurons.kernel(sha, Processor::Cpu)?;
                (Sender::Units(fused.kernel()?), neurons.model().spikes(), fused.params)
            }
        };
        let drive = match &self.drive {
            Some(drive) => Some(numbers_of(drive)?),
            None => None,
        };
        let noise = self.noise.iter().map(|(target, chance)| (*target as usize, chance.noise(&own))).collect();
        let (n, targets, memory) = (self.n as usize, self.targets() as usize, self.memory as usize);
        Some((
            Units { n, sender, targets, outputs: self.sent.len(), spikes, drive, noise, level: self.level, memory },
            params,
        ))
    }

    /// The same for a GPU: nothing if its neurons have more states than that takes.
    pub(super) fn on_gpu(&self, sha: &Shared) -> Option<(PopulationOnGpu, Vec<Tensor>)> {
        let own = sha.within(&self.name);
        let (sender, mut params) = match &self.origin {
            Origin::Input => (SenderOnGpu::Input, Vec::new()),
            Origin::Random(chance) => (SenderOnGpu::Random(chance.noise(&own)), Vec::new()),
            Origin::Neurons(neurons) => {
                let fused = neurons.kernel(sha, Processor::Gpu)?;
                (SenderOnGpu::Units(fused.kernel()?.formula()?, fused.params.len()), fused.params)
            }
        };
        params.extend(self.drive.as_ref().map(Tensor::shallow_clone));
        let population = PopulationOnGpu {
            n: self.n,
            outputs: self.sent.len() as i64,
            targets: self.targets(),
            sender,
            driven: self.drive.is_some(),
            noise: self.noise.iter().map(|(target, chance)| (*target, chance.noise(&own))).collect(),
            level: self.level,
            memory: self.memory,
        };
        Some((population, params))
    }
}

/// What each neuron of a population sends in a step: its output, and what projections carry besides.
fn sent_by(network: &Network, population: usize) -> Vec<Sent> {
    let carried = network.projections.iter().filter(|projection| projection.from == population);
    let mut sent: Vec<Sent> = carried.map(|projection| projection.carries.sent()).chain([Sent::Output]).collect();
    sent.sort_unstable();
    sent.dedup();
    sent
}

/// What arrives at all targets of a population in every step besides, if anything does, `[targets n]`, float64.
fn drive_of(population: &Population, drive: Vec<Option<Vec<f64>>>) -> Option<Tensor> {
    if drive.iter().all(Option::is_none) {
        return None;
    }
    let of_target = |drive: Option<Vec<f64>>| drive.unwrap_or_else(|| vec![0.0; population.n]);
    Some(Tensor::from_slice(&drive.into_iter().flat_map(of_target).collect::<Vec<_>>()))
}
