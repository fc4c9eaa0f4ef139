//! The settings of a run, one by one, and what they usually are.

use serde_json::{Value, json};

use crate::config::{Config, ForecastConfig, Layers, NetworkConfig};

/// Settings that say how and where a run computes; their defaults are those of a machine.
const OF_MACHINE: [&str; 2] = ["threads", "device"];

/// All values of a configuration, by their dotted names: lists, and tables without anything in them, are values.
pub fn flat(config: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    add("", config, &mut all);
    all
}

fn add(name: &str, value: &Value, all: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                add(&name, value, all);
            }
        }
        Value::Null if name.is_empty() => {}
        value => all.push((name.to_owned(), value.clone())),
    }
}

/// The configuration of a run of this job where nothing is set but what it learns: a task or a system. `None` where that is a file, for then
/// defaults follow from what is in it; without the settings that are those of a machine.
pub fn usual(config: &Value) -> Option<Value> {
    let name = |path: &str| config.pointer(path).and_then(Value::as_str).map(|name| json!({ "name": name }));
    let job = config["job"].as_str()?;
    let whole = Config::of_json(config.clone()).ok()?;
    let layers = |path: &'static str, name: Option<Value>| Layers {
        options: name.map(|name| (path, name)).into_iter().collect(),
        ..Layers::default()
    };
    let mut found = match whole {
        Config::Forecast(own) if own.data.file.is_none() => {
            let layers = layers("data.system", name("/data/system/name"));
            serde_json::to_value(ForecastConfig::resolve(job, &layers).ok()?).ok()?
        }
        Config::Network(own) if own.data.file.is_none() => {
            let layers = layers("data.task", name("/data/task/name"));
            serde_json::to_value(NetworkConfig::resolve(job, &layers).ok()?.0).ok()?
        }
        _ => return None,
    };
    if let Some(table) = found.as_object_mut() {
        OF_MACHINE.iter().for_each(|name| drop(table.remove(*name)));
    }
    Some(found)
}
