//! What a job is to do, as one configuration: defaults, then the file, then options, then `--set`.

mod ngrc;
mod rnn;
mod snn;

use bd_core::{Error, Result};
use bd_train::EarlyStopping;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Kind;

pub(crate) use ngrc::{DataPlan, NgrcPlan, SystemPlan};
pub(crate) use rnn::{RnnPlan, Source};
pub(crate) use snn::{SnnPlan, SnnSource};

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

/// What the strongest of the layers asks for that asks for anything. A layer that asks for something else loses the values that
/// belong to that, which are called `own`.
fn settle<T: PartialEq>(layers: &mut [Value], asked: impl Fn(&Value) -> Option<T>, own: &[&str]) -> Option<T> {
    let last = layers.iter().rev().find_map(&asked);
    for layer in layers.iter_mut() {
        let asks = asked(layer);
        for name in own.iter().filter(|_| asks.is_some() && asks != last) {
            let (table, key) = match name.split_once('.') {
                Some((table, key)) => (layer.get_mut(table), key),
                None => (Some(&mut *layer), *name),
            };
            if let Some(Value::Object(table)) = table {
                table.shift_remove(key);
            }
        }
    }
    last
}

/// Refuses a validation part, or a stop by it, that cannot be.
fn check_held_out(validation: f64, early_stopping: Option<EarlyStopping>, of_file: bool) -> Result<()> {
    if !(0.0..1.0).contains(&validation) {
        return Err(Error::Config(format!("data.validation is {validation}; it is a fraction from 0 to below 1")));
    }
    let Some(stopping) = early_stopping else { return Ok(()) };
    stopping.check()?;
    if of_file && validation > 0.0 {
        return Ok(());
    }
    Err(Error::Config("early_stopping needs the validation part of a file; see data.validation".into()))
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
