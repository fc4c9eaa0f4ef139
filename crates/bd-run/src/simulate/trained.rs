//! Networks that a run has trained: what their simulation is given, and who is connected with whom in them.

use std::collections::BTreeMap;
use std::path::Path;

use bd_core::{Error, Params, Result, join, member_name};
use bd_models::{PopulationNetwork, PopulationNetworkConfig};
use bd_networks::Given;
use bd_train::data::dataset::member_seed;
use tch::{Device, Kind, Tensor};

use super::files::Files;
use super::source::NetworkFile;
use crate::Run;
use crate::config::{Config, Model, NetworkConfig};

/// A network of a run, to be simulated.
pub(super) struct OfRun {
    pub(super) source: NetworkFile,
    pub(super) given: Given,
    /// By which its synapses were drawn.
    pub(super) seed: u64,
    pub(super) weights_sha256: Option<String>,
}

impl OfRun {
    /// The network number `member` of a run, from 1.
    pub(super) fn read(run: &Run, member: usize) -> Result<Self> {
        let (config, model) = populations(run)?;
        if !(1..=config.ensemble).contains(&member) {
            let allowed = format!("from 1 to {}, the networks of the run", config.ensemble);
            return Err(Error::setting("member", member, allowed));
        }
        let given = network(config, model, member - 1, &run.weights()?)?.given()?;
        let text = model.network.text().clone();
        let toml = text.to_toml().map_err(|error| Error::Config(error.to_string()))?;
        let network = model.network.network().clone();
        let files = Files::of_synapses(&network, Path::new(""))?;
        Ok(Self {
            source: NetworkFile { path: run.path().to_path_buf(), toml, text, network, files },
            given,
            seed: member_seed(config.seed, member - 1),
            weights_sha256: run.manifest().weights_sha256.clone(),
        })
    }
}

/// The configuration of a run that has trained a network of populations.
pub(super) fn populations(run: &Run) -> Result<(&NetworkConfig, &PopulationNetworkConfig)> {
    if let Config::Network(config) = run.config()
        && let Model::Populations(model) = &config.model
    {
        return Ok((config, model));
    }
    Err(Error::bad_file(
        run.path(),
        "this run has not trained a network of populations, and no other can be simulated: bd train snn --model NET.toml trains one",
    ))
}

/// A member of a run with the weights of all, which has its names within the member.
fn network(
    config: &NetworkConfig,
    model: &PopulationNetworkConfig,
    member: usize,
    weights: &[(String, Tensor)],
) -> Result<PopulationNetwork> {
    let mut params = Params::new(member_seed(config.seed, member), (config.dtype.kind(), Device::Cpu));
    let network = model.populations(&mut params)?;
    let name = member_name(member, config.ensemble);
    let weights: BTreeMap<&str, &Tensor> = weights.iter().map(|(name, tensor)| (&name[..], tensor)).collect();
    let own = params.named().into_iter().filter_map(|(own, _)| {
        let tensor = weights.get(&join(&name, &own)[..])?.to_device(Device::Cpu);
        Some((own, tensor))
    });
    let own: Vec<_> = own.collect();
    params.load(&own)?;
    Ok(network)
}

/// `synapses.npz` of a training: of each projection who is connected with whom, in the order of its weights, under the names of these.
pub(crate) fn synapses(
    config: &NetworkConfig,
    model: &PopulationNetworkConfig,
    weights: &[(String, Tensor)],
) -> Result<Vec<(String, Tensor)>> {
    let mut arrays = Vec::new();
    for member in 0..config.ensemble {
        let prefix = join(&member_name(member, config.ensemble), "net");
        for of in network(config, model, member, weights)?.connections() {
            let name = join(&prefix, &of.name);
            arrays.extend([
                (format!("{name}.source"), of.sources.to_kind(Kind::Int)),
                (format!("{name}.target"), of.targets.to_kind(Kind::Int)),
                (format!("{name}.weight"), of.weights),
                (format!("{name}.delay_ms"), of.delays_ms),
            ]);
        }
    }
    Ok(arrays)
}
