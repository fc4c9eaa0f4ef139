//! `bd check`: the table, the object of `--json`, the exit code.

use crate::common::{Desk, refused_by};
use bd_models::Surrogate;

/// Everything agrees on this machine, every model is there, and programs can read it.
#[test]
fn every_model_computes_what_it_should() {
    let desk = Desk::new();
    let found = desk.bd_json(&["check"]);
    assert_eq!((found["job"].as_str(), found["device"].as_str()), (Some("check"), Some("cpu")));
    assert_eq!((found["failed"].as_array().unwrap().len(), &found["metrics"]["failed"]), (0, &0.into()));
    let models = found["models"].as_array().unwrap();
    let counted: usize = models.iter().map(|model| model["checks"].as_object().unwrap().len()).sum();
    assert_eq!(found["metrics"]["checks"], counted);
    let of = |name: &str| models.iter().find(|model| model["model"] == name);
    let named = [
        "linear",
        "nvar",
        "ngrc",
        "standardise",
        "rnn, relu",
        "rnn, tanh, leaky",
        "rnn, identity",
        "gru",
        "lstm",
        "expon",
        "leaky integrator",
        "delay",
        "synapse",
        "synapse, delayed",
        "cuba lif",
        "recurrent lif",
        "snn of the tutorial",
        "snn, recurrent",
        "reservoir, random, relu",
        "reservoir, orthogonal, tanh",
        "reservoir, ring, identity",
        "esn",
        "ridge regression",
    ];
    let surrogates = Surrogate::all().into_iter().map(|surrogate| format!("lif, {}", surrogate.name()));
    let resets = ["value", "subtract", "none"].into_iter().flat_map(|reset| {
        ["", ", refractory", ", in the gradient", ", refractory, in the gradient"]
            .map(|how| format!("lif, reset {reset}{how}"))
    });
    let trained = ["tau", "threshold", "reset", "everything"].map(|what| format!("lif, trained {what}, reset value"));
    for name in named.into_iter().map(String::from).chain(surrogates).chain(resets).chain(trained) {
        assert!(of(&name).is_some(), "{name} is not among {models:?}");
    }
    let names = |name: &str| of(name).unwrap()["checks"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names("gru"), ["steps_f32", "steps_f64", "differences", "float64"]);
    // A surrogate is no derivative, so there are no difference quotients of it.
    assert_eq!(names("cuba lif"), ["steps_f32", "steps_f64", "float64"]);
    let check = &of("gru").unwrap()["checks"]["differences"];
    let (error, tolerance) = (check["error"].as_f64().unwrap(), check["tolerance"].as_f64().unwrap());
    assert!(check["verdict"] == "ok" && error > 0.0 && error <= tolerance, "{check}");
    assert!(models.iter().filter_map(|model| model["spikes"].as_u64()).all(|spikes| spikes > 0), "neurons spike");
    assert!(desk.files().is_empty());
}

/// What people read: a line for the neuron, and how many checks passed; with another seed.
#[test]
fn the_table_ends_with_how_many_checks_passed() {
    let ended = Desk::new().bd(&["check", "--model", "lif", "--seed", "1"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("lif  ")), "{}", ended.stdout);
    assert!(lines.last().unwrap().ends_with(" checks passed"), "{}", ended.stdout);
}

#[test]
fn what_it_does_not_know_is_refused() {
    let desk = Desk::new();
    refused_by(&desk, &["check", "--device", "gpu"], 2, "unknown device 'gpu'");
    refused_by(&desk, &["check", "--threads", "0"], 2, "threads is 0");
}
