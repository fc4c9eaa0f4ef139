//! [`Population`]: units of a network, or what sends as they do.

use std::sync::Arc;

use crate::{AnyKernel, Noise, Numbers};

/// Units of one kind, or what sends as they do.
#[derive(Debug, Clone)]
pub struct Population {
    /// How many there are.
    pub n: usize,
    /// What they are.
    pub sender: Sender,
    /// Through how many inputs each unit receives.
    pub targets: usize,
    /// How many numbers each sends in a step, which a step of its kernel gives out.
    pub outputs: usize,
    /// Of units: whether the first of them is exactly 0 or 1.
    pub spikes: bool,
    /// What arrives in every step besides, `[target, unit]`.
    pub drive: Option<Numbers>,
    /// What arrives at random, with its target.
    pub noise: Vec<(usize, Noise)>,
    /// Within a step, units of a lower level come before those that they send to at once.
    pub level: usize,
    /// Steps whose outputs are on their way: one more than the longest delay of what it sends through, and 0 if it sends nothing. They are
    /// state, `[step, output, unit]`, the last one last.
    pub memory: usize,
}

/// Where outputs of a population come from.
#[derive(Debug, Clone)]
pub enum Sender {
    /// They are the inputs of the network.
    Input,
    /// A kernel, from inputs `[target, unit]` to outputs `[output, unit]`.
    Units(Arc<dyn AnyKernel>),
    /// Chance.
    Random(Noise),
}

impl Population {
    /// Numbers that all its units send in a step.
    pub(super) fn sends(&self) -> usize {
        self.n * self.outputs
    }
}
