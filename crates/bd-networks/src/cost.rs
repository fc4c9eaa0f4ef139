//! [`Bytes`]: the memory of a simulation, before it is built.

use bd_kernel::{NeuronGroup, Real, Rng};

use crate::connect::{Connect, EdgeList};
use crate::edges::{LONGEST, drawn};
use crate::network::{Network, Projection, Source};

/// Memory of a simulation in bytes, beside the spikes that are kept, 16 bytes each, whose number is not known in advance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bytes {
    /// Synapses, and what drawing or sorting takes besides, of the largest projection on each thread.
    pub synapses: f64,
    /// What arrives at each neuron and target, for each step of the longest delay.
    pub arrivals: f64,
    /// States and parameters of neurons, and sources of spikes.
    pub neurons: f64,
    /// States that are kept at every step.
    pub traces: f64,
}

impl Bytes {
    /// All together. What is beyond the largest number is the largest number.
    pub fn total(&self) -> u64 {
        (self.synapses + self.arrivals + self.neurons + self.traces) as u64
    }
}

/// Draws from which the longest of random delays is estimated.
const DRAWS: u64 = 1000;

impl Network {
    /// What a simulation of so many steps takes with numbers of type `F` on `threads` threads. `files` are the synapses that were read.
    pub fn bytes<'a, F: Real>(
        &'a self,
        steps: u64,
        threads: usize,
        files: &dyn Fn(&str) -> Option<&'a EdgeList>,
    ) -> Bytes {
        let number = size_of::<F>() as f64;
        let listed = |projection: &'a Projection| match &projection.connect {
            Connect::FromFile { file } => files(file),
            Connect::Listed(list) => Some(list),
            _ => None,
        };
        let (mut kept, mut most_besides, mut longest) = (0.0, 0f64, 0.0f64);
        for projection in &self.projections {
            let list = listed(projection);
            let count = list.map_or_else(|| projection.expected(), |list| list.sources.len() as f64);
            kept += count * projection.bytes_of_a_synapse(number, list);
            // Where each source begins, and for each of several threads where its part of that does.
            kept += projection.sizes[0] as f64 * if threads > 1 { 8.0 + 16.0 * threads as f64 } else { 8.0 };
            most_besides = most_besides.max(count * projection.connect.bytes_besides());
            longest = longest.max(projection.longest_ms(list) / self.dt_ms);
        }
        // A ring has at most four slices beside the steps of the longest delay.
        let ring = longest.round().min(LONGEST as f64) + (4 * NeuronGroup::<F>::STEPS + 2) as f64;
        let (mut arrivals, mut neurons) = (0.0, 0.0);
        for (at, population) in self.populations.iter().enumerate() {
            let n = population.n as f64;
            neurons += n * match &population.source {
                Source::Neurons(of) => {
                    let fed = (0..of.targets.len()).filter(|target| self.feeds(at, *target)).count();
                    arrivals += n * fed as f64 * ring * number;
                    // Once as they are drawn, and once in chunks.
                    let (states, held) = (of.model.states().len(), of.model.held().len());
                    2.0 * number * (states + held + of.targets.len()) as f64
                }
                Source::Poisson { .. } => size_of::<(u64, Rng)>() as f64,
                Source::Input { .. } => 0.0,
            };
        }
        let traced = self.traces.iter().map(|(_, _, neurons)| neurons.len() as f64).sum::<f64>();
        Bytes {
            synapses: kept + threads as f64 * most_besides,
            arrivals,
            neurons,
            traces: traced * steps as f64 * number,
        }
    }

    /// Whether something arrives at a target of a population beside its drive.
    fn feeds(&self, at: usize, target: usize) -> bool {
        self.projections.iter().any(|projection| (projection.to, projection.target) == (at, target))
            || self.backgrounds.iter().any(|background| (background.to, background.target) == (at, target))
    }
}

impl Projection {
    /// Target, weight and delay.
    fn bytes_of_a_synapse(&self, number: f64, list: Option<&EdgeList>) -> f64 {
        let own_weight = self.weight.constant().is_none() || list.is_some_and(|list| list.weights.is_some());
        let own_delay = self.delay.constant().is_none() || list.is_some_and(|list| list.delays_ms.is_some());
        4.0 + if own_weight { number } else { 0.0 } + if own_delay { 2.0 } else { 0.0 }
    }

    /// The longest delay, of random ones about.
    fn longest_ms(&self, list: Option<&EdgeList>) -> f64 {
        if let Some(delays) = list.and_then(|list| list.delays_ms.as_ref()) {
            return delays.iter().copied().fold(0.0, f64::max);
        }
        self.delay.constant().unwrap_or_else(|| {
            let mut rng = Rng::new(0, "longest delay");
            (0..DRAWS).map(|_| drawn(&self.delay, &mut rng)).fold(0.0, f64::max)
        })
    }
}

impl Connect {
    /// Bytes of a synapse while they are drawn or sorted, and given back then.
    fn bytes_besides(&self) -> f64 {
        match self {
            // Pairs of source and target, and their order.
            Self::FixedInDegree { .. } => 16.0,
            // The list as it was read and a copy of it, two orders, and the sorted columns.
            Self::Listed(_) | Self::FromFile { .. } => 2.0 * 24.0 + 2.0 * 8.0 + 20.0,
            // Its length is not known: a list that grows is copied when it is full.
            Self::Distance { .. } => 4.0,
            // Lists have room for what is expected.
            _ => 0.0,
        }
    }
}
