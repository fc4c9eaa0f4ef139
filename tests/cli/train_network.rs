//! `bd train snn --model`: a network of populations as text, learned, read again, gone on with, and refused.

use std::fs;
use std::path::Path;

use bd_core::npz::load_npz;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, refused_by, reports, same_bytes, save, small_network};

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
        ("carries.toml", text.replacen("from = \"E\"\n", "from = \"E\"\ncarries = \"w\"\n", 1)),
        ("empty.toml", text.replacen("p = 0.5", "p = 0", 1)),
        ("noisy.toml", text.replace("kind = \"input\"", "kind = \"poisson\"\nrate = \"5*Hz\"")),
    ];
    files.iter().for_each(|(name, text)| fs::write(desk.path(name), text).unwrap());
    let with = |model: &'static str| ["train", "snn", "--data", "digits.npz", "--model", model, "--out", "run"];
    refused_by(&desk, &with("wide.toml"), 2, "the input of the network has 51 neurons, and the data have 50 channels");
    refused_by(&desk, &with("unread.toml"), 2, "readout: name the population that is read: [readout], from = \"E\"");
    refused_by(&desk, &with("misread.toml"), 2, "'in' has no neurons; a readout reads neurons");
    refused_by(&desk, &with("misspelt.toml"), 2, "'E_j' is not defined");
    refused_by(
        &desk,
        &with("noisy.toml"),
        2,
        "noisy.toml, line 8, column 2: population: there are 0 populations of kind 'input'",
    );
    let words = "empty.toml, line 36, column 1: projection.1.connect: the projection 'in>E.g_e' has no synapses";
    refused_by(&desk, &with("empty.toml"), 2, words);
    refused_by(&desk, &with("carries.toml"), 2, "column 1: projection.2.carries: 'E' has no variable 'w'");
    refused_by(&desk, &with("none.toml"), 7, "none.toml: cannot be read");
    refused_by(&desk, &train(&["--dt", "1"]), 2, "dt is 1, but the network is written for steps of dt_ms = 4");
    refused_by(
        &desk,
        &train(&["--hidden", "5"]),
        2,
        "model.hidden is of a network of layers, and this one is written as text: set n of its populations in it",
    );
}

/// Synapses that tire, background and spikes at random: the same bytes with other threads and after a break, and predictions of all samples at
/// once are those of the run, which judged them batch by batch.
#[test]
fn noise_and_synapses_that_tire_are_trained() {
    let desk = Desk::new();
    // More samples than are judged at once.
    let digits = ["--train", "40", "--test", "70", "--classes", "4", "--channels", "50"];
    assert_eq!(desk.bd(&[&["data", "digits", "--out", "digits.npz"], &digits[..]].concat()).code, 0);
    let tiring = small_network()
        .replace(
            "tau : second (trained, positive)",
            "tau : second (trained, positive)\ndx/dt = (1 - x)/(80*ms) : 1\nr : 1",
        )
        .replace("reset = \"v = V_r\"", "reset = \"\"\"\nv = V_r\nr = 0.3*x\nx -= r\n\"\"\"")
        .replace("tau = \"20*ms\" }", "tau = \"20*ms\", x = 1 }")
        .replacen("from = \"E\"\n", "from = \"E\"\ntimes = \"r\"\n", 1);
    let noise = r#"
[population.unseen]
n = 8
kind = "poisson"
rate = "40*Hz"
[[projection]]
from = "unseen"
to = "E.g_e"
connect = { rule = "all_to_all" }
weight = 0.2
trained = true
[[background]]
to = ["E.g_e", "I.g_e"]
rate = "100*Hz"
weight = 0.1
"#;
    assert!(tiring.contains("times") && tiring.contains("x -= r") && tiring.contains("x = 1"));
    fs::write(desk.path("net.toml"), format!("{tiring}{noise}")).unwrap();
    desk.bd_json(&train(&["--epochs", "3", "--threads", "2", "--out", "whole"]));
    desk.bd_json(&train(&["--epochs", "1", "--threads", "1", "--out", "run"]));
    let before = weights(&desk, "run/model.safetensors");
    desk.bd_json(&["train", "--resume", "run", "--epochs", "3"]);
    assert!(
        same_bytes(&desk, "model.safetensors", "run", "whole") && same_bytes(&desk, "predictions.npz", "run", "whole")
    );
    let after = weights(&desk, "run/model.safetensors");
    for name in ["net.unseen>E.g_e.weight", "net.E>E.g_e.weight"] {
        let of = |all: &[(String, Tensor)]| all.iter().find(|(known, _)| known == name).unwrap().1.shallow_clone();
        assert_ne!(of(&before), of(&after), "{name}");
    }
    desk.bd_json(&["predict", "run", "--input", "digits.npz", "--record", "net.unseen.sent", "--output", "out.npz"]);
    assert_eq!(array(&desk, "out.npz", "score"), array(&desk, "run/predictions.npz", "score"));
    // 70 samples, 8 neurons: 40 Hz in steps of 4 ms.
    let rate = array(&desk, "out.npz", "net.unseen.sent").to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    assert!((rate - 0.16).abs() < 0.02, "{rate}");
    desk.bd_json(&["simulate", "run", "--data", "digits.npz", "--duration-ms", "400", "--out", "simulated"]);
}

/// Neurons that do not spike are read, and others that spike are pictured.
#[test]
fn rates_are_read_beside_neurons_that_spike() {
    let desk = desk();
    let rates = r#"
[population.R]
n = 5
equations = """
dy/dt = (in - y)/(20*ms) : 1
in : 1
rate = tanh(y) : 1
"""
inputs = { in = 1 }
output = "rate"
[[projection]]
from = "E"
to = "R.in"
connect = { rule = "all_to_all" }
weight = "0.3*randn()"
trained = true
"#;
    let text = small_network().replace("[readout]\nfrom = \"E\"", "[readout]\nfrom = \"R\"");
    fs::write(desk.path("net.toml"), format!("{text}{rates}")).unwrap();
    desk.bd_json(&train(&["--epochs", "2", "--out", "run"]));
    desk.bd_json(&["predict", "run", "--input", "digits.npz", "--record", "net.R.y", "--output", "out.npz"]);
    assert_eq!(array(&desk, "out.npz", "net.R.y").size()[2], 5);
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

/// Who is connected with whom stands beside the weights, in their order.
#[test]
fn synapses_are_told_with_their_weights() {
    let desk = desk();
    desk.bd_json(&train(&["--epochs", "1", "--ensemble", "2", "--out", "run"]));
    let (found, weights) = (load_npz(&desk.path("run/synapses.npz")).unwrap(), weights(&desk, "run/model.safetensors"));
    let of = |name: &str| &found.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1;
    let mut numbers = Vec::new();
    for member in ["1", "2"] {
        let name = format!("{member}.net.I>E.g_i");
        let [source, target] = ["source", "target"].map(|end| of(&format!("{name}.{end}")));
        assert_eq!((source.kind(), target.kind()), (Kind::Int, Kind::Int));
        assert!(source.max().int64_value(&[]) < 6 && target.max().int64_value(&[]) < 24);
        // By source, and within a source by target.
        let place = Vec::<i64>::try_from((source * 24 + target).to_kind(Kind::Int64)).unwrap();
        assert!(place.is_sorted_by(|a, b| a < b), "{place:?}");
        let weight = &weights.iter().find(|(known, _)| *known == format!("{name}.weight")).unwrap().1;
        assert_eq!(of(&format!("{name}.weight")), weight);
        assert!(of(&format!("{name}.delay_ms")).eq(4.0).all().int64_value(&[]) == 1);
        numbers.push(place);
    }
    assert_ne!(numbers[0], numbers[1], "each network has synapses of its own");
}

/// A population's spikes that `bd predict` records are those of the simulation of the run, whose input is the same sample: from the data, or from a
/// file of their spikes.
#[test]
fn a_trained_network_is_simulated() {
    let desk = desk();
    desk.bd_json(&train(&["--epochs", "2", "--out", "run"]));
    let states = "net.E.spike,net.I.spike,net.in.sent";
    desk.bd_json(&["predict", "run", "--input", "digits.npz", "--record", states, "--output", "out.npz"]);
    let recorded = |name: &str| {
        let whole = array(&desk, "out.npz", name).get(3).to_kind(Kind::Double);
        Vec::<i64>::try_from(whole.nonzero().flatten(0, -1)).unwrap()
    };
    let simulated = |out: &str, population: &str| {
        let file = format!("{out}/spikes.npz");
        let steps = (array(&desk, &file, &format!("{population}.times_ms")) / 4.0).round().to_kind(Kind::Int64);
        let neurons = array(&desk, &file, &format!("{population}.neurons"));
        Vec::<i64>::try_from(Tensor::stack(&[steps, neurons], 1).flatten(0, -1)).unwrap()
    };
    let steps = array(&desk, "out.npz", "net.E.spike").size()[1];
    let ms = format!("{}", 4 * steps);
    let simulate = ["simulate", "run", "--duration-ms", &ms, "--quiet"];
    let with_data = ["--data", "digits.npz", "--sample", "3", "--save-synapses", "--out", "of_data"];
    let found = desk.bd_json(&[&simulate[..], &with_data].concat());
    assert_eq!((&found["dt_ms"], &found["steps"]), (&Value::from(4.0), &Value::from(steps)));
    for population in ["E", "I"] {
        let expected = recorded(&format!("net.{population}.spike"));
        assert!(expected.len() > 20, "{} numbers of {population}", expected.len());
        assert_eq!(simulated("of_data", population), expected, "{population}");
    }
    // The same spikes from a file, and on other threads.
    let [times, neurons] =
        ["times_ms", "neurons"].map(|name| array(&desk, "of_data/spikes.npz", &format!("in.{name}")));
    save(&desk, "in.npz", &[("times_ms", &times), ("neurons", &neurons)]);
    desk.bd_json(&[&simulate[..], &["--spikes", "in.npz", "--threads", "1", "--out", "of_spikes"]].concat());
    assert!(same_bytes(&desk, "spikes.npz", "of_data", "of_spikes"));
    // With the weights that were trained, not those that they began with.
    let name = "E>I.g_e.weight";
    assert_eq!(array(&desk, "of_data/synapses.npz", name), array(&desk, "run/synapses.npz", &format!("net.{name}")));
    let config = json_of(&desk, "of_data/config.json");
    assert_eq!(config["weights_sha256"], json_of(&desk, "run/manifest.json")["weights_sha256"]);
    assert_eq!((&config["member"], &config["sample"], &config["dtype"]), (&1.into(), &3.into(), &"f32".into()));

    let refused = |args: &[&str], code: i32, words: &str| {
        refused_by(&desk, &[&["simulate", "run", "--duration-ms", "8"], args].concat(), code, words);
    };
    refused(&[], 2, "the input of a network that was trained is not in its run: name a file of spikes (--spikes)");
    refused(&["--data", "digits.npz", "--sample", "100"], 2, "sample is 100; it must be from 0 to 19");
    refused(
        &["--spikes", "in.npz", "--member", "2"],
        2,
        "member is 2; it must be from 1 to 1, the networks of the run",
    );
    refused(
        &["--spikes", "in.npz", "--seed", "7"],
        2,
        "seed is 7; it must be 0, by which the run has drawn its synapses",
    );
    refused(&["--spikes", "none.npz"], 7, "none.npz: cannot be read: No such file");
    refused_by(&desk, &["simulate", "net.toml", "--duration-ms", "8"], 2, "a simulation needs a 'file' of spikes");
    refused_by(
        &desk,
        &["simulate", "net.toml", "--duration-ms", "8", "--data", "digits.npz"],
        2,
        "data are for a network of a run, which says how they are read",
    );
    desk.bd_json(&["simulate", "net.toml", "--duration-ms", "8", "--spikes", "in.npz", "--out", "of_file"]);
    desk.bd_json(&["train", "snn", "--epochs", "1", "--steps", "5", "--samples", "4", "--out", "layers"]);
    let words = "layers: this run has not trained a network of populations";
    refused_by(&desk, &["simulate", "layers", "--duration-ms", "8"], 7, words);
}
