//! [`Model`]: the networks that can be trained on examples.

use bd_core::{Params, Result, Stack};
use bd_kernel::Compile;
use bd_models::{Cell, PopulationNetworkConfig, RateNetConfig, SnnConfig};
use serde::{Deserialize, Serialize};

/// A network of rates or of spiking neurons.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Model {
    /// Recurrent cells with a linear readout.
    Rate(RateNetConfig),
    /// Synapses and neurons that spike, with leaky integrators as outputs.
    Spiking(SnnConfig),
    /// Populations and projections as text, with leaky integrators as outputs.
    Populations(Box<PopulationNetworkConfig>),
}

impl Model {
    /// Adds its parameters, and makes the network of them.
    pub fn build(&self, params: &mut Params) -> Result<Stack> {
        match self {
            Self::Rate(config) => config.build(params),
            Self::Spiking(config) => config.build(params),
            Self::Populations(config) => config.build(params),
        }
    }

    /// Whether its neurons spike.
    pub fn is_spiking(&self) -> bool {
        !matches!(self, Self::Rate(_))
    }

    /// Number of inputs.
    pub fn n_in(&self) -> i64 {
        match self {
            Self::Rate(config) => config.n_in,
            Self::Spiking(config) => config.n_in,
            Self::Populations(config) => config.network.n_in(),
        }
    }

    /// Number of outputs.
    pub fn n_out(&self) -> i64 {
        match self {
            Self::Rate(config) => config.n_out,
            Self::Spiking(config) => config.n_out,
            Self::Populations(config) => config.n_out,
        }
    }

    /// Units of each hidden layer, or population.
    pub fn hidden(&self) -> &[i64] {
        match self {
            Self::Rate(config) => &config.hidden,
            Self::Spiking(config) => &config.hidden,
            Self::Populations(config) => config.network.sizes(),
        }
    }

    /// Names of the layers, or populations, of neurons that spike.
    pub fn neurons(&self) -> Vec<String> {
        match self {
            Self::Rate(_) => Vec::new(),
            Self::Spiking(config) => config.neurons(),
            Self::Populations(config) => config.neurons(),
        }
    }

    /// The state of these layers that pictures show beside the spikes.
    pub fn potential(&self) -> String {
        match self {
            Self::Rate(_) => String::new(),
            Self::Spiking(config) => config.neuron.potential(),
            Self::Populations(config) => config.potential(),
        }
    }

    /// Kind and sizes, such as `gru 3-64-1`.
    pub fn describe(&self) -> String {
        let kind = match self {
            Self::Rate(config) => config.cell.name(),
            Self::Spiking(_) => "snn",
            Self::Populations(_) => "network",
        };
        let hidden = self.hidden().iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        let excitatory = match self {
            Self::Rate(RateNetConfig { cell: Cell::Rnn(cell), hidden, .. }) => {
                hidden.iter().map(|n| cell.excitatory_units(*n)).sum::<Option<i64>>()
            }
            _ => None,
        };
        let signs = excitatory.map(|excitatory| {
            let all: i64 = self.hidden().iter().sum();
            format!(", {excitatory} units excite and {} inhibit", all - excitatory)
        });
        format!("{kind} {}-{hidden}-{}{}", self.n_in(), self.n_out(), signs.unwrap_or_default())
    }

    /// What becomes of loops that its text wants compiled; nothing if it does not.
    pub fn describe_loops(&self) -> Option<String> {
        let compile = match self {
            Self::Rate(_) => Compile::Never,
            Self::Spiking(config) => config.neuron.compile(),
            Self::Populations(config) => config.network.compile(),
        };
        (compile == Compile::IfFound).then(|| match Compile::compiler() {
            Ok(version) => format!("of neurons are to be compiled by {version}"),
            Err(reason) => format!("of neurons are interpreted, since {reason}"),
        })
    }

    pub(super) fn set_n_in(&mut self, n_in: i64) {
        match self {
            Self::Rate(config) => config.n_in = n_in,
            Self::Spiking(config) => config.n_in = n_in,
            // Its text says how many there are.
            Self::Populations(_) => {}
        }
    }

    pub(super) fn set_n_out(&mut self, n_out: i64) {
        match self {
            Self::Rate(config) => config.n_out = n_out,
            Self::Spiking(config) => config.n_out = n_out,
            Self::Populations(config) => config.n_out = n_out,
        }
    }
}
