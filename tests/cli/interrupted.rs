//! Runs that are stopped, killed, or have no room left on the disk; and that go on.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bd_core::files::load_tensors;
use bd_core::npz::load_npz;
use bd_core::{Checkpoint, Rng};
use serde_json::Value;

use crate::common::{Desk, bd_that_hears_signals, ended};

/// A training of a small network on a task, of so many updates.
const SMALL: [&str; 12] = [
    "train",
    "rnn",
    "--quiet",
    "--hidden",
    "4",
    "--batch",
    "2",
    "--threads",
    "1",
    "--set",
    "data.test_samples=4",
    "--report-every",
];

fn start(desk: &Desk, more: &[&str]) -> Child {
    let mut command = bd_that_hears_signals();
    let command = command.args(SMALL).args(["10", "--out"]).arg(desk.path("run")).args(more);
    command.env_clear().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the run has written `lines` reports, so that nothing hangs on how fast the machine is.
fn wait_for_reports(desk: &Desk, child: &mut Child, lines: usize) {
    let reports = || fs::read_to_string(desk.path("run/metrics.jsonl")).map_or(0, |text| text.lines().count());
    while reports() < lines {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: &str) {
    send_all(child, &[signal]);
}

/// One right after the other, by one process: starting one for each may take a second on a busy machine.
fn send_all(child: &Child, signals: &[&str]) {
    let script: String = signals.iter().map(|signal| format!("kill -s {signal} {} || exit 1\n", child.id())).collect();
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Updates of the newest checkpoint.
fn saved(desk: &Desk) -> u64 {
    let steps = fs::read_dir(desk.path("run/checkpoints")).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_prefix("step-").map(|step| step.parse().unwrap())
    });
    steps.max().unwrap()
}

/// A run that would go on for hours is stopped by signals, one right after the other, and has a checkpoint to go on from. Of two different
/// signals within microseconds either may be delivered first.
#[test]
fn signals_within_a_second_are_one_request_to_stop() {
    for (signals, codes) in
        [(&["TERM", "TERM", "TERM"][..], &[143][..]), (&["INT", "TERM"], &[130, 143]), (&["HUP"], &[129])]
    {
        let desk = Desk::new();
        let mut child = start(&desk, &["--updates", "100000000"]);
        wait_for_reports(&desk, &mut child, 2);
        send_all(&child, signals);
        let said = ended(child.wait_with_output().unwrap());
        assert!(codes.contains(&said.code), "{signals:?}: {}: {}", said.code, said.stderr);
        assert!(said.stderr.contains("bd train --resume") && said.stderr.contains("goes on"), "{}", said.stderr);
        assert_eq!(json(&desk.path("run/manifest.json"))["status"], "stopped");
        let step = saved(&desk);
        Checkpoint::load(&desk.path(&format!("run/checkpoints/step-{step:08}"))).unwrap();
        let more = (step + 15).to_string();
        let resumed = desk.bd(&["train", "--resume", "run", "--updates", &more]);
        assert_eq!(resumed.code, 0, "{}", resumed.stderr);
        assert!(resumed.stderr.contains(&format!("resume    after update {step}")), "{}", resumed.stderr);
        assert!(resumed.stderr.contains(&format!("changed   updates: 100000000 -> {more}")), "{}", resumed.stderr);
        assert_eq!((json(&desk.path("run/manifest.json"))["status"].as_str(), saved(&desk)), (Some("done"), step + 15));
        let done = desk.bd(&["train", "--resume", "run"]);
        assert!(done.code == 0 && done.stderr.contains("nothing left to do"), "{}", done.stderr);
    }
}

#[test]
fn a_user_signal_saves_and_the_training_goes_on() {
    let desk = Desk::new();
    let mut child = start(&desk, &["--updates", "100000000"]);
    wait_for_reports(&desk, &mut child, 2);
    send(&child, "USR1");
    while !desk
        .path("run/checkpoints")
        .read_dir()
        .is_ok_and(|mut entries| entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("step-")))
    {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        sleep(Duration::from_millis(2));
    }
    let step = saved(&desk);
    let reports = fs::read_to_string(desk.path("run/metrics.jsonl")).unwrap().lines().count();
    wait_for_reports(&desk, &mut child, reports + 2);
    // While it is at work no other process may be.
    let error = desk.bd(&["train", "--resume", "run"]);
    assert_eq!(error.code, 6, "{}", error.stderr);
    assert!(error.stderr.contains(&format!("process {}", child.id())), "{}", error.stderr);
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(saved(&desk) > step);
}

/// Every file under its final name is whole.
fn check_whole(run: &Path) {
    for entry in fs::read_dir(run).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            name if name.starts_with('.') => {}
            "checkpoints" => {
                for saved in fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()) {
                    if saved.file_name().unwrap().to_str().unwrap().starts_with("step-") {
                        Checkpoint::load(&saved).unwrap();
                    }
                }
            }
            "model.safetensors" => drop(load_tensors(&path).unwrap()),
            "predictions.npz" => drop(load_npz(&path).unwrap()),
            "config.json" | "manifest.json" => drop(json(&path)),
            _ => {}
        }
    }
}

/// Kills a training again and again at random moments until it has come to its end, and compares it with one that was not.
fn killed(desk: &Desk, seed: u64, kills: usize) -> usize {
    const UPDATES: [&str; 6] = ["--updates", "600", "--set", "checkpoint_every=3", "--set", "checkpoint_keep=2"];
    let mut rng = Rng::new(seed, "kills");
    let mut died = 0;
    let mut child = start(desk, &UPDATES);
    for _ in 0..kills {
        sleep(Duration::from_millis((rng.uniform() * 700.0) as u64));
        let _ = child.kill();
        let code = child.wait().unwrap().code();
        if code.is_some() {
            break; // it was done
        }
        died += 1;
        let run = desk.path("run");
        if run.exists() {
            check_whole(&run);
        }
        child = match desk.path("run/checkpoints").exists() && saved_any(desk) {
            true => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
                let command = command.args(["train", "--quiet", "--resume"]).arg(&run).env_clear();
                command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            }
            // Killed before there was anything to go on from.
            false => {
                let _ = fs::remove_dir_all(&run);
                start(desk, &UPDATES)
            }
        };
    }
    let said = ended(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    check_whole(&desk.path("run"));
    died
}

fn saved_any(desk: &Desk) -> bool {
    let names =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().starts_with("step-");
    fs::read_dir(desk.path("run/checkpoints")).unwrap().any(names)
}

fn kill_and_compare(seeds: std::ops::Range<u64>, kills: usize) -> usize {
    let whole = Desk::new();
    let said = ended(start(&whole, &["--updates", "600"]).wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let read = |desk: &Desk, name: &str| fs::read(desk.path("run").join(name)).unwrap();
    let mut died = 0;
    for seed in seeds {
        let desk = Desk::new();
        died += killed(&desk, seed, kills);
        for name in ["model.safetensors", "predictions.npz"] {
            assert!(read(&desk, name) == read(&whole, name), "seed {seed}: {name} differs");
        }
        let losses = |desk: &Desk| -> Vec<Value> {
            let text = fs::read_to_string(desk.path("run/metrics.jsonl")).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].clone()).collect()
        };
        assert_eq!(losses(&desk), losses(&whole), "seed {seed}");
    }
    died
}

#[test]
fn a_run_that_is_killed_goes_on_and_ends_with_the_same_bytes() {
    kill_and_compare(0..2, 5);
}

#[test]
#[ignore = "kills 60 times at least, which takes more than a minute"]
fn a_run_that_is_killed_sixty_times_goes_on_and_ends_with_the_same_bytes() {
    let died = kill_and_compare(10..25, 12);
    println!("{died} kills");
    assert!(died >= 60, "{died} kills");
}

/// A file system of memory, unmounted at the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where this process may not mount one.
    fn mount(at: &'a Path, kib: usize) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// However little room there is, a training that has made something leaves it, and no half file.
#[test]
fn a_full_disk_takes_nothing_away() {
    let (mut kept, mut done) = (0, 0);
    for kib in (24..420).step_by(44) {
        let desk = Desk::new();
        let disk = desk.path("disk");
        let Some(_mounted) = SmallDisk::mount(&disk, kib) else {
            eprintln!("SKIPPED, full disks: this process may not mount a file system");
            return;
        };
        let out = disk.join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bd"));
        let command = command.args(SMALL).args(["10", "--updates", "40", "--set", "checkpoint_every=10", "--out"]);
        let said = ended(command.arg(&out).env_clear().output().unwrap());
        if said.code == 0 {
            done += 1;
            continue;
        }
        assert_eq!(said.code, 5, "{kib} KiB: {}", said.stderr);
        if out.exists() {
            kept += 1;
            check_whole(&out);
            let has = |name: &str| out.join(name).exists();
            assert!(has("model.safetensors") || has("checkpoints"), "{kib} KiB: nothing is in it");
        }
    }
    assert!(kept > 0 && done > 0, "{kept} kept, {done} done: other sizes would show more");
}
