//! `bd train snn --data`: spikes in steps, spikes with times, numbers by way of an encoding; `bd data digits`.

use std::fs;

use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::common::{Desk, array, json_of, metric, noise, refused_by, reports, same_bytes, save};

const ENCODERS: [&str; 4] = ["current", "rate", "latency", "delta"];

/// A small job on a file.
fn file<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    // A network alone, without synapses within the layer, whose time constants are not trained.
    let small = ["--hidden", "12", "--batch", "16", "--lr", "0.01", "--ensemble", "1"];
    let plain = ["--set", "model.recurrent=false", "--set", "model.lif.trained.tau=false"];
    [&["train", "snn", "--data", name], &small[..], &plain[..], more].concat()
}

/// `count` samples of 30 steps and 8 channels in bytes: with label 0 the first half of the channels spikes more, with 1 the second.
pub(crate) fn spikes(name: &str, count: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
    let half = Tensor::arange(8, (Kind::Int64, Device::Cpu)).ge(4).to_kind(Kind::Int64);
    let often = labels.reshape([-1, 1, 1]).eq_tensor(&half.reshape([1, 1, 8])).to_kind(Kind::Double);
    let x = noise(name, &[count, 30, 8]).gt_tensor(&(1.3 - often));
    (x.to_kind(Kind::Uint8), labels)
}

fn save_spikes(desk: &Desk, name: &str) {
    let ((x, y), (x_test, y_test)) = (spikes("train", 60), spikes("test", 21));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

/// The ones of `x` as times in the middle of steps of 4 ms, with units and offsets.
pub(crate) fn events(x: &Tensor) -> [Tensor; 3] {
    let places = x.nonzero();
    let [sample, step, unit] = [0, 1, 2].map(|column| places.select(1, column).contiguous());
    let counts: Tensor = sample.bincount::<Tensor>(None, x.size()[0]);
    let offsets = Tensor::cat(&[Tensor::zeros([1], (Kind::Int64, Device::Cpu)), counts.cumsum(0, Kind::Int64)], 0);
    [(step.to_kind(Kind::Double) + 0.5) * 0.004, unit, offsets]
}

/// Arrays under these names, with the suffix of a part.
pub(crate) fn of_part(part: &str, arrays: [Tensor; 3], y: Tensor) -> Vec<(String, Tensor)> {
    let [times, units, offsets] = arrays;
    let named = [("times", times), ("units", units), ("offsets", offsets), ("y", y)];
    named.map(|(name, array)| (format!("{name}_{part}"), array)).into()
}

fn save_events(desk: &Desk, name: &str) {
    let ((x, y), (x_test, y_test)) = (spikes("train", 60), spikes("test", 21));
    let mut arrays = of_part("train", events(&x), y);
    arrays.extend(of_part("test", events(&x_test), y_test));
    bd_core::npz::save_npz(&desk.path(name), &arrays).unwrap();
}

/// Waves of two channels with noise, 48 steps: with label 1 the second is a quarter late, with 0 early.
pub(crate) fn waves(name: &str, count: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2);
    let time = Tensor::arange(48, (Kind::Double, Device::Cpu)).reshape([1, -1]) * (std::f64::consts::TAU / 24.0);
    let late = (&labels * 2 - 1).to_kind(Kind::Double).reshape([-1, 1]) * std::f64::consts::FRAC_PI_2;
    let first = time.sin().expand([count, 48], false);
    let second = (time - late).sin() * 50.0 + 7.0;
    let noise = noise(name, &[count, 48, 2]) * Tensor::from_slice(&[0.1, 5.0]);
    (Tensor::stack(&[first, second], 2) + noise, labels)
}

fn save_waves(desk: &Desk, name: &str) {
    let ((x, y), (x_test, y_test)) = (waves("train", 48), waves("test", 20));
    save(desk, name, &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
}

#[test]
fn spikes_in_steps_are_learned_and_the_folder_is_complete() {
    let desk = Desk::new();
    save_spikes(&desk, "two.npz");
    let ended = desk.bd(&file("two.npz", &["--epochs", "20", "--report-every", "10", "--out", "run"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let count = spikes("train", 60).0.sum(Kind::Int64).int64_value(&[]);
    for words in [
        "two.npz: 44 for training, 16 for validation, 21 for testing, of 30 steps, 8 channels; 2 classes",
        "kept as a list, steps of 1 ms",
        "snn 8-12-2, 120 weights",
        "Train 10 steps, use ",
        "ended     after all 20 epochs, still improving; --epochs 40 may help",
        "best      of the validation part",
    ] {
        assert!(ended.stderr.contains(words), "{words:?} not in {}", ended.stderr);
    }
    for words in ["test accuracy", "majority", "moments", "ridge", "nearest", "compared", "rate of r", "is / taken for"]
    {
        assert!(ended.stdout.contains(words), "{words:?} not in {}", ended.stdout);
    }
    let files = ["config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "predictions.npz"];
    let plots = ["confusion", "raster", "samples", "training", "voltages"].map(|name| format!("plots/{name}.svg"));
    let plots = plots.each_ref().map(String::as_str);
    files.iter().chain(&plots).for_each(|name| assert!(desk.path("run").join(name).is_file(), "{name}"));

    let lines = reports(&desk, "run");
    let test = lines.last().unwrap();
    assert_eq!((&test["split"], test["test_accuracy"].as_f64()), (&json!("test"), Some(1.0)), "{test}");
    assert!(
        test["baseline_moments_accuracy"].as_f64().unwrap() > 0.9
            && test["validation_accuracy"].as_f64().unwrap() > 0.9
    );
    assert_eq!(test["confusion"], json!([[11, 0], [0, 10]]));
    let trained = lines.iter().find(|line| line["split"] == "train").unwrap();
    assert!([trained, test].iter().all(|line| line["spike_rate.r"].as_f64().unwrap() > 0.0));
    let config = json_of(&desk, "run/config.json");
    assert_eq!((&config["data"]["steps"], &config["data"]["channels"]), (&json!(30), &json!(8)));
    assert!(count > 1000);

    // Again, on the same data and on others; and what `bd predict` says of the test part.
    let again = desk.bd_json(&["eval", "run"]);
    for name in ["test_accuracy", "test_loss", "baseline_moments_accuracy", "spike_rate.r"] {
        assert_eq!(Some(metric(&again, name)), test[name].as_f64(), "{name}");
    }
    let (x, y) = spikes("others", 10);
    save(&desk, "swapped.npz", &[("x", &x), ("y", &(1 - &y))]);
    assert_eq!(metric(&desk.bd_json(&["eval", "run", "--data", "swapped.npz"]), "test_accuracy"), 0.0);
    desk.bd_json(&["predict", "run", "--input", "two.npz", "--output", "out.npz", "--record", "r.spike"]);
    assert_eq!(array(&desk, "out.npz", "class"), array(&desk, "run/predictions.npz", "label"));
    assert_eq!(array(&desk, "out.npz", "r.spike").size(), [21, 30, 12]);
}

/// Bytes, floats and truths are the same spikes; so are events in the middle of the steps.
#[test]
fn forms_of_the_same_spikes_give_the_same_weights() {
    let desk = Desk::new();
    save_spikes(&desk, "bytes.npz");
    save_events(&desk, "events.npz");
    let of = |name: &str| array(&desk, "bytes.npz", name);
    let (x, x_test) = (of("x_train").gt(0), of("x_test").to_kind(Kind::Double));
    save(
        &desk,
        "truths.npz",
        &[("x_train", &x), ("y_train", &of("y_train")), ("x_test", &x_test), ("y_test", &of("y_test"))],
    );
    for name in ["bytes", "truths", "events"] {
        let npz = format!("{name}.npz");
        desk.bd_json(&file(&npz, &["--epochs", "3", "--dt", "4", "--out", name]));
        assert!(same_bytes(&desk, "model.safetensors", "bytes", name), "{name}");
        assert!(same_bytes(&desk, "predictions.npz", "bytes", name), "{name}");
    }
    // The same goes for what is predicted, whose array may be named.
    desk.bd_json(&["predict", "events", "--input", "events.npz", "--output", "a.npz"]);
    desk.bd_json(&["predict", "events", "--input", "bytes.npz", "--array", "x_test", "--output", "b.npz"]);
    assert_eq!(array(&desk, "a.npz", "score"), array(&desk, "b.npz", "score"));
    assert_eq!(array(&desk, "a.npz", "score"), array(&desk, "events/predictions.npz", "score").to_kind(Kind::Float));
    let config = json_of(&desk, "events/config.json");
    assert_eq!((&config["data"]["steps"], config["dt"].as_f64()), (&json!(30), Some(4.0)));
}

/// From random spikes to a file and back: what belongs to the examples goes with them, the rest stays.
#[test]
fn a_configuration_can_be_turned_to_other_examples() {
    let desk = Desk::new();
    save_spikes(&desk, "spikes.npz");
    let random =
        ["train", "snn", "--samples", "8", "--steps", "40", "--rate-hz", "50", "--epochs", "1", "--lr", "0.003"];
    desk.bd_json(&[&random[..], &["--hidden", "7", "--out", "random"]].concat());
    let onto = |config: &str, more: &[&str], out: &str| {
        desk.bd_json(&[&["train", "snn", "--config", config, "--epochs", "1", "--out", out], more].concat());
        json_of(&desk, &format!("{out}/config.json"))
    };
    let file = onto("random/config.json", &["--data", "spikes.npz"], "file");
    assert_eq!(
        (&file["data"]["samples"], &file["data"]["steps"], &file["data"]["channels"]),
        (&json!(null), &json!(30), &json!(8))
    );
    assert_eq!((&file["model"]["hidden"], file["optim"]["lr"].as_f64()), (&json!([7]), Some(0.003)));
    let back = ["--set", "data.file=null", "--samples", "8"];
    let back = onto("file/config.json", &back, "back");
    assert_eq!(
        (&back["data"]["file"], &back["data"]["steps"], &back["model"]["n_in"]),
        (&json!(null), &json!(2000), &json!(100))
    );
    assert_eq!(back["model"]["hidden"], json!([7]));
}

#[test]
fn events_that_share_a_step_or_come_late_are_counted() {
    let desk = Desk::new();
    save_events(&desk, "events.npz");
    let ended = desk.bd(&file("events.npz", &["--epochs", "1", "--dt", "8", "--steps", "14", "--out", "run"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // By hand: of 30 steps of 4 ms, 28 are left; those of a pair that both spike are one.
    let all = Tensor::cat(&[spikes("train", 60).0, spikes("test", 21).0], 0).to_kind(Kind::Int64);
    let pairs = all.narrow(1, 0, 28).reshape([81, 14, 2, 8]);
    let merged = pairs.prod_dim_int(2, false, Kind::Int64).sum(Kind::Int64).int64_value(&[]);
    let late = all.narrow(1, 28, 2).sum(Kind::Int64).int64_value(&[]);
    for words in
        [format!("; {merged} spikes counted as one"), format!("; {late} spikes left out"), "of 14 steps".into()]
    {
        assert!(ended.stderr.contains(&words), "{words:?} not in {}", ended.stderr);
    }
}

/// Every encoding repeats itself and is the same in `bd eval` and `bd predict`.
#[test]
fn numbers_are_learned_by_way_of_an_encoding() {
    let desk = Desk::new();
    save_waves(&desk, "waves.npz");
    for name in ENCODERS {
        let substeps = if name == "latency" { 10 } else { 1 };
        let result = desk.bd_json(&file("waves.npz", &["--encode", name, "--epochs", "25", "--out", name]));
        // Two channels that spike at random, or once in a step, tell less of a phase than so few updates could learn.
        let learned = ["current", "delta"].contains(&name);
        assert!(!learned || metric(&result, "test_accuracy") > 0.8, "{name}: {result}");
        assert!(metric(&result, "baseline_moments_accuracy") < 0.8, "{name}: {result}");
        let again = desk.bd_json(&["eval", name]);
        for one in ["test_accuracy", "test_loss", "baseline_moments_accuracy", "spike_rate.r"] {
            assert_eq!(metric(&again, one), metric(&result, one), "{name}: {one}");
        }
        let out = format!("{name}.npz");
        let told = desk.bd_json(&["predict", name, "--input", "waves.npz", "--output", &out]);
        assert_eq!(told["arrays"]["output"], json!([20, 48 * substeps, 2]), "{name}");
        let scores = array(&desk, &format!("{name}/predictions.npz"), "score").to_kind(Kind::Float);
        assert!((array(&desk, &out, "score") - scores).abs().max().double_value(&[]) < 1e-6, "{name}");
        let config = json_of(&desk, &format!("{name}/config.json"));
        let n_in = if name == "delta" { 4 } else { 2 };
        assert_eq!((&config["data"]["channels"], &config["model"]["n_in"]), (&json!(2), &json!(n_in)));
    }
    desk.bd_json(&["train", "snn", "--config", "rate/config.json", "--out", "again"]);
    assert!(same_bytes(&desk, "model.safetensors", "rate", "again"));
    let names = |run: &str| {
        let all = bd_core::files::load_tensors(&desk.path(run).join("model.safetensors")).unwrap();
        all.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert!(names("rate").contains(&"scale.max".to_owned()) && names("delta").contains(&"scale.std".to_owned()));
    let set = ["--encode", "latency", "--set", "data.encode.substeps=4", "--epochs", "1", "--out", "four"];
    desk.bd_json(&file("waves.npz", &set));
    assert_eq!(json_of(&desk, "four/config.json")["data"]["encode"], json!({"name": "latency", "substeps": 4}));
}

/// What stands in padding has no influence, on neither weights nor metrics.
#[test]
fn padding_counts_for_nothing() {
    let desk = Desk::new();
    let lengths = |count: i64| Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(12) + 10;
    let save_padded = |name: &str, data: fn(&str, i64) -> (Tensor, Tensor), value: f64| {
        let ((x, y), (x_test, y_test)) = (data("train", 48), data("test", 20));
        let pad = |x: &Tensor| {
            let steps = Tensor::arange(x.size()[1], (Kind::Int64, Device::Cpu)).reshape([1, -1, 1]);
            x.masked_fill(&steps.ge_tensor(&lengths(x.size()[0]).reshape([-1, 1, 1])), value)
        };
        let parts = [("x_train", &pad(&x)), ("y_train", &y), ("x_test", &pad(&x_test)), ("y_test", &y_test)];
        let ends = [("len_train", &lengths(48)), ("len_test", &lengths(20))];
        save(&desk, name, &[&parts[..], &ends].concat());
    };
    save_padded("spikes 0.npz", spikes, 0.0);
    save_padded("spikes 1.npz", spikes, 7.0);
    save_padded("waves 0.npz", waves, 0.0);
    save_padded("waves 1.npz", waves, -700.0);
    for (data, encode) in [("spikes", "none")].into_iter().chain(ENCODERS.map(|name| ("waves", name))) {
        let run = |i: usize| {
            let (npz, out) = (format!("{data} {i}.npz"), format!("{encode} {i}"));
            desk.bd_json(&file(&npz, &["--encode", encode, "--epochs", "2", "--out", &out]))
        };
        let (one, two) = (run(0), run(1));
        assert_eq!(one["metrics"], two["metrics"], "{encode}");
        assert!(same_bytes(&desk, "model.safetensors", &format!("{encode} 0"), &format!("{encode} 1")), "{encode}");
    }
}

/// Targets need not be labels of sequences.
#[test]
fn numbers_can_be_wanted() {
    let desk = Desk::new();
    let part = |name: &str, count: i64| {
        let x = spikes(name, count).0;
        let y = x.narrow(2, 0, 4).to_kind(Kind::Double).sum_dim_intlist(2, false, Kind::Double);
        (x, y.cumsum(1, Kind::Double))
    };
    let ((x, y), (x_test, y_test)) = (part("train", 60), part("test", 20));
    save(&desk, "sums.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    let result =
        desk.bd_json(&file("sums.npz", &["--epochs", "30", "--set", "model.readout.tau_ms=50", "--out", "run"]));
    assert!(metric(&result, "test_nmse") < 0.5, "{result}");
    let many = ["--encode", "rate", "--set", "data.encode.substeps=2"];
    let (x, x_test) = (x.to_kind(Kind::Double) * 0.5, x_test.to_kind(Kind::Double) * 0.5);
    save(&desk, "halves.npz", &[("x_train", &x), ("y_train", &y), ("x_test", &x_test), ("y_test", &y_test)]);
    refused_by(&desk, &file("halves.npz", &many), 2, "substeps is 2, but the file has a target for each step");
}

#[test]
fn wrong_settings_are_refused() {
    let desk = Desk::new();
    save_spikes(&desk, "spikes.npz");
    save_events(&desk, "events.npz");
    save_waves(&desk, "waves.npz");
    for (name, args, words) in [
        ("waves.npz", &[][..], "the inputs are numbers, not spikes (the first that is neither 0 nor 1 is "),
        ("waves.npz", &[], "say with --encode how they drive the network: current, rate, latency or delta"),
        (
            "waves.npz",
            &["--encode", "gray"],
            "data.encode cannot be 'gray'; there are: none, current, rate, latency, delta",
        ),
        ("waves.npz", &["--set", "data.encode=gray"], "data.encode cannot be 'gray'"),
        (
            "waves.npz",
            &["--encode", "rate", "--set", "data.encode.max_rate=1.5"],
            "encode.rate.max_rate is 1.5; it must be a probability above 0 and at most 1",
        ),
        (
            "waves.npz",
            &["--encode", "rate", "--set", "data.encode.threshold=1"],
            "unknown configuration key data.encode.threshold",
        ),
        (
            "waves.npz",
            &["--encode", "latency", "--set", "data.encode.substeps=1"],
            "encode.latency.substeps is 1; it must be from 2 to 10000",
        ),
        ("waves.npz", &["--encode", "current", "--set", "data.encode.substeps=0"], "encode.current.substeps is 0"),
        ("waves.npz", &["--encode", "delta", "--set", "data.encode.threshold=0"], "encode.delta.threshold is 0"),
        (
            "waves.npz",
            &["--encode", "delta", "--set", "model.n_in=2"],
            "the examples need 4 inputs and 2 outputs, but model.n_in is 2",
        ),
        ("waves.npz", &["--encode", "rate", "--steps", "9"], "data.steps is 9, but the file has 48 steps"),
        ("spikes.npz", &["--set", "data.channels=9"], "data.channels is 9, but the file has 8 channels"),
        ("spikes.npz", &["--set", "data.channels=0"], "data.channels is 0; it is from 1"),
        ("spikes.npz", &["--samples", "9"], "data.samples and data.rate_hz are for random spikes, and there is a file"),
        ("spikes.npz", &["--rate-hz", "9"], "data.samples and data.rate_hz are for random spikes"),
        (
            "spikes.npz",
            &["--set", "model.n_out=5"],
            "need 8 inputs and 2 outputs, but model.n_in is 8 and model.n_out 5",
        ),
        ("spikes.npz", &["--validation", "1"], "data.validation is 1"),
        ("spikes.npz", &["--validation", "0.001"], "both need one"),
        ("spikes.npz", &["--validation", "0", "--patience", "3"], "early_stopping needs the validation part"),
        ("spikes.npz", &["--patience", "0"], "early_stopping.patience is 0; it must be at least 1"),
        ("spikes.npz", &["--set", "loss=mse"], "the targets are labels, for which it is cross_entropy"),
        ("spikes.npz", &["--set", "loss.over=every"], "a sequence has one label"),
        ("spikes.npz", &["--dt", "0"], "dt is 0"),
        ("spikes.npz", &["--dt", "nan"], "--dt is NaN"),
        ("spikes.npz", &["--epochs", "0"], "epochs is 0"),
        ("events.npz", &["--encode", "latency"], "data.encode is latency, but the inputs are spikes already"),
        ("events.npz", &["--steps", "0"], "data.steps is 0"),
        ("events.npz", &["--steps", "9999999"], "data.steps is 9999999; there are at most"),
        ("events.npz", &["--dt", "1e-7"], "Times are in seconds"),
    ] {
        refused_by(&desk, &file(name, args), 2, words);
    }
    let few = ["--set", "data.channels=7"];
    refused_by(&desk, &file("events.npz", &few), 7, "has a spike of unit 7 (its spike ");
    for (args, words) in [
        (vec!["--encode", "rate"], "are for a file; name it with --data"),
        (vec!["--validation", "0.2"], "are for a file; name it with --data"),
        (vec!["--patience", "2"], "early_stopping needs the validation part of a file"),
    ] {
        refused_by(&desk, &[&["train", "snn"], &args[..]].concat(), 2, words);
    }
    refused_by(
        &desk,
        &["train", "rnn", "--data", "events.npz"],
        7,
        "it has spikes with times (times_train), which bd train snn",
    );
}

#[test]
fn digits_are_made_and_learned() {
    let desk = Desk::new();
    let small = ["--train", "40", "--test", "16", "--classes", "2", "--channels", "60"];
    let make = |out: &str, more: &[&str]| desk.bd(&[&["data", "digits", "--out", out], &small[..], more].concat());
    let ended = make("a.npz", &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("40 samples (") && ended.stderr.contains("2 classes, 60 channels"),
        "{}",
        ended.stderr
    );
    make("b.npz", &[]);
    make("c.npz", &["--seed", "1"]);
    let read = |name: &str| fs::read(desk.path(name)).unwrap();
    assert_eq!(read("a.npz"), read("b.npz"));
    assert_ne!(read("a.npz"), read("c.npz"));
    assert_eq!(array(&desk, "a.npz", "offsets_train").size(), [41]);
    let result = desk.bd_json(&file("a.npz", &["--epochs", "1", "--out", "run"]));
    assert!(metric(&result, "spike_rate.r") > 0.0, "{result}");
    for (args, code, words) in [
        (vec!["--out", "a.npz"], 5, "cannot create a.npz: it exists"),
        (vec!["--out", "d.csv"], 2, "--out d.csv: it must end in .npz"),
        (vec!["--out", "d.npz", "--train", "3"], 2, "--train is 3; it is from 20, one of each class, to 100000"),
        (vec!["--out", "d.npz", "--test", "0"], 2, "--test is 0"),
        (vec!["--out", "d.npz", "--classes", "1"], 2, "digits.classes is 1"),
        (vec!["--out", "d.npz", "--channels", "1"], 2, "digits.channels is 1"),
    ] {
        refused_by(&desk, &[&["data", "digits"], &args[..]].concat(), code, words);
    }
}
