//! Wrong input: one clear sentence, the documented exit code, and nothing left behind.

use std::fs;

use crate::common::{Desk, refused_by};

#[track_caller]
fn refused(desk: &Desk, args: &[&str], code: i32, words: &str) {
    refused_by(desk, &[&["train", "ngrc"], args].concat(), code, words);
}

#[test]
fn devices() {
    let desk = Desk::new();
    refused(&desk, &["--device", "gpu"], 2, "unknown device 'gpu'; a device is auto, cpu, cuda or cuda:N");
    if let Err(problem) = bd_core::cuda::gpus() {
        refused(&desk, &["--device", "cuda"], 8, &problem.to_string());
        refused(&desk, &["--device", "cuda:3", "--out", "run"], 8, &problem.to_string());
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
        (vec!["--set", "nvar.delay=many"], "nvar.delay: expected a whole number of points, or a list of such numbers"),
        (vec!["--set", "nvar"], "expected NAME=VALUE"),
        (vec!["--set", "data.system.params.rhoo=1"], "did you mean data.system.params.rho?"),
        (vec!["--set", "data.system.name=lorentz"], "unknown system 'lorentz'; there are: lorenz, rossler"),
        (vec!["--set", "data.system.start=1,2"], "3 start values, got 2"),
        (vec!["--set", "dt=0"], "dt is 0"),
        (vec!["--set", "data.system.duration=1e12"], "1 to 33554432 points"),
        (vec!["--dtype", "f16"], "dtype: unknown variant `f16`, expected `f32` or `f64`"),
        (vec!["--solver", "lu"], "ridge.solver: unknown variant `lu`"),
        (vec!["--l1-ratio", "1.5"], "ridge.l1_ratio is 1.5; it must be from 0 to 1"),
        (vec!["--l1-ratio", "0.5", "--solver", "svd"], "ridge.l1_ratio is 0.5; it must be 0, unless ridge.solver is"),
        (
            vec!["--l1-ratio", "0.5", "--online", "rls", "--delay", "2"],
            "ridge.l1_ratio is 0.5; it must be 0 where a series is learned online",
        ),
        (vec!["--alpha", "-1"], "ridge.alpha is -1"),
        (vec!["--alpha", "nan"], "--alpha is NaN"),
        (vec!["--alpha", "1e-3..1e-6"], "--alpha 1e-3..1e-6: a range goes from a power of ten to a greater one"),
        (vec!["--set", "ridge.alpha=[]"], "ridge.alpha is empty"),
        (vec!["--alpha", "0.1,1", "--split", "0.75,0,0.25"], "the validation part has 0 points, too few to choose"),
        (vec!["--alpha", "0.1,1", "--select", "free-run", "--horizon", "2"], "horizon must have 1, it is [2]"),
        (vec!["--select", "luck"], "select: unknown variant `luck`"),
        (vec!["--target", "future"], "target: unknown variant `future`"),
        (vec!["--set", "free_run.threshold=0"], "free_run.threshold is 0"),
        (vec!["--alpha", "0", "--set", "nvar.constant=true"], "only 91 are independent"),
        (vec!["--threads", "0"], "threads is 0; this machine allows 1 to"),
        (vec!["--threads", "100000"], "threads is 100000; this machine allows 1 to"),
        (vec!["--columns", "x"], "data.columns and data.time name columns of data.file, and there is none"),
        (vec!["--stride", "18446744073709551615", "--delay", "3"], "cannot look back"),
        (vec!["--delay", "0"], "nvar.delay (--delay) is 0; it must be at least 1"),
        (vec!["--delay", "300"], "features, allowed are"),
        (vec!["--horizon", "0"], "horizon is [0]"),
        (vec!["--horizon", "5,5"], "can be named once"),
        (vec!["--horizon", "18446744073709551615"], "from 1 to 33554432"),
        (vec!["--alpha", "1,2,1"], "ridge.alpha has 1e0 twice"),
        (vec!["--split", "0.8,0.2"], "--split has 2 fractions; it takes three"),
        (vec!["--free-run", "99999999999999"], "a free run has 99999999999999 steps of 150 numbers"),
        (vec!["--horizon", "5000"], "too few to test a forecast 5000 steps ahead"),
        (vec!["--set", "split.split=0.5,0.5"], "split.split"),
        (vec!["--set", "split.warmup=20000"], "warmup takes 20000 points, but the series has 10000"),
        (vec!["--no-such-option"], "unexpected argument"),
    ] {
        refused(&desk, &args, 2, words);
    }
    refused(&desk, &["--config", "absent.toml"], 7, "absent.toml: cannot be read: No such file");
    refused(
        &desk,
        &["--data", "a.safetensors", "--set", "data.file=b", "--set", "data.system.name=lorenz"],
        2,
        "exclude",
    );
    refused(&desk, &["--stride", "100000000000"], 4, "out of memory");
    refused(&desk, &["--set", "dt=0.9"], 3, "the series of lorenz is not finite: point");
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

/// Before anything is drawn, made or written.
#[test]
fn more_memory_than_there_is() {
    let desk = Desk::new();
    let advice = "are available; take a smaller --batch";
    for args in [
        &["train", "snn", "--steps", "1000000", "--samples", "2000000"][..],
        &["train", "snn", "--steps", "1000000", "--samples", "1000000000000000"],
        &["train", "snn", "--steps", "1000000", "--samples", "2000000", "--rate-hz", "1e-9", "--batch", "1000000"],
        &["train", "rnn", "--batch", "100000", "--set", "data.task.steps=10000000"],
    ] {
        refused_by(&desk, args, 4, advice);
    }
}
