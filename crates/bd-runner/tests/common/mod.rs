//! Run folders with weights that look random, as `bd train` would have written them: for tests and benchmarks without libtorch.

#![allow(dead_code)] // each program uses some

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Numbers that look random and are the same in every run: SplitMix64.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// From -1 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        2.0 * (((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64) - 1.0
    }
}

/// A run: its configuration, as far as a step depends on it, and its weights by name, shape and greatest size.
pub(crate) struct Run {
    pub(crate) config: Value,
    pub(crate) weights: Vec<(String, Vec<usize>, f64)>,
}

fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Run {
    fn new(config: Value, weights: &[(&str, &[usize], f64)]) -> Self {
        let weights = weights.iter().map(|(name, shape, most)| ((*name).to_owned(), shape.to_vec(), *most)).collect();
        Self { config, weights }
    }

    /// Writes its folder.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let mut rng = Noise(1);
        let bytes: BTreeMap<&str, (Dtype, Vec<u8>)> = self
            .weights
            .iter()
            .map(|(name, shape, most)| {
                let numbers = (0..shape.iter().product()).map(|_| most * rng.next());
                let is_double =
                    self.config["dtype"] == "f64" || name.starts_with("scale.") || name.starts_with("target.");
                let content = match is_double {
                    true => (Dtype::F64, numbers.flat_map(f64::to_le_bytes).collect()),
                    false => (Dtype::F32, numbers.flat_map(|x| (x as f32).to_le_bytes()).collect()),
                };
                (name.as_str(), content)
            })
            .collect();
        let views = self.weights.iter().map(|(name, shape, _)| {
            let (dtype, bytes) = &bytes[name.as_str()];
            (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let weights = safetensors::serialize(views, None).unwrap();
        let config = serde_json::to_vec_pretty(&self.config).unwrap();
        let manifest = json!({
            "job": self.config["job"], "status": "done",
            "config_sha256": sha256_hex(&config), "weights_sha256": sha256_hex(&weights),
        });
        fs::write(folder.join("config.json"), config).unwrap();
        fs::write(folder.join("model.safetensors"), weights).unwrap();
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }
}

/// The tutorial's: three channels, 90 features, three horizons.
pub(crate) fn ngrc() -> Run {
    let nvar = json!({"delay": 4, "stride": 5, "order": [2], "constant": false});
    let config = json!({"job": "ngrc", "dtype": "f64", "nvar": nvar, "target": "value", "scale": false, "horizon": [1, 10, 100]});
    Run::new(config, &[("o.weight", &[90, 9], 0.1), ("o.bias", &[9], 0.1)])
}

/// A dense reservoir of 100 units.
pub(crate) fn esn() -> Run {
    let nvar = json!({"delay": 1, "stride": 1, "order": [1], "constant": false});
    let reservoir = json!({"units": 100, "layers": 1, "kind": {"name": "leaky"}, "leak": 0.5, "activation": "tanh"});
    let config = json!({"job": "esn", "dtype": "f64", "nvar": nvar, "reservoir": reservoir, "target": "value", "scale": false, "horizon": [1]});
    let weights: &[(&str, &[usize], f64)] = &[
        ("r.input_weight", &[3, 100], 1.0),
        ("r.recurrent_weight", &[100, 100], 0.1),
        ("r.bias", &[100], 0.1),
        ("o.weight", &[103, 3], 0.1),
        ("o.bias", &[3], 0.1),
    ];
    Run::new(config, weights)
}

/// A network of gated units, or another cell with so many inputs a unit.
pub(crate) fn cells(name: &str, gates: usize, n_in: usize, n: usize, n_out: usize) -> Run {
    let cell = json!({"name": name, "activation": "tanh", "tau_ms": null});
    let model = json!({"n_in": n_in, "hidden": [n], "n_out": n_out, "cell": cell, "reads": "state"});
    let data = json!({"scale": true, "encode": {"name": "none"}});
    let config =
        json!({"job": "rnn", "dtype": "f32", "seed": 0, "dt": 1.0, "ensemble": 1, "data": data, "model": model});
    let most = 1.0 / (n as f64).sqrt();
    let weights: &[(&str, &[usize], f64)] = &[
        ("scale.mean", &[n_in], 1.0),
        ("scale.std", &[n_in], 1.0),
        ("r.input_weight", &[n_in, gates * n], 1.0),
        ("r.recurrent_weight", &[n, gates * n], most),
        ("r.bias", &[gates * n], 0.1),
        ("o.weight", &[n, n_out], most),
        ("o.bias", &[n_out], 0.1),
    ];
    Run::new(config, weights)
}

/// A spiking network of LIF neurons or of others, recurrent or not.
pub(crate) fn spiking([n_in, n, n_out]: [usize; 3], neuron: &str, encode: Value, recurrent: bool) -> Run {
    let neuron = match neuron {
        "lif" => json!({"name": "lif"}),
        name => {
            let mut text = serde_json::to_value(bd_equations::zoo::text(name).unwrap()).unwrap();
            text["name"] = name.into();
            text
        }
    };
    let model = json!({
        "n_in": n_in, "hidden": [n], "n_out": n_out, "synapse": {"tau_ms": 10.0, "delayed": true}, "neuron": neuron,
        "lif": {}, "readout": {"tau_ms": 5.0}, "recurrent": recurrent,
    });
    let rate = encode["name"] == "rate" || encode["name"] == "latency";
    let data = json!({"scale": false, "encode": encode});
    let config =
        json!({"job": "snn", "dtype": "f32", "seed": 0, "dt": 1.0, "ensemble": 1, "data": data, "model": model});
    let mut run = Run::new(config, &[("i2r.weight", &[n_in, n], 2.0), ("r2o.weight", &[n, n_out], 0.5)]);
    if recurrent {
        run.weights.push(("r.recurrent_weight".into(), vec![n, n], 0.3));
    }
    if rate {
        run.weights.extend([("scale.min".into(), vec![n_in], 1.0), ("scale.max".into(), vec![n_in], 1.0)]);
    }
    run
}
