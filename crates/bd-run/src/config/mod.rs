//! What a run is to do, as one configuration: defaults, then a file, then options, then assignments.

mod choice;
mod examples;
mod features;
mod forecast;
mod layers;
mod network;
mod online;
mod overlay;
#[cfg(feature = "schema")]
mod schema;
mod series_data;
mod sources;

use std::path::Path;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::ReservoirConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Kind;

pub use self::choice::{NvarChoice, RidgeChoice, SplitChoice, penalties};
pub use self::features::{FeaturesConfig, FeaturesData, FeaturesRidge};
pub use self::forecast::ForecastConfig;
pub use self::layers::Layers;
pub use self::network::{InitialWeights, Lessons, Model, NetworkConfig, NetworkData, OF_SEQUENCE};
pub use self::online::OnlineChoice;
#[cfg(feature = "schema")]
pub use self::schema::{SCHEMAS, schema};
pub use self::series_data::{SeriesData, SystemConfig};
pub use self::sources::{Source, Sourced, sources, to_toml};

/// The job whose model is a reservoir.
const ESN: &str = "esn";

/// Minutes between checkpoints where nobody says otherwise.
pub(crate) const CHECKPOINT_MINUTES: f64 = 5.0;

/// Refuses a file that has changed since a run has read it; `setting` is where the configuration has its hash.
pub(crate) fn check_sha256(path: &Path, setting: &str, known: Option<&String>, found: &str) -> Result<()> {
    match known {
        Some(known) if known != found => Err(Error::bad_file(
            path,
            format!(
                "it is not what the run has read: its SHA-256 is not that of the configuration; to train on it as it is now, \
                 --set {setting}=null, and to test on it, bd eval --data"
            ),
        )),
        _ => Ok(()),
    }
}

/// Number type of parameters and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Dtype {
    /// Single precision.
    #[serde(rename = "f32")]
    F32,
    /// Double precision.
    #[serde(rename = "f64")]
    F64,
}

impl Dtype {
    /// As libtorch calls it.
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::F64 => Kind::Double,
        }
    }
}

pub(crate) use self::layers::absolute;
pub(crate) use self::overlay::{read as read_file, typed, unknown_key};

/// The configuration of a run of any job.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Config {
    /// `ngrc` and `esn`.
    Forecast(Box<ForecastConfig>),
    /// `rnn` and `snn`.
    Network(Box<NetworkConfig>),
    /// `conv`, and `esn` of sequences.
    Features(Box<FeaturesConfig>),
}

impl Config {
    /// From the content of a run's `config.json`. Every value of a run must be in it.
    pub(crate) fn of_text(path: &Path, text: &[u8]) -> Result<Self> {
        let bad = |error: String| Error::bad_file(path, error);
        let config = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
        Self::of_json(config).map_err(|error| bad(error.to_string()))
    }

    /// From the whole configuration of a run.
    pub fn of_json(config: Value) -> Result<Self> {
        match config["job"].as_str() {
            // A forecast has horizons.
            Some("esn") if config.get("horizon").is_none() => {
                FeaturesConfig::of_run(config).map(|config| Self::Features(Box::new(config)))
            }
            Some("ngrc" | "esn") => ForecastConfig::of_run(config).map(|config| Self::Forecast(Box::new(config))),
            Some("rnn" | "snn") => NetworkConfig::of_run(config).map(|config| Self::Network(Box::new(config))),
            Some("conv") => FeaturesConfig::of_run(config).map(|config| Self::Features(Box::new(config))),
            Some("simulate") => Err(Error::Config("it is of a simulation, which has no trained model".into())),
            job => {
                let job = job.unwrap_or("");
                Err(Error::Config(format!("it is of a job '{job}'; there are: ngrc, esn, rnn, snn, conv")))
            }
        }
    }

    /// `ngrc`, `esn`, `rnn`, `snn` or `conv`.
    pub fn job(&self) -> &str {
        match self {
            Self::Forecast(config) => &config.job,
            Self::Network(config) => &config.job,
            Self::Features(config) => &config.job,
        }
    }

    /// Where the run was to compute.
    pub fn device(&self) -> DeviceSpec {
        match self {
            Self::Forecast(config) => config.device,
            Self::Network(config) => config.device,
            Self::Features(config) => config.device,
        }
    }

    /// Number type of parameters and states.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Forecast(config) => config.dtype,
            Self::Network(config) => config.dtype,
            Self::Features(_) => FeaturesConfig::dtype(),
        }
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Forecast(config) => config.seed,
            Self::Network(config) => config.seed,
            Self::Features(config) => config.seed,
        }
    }

    /// Threads of our own loops.
    pub fn threads(&self) -> usize {
        match self {
            Self::Forecast(config) => config.threads,
            Self::Network(config) => config.threads,
            Self::Features(config) => config.threads,
        }
    }
}

/// Settings that runs of earlier versions did without, with what they then were: the table, the key, the value.
fn later_keys() -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    let reservoir = serde_json::to_value(ReservoirConfig::default()).unwrap_or_default();
    let of_reservoir = ["/reservoir", "/model/reservoir"].into_iter().flat_map(move |table| {
        let reservoir = reservoir.clone();
        ["layers", "kind", "input_entries", "input_density"].map(|key| (table, key, reservoir[key].clone()))
    });
    of_reservoir.chain([
        ("/model", "neuron", json!({"name": "lif"})),
        ("/model/synapse", "bias", Value::Null),
        ("/data", "window_ms", Value::Null),
        ("/data/system", "method", Value::Null),
        ("/ridge", "l1_ratio", json!(0.0)),
        ("", "tensorboard", json!(false)),
        ("", "initial", Value::Null),
        ("/data", "arrays", json!({"x": null, "y": null, "trials": null})),
        ("/model/cell", "excitatory", Value::Null),
        ("/model/cell", "density", json!(1.0)),
        ("/model/cell", "autapses", json!(true)),
    ])
}

/// Refuses what is not the whole configuration of a run, but for [what came later](later_keys).
fn check_whole<T: Serialize>(config: &T, read: &Value) -> Result<()> {
    let (found, mut read) = (serde_json::to_value(config).unwrap_or_default(), read.clone());
    for (table, key, was) in later_keys() {
        let known = found.pointer(table).is_some_and(|table| table.get(key).is_some());
        if let Some(Value::Object(table)) = read.pointer_mut(table).filter(|_| known) {
            table.entry(key).or_insert(was);
        }
    }
    match found == read {
        true => Ok(()),
        false => {
            Err(Error::Config("it does not name every value of a run; it is not the file that the run wrote".into()))
        }
    }
}

/// Refuses a number of threads that this machine does not have.
pub fn check_threads(threads: usize) -> Result<()> {
    let most = here();
    if threads == 0 || threads > most {
        return Err(Error::Config(format!("threads is {threads}; this machine allows 1 to {most}")));
    }
    Ok(())
}

/// How many threads this machine runs at once.
fn here() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many threads this machine runs at once, or this task of Slurm's where it is given fewer.
pub fn cores() -> usize {
    slurm_cores().map_or_else(here, |given| given.min(here()))
}

/// The cores that Slurm gives each task of a step, where it says so: not everywhere does it bind tasks to them.
fn slurm_cores() -> Option<usize> {
    std::env::var("SLURM_CPUS_PER_TASK").ok()?.parse().ok().filter(|cores| *cores > 0)
}

/// The cores of each of so many processes on this machine.
pub fn cores_of_each(processes: usize) -> usize {
    match slurm_cores() {
        Some(_) => cores(),
        None => (cores() / processes.max(1)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(whole: &Value, keys: &[(&str, &str)]) -> Value {
        let mut config = whole.clone();
        for (table, key) in keys {
            if let Some(Value::Object(table)) = config.pointer_mut(table) {
                table.remove(*key);
            }
        }
        config
    }

    /// A run of an earlier version opens with what was then the case; any other value must be there.
    #[test]
    fn only_settings_that_came_later_may_be_absent() {
        let later: Vec<_> = later_keys().map(|(table, key, _)| (table, key)).collect();
        let reservoir = serde_json::to_value(ForecastConfig::resolve("esn", &Layers::default()).unwrap()).unwrap();
        let Config::Forecast(found) = Config::of_json(without(&reservoir, &later)).unwrap() else {
            panic!("a forecast")
        };
        assert_eq!(serde_json::to_value(&found).unwrap(), reservoir);
        let of_network = |job: &str| {
            let whole = serde_json::to_value(NetworkConfig::resolve(job, &Layers::default()).unwrap().0).unwrap();
            let Config::Network(found) = Config::of_json(without(&whole, &later)).unwrap() else { panic!("a network") };
            assert_eq!(serde_json::to_value(&found).unwrap(), whole);
            whole
        };
        let (spiking, _) = (of_network("snn"), of_network("rnn"));
        for (whole, table, key) in [(&reservoir, "/reservoir", "leak"), (&spiking, "/model/synapse", "tau_ms")] {
            let error = Config::of_json(without(whole, &[(table, key)])).unwrap_err().to_string();
            assert!(error.contains("does not name every value"), "{error}");
        }
    }
}
