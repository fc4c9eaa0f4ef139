//! What a step depends on of a run's `config.json`. How a model was trained is passed over.

use bd_equations::NeuronText;
use bd_kernel::models::encode::Encoder;
use bd_kernel::models::nvar::NvarConfig;
use bd_kernel::models::rnn::Activation;
use bd_kernel::models::{ExponConfig, LeakyIntegratorConfig, LifConfig, Target};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::folder::Folder;
use crate::{Error, Result};

/// Number type of parameters and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Dtype {
    #[serde(rename = "f32")]
    F32,
    #[serde(rename = "f64")]
    F64,
}

/// The configuration of a run that can be made in steps.
pub(crate) enum Settings {
    Forecast(Forecast),
    Network(Network),
}

/// Of `ngrc` and `esn`.
#[derive(Deserialize)]
pub(crate) struct Forecast {
    pub(crate) dtype: Dtype,
    pub(crate) nvar: Lags,
    pub(crate) reservoir: Option<Reservoir>,
    pub(crate) target: Target,
    pub(crate) scale: bool,
    pub(crate) horizon: Vec<usize>,
}

/// [`NvarConfig`] with perhaps several delays, of which a run that is done has one.
#[derive(Deserialize)]
pub(crate) struct Lags {
    delay: Delay,
    stride: usize,
    order: Vec<usize>,
    constant: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Delay {
    Chosen(usize),
    Open(Vec<usize>),
}

impl Lags {
    pub(crate) fn config(&self) -> Result<NvarConfig> {
        let delay = match &self.delay {
            Delay::Chosen(delay) => *delay,
            Delay::Open(delays) => {
                return Err(Error::Unsupported(format!("the run has the delays {delays:?}, of which none was chosen")));
            }
        };
        Ok(NvarConfig { delay, stride: self.stride, order: self.order.clone(), constant: self.constant })
    }
}

/// The units of an `esn`.
#[derive(Deserialize)]
pub(crate) struct Reservoir {
    pub(crate) units: usize,
    pub(crate) layers: usize,
    pub(crate) kind: Kind,
    pub(crate) leak: f64,
    pub(crate) activation: Activation,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(crate) enum Kind {
    Leaky,
    Es2n {},
    Eusn { diffusion: f64 },
}

/// Of `rnn` and `snn`.
#[derive(Deserialize)]
pub(crate) struct Network {
    pub(crate) dtype: Dtype,
    pub(crate) seed: u64,
    pub(crate) dt: f64,
    pub(crate) data: Data,
    pub(crate) model: Model,
    pub(crate) ensemble: usize,
}

#[derive(Deserialize)]
pub(crate) struct Data {
    pub(crate) scale: bool,
    pub(crate) encode: Encoder,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Model {
    Rate(Rate),
    Spiking(Box<Spiking>),
}

#[derive(Deserialize)]
pub(crate) struct Rate {
    pub(crate) n_in: usize,
    pub(crate) hidden: Vec<usize>,
    pub(crate) n_out: usize,
    pub(crate) cell: Cell,
    pub(crate) reads: Reads,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(crate) enum Cell {
    Rnn { activation: Activation, tau_ms: Option<f64> },
    Gru {},
    Lstm {},
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reads {
    State,
    StateAndMean,
    /// The others have weights of zero.
    Excitatory,
}

#[derive(Deserialize)]
pub(crate) struct Spiking {
    pub(crate) n_in: usize,
    pub(crate) hidden: Vec<usize>,
    pub(crate) n_out: usize,
    pub(crate) synapse: Synapse,
    pub(crate) neuron: Neuron,
    pub(crate) lif: LifConfig,
    pub(crate) readout: LeakyIntegratorConfig,
    pub(crate) recurrent: bool,
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Synapse {
    tau_ms: f64,
    pub(crate) delayed: bool,
}

impl Synapse {
    pub(crate) fn decay(&self) -> ExponConfig {
        ExponConfig { tau_ms: self.tau_ms }
    }
}

/// Neurons: `lif`, or a text.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum Neuron {
    Lif,
    Equations { name: String, text: Box<NeuronText> },
}

impl TryFrom<Value> for Neuron {
    type Error = String;

    fn try_from(mut table: Value) -> Result<Self, String> {
        let name = table.as_object_mut().and_then(|table| table.remove("name"));
        match name.as_ref().and_then(Value::as_str) {
            None => Err("a neuron has a name".into()),
            Some("lif") => Ok(Self::Lif),
            Some(name) => {
                let text = serde_json::from_value(table).map_err(|error| format!("neuron {name}: {error}"))?;
                Ok(Self::Equations { name: name.to_owned(), text })
            }
        }
    }
}

impl Settings {
    pub(crate) fn of(folder: &Folder) -> Result<Self> {
        let config = &folder.config;
        let unsupported = |reason: &str| Err(Error::Unsupported(format!("{}: {reason}", folder.config_file.display())));
        let job = config.get("job").and_then(Value::as_str).unwrap_or_default();
        let model = config.get("model");
        match job {
            "ngrc" | "esn" if config.get("horizon").is_some() => Ok(Self::Forecast(typed(folder)?)),
            "rnn" | "snn" if model.is_some_and(|model| model.get("network").is_some()) => unsupported(
                "it is of a network of populations, which makes no single steps; use bd predict, or bd-models in a program",
            ),
            "rnn" | "snn" => Ok(Self::Network(typed(folder)?)),
            "esn" | "conv" => unsupported(
                "its readout is of whole sequences, so that there is nothing to say at a step; use bd predict",
            ),
            "simulate" => unsupported("it is of a simulation, which has no trained model"),
            other => unsupported(&format!("it is of a job '{other}'; there are: ngrc, esn, rnn, snn")),
        }
    }
}

fn typed<T: DeserializeOwned>(folder: &Folder) -> Result<T> {
    T::deserialize(&folder.config).map_err(|error| Error::bad_file(&folder.config_file, error))
}
