//! Runs that are stopped by signals, and that go on. Those that are killed, or have no disk any more, are in `tests/torture`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bd_core::Checkpoint;
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

/// A training that reports every 10 updates and hears signals, into the folder `run`.
pub(crate) fn start(desk: &Desk, more: &[&str]) -> Child {
    let mut command = bd_that_hears_signals();
    let command = command.args(SMALL).args(["10", "--out"]).arg(desk.path("run")).args(more);
    command.env_clear().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the run has written `lines` reports, so that nothing hangs on how fast the machine is.
pub(crate) fn wait_for_reports(desk: &Desk, child: &mut Child, lines: usize) {
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
