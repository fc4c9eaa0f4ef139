//! The text of a network that a configuration names or has.

use std::fs;

use bd_core::{Error, Result};
use bd_models::WrittenNetwork;
use bd_networks::NetworkText;
use serde_json::Value;

use super::alternatives;
use crate::config::overlay::{overlay, typed};

/// Where it stands.
const PLACE: &str = "model.network";

/// The network that the layers are about, if they are about one, taken out of them: of the strongest that names a file or has a text, with what
/// stronger ones set in it.
pub(super) fn meant(job: &str, layers: &mut [Value]) -> Result<Option<WrittenNetwork>> {
    let mut found: Option<Value> = None;
    for layer in layers {
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
        Some(text) => typed(text, PLACE).map(Some),
    }
}

/// A file, which is checked, so that what is wrong is named by its line.
fn read(file: &str) -> Result<Value> {
    let refuse = |reason: String| Error::Config(format!("{file}: {reason}"));
    let toml = fs::read_to_string(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let written = WrittenNetwork::parse(&toml).map_err(|error| refuse(error.to_string()))?;
    Ok(serde_json::to_value(NetworkText::from(written)).expect("it is JSON"))
}

#[cfg(test)]
mod tests {
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
        let error = meant("rnn", &mut [json!({"model": {"network": file}})]).unwrap_err().to_string();
        assert_eq!(error, "model.network is for spiking networks, and the job is rnn");
        let error = meant("snn", &mut [json!({"model": {"network": "no.toml"}})]).unwrap_err().to_string();
        assert!(error.starts_with("no.toml: cannot be read"), "{error}");
    }
}
