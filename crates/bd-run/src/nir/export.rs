//! [`export()`]: a trained spiking network as a graph.

mod layers;
mod nodes;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bd_core::text::{plural, short};
use bd_core::{Error, Result, member_name};
use bd_models::{Encoder, LifConfig, NeuronConfig, Reset, SnnConfig};
use serde_json::Value;
use tch::Tensor;

use self::layers::Parameters;
pub(super) use self::layers::{Layer, WITHIN, layers};
use self::nodes::Nodes;
use super::graph::{Array, Graph, Meta};
use super::{FILE_STEP_S, keys};
use crate::config::{Model, NetworkConfig};
use crate::{Config, Run};

/// For whom a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// For programs that step by Euler's rule in steps of [`FILE_STEP_S`], such as snnTorch, Norse and SpikingJelly: they compute the steps
    /// of bd.
    #[default]
    Exact,
    /// For hardware and for reading: time constants in seconds, and resistance, resting potential and threshold as they are.
    Physical,
}

impl Flavour {
    const ALL: [(Self, &str); 2] = [(Self::Exact, "exact"), (Self::Physical, "physical")];
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = Self::ALL.iter().find(|(flavour, _)| flavour == self).expect("all are listed");
        f.write_str(name)
    }
}

impl FromStr for Flavour {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.iter().find(|(_, known)| *known == name) {
            Some((flavour, _)) => Ok(*flavour),
            None => Err(Error::setting("nir", name, "exact or physical")),
        }
    }
}

/// What of a run is written.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// For whom.
    pub flavour: Flavour,
    /// The last layer, such as `r`, whose spikes are then the output. None: the readout.
    pub until: Option<String>,
    /// Of several networks whose outputs are averaged the one that is written, from 1 on.
    pub member: Option<usize>,
}

/// A network as a graph.
#[derive(Debug, Clone)]
pub struct Exported {
    /// To be [written](super::write()).
    pub graph: Graph,
    /// What is to be known of it, a line each.
    pub notes: Vec<String>,
}

/// The network of a run as a graph.
///
/// Fails with [`Error::Config`] if the run is none of a spiking network of layers, or if its neurons do something for which NIR has no
/// words: a reset that subtracts or none, a refractory period, neurons other than `lif`; [`Flavour::Exact`] also with another `v_rest` or
/// `v_reset` than 0.
pub fn export(run: &Run, options: &Export) -> Result<Exported> {
    let refuse = |reason: String| Err(Error::Config(format!("{}: {reason}", run.path().display())));
    let config = match run.config() {
        Config::Network(config) => config,
        other => return refuse(no_spiking(other.job())),
    };
    let model = match &config.model {
        Model::Spiking(model) => model,
        Model::Rate(_) => return refuse(no_spiking(&config.job)),
        Model::Populations(_) => {
            return refuse(
                "it is a network of populations, which is not written as NIR; a network of layers is (bd train snn without --model)"
                    .into(),
            );
        }
    };
    if let Some(reason) = unwritable(model, options.flavour) {
        return refuse(reason);
    }
    let names = model.neurons();
    if let Some(unknown) = options.until.as_ref().filter(|until| !names.contains(until)) {
        return refuse(format!("no layer of neurons is called '{unknown}'; there are: {}", names.join(", ")));
    }
    let member = member(config.ensemble, options.member)
        .map_err(|reason| Error::Config(format!("{}: {reason}", run.path().display())))?;
    let config = &NetworkConfig { ensemble: 1, ..(**config).clone() };
    let weights = of_member(run.weights()?, &member);
    let graph = graph_of(config, &weights, options)?;
    Ok(Exported { notes: notes(config, model, options, &graph), graph })
}

fn no_spiking(job: &str) -> String {
    format!("it is a run of {job}; NIR is written of spiking networks, those of bd train snn")
}

/// The parameters of one network by their own names, with those that belong to all.
fn of_member(weights: Vec<(String, Tensor)>, member: &str) -> Vec<(String, Tensor)> {
    if member.is_empty() {
        return weights;
    }
    let of_all = |name: &str| name.starts_with("scale.") || name.starts_with("target.");
    let own = |name: String| name.strip_prefix(member).and_then(|name| name.strip_prefix('.')).map(str::to_owned);
    weights
        .into_iter()
        .filter_map(|(name, tensor)| Some((if of_all(&name) { name } else { own(name)? }, tensor)))
        .collect()
}

/// The prefix of the names of a member's parameters.
fn member(members: usize, wanted: Option<usize>) -> std::result::Result<String, String> {
    match wanted {
        None if members == 1 => Ok(String::new()),
        None => Err(format!(
            "it has {members} networks whose outputs are averaged, and a file has one: name one with --member, from 1 to {members}"
        )),
        Some(number) if (1..=members).contains(&number) => Ok(member_name(number - 1, members)),
        Some(number) => Err(format!("--member is {number}; it has {}", plural(members, "network"))),
    }
}

/// What a network has for which NIR, or the flavour, has no words.
fn unwritable(model: &SnnConfig, flavour: Flavour) -> Option<String> {
    if model.neuron != NeuronConfig::Lif {
        return Some(format!(
            "model.neuron is {}; NIR has equations of its own, so that only neurons of the kind lif are written",
            model.neuron.name()
        ));
    }
    let LifConfig { reset, refractory_ms, v_rest, v_reset, resistance, trained, .. } = model.lif;
    if reset != Reset::Value {
        let reset = serde_json::to_value(reset).unwrap_or_default();
        let reset = reset.as_str().unwrap_or_default();
        return Some(format!(
            "model.lif.reset is {reset}; a spike of NIR sets the potential to v_reset, so that only 'value' is written: train with --reset \
             value"
        ));
    }
    if refractory_ms > 0.0 {
        return Some(format!(
            "model.lif.refractory_ms is {refractory_ms}; neurons of NIR have no refractory period: train with 0"
        ));
    }
    if resistance <= 0.0 {
        return Some(format!("model.lif.resistance is {resistance}; it is written where it is above 0"));
    }
    if flavour == Flavour::Physical {
        return None;
    }
    let others = "snnTorch and Norse reset to 0, whatever a file says";
    if v_rest != 0.0 {
        return Some(format!(
            "model.lif.v_rest is {v_rest}; 'exact' is written where it is 0, and 'physical' (--nir physical) always"
        ));
    }
    if v_reset != 0.0 || trained.reset {
        let is = if trained.reset { "trained".into() } else { v_reset.to_string() };
        return Some(format!(
            "model.lif.v_reset is {is}; 'exact' is written where it is 0, for {others}, and 'physical' (--nir physical) always"
        ));
    }
    None
}

/// The graph of a network alone, from its configuration and its parameters by their own names.
pub(super) fn graph_of(config: &NetworkConfig, weights: &[(String, Tensor)], options: &Export) -> Result<Graph> {
    let Model::Spiking(model) = &config.model else { unreachable!("it was looked at before") };
    let parameters = Parameters::of(weights)?;
    let layers = layers(model, options.until.as_deref());
    let mut nodes = Nodes { model, dt_ms: config.dt, flavour: options.flavour, parameters: &parameters, folded: false };
    let mut graph = nodes.graph(&layers)?;
    let text = |words: &str| Meta::Text(words.to_owned());
    let numbers = |number: f64| Meta::Numbers(Array::scalar(number));
    let mut said = vec![
        (keys::CONFIG.to_owned(), text(&without_places(config).to_string())),
        (keys::FLAVOUR.to_owned(), text(&options.flavour.to_string())),
        (keys::VERSION.to_owned(), text(env!("CARGO_PKG_VERSION"))),
        (keys::DISCRETISATION.to_owned(), text(discretisation(options.flavour))),
        (keys::DT_MS.to_owned(), numbers(config.dt)),
    ];
    if options.flavour == Flavour::Exact {
        said.push((keys::FILE_STEP_S.to_owned(), numbers(FILE_STEP_S)));
    }
    said.extend(options.until.iter().map(|until| (keys::UNTIL.to_owned(), text(until))));
    // What stands in nodes as it is need not be said twice.
    let in_nodes: Vec<String> = layers.iter().flat_map(|layer| layer.in_nodes(nodes.folded)).collect();
    let others = parameters.iter().filter(|(name, _)| !in_nodes.contains(name));
    said.extend(others.map(|(name, array)| (format!("{}{name}", keys::PARAMETER), Meta::Numbers(array.clone()))));
    graph.metadata = said.into_iter().collect();
    Ok(graph)
}

fn discretisation(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Exact => {
            "for Euler's rule v += step/tau (v_leak - v + r I) with steps of file_step_s: each is a step of dt_ms of bd, \
             v += (1 - exp(-dt/tau)) (v_rest - v + R I), whose time constants are tau = -dt / ln(1 - step/tau of this file)"
        }
        Flavour::Physical => {
            "bd steps by v += (1 - exp(-dt/tau)) (v_leak - v + r I) with dt_ms; a spike is 1 for one step, and w_in makes a current that \
             begins at its weight"
        }
    }
}

/// The configuration without the folders of this machine.
fn without_places(config: &NetworkConfig) -> Value {
    let name = |path: &Option<PathBuf>| path.as_deref().and_then(Path::file_name).map(PathBuf::from);
    let mut config = config.clone();
    config.data.file = name(&config.data.file);
    config.data.test_file = name(&config.data.test_file);
    serde_json::to_value(&config).unwrap_or_default()
}

fn notes(config: &NetworkConfig, model: &SnnConfig, options: &Export, graph: &Graph) -> Vec<String> {
    let mut notes = Vec::new();
    let kinds: Vec<String> = graph.nodes.values().map(|node| node.kind().to_owned()).collect();
    notes.push(format!("{}: {}", plural(kinds.len(), "node"), kinds.join(", ")));
    if options.flavour == Flavour::Exact {
        notes.push(format!(
            "a step of 1e-4 s in the file is one of {} ms here: snnTorch has that step, SpikingJelly too, Norse needs dt=1e-4",
            short(config.dt)
        ));
    }
    let layers = layers(model, options.until.as_deref());
    let delays = layers.len() - 1;
    if model.synapse.delayed && delays > 0 {
        notes.push(format!(
            "synapses behind neurons act one step later here, and at once in the file: its outputs come {} earlier",
            plural(delays, "step")
        ));
    }
    if config.data.encode != Encoder::None {
        notes.push(format!(
            "the inputs of the file are what the encoding '{}' makes of data",
            config.data.encode.name()
        ));
    }
    if options.until.is_none() {
        if config.scaled_targets().is_some() {
            notes.push("the outputs of the file are standardised; times target.std plus target.mean of the run they are in the units of the data".into());
        }
        if let Some(last) = model.neurons().last() {
            notes.push(format!(
                "snnTorch, Norse and SpikingJelly do not read the readout; with --until {last} the file ends before it"
            ));
        }
    }
    if model.lif.trained.any() {
        notes.push("each neuron has numbers of its own, which SpikingJelly refuses".into());
    }
    notes
}
