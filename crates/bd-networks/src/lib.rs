//! Networks of neurons as text: populations of neurons written as [equations](bd_equations), and projections between them, drawn, checked
//! and simulated, one sample at a time. `bd-models` trains the same networks.
//!
//! | | |
//! |---|---|
//! | [`NetworkText`], [`ProjectionText`], [`BackgroundText`], [`Connect`], [`DelayText`], [`PositionsText`] | a network as it is written in a file |
//! | [`Network`], [`Population`], [`Projection`], [`Background`] | the checked network |
//! | [`Edges`] | the synapses of a projection, drawn from a seed |
//! | [`LearnedDelay`] | delays that training changes |
//! | [`Simulation`], [`Options`], [`Origins`], [`Recording`] | all neurons over time, on threads |
//! | [`Given`] | numbers in place of those that are drawn, of a network that was trained |
//! | [`Bytes`] | the memory of a simulation, before it is built |
//! | [`Activity`] | rate, regularity and synchrony of a population |
//!
//! # A step
//!
//! What arrives is added; the equations are solved; neurons at their threshold spike and are reset. A spike of step `k` that travels
//! for `d` steps arrives in step `k + d + 1`: a delay of 0 means the next step, as in Brian2 and NEST, where what arrives after the
//! threshold of step `k + d` moves the neuron in the step after. Through a projection that is instant it arrives in step `k`.
//!
//! So a network advances by as many steps at once as its shortest delay has, and one: meanwhile no neuron sees another. Threads share
//! neurons and meet once in such a slice, and once more for each instant projection that lies behind another. No number of threads changes a result.
//!
//! # Limits
//!
//! A network has at most 1,000 populations and 10,000 projections, a population 2^27 neurons, and a delay 60,000 steps.

mod activity;
mod barrier;
mod build;
mod connect;
mod cost;
mod delay;
mod drawing;
mod edges;
mod given;
mod layout;
mod network;
mod place;
mod positions;
mod simulation;
mod target;
mod text;
mod words;

pub use activity::Activity;
pub use bd_equations::{Error, Position, Result};
pub use connect::{Connect, EdgeList};
pub use cost::Bytes;
pub use delay::{DelayText, LearnedDelay, LearnedDelayText};
pub use edges::{Each, Edges};
pub use given::Given;
pub use layout::{Layout, Place, Profile};
pub use network::{Background, Carried, Network, Neurons, Population, Projection, Scaled, Source};
pub use place::located;
pub use positions::PositionsText;
pub use simulation::{
    Options, Origins, PopulationSpikes, ReadEdges, ReadTrain, Recording, Simulation, SpikeTrain, Trace,
};
pub use text::{BackgroundText, NetworkText, OneOrMore, ProjectionText, ReadoutText, RecordText, SourceText};
