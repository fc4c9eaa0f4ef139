//! `bd train rnn`, `bd predict` and `bd eval` of it: tasks by name, examples from files, padding, early stopping, refusals.

mod endings;

use std::fs;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Checkpoint, Shared, System, Tap};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, noise, refused_by, reports, same_bytes, save};

/// A small job on a task: 8 units, and 40 updates if nothing else is said.
fn task<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let job = ["train", "rnn", "--hidden", "8", "--batch", "16", "--report-every", "20"];
    let updates = if more.contains(&"--updates") { &[][..] } else { &["--updates", "40"] };
    [&job[..], &["--set", "data.test_samples=50"], updates, more].concat()
}

/// A small job on a file: 6 units.
fn file<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "rnn", "--data", name, "--hidden", "6", "--lr", "0.02", "--ensemble", "1"], more].concat()
}

/// `count` sequences of 12 steps and 2 channels: noise, and in the first one of mean -1 (label 0) or 1 (label 1).
pub(crate) fn told_apart_by_mean(name: &str, count: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
    let x = noise(name, &[count, 12, 2]) * 0.5;
    let mean = (&labels * 2 - 1).to_kind(Kind::Double).reshape([count, 1]);
    let _ = x.select(2, 0).g_add_(&mean);
    (x, labels)
}

fn save_labelled(desk: &Desk, name: &str) {
    let ((x, y), (x_test, y_test)) = (told_apart_by_mean("train", 48), told_apart_by_mean("test", 21));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

/// `y` is the sum of `x` over time up to every step.
fn save_sums(desk: &Desk, name: &str) {
    let (x, x_test) = (noise("x", &[40, 8, 1]) * 0.3, noise("x_test", &[10, 8, 1]) * 0.3);
    let (y, y_test) = (x.cumsum(1, Kind::Double), x_test.cumsum(1, Kind::Double));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

#[test]
fn a_run_learns_and_its_folder_is_complete() {
    let desk = Desk::new();
    let options = ["--lr", "0.02", "--l2", "0", "--set", "optim.rule.eps=1e-8", "--set", "checkpoint_every=30"];
    let ended = desk.bd(&task(&[&options[..], &["--updates", "60", "--out", "run"]].concat()));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for words in ["task integration: 1 channel of 25 steps", "rnn 1-8-1", "Train 20 steps, use ", ", train loss "] {
        assert!(ended.stderr.contains(words), "{words:?} not in {}", ended.stderr);
    }
    assert_eq!(ended.stderr.matches("Train ").count(), 3, "{}", ended.stderr);
    assert!(ended.stdout.contains("of the variance"), "{}", ended.stdout);
    for name in ["config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "predictions.npz"] {
        assert!(desk.path("run").join(name).is_file(), "{name}");
    }
    let plots: Vec<_> = desk.files().into_iter().filter(|name| name.starts_with("run/plots/")).collect();
    assert!(plots.contains(&"run/plots/training.svg".to_owned()), "{plots:?}");

    let lines = reports(&desk, "run");
    let steps: Vec<_> = lines.iter().map(|line| line["step"].as_u64()).collect();
    assert_eq!(steps, [Some(20), Some(40), Some(60), None]);
    assert_eq!(lines[3]["split"], "test");

    // The metrics are those of predictions.npz.
    let (found, truth) =
        (array(&desk, "run/predictions.npz", "prediction"), array(&desk, "run/predictions.npz", "target"));
    assert_eq!(found.size(), [50, 25, 1]);
    let mse = (found - &truth).square().mean(Kind::Double).double_value(&[]);
    let variance = truth.to_kind(Kind::Double).var(false).double_value(&[]);
    let said = |name: &str| lines[3][name].as_f64().unwrap();
    assert!(said("test_nmse") < 0.5, "{lines:?}");
    assert!((said("test_mse") / mse - 1.0).abs() < 1e-10 && (said("test_nmse") * variance / mse - 1.0).abs() < 1e-10);

    let (last, model) = (
        Checkpoint::load(&desk.path("run/checkpoints/step-00000060")).unwrap(),
        load_tensors(&desk.path("run/model.safetensors")).unwrap(),
    );
    assert_eq!(last.model, model);
    assert!(desk.path("run/checkpoints/step-00000030").is_dir());
    assert_eq!(json_of(&desk, "run/manifest.json")["status"], "done");
}

/// The same seed gives the same bytes, of a task and of a file; config.json alone repeats the run.
#[test]
fn a_run_repeats_itself() {
    let desk = Desk::new();
    save_labelled(&desk, "two.npz");
    let run = |args: &[&str]| assert_eq!(desk.bd(args).code, 0, "{args:?}");
    for (name, args) in [("task", task(&["--threads", "1"])), ("file", file("two.npz", &["--epochs", "4"]))] {
        let [one, two, other] = ["one", "two", "other"].map(|run| format!("{name}-{run}"));
        run(&[&args[..], &["--out", &one]].concat());
        run(&["train", "rnn", "--config", &format!("{one}/config.json"), "--out", &two]);
        run(&[&args[..], &["--seed", "1", "--out", &other]].concat());
        for file in ["model.safetensors", "predictions.npz"] {
            assert!(same_bytes(&desk, file, &one, &two), "{file} of {name} differs");
            assert!(!same_bytes(&desk, file, &one, &other), "{file} of {name}");
        }
        let config = |run: &str| json_of(&desk, &format!("{run}/config.json"));
        assert_eq!(config(&one), config(&two));
    }
}

/// Every task learns a little with another cell; what is chosen is what is trained.
#[test]
fn tasks_cells_and_optimisers_by_name() {
    let desk = Desk::new();
    let decision =
        ["--task", "decision", "--cell", "gru", "--optimizer", "rms_prop", "--lr", "0.01", "--out", "decision"];
    let result = desk.bd_json(&task(&decision));
    assert!(metric(&result, "test_accuracy") > 0.6, "{result}");
    let config = json_of(&desk, "decision/config.json");
    assert_eq!(
        (&config["model"]["cell"]["name"], &config["optim"]["rule"]["name"]),
        (&json!("gru"), &json!("rms_prop"))
    );
    let confusion: Vec<Vec<i64>> = serde_json::from_value(reports(&desk, "decision")[2]["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<i64>(), 50);

    let flip_flop = ["--task", "flip_flop", "--cell", "lstm", "--lr", "0.02", "--loss", "huber", "--out", "flip"];
    let result = desk.bd_json(&task(&flip_flop));
    assert!(metric(&result, "test_nmse") < 0.95, "{result}");
    let config = json_of(&desk, "flip/config.json");
    assert_eq!(config["loss"], json!({"name": "huber", "delta": 1.0}));
    let channels = config["model"]["n_in"].as_i64().unwrap();
    assert_eq!(array(&desk, "flip/predictions.npz", "prediction").size()[2], channels);
    // Huber's loss of what was predicted.
    let d = (array(&desk, "flip/predictions.npz", "prediction") - array(&desk, "flip/predictions.npz", "target")).abs();
    let near = d.clamp_max(1.0);
    let huber = ((d - &near * 0.5) * near).mean(Kind::Double).double_value(&[]);
    assert!((metric(&result, "test_loss") / huber - 1.0).abs() < 1e-5, "{huber} {result}");
}

/// A piece is an update: 25 steps in pieces of 10 are three.
#[test]
fn truncation_makes_an_update_of_every_piece() {
    let desk = Desk::new();
    let whole = desk.bd_json(&task(&["--updates", "10", "--out", "whole"]));
    let pieces = desk.bd_json(&task(&["--updates", "10", "--truncate", "10", "--out", "pieces"]));
    assert_eq!((metric(&whole, "updates"), metric(&pieces, "updates")), (10.0, 30.0));
    assert!(!same_bytes(&desk, "model.safetensors", "whole", "pieces"));
    // One piece as long as a sequence is the sequence.
    desk.bd_json(&task(&["--updates", "10", "--truncate", "25", "--out", "one"]));
    assert!(same_bytes(&desk, "model.safetensors", "whole", "one"));
    refused_by(&desk, &task(&["--task", "decision", "--truncate", "5"]), 2, "the loss needs all steps");
}

/// Of a file whose test sequences are longer, the number of updates is that of the training part.
#[test]
fn pieces_are_those_of_the_training_part() {
    let desk = Desk::new();
    let (x, x_test) = (noise("x", &[32, 6, 1]), noise("x_test", &[4, 20, 1]));
    save(&desk, "long.npz", &[("x_train", &x), ("y_train", &x), ("x_test", &x_test), ("y_test", &x_test)]);
    let options = ["--epochs", "2", "--validation", "0", "--set", "early_stopping=null", "--truncate", "3"];
    let ended = desk.bd(&file("long.npz", &[&options[..], &["--report-every", "100", "--out", "run"]].concat()));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // 2 epochs of 2 batches of 2 pieces; the last one is always reported.
    assert!(ended.stderr.contains("Train 8 steps, use "), "{}", ended.stderr);
}

/// A batch makes no update of pieces in which all of its sequences have ended, and an epoch ends with its last update.
#[test]
fn pieces_of_padding_are_no_updates() {
    let desk = Desk::new();
    let x = noise("x", &[32, 12, 1]);
    // One sequence of 12 steps, 31 of 2.
    let len = Tensor::full([32], 2, (Kind::Int64, Device::Cpu));
    let _ = len.get(5).fill_(12);
    let parts = [("x_train", &x), ("y_train", &x), ("x_test", &x), ("y_test", &x)];
    save(&desk, "short.npz", &[&parts[..], &[("len_train", &len), ("len_test", &len)]].concat());
    let options = ["--epochs", "3", "--batch", "8", "--truncate", "3", "--validation", "0"];
    let more = ["--set", "early_stopping=null", "--report-every", "100", "--out", "run"];
    let ended = desk.bd(&file("short.npz", &[&options[..], &more].concat()));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // In an epoch one batch of 4 pieces and three of 1: 7. The last update of all is reported.
    assert!(ended.stderr.contains("Train 21 steps, use "), "{}", ended.stderr);
}

#[test]
fn labels_of_sequences_are_learned_from_a_file() {
    let desk = Desk::new();
    save_labelled(&desk, "two.npz");
    let result = desk.bd_json(&file("two.npz", &["--epochs", "25", "--out", "run"]));
    assert_eq!(
        (metric(&result, "test_accuracy"), metric(&result, "baseline_moments_accuracy")),
        (1.0, 1.0),
        "{result}"
    );
    let test = reports(&desk, "run").pop().unwrap();
    assert_eq!(test["confusion"], json!([[11, 0], [0, 10]]));
    let (score, label) = (array(&desk, "run/predictions.npz", "score"), array(&desk, "run/predictions.npz", "label"));
    assert_eq!((score.size(), &label), (vec![21, 2], &told_apart_by_mean("test", 21).1));
    let cross_entropy = score.log_softmax(1, Kind::Double).gather(1, &label.unsqueeze(1), false).mean(Kind::Double);
    assert!((metric(&result, "test_loss") + cross_entropy.double_value(&[])).abs() < 1e-6, "{result}");

    // `bd eval` finds the same; on other data what is true of them: with the labels swapped nothing is right.
    let before = desk.files();
    let again = desk.bd_json(&["eval", "run"]);
    for name in ["test_accuracy", "test_loss", "baseline_moments_accuracy"] {
        assert_eq!(metric(&again, name), metric(&result, name), "{name}");
    }
    assert_eq!(desk.files(), before, "nothing is written");
    let (x, y) = told_apart_by_mean("others", 9);
    save(&desk, "others.npz", &[("x", &x), ("y", &y)]);
    save(&desk, "swapped.npz", &[("x_test", &x), ("y_test", &(1 - &y))]);
    assert_eq!(metric(&desk.bd_json(&["eval", "run", "--data", "others.npz"]), "test_accuracy"), 1.0);
    assert_eq!(metric(&desk.bd_json(&["eval", "run", "--data", "swapped.npz"]), "test_accuracy"), 0.0);

    // `bd predict` takes data in their own units, and is what the crates compute.
    let predict = ["predict", "run", "--input", "others.npz", "--array", "x", "--output", "out.npz", "--record", "r.h"];
    let told = desk.bd_json(&predict);
    assert_eq!(told["arrays"]["output"], json!([9, 12, 2]));
    assert_eq!(array(&desk, "out.npz", "class"), y);
    assert_eq!(array(&desk, "out.npz", "r.h").size(), [9, 12, 6]);
    let on = (Kind::Float, Device::Cpu);
    let mut params = bd_core::Params::new(0, on);
    let scale = bd_models::Standardise::new(&mut params.at("scale"), 2).unwrap();
    let (cell, reads) = (bd_models::Cell::all()[1], bd_models::Reads::StateAndMean);
    let config = bd_models::RateNetConfig { n_in: 2, hidden: vec![6], n_out: 2, cell, reads, ..Default::default() };
    let net = config.build(&mut params).unwrap();
    params.load(&load_tensors(&desk.path("run/model.safetensors")).unwrap()).unwrap();
    let xs = scale.apply(&x.to_kind(Kind::Float)).transpose(0, 1).contiguous();
    let mut tap = Tap::new(["r.h"]);
    let ys = bd_core::scan_by_step(&net, &Shared::new(1.0), &xs, net.init_state(9, on), &mut tap).0;
    assert_close("output", &array(&desk, "out.npz", "output"), &ys.transpose(0, 1).detach(), 1e-5);
    let h = tap.finish().unwrap()["r.h"].detach();
    assert_close("r.h", &array(&desk, "out.npz", "r.h"), &h, 1e-5);
}

/// At every step, whether the first channel has been above the second so far.
#[test]
fn labels_of_steps_are_learned_from_a_file() {
    let desk = Desk::new();
    let part = |name: &str, count: i64| {
        let x = noise(name, &[count, 10, 2]);
        let y = (x.select(2, 0) - x.select(2, 1)).cumsum(1, Kind::Double).gt(0.0).to_kind(Kind::Int64);
        (x, y)
    };
    let ((x, y), (x_test, y_test)) = (part("train", 64), part("test", 20));
    save(&desk, "steps.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    let result = desk.bd_json(&file("steps.npz", &["--epochs", "30", "--truncate", "5", "--out", "run"]));
    assert!(metric(&result, "test_accuracy") > 0.85, "{result}");
    let metrics = &result["metrics"];
    assert!(metric(&result, "baseline_majority_accuracy") < metric(&result, "baseline_ridge_accuracy"), "{result}");
    assert!(
        metrics["baseline_moments_accuracy"].is_null() && metrics["baseline_nearest_accuracy"].is_null(),
        "{result}"
    );
    let test = reports(&desk, "run").pop().unwrap();
    let confusion: Vec<Vec<i64>> = serde_json::from_value(test["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<i64>(), 200);
    assert_eq!(array(&desk, "run/predictions.npz", "score").size(), [20, 10, 2]);
    save(&desk, "x.npz", &[("x", &x_test)]);
    desk.bd_json(&["predict", "run", "--input", "x.npz", "--output", "out.npz"]);
    assert_eq!(array(&desk, "out.npz", "class").size(), [20, 10]);
    assert_eq!(metric(&desk.bd_json(&["eval", "run"]), "test_accuracy"), metric(&result, "test_accuracy"));
}

#[test]
fn numbers_are_learned_from_a_file() {
    let desk = Desk::new();
    save_sums(&desk, "steps.npz");
    let last = |name: &str| array(&desk, "steps.npz", name).select(1, -1);
    let named = |name: &str| array(&desk, "steps.npz", name);
    let vectors = [("x_train", named("x_train")), ("x_test", named("x_test"))];
    let ends = [("y_train", last("y_train")), ("y_test", last("y_test"))];
    let all: Vec<_> = vectors.iter().chain(&ends).map(|(name, array)| (*name, array)).collect();
    save(&desk, "ends.npz", &all);
    for (name, shape) in [("steps", vec![10, 8, 1]), ("ends", vec![10, 1])] {
        let npz = format!("{name}.npz");
        for loss in ["mse", "huber"] {
            let out = format!("{name}-{loss}");
            let options = ["--epochs", "120", "--loss", loss, "--dtype", "f64", "--out", &out];
            let result = desk.bd_json(&file(&npz, &options));
            assert!(metric(&result, "test_nmse") < 0.1, "{name} {loss}: {result}");
            let arrays = format!("{out}/predictions.npz");
            let (found, truth) = (array(&desk, &arrays, "prediction"), array(&desk, &arrays, "target"));
            assert_eq!((found.size(), &truth), (shape.clone(), &array(&desk, &npz, "y_test")));
            let mse = (found - truth).square().mean(Kind::Double).double_value(&[]);
            assert!((metric(&result, "test_mse") / mse - 1.0).abs() < 1e-10);
            assert_eq!(metric(&desk.bd_json(&["eval", &out]), "test_mse"), metric(&result, "test_mse"));
        }
        save(&desk, "x.npz", &[("x", &named("x_test"))]);
        let (run, out) = (format!("{name}-mse"), format!("{name}-out.npz"));
        let told = desk.bd_json(&["predict", &run, "--input", "x.npz", "--output", &out]);
        assert_eq!((&told["arrays"]["output"], &told["arrays"]["class"]), (&json!([10, 8, 1]), &Value::Null));
    }
}

/// What stands in padding has no influence: neither inputs nor targets, on neither weights nor metrics.
#[test]
fn padding_counts_for_nothing() {
    let desk = Desk::new();
    let lengths = |count: i64| Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(8) + 3;
    let padding = |t: &Tensor| {
        let steps = Tensor::arange(t.size()[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
        steps.ge_tensor(&lengths(t.size()[0]).unsqueeze(1))
    };
    let fill = |t: &Tensor, value: f64| {
        let mask = padding(t);
        t.masked_fill(&if t.dim() == 3 { mask.unsqueeze(2) } else { mask }, value)
    };
    let part = |name: &str, count: i64| noise(name, &[count, 12, 2]) + 0.5;
    let (x, x_test) = (part("x", 40), part("x_test", 10));
    let label = |x: &Tensor| x.select(2, 0).gt(0.5).to_kind(Kind::Int64);
    let targets = |x: &Tensor| {
        [
            ("labels", label(x).select(1, 0)),
            ("labels of steps", label(x)),
            ("series", x.narrow(2, 0, 1).cumsum(1, Kind::Double)),
            ("vectors", x.select(1, 0)),
        ]
    };
    for ((what, y), (_, y_test)) in targets(&x).into_iter().zip(targets(&x_test)) {
        let run = |name: &str, inputs: f64, wanted: f64| {
            let padded = |y: &Tensor| if y.dim() > 1 && y.size()[1] == 12 { fill(y, wanted) } else { y.copy() };
            let npz = format!("{name}.npz");
            let (x, x_test, y, y_test) = (fill(&x, inputs), fill(&x_test, inputs), padded(&y), padded(&y_test));
            let (len, len_test) = (lengths(40), lengths(10));
            let parts = [("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)];
            save(&desk, &npz, &[&parts[..], &[("len_train", &len), ("len_test", &len_test)]].concat());
            desk.bd_json(&file(&npz, &["--epochs", "3", "--out", name]))
        };
        let one = run("one", 0.0, 0.0);
        // Labels that are none are a usual padding.
        let two = run("two", -700.0, if y.kind() == Kind::Int64 { -100.0 } else { 1e4 });
        assert!(same_bytes(&desk, "model.safetensors", "one", "two"), "{what}");
        assert_eq!(one["metrics"], two["metrics"], "{what}");
        if let Some(confusion) = reports(&desk, "one").pop().unwrap()["confusion"].as_array() {
            let all: i64 = confusion.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_i64().unwrap()).sum();
            let valid = if what == "labels" { 10 } else { lengths(10).sum(Kind::Int64).int64_value(&[]) };
            assert_eq!(all, valid, "{what}");
        }
        ["one", "two"].iter().for_each(|run| fs::remove_dir_all(desk.path(run)).unwrap());
    }
}
