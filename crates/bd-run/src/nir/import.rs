//! [`import()`]: a graph as a run folder.

mod chain;
mod network;
mod neurons;
mod own;

use std::path::{Path, PathBuf};

use bd_core::{Error, Result, catch_torch, setting};
use tch::{Device, Kind, Tensor};

use self::chain::Chain;
use self::neurons::Rule;
use super::graph::{Array, Graph, Meta};
use super::{Flavour, keys, read};
use crate::Config;
use crate::config::NetworkConfig;
use crate::experiment::pipeline;
use crate::folder::RunFolder;
use crate::manifest::Manifest;

/// How a graph is read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Import {
    /// Length of a step in ms; needed of files that bd has not written.
    pub dt_ms: Option<f64>,
    /// Whether the graph is for Euler's rule with steps of this length, as those of snnTorch, Norse and SpikingJelly are.
    pub euler: bool,
}

/// A configuration, and its parameters by their names.
type Configured = (NetworkConfig, Vec<(String, Tensor)>);

/// A graph as a network of bd.
#[derive(Debug)]
pub struct Imported {
    /// Its configuration.
    pub config: NetworkConfig,
    /// Its parameters by their names.
    pub weights: Vec<(String, Tensor)>,
    /// Whether it is the network that [`export()`](super::export()) has written, bit for bit.
    pub as_written: bool,
    /// What is to be known of it, a line each.
    pub notes: Vec<String>,
}

/// The network of a file. Graphs that bd has written are what they were; those of others become spiking networks of layers.
///
/// Fails with [`Error::BadFile`] where the graph is damaged or has something that bd has no neurons for, and with [`Error::Config`] where
/// nothing says how long a step is.
pub fn import(path: &Path, options: &Import) -> Result<Imported> {
    options.dt_ms.map_or(Ok(()), |dt_ms| setting::above_zero("dt", dt_ms))?;
    let graph = read(path)?;
    let bad = |reason: String| Error::bad_file(path, reason);
    let of_bd = OfBd::of(&graph);
    if let (Some(of_bd), None) = (&of_bd, options.dt_ms)
        && let Some((config, weights)) = own::own(&graph, of_bd.flavour)
    {
        let notes = vec![format!("it is the network that bd {} has written, bit for bit", of_bd.version)];
        return Ok(Imported { config, weights, as_written: true, notes });
    }
    let rule = rule(path, options, of_bd.as_ref())?;
    let chain = Chain::of(graph).map_err(bad)?;
    let ((config, weights), mut notes) = catch_torch(|| {
        network::network(&chain, rule).map_err(|error| match error {
            Error::Config(reason) => bad(reason),
            other => other,
        })
    })?;
    if of_bd.is_some() && options.dt_ms.is_none() {
        notes.push(
            "it is not as bd has written it, so that its numbers are taken from its nodes, which are float32".into(),
        );
    }
    Ok(Imported { config, weights, as_written: false, notes })
}

/// What bd has written beside a graph.
struct OfBd {
    flavour: Flavour,
    version: String,
    dt_ms: f64,
    file_step_s: Option<f64>,
}

impl OfBd {
    fn of(graph: &Graph) -> Option<Self> {
        let text = |key: &str| match graph.metadata.get(key) {
            Some(Meta::Text(text)) => Some(text),
            _ => None,
        };
        let number = |key: &str| match graph.metadata.get(key) {
            Some(Meta::Numbers(array)) => {
                array.to_f64().first().copied().filter(|number| *number > 0.0 && number.is_finite())
            }
            _ => None,
        };
        Some(Self {
            flavour: text(keys::FLAVOUR)?.parse().ok()?,
            version: text(keys::VERSION)?.clone(),
            dt_ms: number(keys::DT_MS)?,
            file_step_s: number(keys::FILE_STEP_S),
        })
    }
}

/// How time constants are to be understood.
fn rule(path: &Path, options: &Import, of_bd: Option<&OfBd>) -> Result<Rule> {
    let exact = of_bd.and_then(|of_bd| Some((of_bd, of_bd.file_step_s.filter(|_| of_bd.flavour == Flavour::Exact)?)));
    match (options.dt_ms, exact, of_bd) {
        (Some(dt_ms), Some((of_bd, _)), _) if dt_ms != of_bd.dt_ms => Err(Error::Config(format!(
            "{}: it has the steps of a run of bd with dt {} ms, and --dt is {dt_ms}: leave --dt out, or export that run with --nir \
             physical, which any --dt fits",
            path.display(),
            of_bd.dt_ms
        ))),
        (_, Some((of_bd, step_s)), _) => Ok(Rule::Euler { step_s, dt_ms: of_bd.dt_ms }),
        (Some(dt_ms), None, _) if options.euler => Ok(Rule::Euler { step_s: dt_ms / 1000.0, dt_ms }),
        (Some(dt_ms), None, _) => Ok(Rule::Solution { dt_ms }),
        (None, None, Some(of_bd)) => Ok(Rule::Solution { dt_ms: of_bd.dt_ms }),
        (None, None, None) => Err(Error::Config(format!(
            "{}: nothing in it says how long a step is: name it with --dt in ms, and add --euler for files of snnTorch (--dt 0.1), \
             SpikingJelly (--dt 0.1 by default) and Norse",
            path.display()
        ))),
    }
}

impl Imported {
    /// Writes it as a run that is done: the folder, `out` or else `runs/snn-<UTC time>-<4 hex>`, which must not exist. `program` is the
    /// version of the program and the commit that it was built from.
    pub fn save(&self, out: Option<&Path>, program: (&str, Option<String>)) -> Result<PathBuf> {
        let pipeline = catch_torch(|| pipeline(&self.config, Device::Cpu))?;
        pipeline.params.load(&self.weights)?;
        let config = Config::Network(Box::new(self.config.clone()));
        let manifest = Manifest::now(&config, Device::Cpu, program);
        let mut folder = RunFolder::create(out, &config, manifest)?;
        folder.write_weights(&pipeline.params)?;
        folder.finish()
    }
}

/// An array as a parameter of this dtype.
fn tensor_of(array: &Array, kind: Kind) -> Tensor {
    let shape: Vec<i64> = array.shape.iter().map(|&size| size as i64).collect();
    Tensor::from_slice(&array.to_f64()).reshape(&shape[..]).to_kind(kind)
}
