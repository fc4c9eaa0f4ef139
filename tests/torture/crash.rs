//! The power fails: after every single thing that a training does to its files, and with every kind of loss that POSIX allows,
//! the newest checkpoint that was finished is there, and the training goes on from it to the same bytes.

use std::fs;
use std::path::Path;
use std::process::Command;

use bd_core::files::load_tensors;
use bd_run::{Layers, Resume, Run};
use bd_train::Checkpoints;
use serde_json::Value;

use crate::common::{Desk, ended};
use crate::disk::{Act, Disk, Survives, read_log, watch};
use crate::jobs::{Job, assert_same, checkpoints, resume};
use crate::{is_long, tries};

/// What a run of a job did to the files of its desk.
fn record(job: Job, desk: &Desk) -> Vec<Act> {
    job.prepare(desk);
    let before: Vec<_> = desk.files();
    let root = desk.path("").canonicalize().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
    let command = command.args(job.args(1)).env_clear().current_dir(&root);
    let said = ended(watch(command, &root, log.path(), None).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(desk.files().len() > before.len());
    read_log(log.path(), &root)
}

/// The step of the newest checkpoint that a power failure cannot take any more: its name is safe, and so are those above it.
fn promised(disk: &Disk, acts: &[Act]) -> Option<u64> {
    let named = acts.iter().filter_map(|act| match act {
        Act::Rename { to, .. } => to.strip_prefix("run/checkpoints/step-").map(|step| (to, step.parse().unwrap())),
        _ => None,
    });
    named.filter(|(path, _)| disk.is_safe(path)).map(|(_, step)| step).max()
}

/// Looks at what a failure has left as whoever comes next would.
fn check(run: &Path, promised: Option<u64>, weights: &[u8], what: &str) {
    let folder = run.join("checkpoints");
    if let Some(step) = promised {
        let opened = Resume::open(run, &Layers::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        drop(opened); // it has swept
        let newest = Checkpoints::newest(&folder).unwrap_or_else(|error| panic!("{what}: {error}"));
        let newest = newest.unwrap_or_else(|| panic!("{what}: no checkpoint, {step} was finished"));
        assert!(newest.step().unwrap() >= step, "{what}: {:?} is newest, {step} was finished", newest.path);
        let metrics = fs::read(run.join("metrics.jsonl")).unwrap_or_default().len() as u64;
        let known = &newest.checkpoint.meta["observers"];
        let marks = numbers(known, "bytes");
        assert!(marks.iter().all(|mark| metrics >= *mark), "{what}: metrics.jsonl has {metrics} bytes of {marks:?}");
    }
    // Whatever is there: words, or a run that is what it says.
    if let Ok(run) = Run::open(run)
        && run.weights().is_ok()
    {
        assert!(fs::read(run.path().join("model.safetensors")).unwrap() == weights, "{what}: other weights");
    }
}

/// All numbers of a name in an object, at any depth.
fn numbers(value: &Value, name: &str) -> Vec<u64> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match value.as_u64() {
                Some(number) if key == name => vec![number],
                _ => numbers(value, name),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| numbers(item, name)).collect(),
        _ => Vec::new(),
    }
}

fn lose_power(job: Job) {
    let whole = Desk::new();
    let acts = record(job, &whole);
    let weights = fs::read(whole.path("run/model.safetensors")).unwrap();
    load_tensors(&whole.path("run/model.safetensors")).unwrap();
    let mut disk = Disk::new();
    let mut looked_at = 0;
    let mut went_on = 0;
    // So many of the states are gone on with to the end.
    let every = if is_long() { 7 } else { 101 };
    for (n, act) in acts.iter().enumerate() {
        disk.apply(act);
        if n % tries(4, 1) != 0 {
            continue;
        }
        let promised = promised(&disk, &acts[..=n]);
        let drawn = (0..tries(1, 4)).map(|i| Survives::Some((n * 4 + i) as u64));
        for survives in
            [Survives::Nothing, Survives::Everything, Survives::Names, Survives::Contents].into_iter().chain(drawn)
        {
            let desk = Desk::new();
            disk.write_survivors(survives, &desk.path(""));
            let what = format!("{job:?}, power fails after {n} of {}, {act:?}, {survives:?}", acts.len());
            let what: String = what.chars().take(300).collect();
            check(&desk.path("run"), promised, &weights, &what);
            looked_at += 1;
            if promised.is_some() && looked_at % every == 0 {
                for file in ["digits.npz", "net.toml"] {
                    let _ = fs::copy(whole.path(file), desk.path(file));
                }
                let said = ended(resume(&desk).wait_with_output().unwrap());
                assert_eq!(said.code, 0, "{what}: {}", said.stderr);
                assert_same(&desk.path("run"), &whole.path("run"), &what);
                went_on += 1;
            }
        }
    }
    assert!(checkpoints(&whole.path("run")).len() == 2 && went_on > 2, "{went_on} of {looked_at} went on");
    println!("{job:?}: {} acts, {looked_at} states, {went_on} resumed to the end", acts.len());
}

#[test]
fn a_power_failure_takes_no_finished_checkpoint() {
    lose_power(Job::Rnn);
}

#[test]
fn nor_of_a_network_as_text() {
    if is_long() {
        lose_power(Job::Network);
        lose_power(Job::Snn);
    }
}
