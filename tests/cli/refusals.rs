//! Wrong input: one clear sentence, the documented exit code, and nothing left behind.

use std::fs;

use crate::common::Desk;
use bd_core::files::save_tensors;
use tch::Tensor;

/// Runs `bd train ngrc` and checks code and words; the folder must be as before.
#[track_caller]
fn refused(desk: &Desk, args: &[&str], code: i32, words: &str) {
    let before = desk.files();
    let ended = desk.bd(&[&["train", "ngrc"], args].concat());
    let shown = format!("{args:?} ended with {}:\n{}", ended.code, ended.stderr);
    assert!(ended.stderr.contains(words), "{words:?} not in what {shown}");
    assert_eq!(ended.code, code, "{shown}");
    assert_eq!(ended.stderr.matches(words).count(), 1, "{words:?} is said more than once: {shown}");
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("frame #"), "{shown}");
    assert_eq!(ended.stdout, "", "{shown}");
    assert_eq!(desk.files(), before, "{args:?} left something behind");
}

#[test]
fn devices() {
    let desk = Desk::new();
    refused(&desk, &["--device", "gpu"], 2, "unknown device 'gpu'; a device is auto, cpu, cuda or cuda:N");
    if bd_core::cuda::gpus().is_err() {
        refused(&desk, &["--device", "cuda"], 8, "CUDA was asked for, but ");
        refused(&desk, &["--device", "cuda:3", "--out", "run"], 8, "CUDA was asked for, but ");
    }
}

#[test]
fn configuration() {
    let desk = Desk::new();
    fs::write(desk.path("typo.toml"), "[nvar]\ndealy = 3\n").unwrap();
    fs::write(desk.path("broken.json"), "{\"seed\": ").unwrap();
    fs::write(desk.path("other.json"), "{\"job\": \"rnn\"}").unwrap();
    fs::write(desk.path("plain.txt"), "seed = 1").unwrap();
    for (args, words) in [
        (vec!["--config", "typo.toml"], "unknown configuration key nvar.dealy; did you mean nvar.delay?"),
        (vec!["--config", "broken.json"], "broken.json: EOF while parsing"),
        (vec!["--config", "other.json"], "a job 'rnn', not of 'ngrc'"),
        (vec!["--config", "plain.txt"], "ends in .toml or .json"),
        (vec!["--set", "ridge.alhpa=1"], "did you mean ridge.alpha?"),
        (vec!["--set", "nvar.delay=many"], "nvar.delay: invalid type"),
        (vec!["--set", "nvar"], "expected NAME=VALUE"),
        (vec!["--set", "data.system.params.rhoo=1"], "did you mean data.system.params.rho?"),
        (vec!["--set", "data.system.name=lorentz"], "unknown system 'lorentz'; there are: lorenz, rossler"),
        (vec!["--set", "data.system.start=1,2"], "3 start values, got 2"),
        (vec!["--set", "data.dt=0"], "data.dt is 0"),
        (vec!["--set", "data.system.duration=1e12"], "1 to 33554432 points"),
        (vec!["--dtype", "f16"], "dtype: unknown variant `f16`, expected `f32` or `f64`"),
        (vec!["--solver", "lu"], "ridge.solver: unknown variant `lu`"),
        (vec!["--alpha", "-1"], "ridge.alpha is -1"),
        (vec!["--alpha", "nan"], "--alpha is NaN"),
        (vec!["--alpha", "0", "--set", "nvar.constant=true"], "only 91 are independent"),
        (vec!["--threads", "0"], "threads is 0; this machine allows 1 to"),
        (vec!["--threads", "100000"], "threads is 100000; this machine allows 1 to"),
        (vec!["--set", "data.columns=x"], "data.columns names tensors of data.file, and there is none"),
        (vec!["--stride", "18446744073709551615", "--delay", "3"], "cannot look back"),
        (vec!["--delay", "0"], "delay 0"),
        (vec!["--delay", "300"], "features, allowed are"),
        (vec!["--horizon", "0"], "horizon is [0]"),
        (vec!["--horizon", "5,5"], "can be named once"),
        (vec!["--horizon", "5000"], "too few to test a forecast 5000 steps ahead"),
        (vec!["--set", "split.split=0.5,0.5"], "split.split"),
        (vec!["--set", "split.warmup=20000"], "warmup takes 20000 points, but the series has 10000"),
        (vec!["--columns", "x"], "required arguments were not provided"),
        (vec!["--no-such-option"], "unexpected argument"),
    ] {
        refused(&desk, &args, 2, words);
    }
    refused(&desk, &["--config", "absent.toml"], 2, "absent.toml: cannot be read: No such file");
    refused(
        &desk,
        &["--data", "a.safetensors", "--set", "data.file=b", "--set", "data.system.name=lorenz"],
        2,
        "exclude",
    );
    refused(&desk, &["--stride", "100000000000"], 4, "out of memory");
    refused(&desk, &["--set", "data.dt=0.9"], 3, "the series of lorenz is not finite: point");
}

#[test]
fn run_folders() {
    let desk = Desk::new();
    fs::create_dir(desk.path("mine")).unwrap();
    fs::write(desk.path("mine/notes"), "notes").unwrap();
    fs::write(desk.path("file"), "").unwrap();
    refused(&desk, &["--out", "mine"], 5, "cannot create run folder mine: it exists");
    refused(&desk, &["--out", "file"], 5, "cannot create run folder file: it exists");
    refused(&desk, &["--out", "file/run"], 5, "file/run: Not a directory");
    refused(&desk, &["--out", "/proc/run"], 5, "cannot create run folder /proc/run");
    refused(&desk, &["--out", "deep/er/run", "--alpha", "0", "--set", "nvar.constant=true"], 2, "independent");
}

#[test]
fn data_files() {
    let desk = Desk::new();
    let series = Tensor::arange(400, (tch::Kind::Double, tch::Device::Cpu)).sin().reshape([200, 2]);
    let hole = series.copy();
    let _ = hole.get(17).get(1).fill_(f64::NAN);
    let tensors = [
        ("series", series.shallow_clone()),
        ("hole", hole),
        ("short", series.narrow(0, 0, 50)),
        ("cube", series.reshape([10, 10, 4])),
        ("flags", series.gt(0.0)),
    ];
    let named: Vec<_> = tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    save_tensors(&desk.path("all.safetensors"), &named).unwrap();
    fs::write(desk.path("cut.safetensors"), &fs::read(desk.path("all.safetensors")).unwrap()[..100]).unwrap();
    fs::write(desk.path("empty.safetensors"), "").unwrap();
    fs::write(desk.path("series.xls"), "").unwrap();
    for (file, column, code, words) in [
        ("all.safetensors", "hole", 7, "hole is NaN at point 17, channel 1"),
        ("all.safetensors", "series,short", 7, "series has 200 points, but short has 50"),
        ("all.safetensors", "series,series", 7, "two channels would be called 'series.0'"),
        ("all.safetensors", "cube", 7, "cube is [10, 10, 4]; a series is [time] or [time, channel]"),
        ("all.safetensors", "flags", 7, "flags is bool"),
        ("all.safetensors", "sunspots", 7, "no tensor is called 'sunspots'; there are: cube"),
        ("cut.safetensors", "series", 7, "not a safetensors file"),
        ("empty.safetensors", "series", 7, "not a safetensors file"),
        ("series.xls", "series", 7, "ends in .safetensors"),
        ("absent.safetensors", "series", 7, "cannot be read: No such file"),
        ("all.safetensors", "series", 2, "too few to test a forecast 100 steps ahead"),
    ] {
        refused(&desk, &["--data", file, "--columns", column], code, words);
    }
    refused(&desk, &["--data", "all.safetensors"], 7, "name tensors with --columns; there are: cube");
}
