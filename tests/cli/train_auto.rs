//! `bd train conv` and `bd train auto`, and `bd predict` and `bd eval` of them.

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, noise, refused_by, same_bytes, save};

/// `count` sequences of 30 steps and 2 channels, whose label says whether the second one rises before the middle or behind it.
fn early_or_late(name: &str, count: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
    let x = noise(name, &[count, 30, 2]) * 0.3 + 100.0;
    let time = Tensor::arange(30, (Kind::Double, Device::Cpu)).unsqueeze(0);
    let rise = (&labels * 10 + 8).to_kind(Kind::Double).unsqueeze(1);
    let _ = x.select(2, 1).g_add_(&(time - rise).tanh());
    (x, labels)
}

fn save_labelled(desk: &Desk, name: &str) {
    let ((x, y), (x_test, y_test)) = (early_or_late("train", 40), early_or_late("test", 21));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

/// How fast a sine with some noise swings is to be told, in units of its own.
fn save_frequencies(desk: &Desk, name: &str) {
    let part = |name: &str, count: i64| {
        let fast = noise(name, &[count, 1]);
        let time = Tensor::arange(40, (Kind::Double, Device::Cpu)).unsqueeze(0);
        let phase = noise(&format!("phase of {name}"), &[count, 1]) * 3.0;
        let x = ((&fast * 0.15 + 0.8) * time + phase).sin() + noise(&format!("noise of {name}"), &[count, 40]) * 0.1;
        (x.unsqueeze(2), fast.squeeze_dim(1) * 50.0 + 1e4)
    };
    let ((x, y), (x_test, y_test)) = (part("train", 80), part("test", 20));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

#[test]
fn convolutions_learn_and_their_folder_is_complete() {
    let desk = Desk::new();
    save_labelled(&desk, "d.npz");
    let found = desk.bd_json(&["train", "conv", "--data", "d.npz", "--features", "500", "--out", "run"]);
    assert_eq!(metric(&found, "test_accuracy"), 1.0);
    assert!(metric(&found, "validation_accuracy") > 0.9 && metric(&found, "validation_standard_error") < 0.1);
    for name in ["config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "predictions.npz"] {
        assert!(desk.path("run").join(name).is_file(), "{name}");
    }
    // The same again, by its configuration, whatever the threads.
    desk.bd_json(&["train", "conv", "--config", "run/config.json", "--threads", "1", "--out", "again"]);
    for name in ["model.safetensors", "predictions.npz"] {
        assert!(same_bytes(&desk, name, "run", "again"), "{name}");
    }
    let eval = desk.bd_json(&["eval", "run"]);
    assert_eq!(metric(&eval, "test_accuracy"), 1.0);
    assert_eq!(metric(&eval, "test_loss"), metric(&found, "test_loss"));
    // Other sequences, and those of the test part under another name.
    let (x, y) = early_or_late("test", 21);
    save(&desk, "other.npz", &[("x", &x), ("y", &y)]);
    assert_eq!(
        metric(&desk.bd_json(&["eval", "run", "--data", "other.npz"]), "test_loss"),
        metric(&found, "test_loss")
    );
    desk.bd_json(&["predict", "run", "--input", "other.npz", "--output", "p.npz"]);
    assert_eq!(array(&desk, "p.npz", "score"), array(&desk, "run/predictions.npz", "score"));
    assert_eq!(array(&desk, "p.npz", "class"), y);
}

#[test]
fn convolutions_learn_numbers_in_their_units() {
    let desk = Desk::new();
    save_frequencies(&desk, "d.npz");
    let found = desk.bd_json(&["train", "conv", "--data", "d.npz", "--out", "run"]);
    assert!(metric(&found, "test_nmse") < 0.2, "{found}");
    let (predicted, target) =
        (array(&desk, "run/predictions.npz", "prediction"), array(&desk, "run/predictions.npz", "target"));
    let mse = (predicted - target).square().mean(Kind::Double).double_value(&[]);
    assert!((mse / metric(&found, "test_mse") - 1.0).abs() < 1e-12);
}

#[test]
fn what_convolutions_cannot_learn_is_refused() {
    let desk = Desk::new();
    let x = noise("x", &[20, 8, 1]);
    let y = x.cumsum(1, Kind::Double);
    save(&desk, "steps.npz", &[("x", &x), ("y", &y)]);
    save_labelled(&desk, "d.npz");
    for (args, words) in [
        (&["--data", "steps.npz"][..], "conv gives one output for a sequence"),
        (&["--data", "d.npz", "--features", "83"], "model.features"),
        (&["--data", "d.npz", "--alpha", "0"], "ridge.alpha"),
        (&["--data", "d.npz", "--validation", "1"], "data.validation is 1"),
        (&["--data", "d.npz", "--device", "cuda"], "computed on the CPU"),
        (&[], "name it by --data FILE"),
    ] {
        refused_by(&desk, &[&["train", "conv", "--out", "run"], args].concat(), 2, words);
    }
    desk.bd_json(&["train", "conv", "--data", "d.npz", "--features", "84", "--out", "run"]);
    refused_by(&desk, &["train", "--resume", "run"], 2, "a run of conv");
    refused_by(&desk, &["train", "conv", "--data", "d.npz", "--alpha", "1e-300"], 2, "round-off");
    refused_by(&desk, &["predict", "run", "--input", "d.npz", "--output", "p.npz", "--record", "r.h"], 2, "--record");
}

/// All jobs with time enough, and networks that are trained in a moment.
fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let networks = ["--set", "epochs=3", "--set", "model.hidden=[4]", "--set", "early_stopping=null"];
    [&["train", "auto", "--budget", "100000"][..], &networks, more].concat()
}

/// Convolutions see no level far from the ends, and the label of each sequence is that of its last step's sign; conv is still tried, and
/// the best is not always the first.
#[test]
fn the_first_job_is_not_the_best_where_another_is() {
    let desk = Desk::new();
    let part = |name: &str, count: i64| {
        let x = noise(name, &[count, 40, 1]);
        let y = x.select(1, 39).squeeze_dim(1).gt(0.0).to_kind(Kind::Int64);
        (x, y)
    };
    let ((x, y), (x_test, y_test)) = (part("train", 300), part("test", 100));
    save(&desk, "d.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    let ended = desk.bd(&quick(&["--data", "d.npz", "--json", "--out", "all"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["best"], "esn", "{found}");
    assert!(metric(&found, "test_accuracy") > 0.9, "{found}");
}

/// Numbers that are all the same have no variance to measure errors by.
#[test]
fn numbers_that_do_not_vary_are_learned_all_the_same() {
    let desk = Desk::new();
    let x = noise("x", &[12, 9, 1]);
    let y = Tensor::from_slice(&[2.5f64; 12]);
    save(&desk, "d.npz", &[("x", &x), ("y", &y)]);
    let ended = desk.bd(&quick(&["--data", "d.npz", "--out", "all"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(desk.path("all/auto.json").is_file());
}

#[test]
fn a_reservoir_learns_sequences_with_settings_that_it_chooses() {
    let desk = Desk::new();
    save_labelled(&desk, "d.npz");
    let args = ["train", "esn", "--data", "d.npz", "--units", "40", "--search", "3"];
    let found = desk.bd_json(&[&args[..], &["--out", "run"]].concat());
    assert!(metric(&found, "test_accuracy") > 0.9, "{found}");
    let config = json_of(&desk, "run/config.json");
    assert_eq!((&config["search"], &config["model"]["reservoir"]["units"]), (&0.into(), &40.into()));
    desk.bd_json(&["train", "esn", "--config", "run/config.json", "--out", "again"]);
    assert!(
        same_bytes(&desk, "model.safetensors", "run", "again") && same_bytes(&desk, "predictions.npz", "run", "again")
    );
    let (x, y) = early_or_late("test", 21);
    save(&desk, "other.npz", &[("x", &x), ("y", &y)]);
    desk.bd_json(&["predict", "run", "--input", "other.npz", "--output", "p.npz"]);
    assert_eq!(array(&desk, "p.npz", "score"), array(&desk, "run/predictions.npz", "score"));
}

#[test]
fn an_echo_state_network_forecasts_and_goes_on() {
    let desk = Desk::new();
    let found = desk.bd_json(&["train", "esn", "--units", "60", "--out", "run"]);
    for figure in ["series", "free-run", "spectrum", "states"] {
        assert!(desk.path(&format!("run/plots/{figure}.svg")).is_file(), "{figure}");
    }
    let one = found["metrics"].as_object().unwrap();
    assert!(
        one.iter().any(|(name, value)| name.contains("nrmse") && value.as_f64().is_some_and(|x| x < 0.05)),
        "{found}"
    );
    desk.bd_json(&["train", "esn", "--config", "run/config.json", "--out", "again"]);
    assert!(
        same_bytes(&desk, "model.safetensors", "run", "again") && same_bytes(&desk, "predictions.npz", "run", "again")
    );
    assert_eq!(metric(&desk.bd_json(&["eval", "run"]), "test_mse.1"), metric(&found, "test_mse.1"));
    refused_by(&desk, &["train", "esn", "--leak", "0"], 2, "reservoir.leak");
    refused_by(&desk, &["train", "esn", "--spectral-radius", "-1"], 2, "reservoir.spectral_radius");
    refused_by(&desk, &["train", "esn", "--washout", "100000"], 2, "--washout");
    refused_by(&desk, &["train", "ngrc", "--set", "reservoir.units=3"], 2, "unknown configuration key reservoir");
}

/// The folder stands for the run of the best.
#[test]
fn the_best_of_all_jobs_is_chosen_on_samples_that_were_held_out() {
    let desk = Desk::new();
    save_labelled(&desk, "d.npz");
    let ended = desk.bd(&quick(&["--data", "d.npz", "--json", "--out", "all"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let tried = found["tried"].as_array().unwrap();
    assert_eq!(
        tried.iter().map(|tried| tried["job"].as_str().unwrap()).collect::<Vec<_>>(),
        ["conv", "esn", "rnn", "snn"]
    );
    assert_eq!(found["best"], "conv", "{found}");
    assert_eq!(found["metrics"], tried[0]["metrics"]);
    assert!(tried.iter().all(|tried| tried["metrics"]["validation_accuracy"].is_number()), "{found}");
    let written = json_of(&desk, "all/auto.json");
    assert_eq!(written["tried"], found["tried"]);
    let (x, y) = early_or_late("test", 21);
    save(&desk, "other.npz", &[("x", &x), ("y", &y)]);
    for (run, output) in [("all", "all/p.npz"), ("all/conv", "all/conv/p.npz")] {
        desk.bd_json(&["predict", run, "--input", "other.npz", "--output", output]);
    }
    assert!(same_bytes(&desk, "p.npz", "all", "all/conv"));
    assert_eq!(
        metric(&desk.bd_json(&["eval", "all/rnn"]), "test_loss"),
        tried[2]["metrics"]["test_loss"].as_f64().unwrap()
    );
    refused_by(&desk, &["train", "--resume", "all"], 2, "a run of conv");
}

#[test]
fn jobs_that_a_file_is_not_for_are_left_out_in_words() {
    let desk = Desk::new();
    let x = noise("x", &[20, 8, 1]);
    save(&desk, "steps.npz", &[("x", &x), ("y", &x.cumsum(1, Kind::Double))]);
    let ended = desk.bd(&quick(&["--data", "steps.npz", "--out", "all"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("conv  it gives one output for a sequence"), "{}", ended.stdout);
    assert!(!desk.path("all/conv").exists() && desk.path("all/rnn/model.safetensors").is_file());
}

#[test]
fn a_file_that_no_job_can_learn_leaves_nothing() {
    let desk = Desk::new();
    save_labelled(&desk, "d.npz");
    for (args, words) in [
        (&["--budget", "0"][..], "budget"),
        (&["--validation", "2"], "no job could learn the file"),
        (&["--validation", "0"], "data.validation is 0"),
        (&["--test-fraction", "0.5"], "there is a test part already"),
        (&["--threads", "0"], "threads is 0"),
    ] {
        refused_by(&desk, &[&["train", "auto", "--data", "d.npz", "--out", "all"], args].concat(), 2, words);
    }
}
