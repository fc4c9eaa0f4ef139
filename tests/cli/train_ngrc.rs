//! `bd train ngrc`: results, the run folder, and repeating a run.

use std::fs;

use crate::common::{Desk, data, metric};
use serde_json::Value;

fn json_file(desk: &Desk, name: &str) -> Value {
    serde_json::from_slice(&fs::read(desk.path(name)).unwrap()).unwrap()
}

/// The tutorial's settings for a file, where those of files are others.
const TUTORIAL: [&str; 19] = [
    "--delay",
    "4",
    "--stride",
    "5",
    "--order",
    "2",
    "--alpha",
    "1e-6",
    "--horizon",
    "1,10,100",
    "--warmup",
    "0.2",
    "--split",
    "0.75,0,0.25",
    "--set",
    "split.targets_beyond=true",
    "--scale=false",
    "--set",
    "ridge.penalise_intercept=true",
];

/// Test MSE on BrainPy's series in 50-digit arithmetic (tests/data/ridge_exact_f64.json), to three digits.
#[test]
fn the_tutorial_on_the_tutorials_series() {
    let desk = Desk::new();
    let series = data("lorenz_f64.safetensors");
    let args = ["train", "ngrc", "--data", &series, "--columns", "series", "--out", "run"];
    let result = desk.bd_json(&[&args[..], &TUTORIAL].concat());
    for (horizon, mse) in [("1", 5.066021548016649e-12), ("10", 0.011371357725641724), ("100", 38.77185609931609)] {
        let found = metric(&result, &format!("test_mse.{horizon}"));
        assert!((found / mse - 1.0).abs() < 5e-4, "{horizon} ahead: {found} and not {mse}");
    }
    assert_eq!(
        (result["job"].as_str(), result["device"].as_str(), result["run"].as_str()),
        (Some("ngrc"), Some("cpu"), Some("run"))
    );
}

/// BrainPy 2.2.4.0's own numbers (tests/data/ridge_f64.json) with its solver, to three digits.
#[test]
fn brainpys_solver_gives_brainpys_errors() {
    let desk = Desk::new();
    let series = data("lorenz_f64.safetensors");
    let args = ["train", "ngrc", "--data", &series, "--columns", "series", "--solver", "gram-pinv"];
    let result = desk.bd_json(&[&args[..], &TUTORIAL].concat());
    for (horizon, mse) in [("10", 0.04217450149853083), ("100", 41.230435306465395)] {
        let found = metric(&result, &format!("test_mse.{horizon}"));
        assert!((found / mse - 1.0).abs() < 5e-4, "{horizon} ahead: {found} and not {mse}");
    }
}

#[test]
fn the_run_folder_is_complete_and_repeats_itself() {
    let desk = Desk::new();
    let first = desk.bd(&["train", "ngrc", "--out", "one"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stderr.contains("predicted [1, 2000, 3]"), "{}", first.stderr);
    let rows: Vec<_> = first.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(rows, ["horizon", "1", "10", "100", "free", "truth"]);

    let plots = ["attractor", "free-run", "horizon-1", "horizon-10", "horizon-100", "series"];
    let plots = plots.iter().flat_map(|name| [format!("one/plots/{name}.png"), format!("one/plots/{name}.svg")]);
    let files = [".lock", "config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "plots"];
    let mut expected: Vec<_> = files.iter().map(|name| format!("one/{name}")).chain(plots).collect();
    expected.extend(["one".into(), "one/predictions.npz".into()]);
    expected.sort();
    assert_eq!(desk.files(), expected);

    let manifest = json_file(&desk, "one/manifest.json");
    assert_eq!((manifest["status"].as_str(), manifest["dtype"].as_str()), (Some("done"), Some("float64")));
    let weights = fs::read(desk.path("one/model.safetensors")).unwrap();
    assert_eq!(manifest["weights_sha256"].as_str().unwrap(), bd_core::files::sha256_hex(&weights));

    // config.json alone says everything: the same weights and predictions, byte by byte.
    let second = desk.bd(&["train", "ngrc", "--config", "one/config.json", "--out", "two", "--quiet"]);
    assert_eq!((second.code, second.stdout.as_str(), second.stderr.as_str()), (0, "", ""));
    for file in ["config.json", "metrics.jsonl", "model.safetensors", "predictions.npz"] {
        let read = |run: &str| fs::read(desk.path(run).join(file)).unwrap();
        assert!(read("one") == read("two"), "{file} differs");
    }
}

/// The archive holds what the metrics were computed from.
#[test]
fn predictions_and_metrics_agree() {
    let desk = Desk::new();
    let result = desk.bd_json(&["train", "ngrc", "--out", "run", "--horizon", "3"]);
    let arrays = tch::Tensor::read_npz(desk.path("run/predictions.npz")).unwrap();
    let array = |name: &str| &arrays.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(array("prediction.3").size(), [1997, 3]);
    let mse = (array("prediction.3") - array("target.3")).square().mean(tch::Kind::Double).double_value(&[]);
    assert!((mse / metric(&result, "test_mse.3") - 1.0).abs() < 1e-12);
    // Point k of the series is at (k + 1) dt: the first prediction is about point 8003.
    assert!((array("time.3").double_value(&[0]) - 80.04).abs() < 1e-9);
}

#[test]
fn file_options_and_set_are_stronger_in_that_order() {
    let desk = Desk::new();
    fs::write(desk.path("my.toml"), "seed = 1\nhorizon = 2\n[nvar]\ndelay = 2\nstride = 2\norder = 3\n").unwrap();
    let args = ["train", "ngrc", "--config", "my.toml", "--stride", "3", "--delay", "3", "--set", "nvar.delay=1"];
    desk.bd_json(&[&args[..], &["--set", "data.system.params.rho=29", "--out", "run"]].concat());
    let config = json_file(&desk, "run/config.json");
    assert_eq!(config["nvar"], serde_json::json!({"delay": 1, "stride": 3, "order": [3], "constant": false}));
    assert_eq!((config["seed"].as_u64(), &config["horizon"]), (Some(1), &serde_json::json!([2])));
    let params = serde_json::json!({"sigma": 10.0, "rho": 29.0, "beta": 8.0 / 3.0});
    assert_eq!(config["data"]["system"]["params"], params);
}

#[test]
fn another_system_comes_with_its_own_defaults() {
    let desk = Desk::new();
    desk.bd_json(&["train", "ngrc", "--set", "data.system.name=rossler", "--out", "run"]);
    let config = json_file(&desk, "run/config.json");
    assert_eq!(config["dt"], 0.05);
    assert_eq!(config["data"]["system"]["params"], serde_json::json!({"a": 0.2, "b": 0.2, "c": 5.7}));
}

#[test]
fn a_configuration_of_one_system_can_be_turned_to_another() {
    let desk = Desk::new();
    desk.bd_json(&["train", "ngrc", "--alpha", "1e-4", "--out", "one"]);
    let turned = ["--config", "one/config.json", "--set", "data.system.name=rossler", "--out", "two"];
    desk.bd_json(&[&["train", "ngrc"], &turned[..]].concat());
    let config = json_file(&desk, "two/config.json");
    assert_eq!((&config["ridge"]["alpha"], config["dt"].as_f64()), (&serde_json::json!([1e-4]), Some(0.05)));
}

/// What belongs to other data is forgotten: a file's `dt` is not Lorenz's, and back.
#[test]
fn a_configuration_can_be_turned_from_a_system_to_a_file_and_back() {
    let desk = Desk::new();
    let series = data("lorenz_f64.safetensors");
    let dt = |run: &str| json_file(&desk, &format!("{run}/config.json"))["dt"].as_f64();
    desk.bd_json(&["train", "ngrc", "--out", "a"]);
    let on_file = ["--config", "a/config.json", "--data", &series, "--columns", "series", "--out", "b"];
    desk.bd_json(&[&["train", "ngrc"], &on_file[..]].concat());
    let back = ["--config", "b/config.json", "--set", "data.system.name=lorenz", "--out", "c"];
    desk.bd_json(&[&["train", "ngrc"], &back[..]].concat());
    assert_eq!((dt("a"), dt("b"), dt("c")), (Some(0.01), Some(1.0), Some(0.01)));
    let split = &json_file(&desk, "b/config.json")["split"];
    assert_eq!(split, &serde_json::json!({"warmup": 15.0, "split": [0.8, 0.0, 0.2], "targets_beyond": false}));
    assert_eq!(json_file(&desk, "a/config.json"), json_file(&desk, "c/config.json"));
}

#[test]
fn many_channels_and_a_constant_one() {
    let desk = Desk::new();
    let on = (tch::Kind::Double, tch::Device::Cpu);
    let series = bd_core::Rng::new(0, "many").tensor(&[300, 40], on, bd_core::Rng::normal);
    let _ = series.select(1, 7).fill_(2.5);
    bd_core::files::save_tensors(&desk.path("many.safetensors"), &[("x".to_owned(), series)]).unwrap();
    let small = ["--delay", "1", "--order", "1", "--horizon", "1", "--out", "run"];
    let result = desk.bd_json(&[&["train", "ngrc", "--data", "many.safetensors"], &small[..]].concat());
    assert!(result["metrics"]["test_nrmse.1.x.7"].is_null() && metric(&result, "test_nrmse.1") > 0.0);
    let svg = fs::read_to_string(desk.path("run/plots/series.svg")).unwrap();
    assert!(svg.contains("first 12 of 40 channels"));
}

#[test]
fn lags_that_reach_beyond_the_warm_up_are_told() {
    let desk = Desk::new();
    let ended = desk.bd(&["train", "ngrc", "--stride", "1000"]);
    assert!(ended.code == 0 && ended.stderr.contains("lags reach 3000 points back"), "{}", ended.stderr);
}

/// In float32 the features carry 24 bits, the solution is still found in float64: BrainPy's float32 gives 2.8 here.
#[test]
fn float32_is_useful() {
    let desk = Desk::new();
    let result = desk.bd_json(&["train", "ngrc", "--dtype", "f32", "--out", "run"]);
    assert!(metric(&result, "test_mse.1") < 1e-5, "{result}");
    assert_eq!(json_file(&desk, "run/manifest.json")["dtype"], "float32");
}
