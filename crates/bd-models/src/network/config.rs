//! [`PopulationNetworkConfig`]: a network as text, with a readout.

use bd_core::{DynSystem, Error, Params, Result, Stack};
use bd_kernel::Compile;
use bd_networks::{Network, NetworkText, Source, located};
use serde::{Deserialize, Serialize};

use super::{PopulationNetwork, refused};
use crate::leaky_integrator::{LeakyIntegrator, LeakyIntegratorConfig};
use crate::synapse::{Synapse, SynapseConfig};

/// Name of the network within the whole: it prefixes its states and parameters.
pub(super) const NETWORK: &str = "net";

/// Settings of a [`PopulationNetwork`] with leaky integrators as outputs.
///
/// | field | meaning |
/// |---|---|
/// | `network` | the whole text |
/// | `n_out` | leaky integrators |
/// | `synapse` | the synapses from the population that is read to the leaky integrators |
/// | `readout` | the leaky integrators |
///
/// Layers are called `net`, `r2o` and `o`, as in `net.E.v`, `net.E>I.g.weight`, `r2o.weight` and `o.v`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct PopulationNetworkConfig {
    pub network: WrittenNetwork,
    pub n_out: i64,
    pub synapse: SynapseConfig,
    pub readout: LeakyIntegratorConfig,
}

/// A network's text that was checked: it can be trained, but for what is drawn with its seed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "NetworkText", into = "NetworkText")]
pub struct WrittenNetwork {
    text: NetworkText,
    network: Network,
    n_in: i64,
    read: String,
    sizes: Vec<i64>,
}

impl TryFrom<NetworkText> for WrittenNetwork {
    type Error = Error;

    fn try_from(text: NetworkText) -> Result<Self> {
        let network = text.build().map_err(|error| refused(&error))?;
        Self::of(text, network).map_err(|error| refused(&error))
    }
}

impl From<WrittenNetwork> for NetworkText {
    fn from(written: WrittenNetwork) -> Self {
        written.text
    }
}

impl WrittenNetwork {
    /// From TOML. Errors have their position in it.
    pub fn parse(toml: &str) -> Result<Self> {
        let read = || Self::of(NetworkText::parse(toml)?, Network::parse(toml)?);
        read().map_err(|error| Error::Config(located(toml, error).to_string()))
    }

    /// A text that was built, unless it cannot be trained.
    pub fn of(text: NetworkText, network: Network) -> bd_equations::Result<Self> {
        let read = network.read_population()?.name.clone();
        let n_in = network.populations[PopulationNetwork::input_of(&network)?].n as i64;
        PopulationNetwork::check(&network)?;
        let neurons = network.populations.iter().filter(|population| matches!(population.source, Source::Neurons(_)));
        let sizes = neurons.map(|population| population.n as i64).collect();
        Ok(Self { text, network, n_in, read, sizes })
    }

    /// As it is written.
    pub fn text(&self) -> &NetworkText {
        &self.text
    }

    /// The checked network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Neurons of its input.
    pub fn n_in(&self) -> i64 {
        self.n_in
    }

    /// Sizes of its populations of neurons.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// Whether loops of some of its neurons are compiled when they first run.
    pub fn compile(&self) -> Compile {
        let compiled =
            |source: &Source| matches!(source, Source::Neurons(neurons) if neurons.model.compile() == Compile::IfFound);
        match self.network.populations.iter().any(|population| compiled(&population.source)) {
            true => Compile::IfFound,
            false => Compile::Never,
        }
    }

    /// The population that a readout reads.
    pub fn read(&self) -> &str {
        &self.read
    }
}

impl PopulationNetworkConfig {
    /// The usual readout of a network.
    pub fn new(network: WrittenNetwork, n_out: i64) -> Self {
        let synapse = SynapseConfig { delayed: true, ..SynapseConfig::default() };
        Self { network, n_out, synapse, readout: LeakyIntegratorConfig::default() }
    }

    /// Names of the populations that spike, each of which has the state `spike` and that of [its potential](Self::potential): the one that is
    /// read first.
    pub fn neurons(&self) -> Vec<String> {
        let mut names: Vec<&str> = PopulationNetwork::spiking(&self.network.network).collect();
        names.sort_by_key(|name| *name != self.network.read);
        names.into_iter().map(|name| bd_core::join(NETWORK, name)).collect()
    }

    /// The first state of the first of [these](Self::neurons).
    pub fn potential(&self) -> String {
        let network = &self.network.network;
        let first = self.neurons().into_iter().next().unwrap_or_default();
        let name = first.rsplit('.').next().unwrap_or_default();
        match network.population(name).map(|at| &network.populations[at].source) {
            Some(Source::Neurons(neurons)) => neurons.model.states()[0].name.clone(),
            _ => String::new(),
        }
    }

    /// The network without its readout, its weights made in `params`, whose seed draws its synapses.
    pub fn populations(&self, params: &mut Params) -> Result<PopulationNetwork> {
        let (written, seed) = (&self.network, params.seed());
        let no_files = |_: &str| {
            Err("a network that is made of its text reads no file; list the synapses: rule = \"listed\"".into())
        };
        PopulationNetwork::new(&mut params.at(NETWORK), &written.network, &written.read, seed, &no_files)
    }

    /// The network, its weights made in `params`, whose seed draws its synapses.
    pub fn build(&self, params: &mut Params) -> Result<Stack> {
        let net = self.populations(params)?;
        let n_read = bd_core::System::n_out(&net);
        let synapse = Synapse::new(&mut params.at("r2o"), n_read, self.n_out, &self.synapse)?;
        let readout = LeakyIntegrator::new(self.n_out, &self.readout)?;
        Stack::new(vec![
            (NETWORK.to_owned(), DynSystem::new(net)),
            ("r2o".to_owned(), DynSystem::new(synapse)),
            ("o".to_owned(), DynSystem::new(readout)),
        ])
    }
}
