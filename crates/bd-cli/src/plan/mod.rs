//! What a job is to do, as one configuration: defaults, then the file, then options, then `--set`.

mod ngrc;
mod rnn;
mod snn;

use bd_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Kind;

pub(crate) use ngrc::{DataPlan, NgrcPlan, Select, SystemPlan};
pub(crate) use rnn::{OF_SEQUENCE, RnnPlan, Source};
pub(crate) use snn::SnnPlan;

use crate::args;
use crate::overlay::{Alternatives, overlay, put, put_assignment, read, typed};

/// Number type of parameters and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dtype {
    #[serde(rename = "f32")]
    F32,
    #[serde(rename = "f64")]
    F64,
}

impl Dtype {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::F64 => Kind::Double,
        }
    }
}

/// The layers over the defaults, weakest first: the file, options as pairs of path and value, `--set`.
fn layers(run: &args::Run, options: Vec<(&str, Option<Value>)>) -> Result<Vec<Value>> {
    let mut layers = Vec::new();
    if let Some(path) = &run.config {
        layers.push(read(path)?);
    }
    let common = [
        ("device", run.device.as_ref().map(|x| json!(x))),
        ("dtype", run.dtype.as_ref().map(|x| json!(x))),
        ("seed", run.seed.map(|x| json!(x))),
        ("threads", run.threads.map(|x| json!(x))),
    ];
    let mut given = json!({});
    for (path, value) in common.into_iter().chain(options) {
        if let Some(value) = value {
            put(&mut given, path, value)?;
        }
    }
    layers.push(given);
    let mut set = json!({});
    for assignment in &run.set {
        put_assignment(&mut set, assignment)?;
    }
    layers.push(set);
    Ok(layers)
}

/// The configuration that the layers make of the defaults.
fn laid<T: Serialize + DeserializeOwned>(defaults: &T, layers: &[Value], alternatives: &Alternatives<'_>) -> Result<T> {
    let mut value = serde_json::to_value(defaults).expect("defaults are JSON");
    let job = value["job"].as_str().unwrap_or_default().to_owned();
    for layer in layers {
        if let Some(other) = layer["job"].as_str().filter(|other| *other != job) {
            return Err(Error::Config(format!("this is the configuration of a job '{other}', not of '{job}'")));
        }
        overlay(&mut value, layer, "", alternatives)?;
    }
    typed(value)
}

/// Refuses what is not the whole configuration of a run.
fn check_whole<T: Serialize>(plan: &T, config: &Value) -> Result<()> {
    if serde_json::to_value(plan).ok().as_ref() == Some(config) {
        return Ok(());
    }
    Err(Error::Config("it does not name every value of a run; it is not the file that the run wrote".into()))
}

pub(crate) fn check_threads(threads: usize) -> Result<()> {
    let most = cores();
    if threads == 0 || threads > most {
        return Err(Error::Config(format!("threads is {threads}; this machine allows 1 to {most}")));
    }
    Ok(())
}

/// How many threads this machine runs at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A number of an option, which JSON could not say if it is none.
fn finite(option: &str, value: Option<f64>) -> Result<Option<Value>> {
    match value {
        Some(value) if !value.is_finite() => Err(Error::Config(format!("{option} is {value}; it must be a number"))),
        value => Ok(value.map(|x| json!(x))),
    }
}
