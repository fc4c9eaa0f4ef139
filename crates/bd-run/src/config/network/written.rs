//! The text of a network that a configuration names or has.

use std::path::Path;

use bd_core::{Error, Result};
use bd_models::WrittenNetwork;
use bd_networks::Connect;
use serde_json::Value;

use super::alternatives;
use crate::config::overlay::{overlay, typed};
use crate::simulate::source::NetworkFile;

/// Where it stands.
const PLACE: &str = "model.network";

/// The network that the layers are about, if they are about one, taken out of them: of the strongest that names a file or has a text, with what
/// stronger ones set in it.
pub(super) fn meant(job: &str, layers: &mut [Value]) -> Result<Option<WrittenNetwork>> {
    let mut found: Option<Value> = None;
    for layer in &mut *layers {
        let Some(network) = layer.get_mut("model").and_then(|model| model.as_object_mut()?.shift_remove("network"))
        else {
            continue;
        };
        match (&mut found, network) {
            (_, Value::Null) => {}
            (found, Value::String(file)) => *found = Some(read(&file)?),
            (Some(found), set) => overlay(found, &set, PLACE, &alternatives)?,
            (None, text) => found = Some(text),
        }
    }
    match found {
        None => Ok(None),
        Some(_) if job != "snn" => Err(Error::Config(format!("{PLACE} is for spiking networks, and the job is {job}"))),
        Some(text) => {
            layers.iter().try_for_each(refuse_layers)?;
            typed(text, PLACE).map(Some)
        }
    }
}

/// Settings of a network of layers, and what is meant instead in the text of a network. Those within others stand first.
const OF_LAYERS: [(&str, &str); 8] = [
    ("hidden", "n of its populations"),
    ("n_in", "n of its population of kind 'input'"),
    ("recurrent_init", "weight of a [[projection]] from a population to itself"),
    ("recurrent", "a [[projection]] from a population to itself"),
    ("lif.surrogate", "surrogate of a population"),
    ("lif.reset", "reset of a population"),
    ("lif", "equations of a population, or its neuron and constants"),
    ("neuron", "equations of a population, or its neuron"),
];

/// Refuses settings of layers beside a text.
fn refuse_layers(layer: &Value) -> Result<()> {
    let Some(model) = layer.get("model") else { return Ok(()) };
    let is_set = |key: &str| key.split('.').try_fold(model, |value, key| value.get(key)).is_some();
    match OF_LAYERS.iter().find(|(key, _)| is_set(key)) {
        None => Ok(()),
        Some((key, meant)) => Err(Error::Config(format!(
            "model.{key} is of a network of layers, and this one is written as text: set {meant} in it"
        ))),
    }
}

/// More synapses of files would make a configuration of more than 100 MB.
const MOST_LISTED: usize = 1_000_000;

/// A file, which is checked, so that what is wrong is named by its line. Synapses and positions of files that it names are put in their place, so
/// that the configuration has all of the network.
fn read(file: &str) -> Result<Value> {
    let source = NetworkFile::read(Path::new(file))?;
    let NetworkFile { text, network, files, .. } = &source;
    WrittenNetwork::of(text.clone(), network.clone()).map_err(|error| source.wrong(error))?;
    // As they will be made, for what does not fit the populations.
    let edges = |name: &str| files.edges(name).cloned().ok_or_else(|| "it was not read".to_owned());
    for projection in network.projections.iter().filter(|of| matches!(of.connect, Connect::FromFile { .. })) {
        projection.edges::<f32>(network.dt_ms, 0, &edges).map_err(|error| source.wrong(error))?;
    }
    let mut text = text.clone();
    let mut listed = 0;
    for projection in &mut text.projection {
        let Connect::FromFile { file: named } = &projection.connect else { continue };
        let list = files.edges(named).cloned().unwrap_or_default();
        listed += list.sources.len();
        if listed > MOST_LISTED {
            return Err(Error::Config(format!(
                "{file}: with {named} there are {listed} synapses of files; a network that is trained has at most {MOST_LISTED}"
            )));
        }
        projection.connect = Connect::Listed(list);
    }
    Ok(serde_json::to_value(text).expect("it is JSON"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    const NETWORK: &str = r#"
        dt_ms = 0.5
        [population.E]
        n = 5
        neuron = "lif"
        [population.in]
        n = 3
        kind = "input"
        [[projection]]
        from = "in"
        to = "E.I"
        connect = { rule = "all_to_all" }
        weight = 2
        trained = true
    "#;

    /// Those of a file stand in the configuration, so that it has no need of the file.
    #[test]
    fn synapses_of_a_file_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let text = NETWORK.replace("\"all_to_all\"", "\"from_file\", file = \"edges.csv\"");
        fs::write(path("net.toml"), text).unwrap();
        fs::write(path("edges.csv"), "source,target,delay_ms\n2,4,1\n0,1,0.5\n").unwrap();
        let found = read(&path("net.toml")).unwrap();
        let listed =
            json!({"rule": "listed", "source": [2, 0], "target": [4, 1], "weight": null, "delay_ms": [1.0, 0.5]});
        assert_eq!(found["projection"][0]["connect"], listed);
        fs::remove_file(path("edges.csv")).unwrap();
        let again = meant("snn", &mut [json!({"model": {"network": found}})]).unwrap().unwrap();
        let edges = again.network().projections[0].edges::<f64>(0.5, 0, &|_| Err("no file".into())).unwrap();
        assert_eq!((&edges.begins[..], &edges.targets[..]), (&[0, 1, 1, 2][..], &[1, 4][..]));
        fs::write(path("edges.csv"), "source,target\n3,1\n").unwrap();
        let error = read(&path("net.toml")).unwrap_err().to_string();
        assert!(error.contains("edges.csv: synapse 1 has the source 3, and there are 3 neurons"), "{error}");
    }

    #[test]
    fn the_strongest_text_counts_and_what_is_set_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("net.toml");
        fs::write(&file, NETWORK).unwrap();
        let file = file.to_str().unwrap();
        let of_file = read(file).unwrap();
        let mut layers = [json!({"model": {"network": {"dt_ms": 3}, "n_out": 4}}), json!({"model": {"network": file}})];
        let found = meant("snn", &mut layers).unwrap().unwrap();
        assert_eq!(layers, [json!({"model": {"n_out": 4}}), json!({"model": {}})]);
        assert_eq!((found.n_in(), found.read(), found.sizes()), (3, "E", &[5][..]));
        assert_eq!(serde_json::to_value(&found).unwrap(), of_file);
        let mut layers = [json!({"model": {"network": of_file}}), json!({"model": {"network": {"dt_ms": 0.25}}})];
        assert_eq!(meant("snn", &mut layers).unwrap().unwrap().network().dt_ms, 0.25);
        assert!(meant("snn", &mut [json!({"model": {"n_out": 4}})]).unwrap().is_none());
        for (set, words) in [
            (
                json!({"hidden": [5]}),
                "model.hidden is of a network of layers, and this one is written as text: set n of its populations in it",
            ),
            (json!({"lif": {"reset": "none"}}), "model.lif.reset is of a network of layers"),
            (json!({"lif": {"tau_ms": 5}}), "set equations of a population, or its neuron and constants in it"),
            (json!({"recurrent": true}), "set a [[projection]] from a population to itself in it"),
        ] {
            let layers = &mut [json!({"model": set}), json!({"model": {"network": file}})];
            let error = meant("snn", layers).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = meant("rnn", &mut [json!({"model": {"network": file}})]).unwrap_err().to_string();
        assert_eq!(error, "model.network is for spiking networks, and the job is rnn");
        let error = meant("snn", &mut [json!({"model": {"network": "no.toml"}})]).unwrap_err().to_string();
        assert!(error.starts_with("no.toml: cannot be read"), "{error}");
    }
}
