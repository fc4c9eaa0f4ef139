//! Wrong input: one clear sentence, the documented exit code, and nothing left behind.

use std::fs;

use crate::common::{Desk, refused_by};
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use tch::Tensor;

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
        (vec!["--delay", "0"], "delay 0"),
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
    refused(&desk, &["--config", "absent.toml"], 2, "absent.toml: cannot be read: No such file");
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
    save_npz(&desk.path("all.npz"), &named).unwrap();
    for (file, cut) in [("all.safetensors", 100), ("all.npz", 300)] {
        let content = fs::read(desk.path(file)).unwrap();
        fs::write(desk.path(&format!("cut.{file}")), &content[..cut]).unwrap();
    }
    fs::write(desk.path("empty.safetensors"), "").unwrap();
    fs::write(desk.path("series.xls"), "").unwrap();
    fs::create_dir(desk.path("folder.csv")).unwrap();
    for (file, column, code, words) in [
        ("all.safetensors", "hole", 7, "column hole.1: point 17 (counted from 0) is NaN"),
        ("all.npz", "hole", 7, "column hole.1: point 17 (counted from 0) is NaN"),
        ("all.safetensors", "series,short", 7, "series.0 has 200 points, but short.0 has 50"),
        ("all.safetensors", "series,series", 7, "two channels would be called 'series.0'"),
        ("all.npz", "cube", 7, "column cube: it is [10, 10, 4]; a series is [time] or [time, channel]"),
        ("all.safetensors", "flags", 7, "column flags: it is bool"),
        ("all.npz", "sunspots", 7, "no column is called 'sunspots'; there are: series.0"),
        ("cut.all.safetensors", "series", 7, "not a safetensors file"),
        ("cut.all.npz", "series", 7, "not an npz file"),
        ("empty.safetensors", "series", 7, "not a safetensors file"),
        ("series.xls", "series", 7, "ends in .csv, .tsv, .txt, .dat, .npy, .npz or .safetensors"),
        ("absent.safetensors", "series", 7, "cannot be read: No such file"),
        ("folder.csv", "series", 7, "folder.csv: it is a folder, and not a file"),
    ] {
        refused(&desk, &["--data", file, "--columns", column], code, words);
    }
    let far = ["--data", "all.npz", "--columns", "series", "--horizon", "100"];
    let words = "the validation part has 20 points, too few to choose by a forecast 100 steps ahead; lower --horizon";
    refused(&desk, &far, 2, words);
    let far = [&far[..], &["--delay", "1", "--alpha", "1"]].concat();
    refused(&desk, &far, 2, "too few to test a forecast 100 steps ahead");
    for file in ["all.safetensors", "all.npz"] {
        refused(&desk, &["--data", file], 7, "name its columns with --columns; there are: ");
    }
}

#[test]
fn tables() {
    let desk = Desk::new();
    for (name, content) in [
        ("empty.csv", String::new()),
        ("header.csv", "a,b\n".into()),
        ("ragged.csv", "a,b\n1,2\n3\n".into()),
        ("text.csv", "a,b\n1,2\n3,oops\n5,6\n".into()),
        ("nan.csv", "a,b\n1,2\n3,nan\n5,6\n".into()),
        ("dated.csv", "day,v\n2020-01-01,1\n2020-01-02,2\n".into()),
        ("tiny.csv", "1\n3\n2\n".into()),
        ("short.csv", (0..12).map(|i| format!("{i}.5\n")).collect()),
        ("gap.csv", "t,v\n0,1\n1,2\n2,3\n4,4\n5,5\n".into()),
        ("even.csv", "t,v\n0,1\n1,2\n2,3\n".into()),
        ("wide.csv", format!("{}\n", vec!["1"; 30_000].join(",")).repeat(9)),
    ] {
        fs::write(desk.path(name), content).unwrap();
    }
    for (args, code, words) in [
        (&["empty.csv"][..], 7, "empty.csv: it is empty"),
        (&["header.csv"], 7, "it has a header and no line of numbers"),
        (&["ragged.csv"], 7, "line 3 has 1 field, but line 1 has 2"),
        (&["text.csv"], 7, "column b: line 3 is \"oops\", which is no number; to leave it out"),
        (&["text.csv", "--columns", "b"], 7, "column b: line 3 is \"oops\", which is no number"),
        (&["nan.csv"], 7, "column b: line 3 is nan"),
        (
            &["dated.csv"],
            7,
            "column day: line 2 is \"2020-01-01\", which is no number; to leave it out, name the columns that are channels: --columns v",
        ),
        (&["dated.csv", "--columns", "w"], 7, "no column is called 'w'; there are: day, v"),
        (
            &["short.csv", "--delay", "4", "--stride", "5"],
            2,
            "too few: the lags of delay 4 and stride 5 reach 15 points",
        ),
        (&["short.csv", "--delay", "4", "--stride", "3", "--alpha", "1"], 2, "too few to"),
        (&["short.csv", "--delay", "5,0"], 2, "nvar.delay is [5, 0]; each number of points is at least 1"),
        (&["tiny.csv"], 2, "the validation part has 0 points, too few to choose by a forecast 1 steps ahead"),
        (&["gap.csv", "--time", "t", "--delay", "1"], 7, "point 3 (counted from 0) is at 4, 2 after the one before"),
        (&["even.csv", "--time", "t", "--dt", "2"], 7, "points are 1 apart by the time in t, but should be 2 apart"),
        (&["gap.csv", "--time", "s"], 7, "no column is called 's'"),
        (&["wide.csv", "--delay", "1", "--alpha", "1"], 2, "features, allowed are"),
    ] {
        refused(&desk, &[&["--data"], args].concat(), code, words);
    }
}

/// Sizes that are only claimed: a file with a hole takes no room on the disk, and a header costs nothing.
#[test]
fn sizes_past_the_caps() {
    let desk = Desk::new();
    let huge = |name: &str| fs::File::create(desk.path(name)).unwrap().set_len((4 << 30) + 1).unwrap();
    for name in ["huge.csv", "huge.npy"] {
        huge(name);
        refused(&desk, &["--data", name], 7, "it has 4294967297 bytes; at most 4294967296 (4 GiB) are read");
    }
    let header = |shape: &str| {
        let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        text += &" ".repeat(118 - text.len() % 64 + if text.len() % 64 > 118 { 64 } else { 0 });
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.bytes());
        bytes
    };
    fs::write(desk.path("claims.npy"), header("(1000000000000, 3)")).unwrap();
    refused(&desk, &["--data", "claims.npy"], 7, "its data ends after 0 of 24000000000000 bytes");
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
