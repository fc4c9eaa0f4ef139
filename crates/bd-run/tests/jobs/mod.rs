//! The configurations of all jobs, for tests that change them.

use std::path::Path;

use bd_run::{Config, FeaturesConfig, ForecastConfig, Layers, NetworkConfig};
use serde_json::{Value, json};

/// Paths of all values, tables included.
pub(crate) fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(table) => table.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in below {
        let path = format!("{path}/{name}");
        all.push(path.clone());
        paths(value, &path, all);
    }
}

pub(crate) fn resolve(job: &str, layers: &Layers) -> bd_core::Result<Config> {
    Ok(match job {
        "esn" if FeaturesConfig::are_examples(layers)? => {
            Config::Features(Box::new(FeaturesConfig::resolve(job, layers)?.0))
        }
        "ngrc" | "esn" => Config::Forecast(Box::new(ForecastConfig::resolve(job, layers)?)),
        "conv" => Config::Features(Box::new(FeaturesConfig::resolve(job, layers)?.0)),
        _ => Config::Network(Box::new(NetworkConfig::resolve(job, layers)?.0)),
    })
}

/// A job, its configuration, and the options that this is of.
pub(crate) type Job = (&'static str, Value, Vec<(&'static str, Value)>);

pub(crate) fn jobs() -> Vec<Job> {
    let movements =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/movements.npz").canonicalize().unwrap();
    let data = ("data.file", json!(movements));
    let of = |job: &'static str, options: Vec<(&'static str, Value)>| {
        let config = resolve(job, &Layers { options: options.clone(), ..Layers::default() }).unwrap();
        (job, serde_json::to_value(config).unwrap(), options)
    };
    vec![
        of("ngrc", vec![]),
        of("esn", vec![]),
        of("rnn", vec![]),
        of("rnn", vec![data.clone(), ("model.cell", json!({"name": "gru"}))]),
        of("snn", vec![]),
        of("conv", vec![data.clone()]),
        of("esn", vec![data]),
    ]
}
