//! [`NetworkState`]: states of neurons, and what is on its way.

use std::sync::Arc;

use bd_core::{Result, StateTree, join};
use tch::Tensor;

use crate::equation_neurons::EquationState;

/// State of a [`PopulationNetwork`](crate::PopulationNetwork): that of each population, under its name.
#[derive(Debug)]
pub struct NetworkState {
    /// In the order of names.
    pub populations: Vec<PopulationState>,
}

/// State of a population.
#[derive(Debug)]
pub struct PopulationState {
    pub(super) name: Arc<str>,
    /// Of its neurons, if it has some.
    pub neurons: Option<EquationState>,
    /// What it has sent in its last steps, `[batch, steps outputs n]`, if it sends anything.
    pub sent: Option<Tensor>,
}

impl NetworkState {
    pub(super) fn batch(&self) -> i64 {
        let mut batch = 0;
        self.visit("", &mut |_, leaf| batch = leaf.size()[0]);
        batch
    }
}

impl StateTree for NetworkState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.populations.iter().for_each(|population| population.visit(path, f));
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let populations = self.populations.iter().map(|population| population.try_map(path, f));
        Ok(Self { populations: populations.collect::<Result<_>>()? })
    }
}

impl StateTree for PopulationState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        let path = join(path, &self.name);
        self.neurons.visit(&path, f);
        self.sent.visit(&join(&path, "sent"), f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let path = join(path, &self.name);
        let neurons = self.neurons.try_map(&path, f)?;
        Ok(Self { name: Arc::clone(&self.name), neurons, sent: self.sent.try_map(&join(&path, "sent"), f)? })
    }
}
