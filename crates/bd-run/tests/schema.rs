//! The JSON Schemas of files for `bd`: those of docs/schema, and that they take what is read and refuse names that are not known.
#![cfg(feature = "schema")]

mod jobs;

use std::fs;
use std::path::{Path, PathBuf};

use bd_run::Layers;
use bd_run::config::{SCHEMAS, schema};
use jobs::{jobs, paths, resolve};
use jsonschema::Validator;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn validator(of: &str) -> Validator {
    jsonschema::validator_for(&schema(of).unwrap()).unwrap()
}

/// What is wrong with a file, by its places.
fn faults(validator: &Validator, file: &Value) -> Vec<String> {
    validator.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// `BD_WRITE_SCHEMAS=1` writes them.
#[test]
fn docs_have_the_schemas() {
    for of in SCHEMAS {
        let (file, text) = (root().join(format!("docs/schema/{of}.json")), format!("{:#}\n", schema(of).unwrap()));
        if std::env::var_os("BD_WRITE_SCHEMAS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        assert!(fs::read_to_string(&file).unwrap() == text, "{} is not that of the types", file.display());
    }
    let error = schema("ngcr").unwrap_err().to_string();
    assert!(error.starts_with("there is no schema of 'ngcr'; there are: ngrc, esn, "), "{error}");
}

/// A file of one value.
fn alone(path: &str, value: &Value) -> Value {
    path.split('/')
        .skip(1)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .fold(value.clone(), |below, name| json!({name: below}))
}

/// Each value of each job alone in a file is taken, and so is the whole. A name that is not known, and a table where there is none, are refused
/// by the schema as they are by the program.
#[test]
fn schemas_agree_with_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.json");
    for (job, whole, options) in jobs() {
        let validator = validator(job);
        assert_eq!(faults(&validator, &whole), Vec::<String>::new(), "{job}");
        let taken = |file: &Value| {
            // Options in the file: a stronger layer that names other data makes void what is said of them.
            let mut file = file.clone();
            for (name, value) in &options {
                let here = name.split('.').fold(&mut file, |table, key| &mut table[key]);
                if here.is_null() {
                    *here = value.clone();
                }
            }
            fs::write(&path, file.to_string()).unwrap();
            resolve(job, &Layers { config: Some(path.clone()), ..Layers::default() }).is_ok()
        };
        let mut places = Vec::new();
        paths(&whole, "", &mut places);
        let in_list = |place: &str| place.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_ok());
        for place in places.iter().filter(|place| !in_list(place)) {
            let value = whole.pointer(place).unwrap();
            assert_eq!(faults(&validator, &alone(place, value)), Vec::<String>::new(), "{job} {place}");
            let unknown = match value {
                Value::Object(_) => alone(&format!("{place}/no_such_name"), &json!(1)),
                _ => alone(place, &json!({"no_such_name": 1})),
            };
            assert!(!taken(&unknown), "{job} {place}");
            // Names of parameters are those of the system.
            assert!(!validator.is_valid(&unknown) || place == "/data/system/params", "{job} {place}");
        }
        assert!(!validator.is_valid(&json!({"no_such_name": 1})), "{job}");
    }
}

/// An editor says what is wrong and where, of settings that are two tables, too; and each setting says what it is.
#[test]
fn editors_can_say_what_is_wrong() {
    for (job, file, place, words) in [
        ("esn", json!({"reservoyr": {"leak": 0.5}}), ": ", "'reservoyr' was unexpected"),
        ("snn", json!({"model": {"hiden": [200]}}), "/model", "'hiden' was unexpected"),
        ("ngrc", json!({"ridge": {"alfa": 1}}), "/ridge", "'alfa' was unexpected"),
    ] {
        let found = faults(&validator(job), &file);
        assert!(found.iter().any(|fault| fault.starts_with(place) && fault.contains(words)), "{found:?}");
    }
    for of in SCHEMAS {
        let schema = schema(of).unwrap();
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            assert!(schema.to_string().contains(&format!("\"#/$defs/{name}\"")), "{of}: nothing refers to {name}");
            assert!(!definition.to_string().contains("```"), "{of}: {name}");
        }
    }
    let words = schema("esn").unwrap()["$defs"]["ReservoirConfig"]["properties"]["leak"]["description"].clone();
    assert!(words.as_str().is_some_and(|words| words.contains("leak") || words.contains("step")), "{words}");
}

/// A name is short for a table, and one value for a list of one.
#[test]
fn short_forms_are_taken() {
    for (job, file) in [
        ("ngrc", json!({"$schema": "ngrc.json", "ridge": {"alpha": 1e-3}, "data": {"system": "rossler"}})),
        ("esn", json!({"reservoir": {"matrix": "ring"}, "nvar": {"delay": [2, 3]}})),
        ("rnn", json!({"model": {"cell": "gru", "hidden": 20}, "optim": {"schedule": "cosine"}, "loss": "mae"})),
        ("snn", json!({"model": {"neuron": "adex"}, "optim": {"rule": {"weight_decay": 0.1}}})),
        ("snn", json!({"model": {"network": "ei.toml"}})),
        ("sweep", json!({"$schema": "sweep.json", "job": "rnn", "grid": {"optim.lr": [0.1, 0.01]}})),
        // A table is laid over that of the population that this is like.
        (
            "network",
            json!({"dt_ms": 0.1, "population": {"E": {"n": 2, "neuron": "adex"}, "I": {"like": "E", "surrogate": {"alpha": 3.0}}}}),
        ),
    ] {
        assert_eq!(faults(&validator(job), &file), Vec::<String>::new(), "{job} {file}");
    }
    for (job, file) in [
        ("ngrc", json!({"reservoir": {"leak": 1.0}})),
        ("rnn", json!({"model": {"neuron": "adex"}})),
        ("rnn", json!({"model": {"cell": "gur"}})),
        ("rnn", json!({"model": {"cell": {"name": "gru", "activation": "relu"}}})),
        ("snn", json!({"device": "gpu"})),
        ("snn", json!({"seed": -1})),
        ("conv", json!({"job": "snn"})),
        ("sweep", json!({"job": "simulate"})),
        ("ngrc", json!({"data": {"system": "lorentz"}})),
        ("ngrc", json!({"data": {"system": {"name": "lorenz", "method": "dopri5"}}})),
    ] {
        assert!(!validator(job).is_valid(&file), "{job} {file}");
    }
}

/// Networks and neurons of this repository.
#[test]
fn texts_of_networks_and_neurons_are_taken() {
    let read = |file: &Path| toml::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap();
    let mut count = 0;
    for (of, folder) in [
        ("network", "examples/networks"),
        ("network", "crates/bd-networks/tests/networks"),
        ("neuron", "crates/bd-equations/zoo"),
    ] {
        let validator = validator(of);
        for file in fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "toml") {
                let mut text = read(&file);
                assert_eq!(faults(&validator, &text), Vec::<String>::new(), "{}", file.display());
                let table = if of == "network" {
                    text["population"].as_object_mut().unwrap().values_mut().next().unwrap()
                } else {
                    &mut text
                };
                table["no_such_name"] = json!("1*ms");
                assert!(!validator.is_valid(&text), "{}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} files");
}
