//! Series that are learned sample by sample.

use std::fs;

use bd_core::files::load_tensors;
use serde_json::Value;

use crate::common::{Desk, data, metric, refused_by};

const LORENZ: [&str; 7] = ["train", "ngrc", "--horizon", "5", "--warmup", "500", "--split"];

/// A small reservoir on the sunspots.
fn sunspots<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["train", "esn", "--data", file, "--time", "YEAR", "--units", "20", "--washout", "20", "--alpha", "0.1"];
    [&own[..], more].concat()
}

fn weights(desk: &Desk, run: &str) -> Vec<(String, tch::Tensor)> {
    let mut all = load_tensors(&desk.path(run).join("model.safetensors")).unwrap();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// BrainPy's tutorial of online training (`docs/tutorial_training/online_training.ipynb`) prints 8.617e-4 with version 2.4.0, of a start of its
/// own. `P(0) = 0.1 I` there is a penalty of 10 here.
#[test]
fn brainpys_tutorial() {
    let desk = Desk::new();
    let start = "data.system.start=[17.67715816276679,12.931379185960404,43.91404334248268]";
    let features = ["--delay", "2", "--stride", "1", "--constant", "--alpha", "10", "--online", "rls"];
    let series = ["0.66667,0,0.33333", "--set", start, "--set", "data.system.duration=155", "--free-run", "0"];
    let result = desk.bd_json(&[&LORENZ[..], &series, &features, &["--out", "run"]].concat());
    assert!(metric(&result, "test_mse.5") <= 8.4e-4, "{result}");
    assert!(metric(&result, "online_mse.5") > 0.0 && metric(&result, "unexcited") == 0.0);
}

/// Without forgetting it is ridge regression; the run is like any other.
#[test]
fn recursive_least_squares_is_ridge_regression() {
    let (desk, file) = (Desk::new(), data("sunspots.csv"));
    desk.bd_json(&sunspots(&file, &["--out", "ridge"]));
    // Of one penalty and a validation part of its own nothing is learned, of either.
    let said = desk.bd(&sunspots(&file, &["--online", "rls", "--out", "rls"]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("learned one by one; mean square error of each before it was learned"),
        "{}",
        said.stderr
    );
    for ((name, found), (_, known)) in weights(&desk, "rls").iter().zip(&weights(&desk, "ridge")) {
        let apart = (found.to_kind(tch::Kind::Double) - known).abs().max().double_value(&[]);
        assert!(apart <= 1e-8 * known.abs().max().double_value(&[]), "{name}: {apart}");
    }
    for run in ["rls", "ridge"] {
        let output = format!("{run}.csv");
        let predicted = desk.bd(&["predict", run, "--input", &file, "--output", &output, "--free-run", "3"]);
        assert_eq!(predicted.code, 0, "{}", predicted.stderr);
        assert!(fs::read_to_string(desk.path(&output)).unwrap().starts_with("time,"));
    }
    let [own, known] = ["rls", "ridge"].map(|run| desk.bd_json(&["eval", run]));
    let ratio = metric(&own, "test_mse.1") / metric(&known, "test_mse.1");
    assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    let repeated = ["train", "esn", "--config", "rls/config.json", "--quiet", "--out", "again"];
    assert_eq!(desk.bd(&repeated).code, 0);
    for file in ["config.json", "model.safetensors", "metrics.jsonl", "predictions.npz"] {
        assert!(
            fs::read(desk.path("rls").join(file)).unwrap() == fs::read(desk.path("again").join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn settings_are_in_the_configuration() {
    let (desk, file) = (Desk::new(), data("sunspots.csv"));
    let config = |run: &str| -> Value {
        serde_json::from_slice(&fs::read(desk.path(run).join("config.json")).unwrap()).unwrap()
    };
    desk.bd_json(&sunspots(&file, &["--online", "rls", "--forgetting", "0.98", "--out", "rls"]));
    assert_eq!(config("rls")["online"], serde_json::json!({"name": "rls", "forgetting": 0.98}));
    desk.bd_json(&sunspots(&file, &["--online", "lms", "--rate", "0.2", "--out", "lms"]));
    assert_eq!(config("lms")["online"], serde_json::json!({"name": "lms", "rate": 0.2, "normalised": true}));
    // Nothing is chosen: the penalty and the delay are one each.
    desk.bd_json(&["train", "ngrc", "--data", &file, "--time", "YEAR", "--online", "rls", "--out", "ngrc"]);
    let ngrc = config("ngrc");
    assert_eq!((&ngrc["ridge"]["alpha"], &ngrc["nvar"]["delay"]), (&serde_json::json!([1e-6]), &serde_json::json!(9)));
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let (desk, file) = (Desk::new(), data("sunspots.csv"));
    let refused = |more: &[&str], code: i32, words: &str| refused_by(&desk, &sunspots(&file, more), code, words);
    refused(&["--online", "rls", "--forgetting", "0"], 2, "online.forgetting is 0; it must be 1e-6 to 1");
    refused(&["--online", "rls", "--forgetting", "1.5"], 2, "online.forgetting is 1.5");
    refused(&["--online", "lms", "--rate", "2"], 2, "online.rate is 2; it must be above 0 and below 2");
    refused(&["--online", "lms", "--forgetting", "0.9"], 2, "unknown configuration key online.forgetting");
    refused(&["--online", "newton"], 2, "online cannot be 'newton'; there are: off, rls, lms");
    refused(
        &["--online", "rls", "--set", "nvar.delay=1,2"],
        2,
        "nvar.delay is [1, 2]; a series is learned online once",
    );
    let zero = ["train", "esn", "--data", &file, "--time", "YEAR", "--online", "rls", "--alpha", "0"];
    refused_by(&desk, &zero, 2, "online.alpha (--alpha) is 0; it must be a number from 1e-50 to 1e50");
    let several = [&zero[..9], &["1,10"]].concat();
    refused_by(&desk, &several, 2, "ridge.alpha is [1.0, 10.0]; a series is learned online once");
    let diverging = ["--online", "lms", "--rate", "5", "--set", "online.normalised=false", "--out", "run"];
    refused(&diverging, 3, "online.rate 5 is too great");
}
