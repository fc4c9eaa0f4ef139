//! Spikes with times for `bd train conv` and `esn`, which count them in windows; and numbers to tell at each step.

use bd_core::npz::save_npz;
use tch::{Device, Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, noise, refused_by, same_bytes, save};
use crate::snn_data::{events, of_part, spikes};

/// Steps of a recording, of 4 ms as in [`events`].
const STEPS: i64 = 50;

/// Labelled samples of 8 units, which spike for 120 ms.
fn save_labelled(desk: &Desk) {
    let ((x, y), (x_test, y_test)) = (spikes("train", 60), spikes("test", 21));
    let mut arrays = of_part("train", events(&x), y);
    arrays.extend(of_part("test", events(&x_test), y_test));
    save_npz(&desk.path("labelled.npz"), &arrays).unwrap();
}

/// Samples of 4 units, and what gathers their spikes, `f <- 0.8 f + x w + 0.2`, at each of 50 steps; in the units of a balance.
fn gathered(name: &str, count: i64) -> (Tensor, Tensor) {
    let x = noise(name, &[count, STEPS, 4]).gt(0.8).to_kind(Kind::Double);
    let weights = Tensor::from_slice(&[1.0, 2.0, -1.0, 0.5]).unsqueeze(1);
    let mut force = Tensor::zeros([count, 1], (Kind::Double, Device::Cpu));
    let mut all = Vec::new();
    for step in 0..STEPS {
        force = force * 0.8 + x.select(1, step).matmul(&weights) + 0.2;
        all.push(&force * 10.0 + 500.0);
    }
    (x, Tensor::stack(&all, 1))
}

fn save_gathered(desk: &Desk) {
    let ((x, y), (x_test, y_test)) = (gathered("train", 24), gathered("test", 8));
    let mut arrays = of_part("train", events(&x), y);
    arrays.extend(of_part("test", events(&x_test), y_test));
    save_npz(&desk.path("force.npz"), &arrays).unwrap();
}

#[test]
fn spikes_are_counted_in_windows_and_learned() {
    let desk = Desk::new();
    save_labelled(&desk);
    for job in ["conv", "esn"] {
        let small = if job == "conv" { ["--features", "500"] } else { ["--search", "2"] };
        let train = [&["train", job, "--data", "labelled.npz", "--out", job], &small[..]].concat();
        let ended = desk.bd(&train);
        // The last spike is in the middle of the last of 30 steps of 4 ms, at 118 ms, so that windows take 119.
        assert!(ended.stderr.contains("counted in 100 windows of 1.190 ms"), "{}", ended.stderr);
        let config = json_of(&desk, &format!("{job}/config.json"));
        assert_eq!((&config["data"]["window_ms"], &config["data"]["steps"]), (&1.19.into(), &100.into()));
        let found = desk.bd_json(&["eval", job]);
        assert!(metric(&found, "test_accuracy") > 0.9, "{job}: {found}");
        let output = format!("{job}.npz");
        desk.bd_json(&["predict", job, "--input", "labelled.npz", "--output", &output]);
        assert_eq!(array(&desk, &output, "score"), array(&desk, &format!("{job}/predictions.npz"), "score"), "{job}");
        // By its configuration, and with windows of another length.
        let again = ["train", job, "--config", &format!("{job}/config.json"), "--out", &format!("{job}2")];
        desk.bd_json(&again);
        assert!(same_bytes(&desk, "predictions.npz", job, &format!("{job}2")), "{job}");
        let ended = desk.bd(&[&train[..4], &["--dt", "10", "--out", &format!("{job}3")], &small[..]].concat());
        assert!(ended.stderr.contains("counted in 12 windows of 10.00 ms"), "{}", ended.stderr);
    }
}

/// What a reservoir gathers is a linear map of its states, if there is a leak near enough.
#[test]
fn a_reservoir_tells_numbers_at_each_step() {
    let desk = Desk::new();
    save_gathered(&desk);
    let found =
        desk.bd_json(&["train", "esn", "--data", "force.npz", "--set", "model.reservoir.units=100", "--out", "run"]);
    assert!(metric(&found, "test_nmse") < 0.1 && metric(&found, "validation_nmse") < 0.1, "{found}");
    let (prediction, target) =
        (array(&desk, "run/predictions.npz", "prediction"), array(&desk, "run/predictions.npz", "target"));
    assert_eq!((prediction.size(), &target), (vec![8, STEPS, 1], &gathered("test", 8).1));
    let mse = (&prediction - target).square().mean(Kind::Double).double_value(&[]);
    assert!((mse / metric(&found, "test_mse") - 1.0).abs() < 1e-12);
    desk.bd_json(&["predict", "run", "--input", "force.npz", "--output", "p.npz"]);
    assert_eq!(array(&desk, "p.npz", "prediction"), prediction);
}

/// Labels of steps, of sequences of several lengths: whatever stands in padding.
#[test]
fn a_reservoir_tells_labels_of_steps_and_padding_does_not_count() {
    let desk = Desk::new();
    let part = |name: &str, count: i64| {
        let x = noise(name, &[count, 30, 1]);
        let y = x.cumsum(1, Kind::Double).squeeze_dim(2).gt(0.0).to_kind(Kind::Int64);
        let len = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(20) + 11;
        (x, y, len)
    };
    let ((x, y, len), (x_test, y_test, len_test)) = (part("train", 40), part("test", 20));
    let train = |fill: f64, name: &str| {
        let pad = |x: &Tensor, len: &Tensor| {
            let padding = Tensor::arange(30, (Kind::Int64, Device::Cpu)).unsqueeze(0).ge_tensor(&len.unsqueeze(1));
            x.masked_fill(&padding.unsqueeze(2), fill)
        };
        let (x, x_test) = (pad(&x, &len), pad(&x_test, &len_test));
        let test = [("x_test", &x_test), ("y_test", &y_test), ("len_test", &len_test)];
        save(&desk, name, &[&[("x_train", &x), ("y_train", &y), ("len_train", &len)], &test[..]].concat());
        desk.bd_json(&[
            "train",
            "esn",
            "--data",
            name,
            "--units",
            "60",
            "--search",
            "5",
            "--out",
            &format!("of-{name}"),
        ])
    };
    let (found, other) = (train(0.0, "a.npz"), train(77.0, "b.npz"));
    assert!(metric(&found, "test_accuracy") > 0.9, "{found}");
    assert_eq!(metric(&found, "test_loss"), metric(&other, "test_loss"));
}

/// Without `--dt`: as many steps as there are targets, within which all spikes are. The readout's time constant is one of five.
#[test]
fn a_spiking_network_takes_its_steps_from_the_targets() {
    let desk = Desk::new();
    save_gathered(&desk);
    let small = ["--hidden", "20", "--epochs", "3", "--ensemble", "1"];
    let train = |more: &[&str]| desk.bd(&[&["train", "snn", "--data", "force.npz"], &small[..], more].concat());
    let ended = train(&["--out", "run"]);
    assert!(ended.stderr.contains("50 steps, one for each target, of 3.980 ms"), "{}", ended.stderr);
    assert!(ended.stderr.contains("ms is chosen by ridge regression"), "{}", ended.stderr);
    let config = json_of(&desk, "run/config.json");
    let (tau_ms, dt) = (config["model"]["readout"]["tau_ms"].as_f64().unwrap(), config["dt"].as_f64().unwrap());
    assert!([1.0, 3.0, 10.0, 30.0, 100.0].contains(&(tau_ms / dt).round()), "{tau_ms}");
    desk.bd_json(&["train", "snn", "--config", "run/config.json", "--out", "again"]);
    assert!(same_bytes(&desk, "model.safetensors", "run", "again"));
    let ended = train(&["--out", "set", "--dt", "4", "--set", "model.readout.tau_ms=7"]);
    assert!(ended.code == 0 && !ended.stderr.contains("is chosen by"), "{}", ended.stderr);
}

#[test]
fn every_job_that_can_learn_spikes_is_tried() {
    let desk = Desk::new();
    save_gathered(&desk);
    let quick = ["--set", "epochs=1", "model.hidden=[4]", "early_stopping=null", "model.reservoir.units=30"];
    let ended = desk
        .bd(&[&["train", "auto", "--data", "force.npz", "--budget", "100000", "--out", "all"], &quick[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(desk.path("all/esn").is_dir() && desk.path("all/snn").is_dir() && !desk.path("all/conv").exists());
    assert!(ended.stderr.contains("is that of esn, the best"), "{}", ended.stderr);
}

#[test]
fn windows_that_cannot_be_are_refused() {
    let desk = Desk::new();
    save_labelled(&desk);
    save_gathered(&desk);
    save(&desk, "numbers.npz", &[("x", &noise("x", &[20, 8, 1])), ("y", &noise("y", &[20]))]);
    for (file, args, words) in [
        ("labelled.npz", &["--dt", "0"][..], "data.window_ms is 0"),
        ("labelled.npz", &["--dt", "1e-7"], "Times are in seconds"),
        ("labelled.npz", &["--set", "data.steps=0"], "data.steps is 0"),
        ("force.npz", &["--set", "data.steps=49"], "50, for each of which the file has a target"),
        ("force.npz", &["--set", "model.reads=mean"], "model.reads must be each"),
        ("labelled.npz", &["--set", "model.reads=each"], "model.reads must be mean, last or mean_and_last"),
        ("numbers.npz", &["--dt", "3"], "the file has no spikes with times"),
    ] {
        refused_by(&desk, &[&["train", "esn", "--data", file], args].concat(), 2, words);
    }
    let few = ["train", "conv", "--data", "labelled.npz", "--set", "data.channels=7"];
    refused_by(&desk, &few, 7, "has a spike of unit 7 (its spike ");
}
