//! What tests of runs that are stopped have in common.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bd_core::Rng;
use bd_core::files::sha256_hex;
use bd_core::npz::save_npz;
use bd_core::tch::{Device, Kind, Tensor};
use bd_run::Ended;
use bd_train::Checkpoints;
use serde_json::Value;

/// Whether a run has come to its end, and not been stopped; one that was stopped is kept.
pub(crate) fn done(ended: Ended) -> bool {
    match ended {
        Ended::Finished(outcome) => outcome.finish().map(|_| true).unwrap(),
        Ended::Stopped { kept } => {
            assert!(kept.is_some());
            false
        }
        Ended::Assisted => panic!("there is no other process"),
    }
}

/// What must be the same, by name: hashes of files, the tensors of the last checkpoint, lines of metrics without seconds.
#[allow(dead_code)] // some of the tests' programs
pub(crate) fn content(run: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in ["model.safetensors", "predictions.npz"] {
        all.insert(name.to_owned(), sha256_hex(&fs::read(run.join(name)).unwrap()));
    }
    let newest = Checkpoints::newest(&run.join("checkpoints")).unwrap().unwrap().path;
    for name in ["model.safetensors", "optim.safetensors"] {
        all.insert(format!("checkpoint {name}"), sha256_hex(&fs::read(newest.join(name)).unwrap()));
    }
    let best = fs::read(newest.join("best.safetensors")).map(|best| sha256_hex(&best)).unwrap_or_default();
    all.insert("checkpoint best.safetensors".into(), best);
    for (i, line) in fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().enumerate() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for seconds in ["wall_s", "samples_per_s"] {
            line.as_object_mut().unwrap().remove(seconds);
        }
        all.insert(format!("metrics line {i:03}"), line.to_string());
    }
    all
}

/// Sequences of numbers with the class that their mean tells, and of spikes.
#[allow(dead_code)]
pub(crate) fn examples(folder: &Path) -> [PathBuf; 2] {
    let mut rng = Rng::new(5, "examples");
    let on = (Kind::Double, Device::Cpu);
    let part = |count: i64, rng: &mut Rng| {
        let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
        let x =
            rng.tensor(&[count, 12, 3], on, Rng::normal) + labels.to_kind(Kind::Double).reshape([count, 1, 1]) * 0.7;
        (x, labels)
    };
    let ((x, y), (x_test, y_test)) = (part(24, &mut rng), part(10, &mut rng));
    let series = |x: &Tensor| x.cumsum(1, Kind::Double).narrow(2, 0, 2) * 0.2;
    let named = |arrays: [(&str, Tensor); 4]| arrays.map(|(name, array)| (name.to_owned(), array));
    let spikes = |x: &Tensor| x.gt(0.6).to_kind(Kind::Double);
    let [numbers, spiking] = ["numbers.npz", "spikes.npz"].map(|name| folder.join(name));
    let (x_spikes, test_spikes) = (spikes(&x), spikes(&x_test));
    let targets = [series(&x), series(&x_test)];
    save_npz(&numbers, &named([("x_train", x), ("y_train", y), ("x_test", x_test), ("y_test", y_test)])).unwrap();
    let [y, y_test] = targets;
    save_npz(&spiking, &named([("x_train", x_spikes), ("y_train", y), ("x_test", test_spikes), ("y_test", y_test)]))
        .unwrap();
    [numbers, spiking]
}
