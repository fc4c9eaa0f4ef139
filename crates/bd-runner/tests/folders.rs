//! Run folders that are damaged, or that cannot be run in steps, are refused in words.

use std::fs;
use std::path::Path;

use bd_runner::Runner;
use serde_json::json;

mod common;

fn error(folder: &Path) -> String {
    Runner::open(folder).unwrap_err().to_string()
}

#[test]
fn damaged_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(error(path).starts_with(&format!("cannot read {}", path.join("config.json").display())));
    common::ngrc().write(path);
    Runner::open(path).unwrap();
    for (file, words) in
        [("model.safetensors", "its SHA-256 is not the one"), ("config.json", "its SHA-256 is not the one")]
    {
        let whole = fs::read(path.join(file)).unwrap();
        let mut damaged = whole.clone();
        let last = damaged.len() - 2;
        damaged[last] ^= 1;
        fs::write(path.join(file), damaged).unwrap();
        assert!(error(path).contains(words), "{}", error(path));
        fs::write(path.join(file), whole).unwrap();
    }
    fs::write(path.join("manifest.json"), json!({"status": "stopped"}).to_string()).unwrap();
    assert!(error(path).contains("this run has no final weights, for its status is 'stopped'"), "{}", error(path));
}

#[test]
fn weights_of_another_model_are_refused() {
    let check = |change: &dyn Fn(&mut common::Run), words: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut run = common::cells("gru", 3, 2, 8, 1);
        change(&mut run);
        run.write(folder.path());
        assert!(error(folder.path()).contains(words), "{words:?} is not in: {}", error(folder.path()));
    };
    check(&|run| drop(run.weights.remove(4)), "r.bias is missing");
    check(&|run| run.weights[3].1 = vec![8, 25], "r.recurrent_weight has the shape [8, 25]; it must be [8, 24]");
    check(
        &|run| run.weights.push(("q.weight".into(), vec![3], 1.0)),
        "q.weight is unknown in a model of this configuration",
    );
    check(&|run| run.config["model"]["hidden"] = json!([]), "model.hidden is []");
    check(&|run| run.config["ensemble"] = json!(0), "ensemble 0");
}

#[test]
fn what_makes_no_steps_is_refused() {
    let check = |config: serde_json::Value, words: &str| {
        let folder = tempfile::tempdir().unwrap();
        let run = common::Run { config, weights: vec![("w".into(), vec![1], 1.0)] };
        run.write(folder.path());
        assert!(error(folder.path()).contains(words), "{words:?} is not in: {}", error(folder.path()));
    };
    check(json!({"job": "conv"}), "its readout is of whole sequences");
    check(json!({"job": "esn"}), "its readout is of whole sequences");
    check(json!({"job": "simulate"}), "a simulation");
    check(json!({"job": "snn", "model": {"network": {}}}), "a network of populations");
    check(json!({"job": "dream"}), "it is of a job 'dream'; there are: ngrc, esn, rnn, snn");
    check(json!({"job": "rnn"}), "config.json: missing field");
    let folder = tempfile::tempdir().unwrap();
    common::ngrc().write(folder.path());
    let none = Runner::with_lanes(folder.path(), 0).unwrap_err().to_string();
    assert_eq!(none, "a runner has at least 1 lane, and 0 were asked for");
}

/// The folder of several runs is that of the best.
#[test]
fn the_best_of_several_runs_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    common::ngrc().write(&folder.path().join("2-ngrc"));
    fs::write(folder.path().join("auto.json"), json!({"best": "2-ngrc"}).to_string()).unwrap();
    assert_eq!(Runner::open(folder.path()).unwrap().inputs(), 3);
    fs::write(folder.path().join("auto.json"), json!({"best": "../x"}).to_string()).unwrap();
    assert!(error(folder.path()).contains("it does not say which run is the best"));
}
