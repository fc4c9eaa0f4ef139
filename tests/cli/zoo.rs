//! `bd zoo`, `bd check --model`, and networks of what they show.

use std::fs;

use crate::common::{Desk, refused_by};

/// The smallest network that trains.
fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["train", "snn", "--samples", "4", "--steps", "40", "--hidden", "3", "--epochs", "1"];
    [&usual[..], more].concat()
}

#[test]
fn all_neurons_are_listed() {
    let ended = Desk::new().bd(&["zoo"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 1 + 24);
    assert_eq!(
        lines[8],
        "adex                  3  exponential_euler  Adaptive exponential integrate-and-fire neuron, to be trained"
    );
    let neurons = Desk::new().bd_json(&["zoo"])["neurons"].clone();
    assert_eq!(neurons.as_array().unwrap().len(), 24);
    assert_eq!((&neurons[7]["name"], &neurons[7]["states"]), (&"adex".into(), &3.into()));
}

/// `v` rises to -55 mV in 10.99 ms from 20 ms on: a spike each 3.3 columns of 60, which are 3.33 ms each.
const LIF: &str = "\
# states
#   v            mV            -70 at first
#   spike        1             0 at first
# inputs
#   I            1 means 375 pA
#
# v, where I of 562.5 pA (an input of 1.5) sets in at 20 ms; steps of 0.1 ms, 16 spikes
#        spikes          |  |  |   |  |  |   |  |  |  |   |  |  |   |  |  |
#     -55.06 mV ⠀⠀⠀⠀⠀⠀⠀⠀⢰⡇⠀⢀⣿⠀⠀⣼⠀⠀⢰⡇⠀⢀⡇⠀⠀⣾⠀⠀⣸⡇⠀⢠⡇⠀⠀⣾⠀⠀⣸⠀⠀⢰⡇⠀⢀⣿⠀⠀⣼⠀⠀⢰⡇⠀⢀⡇⠀⠀⣾⠀
#               ⠀⠀⠀⠀⠀⠀⠀⠀⡎⡇⠀⣸⢸⠀⢰⢻⠀⢀⡏⡇⠀⡼⡇⠀⢰⢹⠀⢀⡇⡇⠀⡞⡇⠀⣸⢹⠀⢠⢿⠀⠀⡎⡇⠀⣸⢸⠀⢰⢻⠀⢀⡏⡇⠀⡼⡇⠀⢰⢹⠀
#               ⠀⠀⠀⠀⠀⠀⠀⢸⠁⡇⢀⡇⢸⠀⡞⢸⠀⢸⠀⡇⢠⠇⡇⠀⡏⢸⠀⣸⠀⡇⢰⠃⡇⠀⡇⢸⠀⡼⢸⠀⢸⠁⡇⢀⡇⢸⠀⡞⢸⠀⢸⠀⡇⢠⠇⡇⠀⡏⢸⠀
#               ⠀⠀⠀⠀⠀⠀⠀⡎⠀⡇⢸⠀⢸⢠⠃⢸⠀⡏⠀⡇⡸⠀⡇⢰⠁⢸⠀⡇⠀⡇⡜⠀⡇⢸⠁⢸⢀⠇⢸⠀⡎⠀⡇⢸⠀⢸⢠⠃⢸⠀⡏⠀⡇⡸⠀⡇⢰⠁⢸⠀
#               ⠀⠀⠀⠀⠀⠀⢠⠇⠀⡇⡇⠀⢸⣸⠀⢸⢰⠃⠀⡇⡇⠀⡇⡼⠀⢸⢸⠀⠀⣇⡇⠀⡇⡞⠀⢸⢸⠀⢸⢠⠇⠀⡇⡇⠀⢸⣸⠀⢸⢰⠃⠀⡇⡇⠀⡇⡼⠀⢸⢸
#               ⠀⠀⠀⠀⠀⠀⢸⠀⠀⣷⠃⠀⢸⡇⠀⢸⡸⠀⠀⣿⠁⠀⡇⡇⠀⢸⡞⠀⠀⣿⠀⠀⣇⠇⠀⢸⡏⠀⢸⢸⠀⠀⣷⠃⠀⢸⡇⠀⢸⡸⠀⠀⣿⠁⠀⡇⡇⠀⢸⡞
#               ⠀⠀⠀⠀⠀⠀⡏⠀⠀⣿⠀⠀⢸⠃⠀⢸⡇⠀⠀⡿⠀⠀⣿⠁⠀⢸⡇⠀⠀⡟⠀⠀⣿⠀⠀⢸⠇⠀⢸⡏⠀⠀⣿⠀⠀⢸⠃⠀⢸⡇⠀⠀⡿⠀⠀⣿⠁⠀⢸⡇
#     -70.00 mV ⣀⣀⣀⣀⣀⣀⡇⠀⠀⡏⠀⠀⢸⠀⠀⢸⠃⠀⠀⡇⠀⠀⣿⠀⠀⢸⠁⠀⠀⡇⠀⠀⡟⠀⠀⢸⠀⠀⢸⡇⠀⠀⡏⠀⠀⢸⠀⠀⢸⠃⠀⠀⡇⠀⠀⣿⠀⠀⢸⠁
#               0                                                     200 ms
";

#[test]
fn a_neuron_is_a_file_with_a_picture() {
    let ended = Desk::new().bd(&["zoo", "lif"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout, format!("{}{LIF}", bd_equations::zoo::toml("lif").unwrap()));
    let found = Desk::new().bd_json(&["zoo", "lif"]);
    assert_eq!(found["inputs"], serde_json::json!([{"name": "I", "unit": "pA", "one_means": 375.0}]));
    let response = &found["response"];
    assert_eq!(
        (&response["input"], &response["from_ms"], &response["state"]),
        (&1.5.into(), &20.0.into(), &"v".into())
    );
    assert_eq!(
        (response["values"].as_array().unwrap().len(), response["spikes_ms"].as_array().unwrap().len()),
        (2000, 16)
    );
}

/// What is printed of each is read again, and trained.
#[test]
fn a_printed_neuron_trains() {
    let desk = Desk::new();
    let mine = desk.bd(&["zoo", "adex"]).stdout.replace("b = \"80.5*pA\"", "b = \"40*pA\"");
    fs::write(desk.path("mine.toml"), mine).unwrap();
    let found = desk.bd_json(&small(&["--set", "model.neuron=mine.toml", "--out", "run"]));
    assert!(found["metrics"]["train_loss"].is_number(), "{found}");
    let config = crate::common::json_of(&desk, "run/config.json");
    assert_eq!(config["model"]["neuron"]["constants"]["b"], "40*pA");
    assert!(desk.bd(&["zoo", "mine.toml"]).stdout.contains("\n# states\n"));
}

#[test]
fn one_neuron_is_examined() {
    let desk = Desk::new();
    // As in the zoo, and with its upstroke in the gradient: golden numbers of crates/bd-equations/tests/gradients.rs.
    let mine = bd_equations::zoo::toml("adex").unwrap().replace("detached = [\"upstroke\"]\n", "");
    fs::write(desk.path("mine.toml"), mine).unwrap();
    for (name, product) in [("adex", 1.0), ("mine.toml", 184.16677)] {
        let found = desk.bd_json(&["check", "--model", name]);
        assert!((found["metrics"]["largest_product"].as_f64().unwrap() - product).abs() < 1e-4, "{found}");
        assert_eq!((&found["metrics"]["checks"], &found["metrics"]["failed"]), (&4.into(), &0.into()));
        assert!(found["models"][0]["spikes"].as_u64().unwrap() > 0, "{found}");
    }
    let ended = desk.bd(&["check", "--model", "adex_2005"]);
    let words = "largest product of derivatives over steps of 0.1 ms: 10^12.0, above 10^6, so that it is trained in float64 only";
    assert!(ended.code == 0 && ended.stdout.contains(words), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_is_refused() {
    let desk = Desk::new();
    fs::write(desk.path("wrong.toml"), "equations = \"dv/dt = -u/ms : 1\"\n").unwrap();
    for command in [&["zoo"][..], &["check", "--model"]] {
        let ended_with = |code: i32, name: &str, words: &str| {
            refused_by(&desk, &[command, &[name][..]].concat(), code, words);
        };
        let refused = |name: &str, words: &str| ended_with(2, name, words);
        refused("adx", "'adx' is no neuron of the zoo. Is 'adex' meant? There are if, lif, lif_ref");
        ended_with(7, "absent.toml", "absent.toml: cannot be read: No such file");
        refused("wrong.toml", "wrong.toml: equations, line 1, column 10: 'u' is not defined");
    }
    refused_by(&desk, &["check", "--model", "lif", "--dt", "0"], 2, "a step of 0 ms cannot be; it must be above 0");
    // Gradients of 10^12 are beyond float32.
    let words = "over steps of 0.1 ms the derivative of v by what it was before grows to 10^12.0, and float32 holds gradients up to 10^6; \
                 let it spike nearer to where its upstroke begins, as adex does with its V_peak and adex_2005 does not, or set dtype to f64";
    refused_by(&desk, &small(&["--set", "model.neuron=adex_2005"]), 2, words);
    assert_eq!(desk.bd(&small(&["--set", "model.neuron=adex_2005", "--dtype", "f64", "--out", "run"])).code, 0);
}
