//! `bd train snn --model`: a network of populations as text, learned, read again, gone on with, and refused.

use std::fs;
use std::path::Path;

use bd_core::npz::load_npz;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::{Desk, json_of, metric, refused_by, reports, same_bytes, small_network};

fn desk() -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("net.toml"), small_network()).unwrap();
    let digits = ["--train", "80", "--test", "20", "--classes", "4", "--channels", "50"];
    assert_eq!(desk.bd(&[&["data", "digits", "--out", "digits.npz"], &digits[..]].concat()).code, 0);
    desk
}

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let job = ["train", "snn", "--model", "net.toml", "--data", "digits.npz", "--batch", "16", "--lr", "1e-2"];
    [&job[..], more].concat()
}

fn weights(desk: &Desk, file: &str) -> Vec<(String, Tensor)> {
    Tensor::read_safetensors(desk.path(file)).unwrap()
}

#[test]
fn a_network_learns_and_its_folder_says_everything() {
    let desk = desk();
    let ended = desk.bd(&train(&["--epochs", "12", "--report-every", "12", "--out", "run"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for words in ["steps of 4 ms", "network 50-24-6-4", "Train 12 steps"] {
        assert!(ended.stderr.contains(words), "{words:?} not in {}", ended.stderr);
    }
    let reports = reports(&desk, "run");
    let trained: Vec<&Value> = reports.iter().filter(|line| line["split"] == "train").collect();
    let loss = |line: &Value| line["loss"].as_f64().unwrap();
    // It halves: 1.57 at the first report, 0.71 at the last.
    assert!(loss(trained[trained.len() - 1]) < 0.7 * loss(trained[0]), "{trained:?}");
    assert!(trained[0]["spike_rate.net.I"].as_f64().unwrap() > 1.0);

    // The text is in the configuration, so that the file is needed no more.
    let config = json_of(&desk, "run/config.json");
    assert_eq!(
        (&config["model"]["network"]["population"]["E"]["n"], &config["dt"]),
        (&Value::from(24), &Value::from(4.0))
    );
    fs::remove_file(desk.path("net.toml")).unwrap();
    let again = desk.bd(&["train", "snn", "--config", "run/config.json", "--out", "again"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(same_bytes(&desk, "model.safetensors", "run", "again"));
    let accuracy = metric(&desk.bd_json(&["eval", "run"]), "test_accuracy");
    assert_eq!(Value::from(accuracy), desk.bd_json(&["eval", "again"])["metrics"]["test_accuracy"]);
    let states = "net.E.spike,net.I.v,net.in.sent";
    desk.bd_json(&["predict", "run", "--input", "digits.npz", "--record", states, "--output", "out.npz"]);
    let arrays = load_npz(&desk.path("out.npz")).unwrap();
    assert!(states.split(',').all(|state| arrays.iter().any(|(name, _)| name == state)));
}

#[test]
fn a_network_goes_on_where_it_was_and_keeps_its_signs() {
    let desk = desk();
    desk.bd_json(&train(&["--epochs", "2", "--out", "run"]));
    desk.bd_json(&["train", "--resume", "run", "--epochs", "4"]);
    desk.bd_json(&train(&["--epochs", "4", "--out", "whole"]));
    assert!(same_bytes(&desk, "model.safetensors", "run", "whole"));
    let found = weights(&desk, "run/model.safetensors");
    let moved = |name: &str| &found.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1;
    let synapses = moved("net.E>I.g_e.weight");
    assert!(synapses.dim() == 1 && synapses.numel() < 24 * 6, "only synapses that are there have weights");
    assert!(moved("net.E.log_tau").std(false).double_value(&[]) > 0.0, "time constants are trained");
    assert!(moved("r2o.weight").abs().max().to_kind(Kind::Double).double_value(&[]) > 0.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let desk = desk();
    let text = small_network();
    let files = [
        ("wide.toml", text.replace("n = 50", "n = 51")),
        ("unread.toml", text.replace("[readout]\nfrom = \"E\"", "")),
        ("misread.toml", text.replace("[readout]\nfrom = \"E\"", "[readout]\nfrom = \"in\"")),
        ("misspelt.toml", text.replace("g_i*(E_i - v)", "g_i*(E_j - v)")),
        ("noisy.toml", text.replace("kind = \"input\"", "kind = \"poisson\"\nrate = \"5*Hz\"")),
    ];
    files.iter().for_each(|(name, text)| fs::write(desk.path(name), text).unwrap());
    let with = |model: &'static str| ["train", "snn", "--data", "digits.npz", "--model", model, "--out", "run"];
    refused_by(&desk, &with("wide.toml"), 2, "the input of the network has 51 neurons, and the data have 50 channels");
    refused_by(&desk, &with("unread.toml"), 2, "name the population that is read: [readout], from = \"E\"");
    refused_by(&desk, &with("misread.toml"), 2, "'in' has no neurons; a readout reads neurons");
    refused_by(&desk, &with("misspelt.toml"), 2, "'E_j' is not defined");
    refused_by(&desk, &with("noisy.toml"), 2, "it has 0 populations of kind 'input'");
    refused_by(&desk, &with("none.toml"), 2, "none.toml: cannot be read");
    refused_by(&desk, &train(&["--dt", "1"]), 2, "dt is 1, but the network is written for steps of dt_ms = 4");
    refused_by(&desk, &train(&["--hidden", "5"]), 2, "unknown configuration key model.hidden");
}

/// `examples/lags.toml`, and what its first lines say of how it is trained.
fn lags(desk: &Desk) -> Vec<&'static str> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/lags.toml");
    let text = fs::read_to_string(path).unwrap();
    let settings = LAGS_SETTINGS.join(" ");
    assert!(text.contains(&settings), "{settings} is not what the file says");
    fs::write(desk.path("lags.toml"), &text).unwrap();
    // The same network whose delays stay what they are.
    let line = text.lines().find(|line| line.starts_with("delay = ")).unwrap();
    let begin = line.split('"').nth(1).unwrap();
    fs::write(desk.path("fixed.toml"), text.replace(line, &format!("delay = \"{begin}\""))).unwrap();
    assert_eq!(desk.bd(&["data", "lags", "--out", "lags.npz"]).code, 0);
    [&["train", "snn", "--data", "lags.npz"][..], &LAGS_SETTINGS].concat()
}

const LAGS_SETTINGS: [&str; 8] =
    ["--steps", "80", "--set", "model.synapse.tau_ms=1", "--set", "model.readout.tau_ms=1", "--set", "loss.over=sum"];

/// Both classes have the same spikes in each channel: without delays that differ by the lag they look alike.
#[test]
fn a_lag_is_learned_by_delays_and_by_nothing_else() {
    let desk = Desk::new();
    let job = lags(&desk);
    let accuracy = |model: &str| {
        let name = model.split('.').next().unwrap();
        let ended = desk.bd_json(&[&job[..], &["--model", model, "--epochs", "40", "--out", name]].concat());
        metric(&ended, "test_accuracy")
    };
    let (learned, fixed) = (accuracy("lags.toml"), accuracy("fixed.toml"));
    assert!(learned >= 0.99 && (fixed - 0.5).abs() <= 0.06, "{learned} with delays that are learned, {fixed} without");
    // Judged as it is saved.
    assert_eq!(metric(&desk.bd_json(&["eval", "lags"]), "test_accuracy"), learned);
    let found = weights(&desk, "lags/model.safetensors");
    let delay = &found.iter().find(|(name, _)| name == "net.in>H.v.delay").unwrap().1;
    let [least, most] = [delay.min(), delay.max()].map(|bound| bound.double_value(&[]));
    assert!(least >= 0.0 && most <= 1.0, "{least} to {most}");
}

#[test]
fn delays_that_are_learned_go_on_where_they_were() {
    let desk = Desk::new();
    let job = lags(&desk);
    let run = |more: &[&'static str]| desk.bd_json(&[&job[..], &["--model", "lags.toml"], more].concat());
    run(&["--out", "whole", "--threads", "2", "--epochs", "3"]);
    run(&["--out", "run", "--threads", "1", "--epochs", "1"]);
    desk.bd_json(&["train", "--resume", "run", "--epochs", "3"]);
    assert!(same_bytes(&desk, "model.safetensors", "run", "whole"));
}

/// Synapses of a file, each with its delay, are part of the run.
#[test]
fn synapses_of_a_file_are_trained() {
    let desk = desk();
    let text = small_network().replacen(
        "connect = { rule = \"fixed_probability\", p = 0.5 }\nweight = \"0.02*rand()\"\ndelay = \"8*ms\"",
        "connect = { rule = \"from_file\", file = \"edges.csv\" }\nweight = 0.02",
        1,
    );
    let text = text.replace(
        "to = [\"E.g_e\", \"I.g_e\"]\nconnect = { rule = \"from_file\"",
        "to = \"E.g_e\"\nconnect = { rule = \"from_file\"",
    );
    assert!(text.contains("edges.csv"));
    fs::write(desk.path("net.toml"), text).unwrap();
    let synapses = (0..60).map(|i| format!("{},{},{},{}\n", i % 24, (7 * i) % 24, 1 + i % 3, 4 * (i % 5)));
    fs::write(desk.path("edges.csv"), format!("source,target,weight,delay_ms\n{}", synapses.collect::<String>()))
        .unwrap();
    desk.bd_json(&train(&["--epochs", "2", "--out", "run"]));
    fs::remove_file(desk.path("edges.csv")).unwrap();
    fs::remove_file(desk.path("net.toml")).unwrap();
    assert_eq!(
        weights(&desk, "run/model.safetensors").iter().find(|(name, _)| name == "net.E>E.g_e.weight").unwrap().1.size(),
        [60]
    );
    desk.bd_json(&["eval", "run"]);
    desk.bd_json(&["train", "--resume", "run", "--epochs", "3"]);
}
