//! [`Projection`]: synapses, and what goes through them: spikes forward, gradients back.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::{Instructions, LANES, Numbers, Real, vectorised};

use super::loops::{Collect, Deliver};
use super::products::AddProducts;
use super::steps::{Place, Steps};

/// Synapses from one population to a target of another, by source.
#[derive(Debug, Clone)]
pub struct Synapses {
    /// Where those of each source begin, `[sources + 1]`.
    pub begins: Vec<usize>,
    /// The units that receive.
    pub targets: Vec<u32>,
    /// For how many steps a spike travels: one of step `k` arrives in step `k + delay + 1`, and in step `k` if the projection is instant.
    pub delays: Delays,
}

/// Delays in steps.
#[derive(Debug, Clone)]
pub enum Delays {
    /// The same for all synapses.
    Same(u16),
    /// Each its own.
    Own(Vec<u16>),
}

impl Delays {
    /// That of a synapse.
    #[inline(always)]
    pub fn get(&self, synapse: usize) -> u16 {
        match self {
            Self::Same(delay) => *delay,
            Self::Own(delays) => delays[synapse],
        }
    }

    /// The least and the greatest; nothing where there is none.
    pub fn bounds(&self) -> Option<[u16; 2]> {
        match self {
            Self::Same(delay) => Some([*delay; 2]),
            Self::Own(delays) => Some([*delays.iter().min()?, *delays.iter().max()?]),
        }
    }
}

/// Synapses with their weights.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The population that sends, by number.
    pub from: usize,
    /// Which of its outputs this carries.
    pub output: usize,
    /// The population that receives.
    pub to: usize,
    /// Which of its targets.
    pub target: usize,
    /// Who is connected with whom.
    pub synapses: Arc<Synapses>,
    /// What an output of 1 adds, by synapse.
    pub weights: Numbers,
    /// Whether the weights are parameters.
    pub trained: bool,
    /// Whether what is sent arrives in the same step: then all delays are 0.
    pub instant: bool,
}

impl Projection {
    /// What is sent, or its gradients, in the steps in which loops take it, for which everything is a step on its way at least: what is instant as if sent a
    /// step earlier.
    pub(super) fn as_loops_take_it<'a, N>(&self, outputs: Steps<'a, N>) -> Steps<'a, N> {
        Steps { first: outputs.first - isize::from(self.instant), ..outputs }
    }
}

/// What loops over synapses need of a projection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wires<'a> {
    pub(super) synapses: &'a Synapses,
    /// The first unit that sends does so through this one of its population's channels.
    pub(super) first_source: usize,
    /// The first unit that may receive is this one of all channels that something arrives at.
    pub(super) first: usize,
    /// How many may receive: targets of synapses are below.
    pub(super) units: usize,
    pub(super) lanes: usize,
    pub(super) instructions: Instructions,
}

impl Wires<'_> {
    /// Adds what outputs bring to what arrives.
    pub(super) fn deliver<F: Real>(self, weights: &[F], sent: &Steps<'_, &[F]>, arrivals: &mut Steps<'_, &mut [F]>) {
        let arrivals = arrivals.again();
        vectorised(self.instructions, Deliver { wires: self, weights, sent, arrivals });
    }

    /// Adds the gradients of what arrived to those of the outputs that brought it.
    pub(super) fn collect<F: Real>(self, weights: &[F], arrivals: &Steps<'_, &[F]>, outputs: &mut Steps<'_, &mut [F]>) {
        let outputs = outputs.again();
        vectorised(self.instructions, Collect { wires: self, weights, arrivals, outputs });
    }

    /// Adds to the gradients of weights: products of outputs and gradients of what arrived.
    /// `columns` is room for steps x lanes x units of the population that receives.
    pub(super) fn add_products<F: Real>(
        self,
        sent: [&Steps<'_, &[F]>; 2],
        arrivals: &Steps<'_, &[F]>,
        gweights: &mut [F],
        columns: &mut [F],
    ) {
        vectorised(self.instructions, AddProducts { wires: self, sent, arrivals, gweights, columns });
    }

    /// Panics unless all that may arrive in some steps lies within their numbers, so that loops need not look.
    #[inline(always)]
    pub(super) fn check<F, N: Deref<Target = [F]>>(&self, arrivals: &Steps<'_, N>) {
        assert!(self.lanes.is_multiple_of(LANES), "lanes come in vectors");
        let end = |place: &Place| place.of(self.first + self.units - 1) + self.lanes;
        assert!(self.units == 0 || arrivals.places.iter().all(|place| end(place) <= arrivals.numbers.len()));
    }

    #[inline(always)]
    pub(super) fn sources(&self) -> usize {
        self.synapses.begins.len() - 1
    }

    /// The synapses of a source.
    #[inline(always)]
    pub(super) fn of_source(&self, source: usize) -> Range<usize> {
        self.synapses.begins[source]..self.synapses.begins[source + 1]
    }
}
