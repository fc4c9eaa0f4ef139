//! [`Given`]: numbers in place of those that are drawn.

use std::collections::BTreeMap;

use bd_equations::{Error, Result};
use bd_kernel::Real;

use crate::edges::{Each, Edges};
use crate::network::{Network, Projection};

/// Numbers that take the place of those that the text of a network says or draws: what training has made of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// By the name of a projection what a spike adds by each synapse, in the order of its [`Edges`], in multiples of what 1 means at the target.
    pub weights: BTreeMap<String, Vec<f64>>,
    /// By the name of a projection for how many steps a spike travels by each synapse, in the same order.
    pub delays: BTreeMap<String, Vec<u16>>,
    /// By population and number, `E.tau`, one of each neuron: a number that is held, or a state before the first step, as equations count them
    /// in a simulation.
    pub neurons: BTreeMap<String, Vec<f64>>,
}

impl Given {
    /// Bytes of what is given of synapses, with numbers of so many bytes.
    pub fn bytes(&self, number: f64) -> f64 {
        let count = |lengths: &mut dyn Iterator<Item = usize>| lengths.sum::<usize>() as f64;
        number * count(&mut self.weights.values().map(Vec::len)) + 2.0 * count(&mut self.delays.values().map(Vec::len))
    }

    /// Refuses names that the network does not have, and numbers that are not as many as its neurons.
    pub(crate) fn check(&self, network: &Network) -> Result<()> {
        let projections = self.weights.keys().chain(self.delays.keys());
        let is_known = |name: &str| network.projections.iter().any(|projection| projection.name == name);
        if let Some(name) = projections.into_iter().find(|name| !is_known(name)) {
            return Err(Error::of(
                "projection",
                format!("numbers are given of '{name}', and there is none of this name"),
            ));
        }
        for (name, numbers) in &self.neurons {
            let population = name.split_once('.').and_then(|(name, _)| network.population(name));
            let n = population.map(|at| network.populations[at].n);
            if n != Some(numbers.len()) {
                let has = n.map_or("there is no such population".to_owned(), |n| format!("the population has {n}"));
                let message = format!("{name} is given of {} neurons, and {has}", numbers.len());
                return Err(Error::of("population", message));
            }
        }
        Ok(())
    }

    /// Puts them into the synapses of a projection.
    pub(crate) fn put<F: Real>(&self, projection: &Projection, edges: &mut Edges<F>) -> Result<()> {
        let (name, count) = (&projection.name, edges.len());
        let check = |what: &str, given: usize| match given == count {
            true => Ok(()),
            false => {
                let message = format!("{given} {what} are given, and '{name}' has {count} synapses");
                Err(Error::of(projection.part.clone(), message))
            }
        };
        if let Some(weights) = self.weights.get(name) {
            check("weights", weights.len())?;
            edges.weights = Each::Own(weights.iter().map(|weight| F::of(*weight)).collect());
        }
        if let Some(delays) = self.delays.get(name) {
            check("delays", delays.len())?;
            edges.delays = Each::Own(delays.clone());
        }
        Ok(())
    }

    /// Of the neurons of a population, if it is given.
    pub(crate) fn of_neurons(&self, population: &str, number: &str) -> Option<&[f64]> {
        self.neurons.get(&format!("{population}.{number}")).map(|numbers| &numbers[..])
    }
}
