//! `bd train snn` and `bd predict`: results, the run folder, repeating, warnings, and ends that are not the end.

use std::fs;
use std::process::Command;
use std::time::Duration;

use bd_core::Checkpoint;
use bd_core::npz::load_npz;
use serde_json::Value;
use tch::Tensor;

use crate::common::{Desk, refused_by};

/// A small job: 16 samples of 200 steps at 50 Hz.
const SMALL: [&str; 10] =
    ["train", "snn", "--samples", "16", "--steps", "200", "--rate-hz", "50", "--report-every", "20"];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], more].concat()
}

fn arrays(desk: &Desk, name: &str) -> Vec<(String, Tensor)> {
    load_npz(&desk.path(name)).unwrap()
}

fn array<'a>(arrays: &'a [(String, Tensor)], name: &str) -> &'a Tensor {
    &arrays.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no array {name}")).1
}

#[test]
fn a_run_learns_and_its_folder_is_complete() {
    let desk = Desk::new();
    let ended = desk.bd(&small(&["--epochs", "60", "--out", "run", "--set", "checkpoint_every=30"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for words in [
        "16 samples of 200 steps (20.00 ms)",
        "kept as a list",
        "snn 100-10-2",
        "at the peak of an update beside",
        "Train 20 steps, use ",
        ", train loss ",
    ] {
        assert!(ended.stderr.contains(words), "{words:?} not in {}", ended.stderr);
    }
    assert_eq!(ended.stdout.lines().count(), 3, "{}", ended.stdout);

    let files = ["config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "predictions.npz"];
    let plots = ["raster", "training", "voltages"];
    let plots = plots.iter().flat_map(|name| [format!("plots/{name}.png"), format!("plots/{name}.svg")]);
    for name in files.iter().map(|name| (*name).to_owned()).chain(plots) {
        assert!(desk.path("run").join(&name).is_file(), "{name}");
    }
    let lines = fs::read_to_string(desk.path("run/metrics.jsonl")).unwrap();
    let reports: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>(), [20, 40, 60]);
    let loss = |i: usize| reports[i]["loss"].as_f64().unwrap();
    assert!(loss(2) < 0.9 * loss(0), "{lines}");
    assert!(reports[0]["spike_rate.r"].as_f64().unwrap() > 0.0 && reports[0]["accuracy"].is_f64());

    // A checkpoint holds what the last one was, and its loss is that of the report.
    let checkpoint = Checkpoint::load(&desk.path("run/checkpoints/step-00000060")).unwrap();
    let names: Vec<_> = checkpoint.optim.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["i2r.weight.m", "i2r.weight.v", "r2o.weight.m", "r2o.weight.v"]);
    let model = bd_core::files::load_tensors(&desk.path("run/model.safetensors")).unwrap();
    assert_eq!(array(&checkpoint.model, "i2r.weight"), array(&model, "i2r.weight"));
    assert!(desk.path("run/checkpoints/step-00000030").is_dir());
}

/// The same seed gives the same bytes, on any number of threads; config.json alone repeats the run.
#[test]
fn a_run_repeats_itself() {
    let desk = Desk::new();
    let run = |args: &[&str]| assert_eq!(desk.bd(args).code, 0, "{args:?}");
    run(&small(&["--epochs", "12", "--batch", "5", "--threads", "1", "--out", "one"]));
    run(&["train", "snn", "--config", "one/config.json", "--out", "two"]);
    run(&small(&["--epochs", "12", "--batch", "5", "--seed", "1", "--out", "other"]));
    if std::thread::available_parallelism().unwrap().get() > 1 {
        run(&["train", "snn", "--config", "one/config.json", "--threads", "2", "--out", "threads"]);
    }
    for file in ["model.safetensors", "predictions.npz"] {
        let read = |run: &str| fs::read(desk.path(run).join(file)).ok();
        assert_eq!(read("one"), read("two"), "{file} differs");
        assert_ne!(read("one"), read("other"), "{file}");
        assert!(read("threads").is_none_or(|bytes| Some(bytes) == read("one")), "{file} differs with the threads");
    }
}

/// Options that name alternatives bring the parameters of what they name.
#[test]
fn options_reach_the_configuration() {
    let desk = Desk::new();
    let options = ["--epochs", "1", "--surrogate", "sigmoid", "--reset", "subtract", "--hidden", "7,5", "--lr", "0.01"];
    let set =
        ["--set", "optim.rule=sgd", "--set", "model.synapse.init=xavier_uniform", "--dtype", "f64", "--out", "run"];
    let result = desk.bd_json(&small(&[&options[..], &set[..]].concat()));
    assert!(result["metrics"]["spike_rate.r2"].is_f64(), "{result}");
    let config: Value = serde_json::from_slice(&fs::read(desk.path("run/config.json")).unwrap()).unwrap();
    assert_eq!(config["model"]["lif"]["surrogate"], serde_json::json!({"name": "sigmoid", "alpha": 4.0}));
    assert_eq!(config["optim"]["rule"], serde_json::json!({"name": "sgd"}));
    assert_eq!(config["model"]["synapse"]["init"]["name"], "xavier_uniform");
    assert_eq!((&config["model"]["hidden"], config["optim"]["lr"].as_f64()), (&serde_json::json!([7, 5]), Some(0.01)));
}

/// Parameters of neurons are trained, told, saved, and read again by `bd predict`.
#[test]
fn neurons_learn_their_time_constants() {
    let desk = Desk::new();
    let trained = ["--set", "model.lif.trained.tau=true", "--set", "model.lif.trained.threshold=true"];
    let ended = desk.bd(&small(&[&["--epochs", "20", "--out", "run"], &trained[..]].concat()));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("tau of r") && ended.stdout.contains(" ms"), "{}", ended.stdout);
    let model = bd_core::files::load_tensors(&desk.path("run/model.safetensors")).unwrap();
    let moved = |name: &str, from: f64| (array(&model, name) - from).abs().max().double_value(&[]);
    assert!(moved("r.log_tau_ms", 10f64.ln()) > 1e-3 && moved("r.log_gap", 0.0) > 1e-3);
    let xs = [("x".to_owned(), Tensor::zeros([2, 200, 100], (tch::Kind::Float, tch::Device::Cpu)))];
    bd_core::npz::save_npz(&desk.path("mine.npz"), &xs).unwrap();
    let ended = desk.bd(&["predict", "run", "--input", "mine.npz", "--output", "out.npz"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn layers_that_cannot_learn_are_told_once() {
    let desk = Desk::new();
    let quiet = ["--epochs", "40", "--set", "model.lif.v_th=1000", "--out", "quiet"];
    let ended = desk.bd(&small(&quiet));
    assert_eq!(ended.code, 0);
    assert_eq!(ended.stderr.matches("layer r has no spike: its 10 neurons").count(), 1, "{}", ended.stderr);
    let restless = ["--epochs", "40", "--set", "model.lif.v_rest=1e4", "--out", "restless"];
    let ended = desk.bd(&small(&restless));
    assert!(ended.stderr.contains("layer r spikes in 100 % of all steps (32000 spikes)"), "{}", ended.stderr);
}

/// The weights overflow: training stops before the update, and what was good is kept.
#[test]
fn a_run_that_diverges_keeps_the_last_good_parameters() {
    let desk = Desk::new();
    let ended = desk.bd(&small(&["--epochs", "50", "--lr", "1e38", "--out", "run"]));
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("is not finite: ") && ended.stderr.contains(" update "), "{}", ended.stderr);
    let manifest: Value = serde_json::from_slice(&fs::read(desk.path("run/manifest.json")).unwrap()).unwrap();
    assert_eq!((manifest["status"].as_str(), &manifest["weights_sha256"]), (Some("diverged"), &Value::Null));
    let folder = fs::read_dir(desk.path("run/checkpoints")).unwrap().next().unwrap().unwrap();
    let checkpoint = Checkpoint::load(&folder.path()).unwrap();
    let step = checkpoint.meta["step"].as_u64().unwrap();
    assert!(ended.stderr.contains(&format!(" update {}", step + 1)), "{}", ended.stderr);
    assert!(checkpoint.model.iter().all(|(_, tensor)| tensor.isfinite().all().int64_value(&[]) == 1));
}

/// The last update is the one that spoils everything: no update comes after it to find that out.
#[test]
fn a_run_whose_last_update_diverges_is_not_done() {
    let desk = Desk::new();
    let ended = desk.bd(&small(&["--epochs", "1", "--lr", "1e37", "--out", "run"]));
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("not finite") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn a_signal_saves_a_checkpoint_before_the_run_stops() {
    let desk = Desk::new();
    let mut command = crate::common::bd_that_hears_signals();
    // Nobody reads what it says, so that nothing may wait for a reader.
    command.args(small(&["--epochs", "1000000", "--quiet", "--out", "run"])).env_clear().current_dir(desk.path(""));
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    while fs::metadata(desk.path("run/metrics.jsonl")).map_or(0, |file| file.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let manifest: Value = serde_json::from_slice(&fs::read(desk.path("run/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"], "stopped");
    let folder = fs::read_dir(desk.path("run/checkpoints")).unwrap().next().unwrap().unwrap();
    assert!(Checkpoint::load(&folder.path()).unwrap().meta["step"].as_u64().unwrap() >= 20);
}

/// Predictions on the run's own kind of data, from a dense array and from one of other numbers, with records.
#[test]
fn a_trained_network_predicts_and_records() {
    let desk = Desk::new();
    desk.bd_json(&small(&["--epochs", "5", "--hidden", "6", "--out", "run"]));
    let on = (tch::Kind::Float, tch::Device::Cpu);
    let spikes = bd_core::Spikes::draw([50, 3, 100], on, 0.02, &mut bd_core::Rng::new(7, "input")).unwrap();
    let x = spikes.to_dense().transpose(0, 1);
    bd_core::npz::save_npz(&desk.path("input.npz"), &[("x".to_owned(), x.shallow_clone())]).unwrap();
    let record = ["--record", "r.spike,r.v,i2r.g"];
    let ended = desk.bd(&[&["predict", "run", "--input", "input.npz", "--output", "out.npz"], &record[..]].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("{} spikes, kept as a list", spikes.count())), "{}", ended.stderr);

    // The same by the crates, step by step.
    let mut params = bd_core::Params::new(0, on);
    let config = bd_models::SnnConfig { hidden: vec![6], ..bd_models::SnnConfig::default() };
    let net = config.build(&mut params).unwrap();
    params.load(&bd_core::files::load_tensors(&desk.path("run/model.safetensors")).unwrap()).unwrap();
    let mut tap = bd_core::Tap::new(["r.spike", "r.v", "i2r.g"]);
    let start = bd_core::System::init_state(&net, 3, on);
    let sha = bd_core::Shared::new(0.1);
    let ys = bd_core::scan_by_step(&net, &sha, &spikes.to_dense(), start, &mut tap).0.transpose(0, 1).detach();
    let found = arrays(&desk, "out.npz");
    bd_core::testing::assert_close("output", array(&found, "output"), &ys, 1e-5);
    for (name, record) in tap.finish().unwrap() {
        let record = record.detach();
        assert_eq!(array(&found, &name).size(), [3, 50, 6]);
        bd_core::testing::assert_close(&name, array(&found, &name), &record, 1e-5);
    }
    assert_eq!(array(&found, "class"), &ys.amax(1, false).argmax(1, false));

    bd_core::npz::save_npz(&desk.path("real.npz"), &[("y".to_owned(), (x * 0.5).get(0))]).unwrap();
    let result = desk.bd_json(&["predict", "run", "--input", "real.npz", "--output", "real_out.npz"]);
    assert_eq!(result["arrays"]["output"], serde_json::json!([1, 50, 2]));
}

#[test]
fn wrong_settings_are_refused() {
    let desk = Desk::new();
    for (args, words) in [
        (vec!["--surrogate", "atan"], "model.lif.surrogate cannot be 'atan'; there are: sigmoid"),
        (vec!["--reset", "soft"], "model.lif.reset: unknown variant `soft`"),
        (vec!["--hidden", "0"], "model.hidden (--hidden) is 0; it must be at least 1"),
        (vec!["--set", "model.hidden=[]"], "hidden is empty"),
        (vec!["--set", "model.lif.tau=10"], "did you mean model.lif.tau_ms?"),
        (vec!["--samples", "0"], "data.samples is 0"),
        (vec!["--epochs", "0"], "epochs is 0"),
        (vec!["--batch", "0"], "batch is 0"),
        (vec!["--report-every", "0"], "report_every is 0"),
        (vec!["--rate-hz", "1e6"], "must be from 0 to 1"),
        (vec!["--lr", "0"], "lr is 0"),
        (vec!["--lr", "-0.1"], "lr is -0.1; it must be a number above 0"),
        (vec!["--epochs", "-5"], "invalid value '-5' for '--epochs <N>'"),
        (vec!["--lr", "nan"], "--lr is NaN"),
        (vec!["--set", "dt=0"], "dt is 0"),
        (vec!["--set", "clip=-1"], "clip is -1"),
        (vec!["--set", "loss=mse"], "loss must be cross_entropy"),
        (vec!["--set", "loss.over=every"], "loss.over cannot be every"),
        (vec!["--set", "optim.schedule.name=warmup", "--set", "optim.schedule.then=cosin"], "there are: constant"),
        (vec!["--set", "optim.rule.beta1=1"], "adam.beta1 is 1; it must be from 0 to below 1"),
        (vec!["--set", "model.synapse.init.scale=0"], "must be a number above 0"),
        (vec!["--set", "model.synapse.tau_ms=-1"], "tau_ms is -1"),
        (vec!["--set", "job=ngrc"], "a job 'ngrc', not of 'snn'"),
        (vec!["--threads", "0"], "threads is 0"),
    ] {
        refused_by(&desk, &[&["train", "snn"], &args[..]].concat(), 2, words);
    }
}

#[test]
fn wrong_runs_and_inputs_are_refused() {
    let desk = Desk::new();
    desk.bd_json(&small(&["--epochs", "1", "--out", "run"]));
    desk.bd_json(&["train", "ngrc", "--out", "ngrc", "--horizon", "1"]);
    let on = (tch::Kind::Float, tch::Device::Cpu);
    let x = Tensor::zeros([2, 5, 100], on);
    let hole = x.copy();
    let _ = hole.get(1).get(3).get(17).fill_(f64::NAN);
    let named = [("x", x.shallow_clone()), ("hole", hole), ("narrow", x.narrow(2, 0, 9)), ("flat", x.flatten(0, -1))];
    let named = named.map(|(name, tensor)| (name.to_owned(), tensor));
    bd_core::npz::save_npz(&desk.path("all.npz"), &named).unwrap();
    fs::write(desk.path("cut.npz"), &fs::read(desk.path("all.npz")).unwrap()[..100]).unwrap();
    fs::write(desk.path("text.csv"), "1,2").unwrap();
    let predict = |run: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        [&["predict", run, "--output", "out.npz", "--input"], more].concat()
    };
    for (args, code, words) in [
        (predict("absent", &["all.npz"]), 7, "cannot read absent/config.json"),
        (predict("ngrc", &["all.npz", "--array", "x"]), 2, "--array is not for a run of ngrc"),
        (predict("run", &["all.npz", "--free-run", "3"]), 2, "--free-run is not for a run of snn"),
        (vec!["eval", "run", "--data", "all.npz"], 2, "is for a run that has learned from a file"),
        (predict("run", &["absent.npz"]), 7, "absent.npz"),
        (predict("run", &["cut.npz"]), 7, "cut.npz"),
        (predict("run", &["text.csv"]), 7, "ends in .npz, .npy, .safetensors, .h5, .hdf5, .nwb or .mat"),
        (predict("run", &["all.npz", "--array", "y"]), 7, "no array is called 'y'; there are: x [2, 5, 100]"),
        (
            predict("run", &["all.npz", "--array", "narrow"]),
            7,
            "narrow is [2, 5, 9]; the network takes [batch, time, 100]",
        ),
        (predict("run", &["all.npz", "--array", "flat"]), 7, "flat is [1000]"),
        (predict("run", &["all.npz", "--array", "hole"]), 7, "hole is NaN at sample 1, step 3, channel 17"),
        (
            predict("run", &["all.npz", "--record", "r.V"]),
            2,
            "no state is called 'r.V'; there are: i2r.g, r.v, r.spike",
        ),
        (vec!["predict", "run", "--input", "all.npz", "--output", "out.txt"], 2, "it must end in .npz"),
    ] {
        refused_by(&desk, &args, code, words);
    }
    // Finite in float64, and not in the run's float32.
    let huge = Tensor::full([1, 5, 100], 1e300, (tch::Kind::Double, tch::Device::Cpu));
    bd_core::npz::save_npz(&desk.path("huge.npz"), &[("x".to_owned(), huge)]).unwrap();
    refused_by(&desk, &predict("run", &["huge.npz"]), 7, "x is 1e300 at sample 0, step 0, channel 0");
    let large = Tensor::full([1, 5, 100], 3e38, on);
    bd_core::npz::save_npz(&desk.path("large.npz"), &[("x".to_owned(), large)]).unwrap();
    refused_by(&desk, &predict("run", &["large.npz"]), 7, "at sample 0, step 0, channel 0");
    refused_by(&desk, &predict("run", &["all.npz", "--threads", "0"]), 2, "threads is 0");
    let onto = ["predict", "run", "--input", "all.npz", "--output", "huge.npz"];
    refused_by(&desk, &onto, 5, "cannot create huge.npz: it exists; name a new file or remove it");

    // A run of a larger machine, and one whose file lacks a value.
    let config = fs::read_to_string(desk.path("run/config.json")).unwrap();
    let threads = std::thread::available_parallelism().unwrap().get();
    let elsewhere = config.replace(&format!("\"threads\": {threads}"), "\"threads\": 4096");
    assert_ne!(elsewhere, config);
    // As if the run had written it.
    let write_config = |text: &str| {
        let manifest = desk.path("run/manifest.json");
        let mut said: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
        said["config_sha256"] = bd_core::files::sha256_hex(text.as_bytes()).into();
        fs::write(&manifest, said.to_string()).unwrap();
        fs::write(desk.path("run/config.json"), text).unwrap();
    };
    write_config(&elsewhere);
    desk.bd_json(&["predict", "run", "--input", "all.npz", "--output", "out.npz"]);
    fs::remove_file(desk.path("out.npz")).unwrap();
    write_config(&config.replacen("\"tau_ms\": 10.0,", "", 1));
    refused_by(&desk, &predict("run", &["all.npz"]), 7, "it does not name every value of a run");
    fs::write(desk.path("run/config.json"), &elsewhere).unwrap();
    refused_by(&desk, &predict("run", &["all.npz"]), 7, "config.json: its SHA-256 is not the one in manifest.json");
    write_config(&config);

    let weights = desk.path("run/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    refused_by(&desk, &predict("run", &["all.npz"]), 7, "its SHA-256 is not the one in manifest.json");
}
