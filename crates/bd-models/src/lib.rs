//! Models of brain dynamics for `bd`, one a file, equations first.
//!
//! | module | model |
//! |---|---|
//! | [`linear`] | [`Linear`]: `y = x W + b`, the readout of everything that is fitted in closed form |
//! | [`nvar`] | [`Nvar`]: nonlinear vector autoregression, lagged inputs and their products |
//! | [`ngrc`] | [`Ngrc`]: next-generation reservoir computing, `Nvar` and `Linear` |
//! | [`esn`] | [`Esn`]: echo state networks, a [`Reservoir`] and lagged inputs beside it, with a linear readout |
//! | [`any_forecaster`] | [`AnyForecaster`]: one of the models that forecast a series |
//! | [`lif`] | [`Lif`]: leaky integrate-and-fire neurons, with a surrogate gradient |
//! | [`equation_neurons`] | [`EquationNeurons`]: neurons whose equations are text, of the zoo or of one's own |
//! | [`leaky_integrator`] | [`LeakyIntegrator`]: neurons that never spike, the readout of spiking networks |
//! | [`rnn`] | [`Rnn`]: recurrent networks of rates, with or without a leak |
//! | [`gru`] | [`Gru`]: gated recurrent units |
//! | [`lstm`] | [`Lstm`]: long short-term memory |
//! | [`rate_net`] | [`RateNetConfig`]: recurrent layers with a linear readout, from BrainPy's tutorial upwards |
//! | [`reservoir`] | [`Reservoir`]: a fixed recurrent network of rates, of which only a readout is fitted |
//! | [`continuous_reservoir`] | [`ContinuousReservoir`]: the same in continuous time, chaotic on its own: the network of FORCE learning |
//! | [`random_convolutions`], [`sequence_reservoir`] | [`RandomConvolutions`], [`SequenceReservoir`]: features of whole sequences |
//! | [`sequence_readout`] | [`SequenceReadout`]: such features with a linear readout that is fitted in closed form |
//! | [`expon`] | [`Expon`]: exponential synapses |
//! | [`running_mean`] | [`RunningMean`]: inputs beside their mean so far, for readouts of whole sequences |
//! | [`delay`] | [`Delay`]: one step |
//! | [`synapse`] | [`Synapse`]: weights and exponential synapses, at once or a step later |
//! | [`cuba`] | [`Cuba`]: neurons with exponential synapses, as one system; [`CubaLif`] |
//! | [`recurrent`] | [`Recurrent`]: any system whose outputs come back to its inputs a step later |
//! | [`network`] | [`PopulationNetwork`]: populations of neurons and projections between them, with delays, as text |
//! | [`neuron`] | [`NeuronConfig`]: which neurons a network has |
//! | [`snn`] | [`SnnConfig`]: spiking networks of these parts, from BrainPy's tutorial upwards |
//! | [`catalogue`] | every model in its variants, to be examined |
//! | [`decay`] | [`Decay`]: the factors of exponential Euler |
//! | [`encode`] | [`Encoder`]: numbers over time as the spikes or currents that drive a spiking network |
//! | [`pipeline`] | [`Pipeline`]: a network with the scaling and encoding of its inputs and the scaling of its outputs |
//! | [`standardise`] | [`Standardise`]: channels of different units brought to mean 0 and standard deviation 1 |
//! | [`unit_range`] | [`UnitRange`]: channels of different units brought to the range from 0 to 1 |
//! | [`surrogate`] | [`Surrogate`]: what stands in for the derivative of a spike |
//! | [`init`] | initial values of weights |
//!
//! Every model is a [`bd_core::System`]: its `step` is the definition, its `scan` equals it. This crate knows no
//! trainer.

pub mod any_forecaster;
pub mod catalogue;
mod cell;
mod connections;
pub mod continuous_reservoir;
pub mod cuba;
pub mod decay;
pub mod delay;
pub mod encode;
mod ends;
pub mod equation_neurons;
pub mod esn;
pub mod expon;
pub mod gru;
pub mod init;
pub mod leaky_integrator;
pub mod lif;
pub mod linear;
pub mod lstm;
pub mod network;
pub mod neuron;
pub mod ngrc;
pub mod nvar;
pub mod pipeline;
pub mod random_convolutions;
pub mod rate_net;
pub mod recurrent;
pub mod reservoir;
pub mod rnn;
pub mod running_mean;
pub mod sequence_readout;
pub mod sequence_reservoir;
pub mod snn;
pub mod standardise;
pub mod surrogate;
pub mod synapse;
pub mod unit_range;

pub use any_forecaster::{AnyForecaster, AnyForecasterConfig};
pub use continuous_reservoir::{ContinuousReservoir, ContinuousReservoirConfig};
pub use cuba::{Cuba, CubaLif, CubaState};
pub use decay::Decay;
pub use delay::{Delay, OneStep};
pub use encode::{Encode, Encoder, Scaling};
pub use equation_neurons::{EquationNeurons, EquationState};
pub use esn::{Esn, EsnConfig, EsnState};
pub use expon::{Expon, ExponConfig};
pub use gru::{Gru, GruConfig, GruState};
pub use init::Init;
pub use leaky_integrator::{LeakyIntegrator, LeakyIntegratorConfig};
pub use lif::{Lif, LifConfig, LifState, LifTrained, Reset};
pub use linear::{Linear, LinearConfig};
pub use lstm::{Lstm, LstmConfig, LstmState};
pub use network::{
    Connections, NetworkState, PopulationNetwork, PopulationNetworkConfig, PopulationState, WrittenNetwork,
    lags_of_learned,
};
pub use neuron::NeuronConfig;
pub use ngrc::{Ngrc, NgrcConfig, NgrcState, Target};
pub use nvar::{Nvar, NvarConfig, NvarState};
pub use pipeline::{Pipeline, Preparation};
pub use random_convolutions::{RandomConvolutions, RandomConvolutionsConfig};
pub use rate_net::{Cell, RateNetConfig, Reads};
pub use recurrent::{Recurrent, RecurrentState};
pub use reservoir::{Entries, Mixing, RecurrentMatrix, Reservoir, ReservoirConfig, ReservoirKind};
pub use rnn::{Activation, Rnn, RnnConfig, RnnState};
pub use running_mean::{RunningMean, RunningMeanState};
pub use sequence_readout::{SequenceFeatures, SequenceReadout};
pub use sequence_reservoir::{ReadStates, SequenceReservoir, SequenceReservoirConfig};
pub use snn::SnnConfig;
pub use standardise::Standardise;
pub use surrogate::Surrogate;
pub use synapse::{Synapse, SynapseConfig, SynapseState};
pub use unit_range::UnitRange;
