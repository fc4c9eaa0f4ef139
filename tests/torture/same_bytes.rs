//! What does not change the result of a run by a bit: threads, load, folders, the instructions of the processor.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::common::{Desk, ended};
use crate::is_long;
use crate::jobs::{Job, RESULTS};

/// At most AVX2, in the loops of `bd` and in the libraries below libtorch; of the second the factorisations of ridge regression round
/// otherwise.
const AVX2: [(&str, &str); 4] = [
    ("BD_INSTRUCTIONS", "avx2"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
];

/// Jobs whose kernels have several tiles and chunks, a few updates of each.
fn jobs() -> Vec<&'static str> {
    let mut jobs = vec![
        "rnn --updates 4 --hidden 64 --batch 40",
        "snn --epochs 2",
        "ngrc --set data.system.duration=100",
        "esn --units 150 --set data.system.duration=60",
        "snn --model net.toml --data digits.npz --batch 16 --epochs 1",
    ];
    if is_long() {
        jobs.extend([
            "rnn --updates 4 --cell gru --hidden 64,32 --batch 40",
            "rnn --updates 4 --cell lstm --hidden 64 --batch 40 --dtype f64",
            "snn --data digits.npz --epochs 1 --batch 16 --ensemble 1",
            "conv --data digits.npz --features 500",
            "snn --epochs 2 --set model.neuron=adex",
        ]);
    }
    jobs
}

/// Trains in a folder of the desk, with further arguments and variables.
fn train(desk: &Desk, job: &str, out: &str, threads: &str, env: &[(&str, &str)]) {
    let args = format!("train {job} --quiet --threads {threads} --out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
    let command = command.args(args.split_whitespace()).arg(out).env_clear().envs(env.iter().copied());
    let said = ended(command.current_dir(desk.path("")).output().unwrap());
    assert_eq!(said.code, 0, "{job}, {env:?}: {}", said.stderr);
}

fn assert_same(one: &Path, other: &Path, what: &str) {
    for name in RESULTS {
        let read = |run: &Path| fs::read(run.join(name)).unwrap();
        assert!(read(one) == read(other), "{what}: {name} differs");
    }
}

/// Keeps all cores busy while something runs.
fn under_load(run: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 * thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        run();
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn whatever_the_threads_the_load_the_folder_and_the_vectors() {
    for job in jobs() {
        let desk = Desk::new();
        Job::Network.prepare(&desk);
        let again = |out: &str, threads: &str, env: &[(&str, &str)]| {
            train(&desk, job, out, threads, env);
            assert_same(&desk.path("run"), &desk.path(out), &format!("bd train {job}: {out}"));
        };
        train(&desk, job, "run", "1", &[]);
        if thread::available_parallelism().unwrap().get() > 1 {
            again("two-threads", "2", &[]);
        }
        under_load(|| again("under-load", "2", &[]));
        let is_ridge = ["ngrc", "esn", "conv"].iter().any(|name| job.starts_with(name));
        again("avx2", "1", if is_ridge { &AVX2[..1] } else { &AVX2 });
        again("another/folder", "1", &[("TMPDIR", "/"), ("LANG", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo")]);
    }
}

/// A training that goes on with another number of threads, and on another processor.
#[test]
fn going_on_with_other_threads_and_vectors() {
    for (job, count) in [
        ("rnn --hidden 64 --batch 40", "updates"),
        ("snn", "epochs"),
        ("snn --model net.toml --data digits.npz --batch 16", "epochs"),
    ] {
        let desk = Desk::new();
        Job::Network.prepare(&desk);
        train(&desk, &format!("{job} --{count} 2"), "whole", "1", &[]);
        train(&desk, &format!("{job} --{count} 1"), "run", "1", &[]);
        let on =
            desk.bd_in(&AVX2, &["train", "--resume", "run", &format!("--{count}"), "2", "--threads", "2", "--quiet"]);
        assert_eq!(on.code, 0, "{job}: {}", on.stderr);
        assert_same(&desk.path("whole"), &desk.path("run"), job);
    }
}

/// What a processor with AVX2 alone would have the libraries take, and, of MKL, one of another maker.
const OTHER_PROCESSORS: [&[(&str, &str)]; 2] = [&AVX2, &[("MKL_ENABLE_INSTRUCTIONS", "SSE4_2")]];

/// By `--deterministic` ridge regressions and wide layers, too, give the same bytes on other processors; and a run that goes on, and what is
/// done with it, is computed so without being told.
#[test]
fn other_processors_by_deterministic() {
    for job in [
        "ngrc --set data.system.duration=100",
        "esn --units 150 --set data.system.duration=60",
        "conv --data digits.npz --features 500",
        "snn --data digits.npz --hidden 520 --epochs 1 --batch 16 --ensemble 1",
    ] {
        let desk = Desk::new();
        Job::Network.prepare(&desk);
        let job = format!("{job} --deterministic");
        train(&desk, &job, "run", "1", &[]);
        for (i, env) in OTHER_PROCESSORS.iter().enumerate() {
            let out = format!("other-{i}");
            train(&desk, &job, &out, "2", env);
            assert_same(&desk.path("run"), &desk.path(&out), &format!("bd train {job}: {env:?}"));
        }
        let manifest: Value = serde_json::from_slice(&fs::read(desk.path("run/manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["deterministic"], true);
        let by = |env: &[(&str, &str)]| desk.bd_in(env, &["eval", "run", "--json", "--threads", "1"]).stdout;
        let [here, there] = [&[], OTHER_PROCESSORS[1]].map(|env| serde_json::from_str::<Value>(&by(env)).unwrap());
        assert_eq!(here["metrics"], there["metrics"]);
    }
    let refused = |device: &str, words: &str| {
        let desk = Desk::new();
        crate::common::refused_in(&desk, &[], &["train", "rnn", "--deterministic", "--device", device], 2, words);
    };
    refused("cuda", "promised of CPUs, and cuda:0 sums in another order");
}

#[test]
fn instructions_that_there_are_not() {
    let desk = Desk::new();
    let env = [("BD_INSTRUCTIONS", "sse9")];
    crate::common::refused_in(
        &desk,
        &env,
        &["train", "rnn"],
        2,
        "BD_INSTRUCTIONS is 'sse9'; it is any, avx2 or avx512",
    );
}
