//! `bd train snn --model`: a network of populations as text, learned, read again, gone on with, and refused.

use std::fs;
use std::path::Path;

use bd_core::npz::load_npz;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::{Desk, json_of, metric, refused_by, reports, same_bytes};

/// `examples/ei_digits.toml` with 24 and 6 neurons, and 50 channels.
fn small_network() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ei_digits.toml");
    let text = fs::read_to_string(path).unwrap();
    let small = [
        ("n = 700", "n = 50"),
        ("n = 320", "n = 24"),
        ("n = 80", "n = 6"),
        ("p = 0.2", "p = 0.5"),
        ("dt_ms = 1", "dt_ms = 4"),
        ("0.12*rand()", "1.2*rand()"),
        ("delay = \"2*ms\"", "delay = \"8*ms\""),
        ("delay = \"1*ms\"", "delay = \"4*ms\""),
    ];
    small.into_iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

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
