//! A training is killed at random moments and resumed until it is done: it ends with the bytes of one that was left alone.

use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use bd_core::files::load_tensors;
use bd_core::npz::load_npz;
use bd_core::{Checkpoint, Rng};
use serde_json::Value;

use crate::common::{Desk, ended};
use crate::jobs::{Job, assert_same, checkpoints, resume};
use crate::tries;

/// Panics unless every file of a run under its final name is whole.
pub(crate) fn check_whole(run: &std::path::Path) {
    for path in checkpoints(run) {
        Checkpoint::load(&path).unwrap();
    }
    for entry in fs::read_dir(run).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "model.safetensors" => drop(load_tensors(&path).unwrap()),
            "predictions.npz" => drop(load_npz(&path).unwrap()),
            name if name.ends_with(".json") && !name.starts_with('.') => {
                serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap();
            }
            _ => {}
        }
    }
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let _ = std::process::Command::new("kill").args(["-s", name, &pid]).status();
}

/// How many times it was killed until it was done.
fn kill_until_done(job: Job, desk: &Desk, times: u32, lasts: Duration, rng: &mut Rng) -> usize {
    let mut killed = 0;
    let mut child = job.start(desk, times);
    loop {
        // A forecast's series and its free runs, which are most of its time, are computed anew by each process: one in five has time for all.
        let longest = if job == Job::Ngrc { 1.25 } else { 0.8 };
        let moment = lasts.mul_f64(longest * rng.uniform());
        if job == Job::Ngrc {
            // It saves when it is asked to, or after minutes.
            sleep(moment.mul_f64(0.9));
            signal(&child, "USR1");
            sleep(moment.mul_f64(0.1));
        } else {
            sleep(moment);
        }
        let _ = child.kill();
        let said = ended(child.wait_with_output().unwrap());
        match said.code {
            0 => return killed,
            -1 => killed += 1,
            code => panic!("{job:?} ended with {code}: {}", said.stderr),
        }
        let run = desk.path("run");
        if run.exists() {
            check_whole(&run);
        }
        child = if checkpoints(&run).is_empty() {
            let _ = fs::remove_dir_all(&run); // killed before there was anything to go on from
            job.start(desk, times)
        } else {
            resume(desk)
        };
    }
}

fn kill(job: Job) {
    // So much longer than the shortest form that a checkpoint is made within a fraction of it.
    let times = match job {
        Job::Rnn => 15,
        Job::Snn | Job::Network => 4,
        Job::Ngrc => 3,
    };
    let (whole, lasts) = job.undisturbed(times);
    let (mut killed, mut runs) = (0, 0);
    let mut rng = Rng::new(0, &format!("kills of {job:?}"));
    while killed < tries(3, 200) {
        let desk = Desk::new();
        job.prepare(&desk);
        killed += kill_until_done(job, &desk, times, lasts, &mut rng);
        runs += 1;
        check_whole(&desk.path("run"));
        assert_same(&desk.path("run"), &whole.path("run"), &format!("{job:?}, run {runs}, {killed} kills"));
        let left: Vec<_> =
            desk.files().into_iter().filter(|name| name.contains("/.") && !name.ends_with(".lock")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    println!("{job:?}: {killed} kills in {runs} runs");
}

#[test]
fn rnn() {
    kill(Job::Rnn);
}

#[test]
fn snn() {
    kill(Job::Snn);
}

#[test]
fn ngrc() {
    kill(Job::Ngrc);
}

#[test]
fn a_network_as_text() {
    kill(Job::Network);
}
