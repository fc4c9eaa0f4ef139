//! A sweep is killed and stopped again and again, and goes on: one table, and each trial once.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Desk, bd_that_hears_signals, ended, reports};
use crate::is_long;

/// Trials of a few updates, for which two seeds take turns; the last learning rate diverges with both.
fn spec(rates: usize) -> String {
    let rates: String = (1..rates).map(|i| format!("{}e-3, ", i)).collect();
    format!(
        "job = \"rnn\"\nseeds = [0, 1]\n[base]\nupdates = 60\nbatch = 2\nmodel.hidden = [4]\nreport_every = 5\n\
         checkpoint_every = 5\ndata.test_samples = 8\n[grid]\noptim.lr = [{rates}1e30]\n"
    )
}

fn desk_with(spec: &str) -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("s.toml"), spec).unwrap();
    desk
}

fn start(desk: &Desk) -> Child {
    let mut command = bd_that_hears_signals();
    command.args(["sweep", "s.toml", "--out", "s", "--jobs", "2", "--json", "--quiet"]).env_clear();
    command.current_dir(desk.path("")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The table, without what is of time.
fn rows(desk: &Desk) -> Vec<Value> {
    let text = fs::read_to_string(desk.path("s/trials.jsonl")).unwrap();
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("seconds")));
    rows
}

/// Waits for a file in which there is something.
fn wait_for(child: &mut Child, path: &Path) {
    while fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {}", path.display());
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn each_trial_is_run_once_to_the_bytes_of_a_sweep_that_was_left_alone() {
    let (rates, cuts) = if is_long() {
        (12, vec![(0, "KILL"), (7, "KILL"), (13, "KILL"), (18, "TERM")])
    } else {
        (3, vec![(0, "KILL"), (2, "TERM")])
    };
    let spec = spec(rates);
    let (desk, whole) = (desk_with(&spec), desk_with(&spec));
    assert_eq!(whole.bd(&["sweep", "s.toml", "--out", "s", "--quiet"]).code, 0);
    for (trial, signal) in cuts {
        let mut child = start(&desk);
        wait_for(&mut child, &desk.path(&format!("s/trial-{trial:04}/metrics.jsonl")));
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        let said = ended(child.wait_with_output().unwrap());
        assert_eq!(said.code, if signal == "KILL" { -1 } else { 143 }, "{}", said.stderr);
        if signal == "TERM" {
            let error: Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!((&error["error"]["kind"], &error["error"]["run"]), (&"stopped".into(), &"s".into()));
        }
    }
    let before: Vec<String> = desk.files().into_iter().filter(|name| name.ends_with("model.safetensors")).collect();
    let times: Vec<_> = before.iter().map(|name| fs::metadata(desk.path(name)).unwrap().modified().unwrap()).collect();
    assert_eq!(desk.bd(&["sweep", "s.toml", "--out", "s", "--quiet"]).code, 0);
    let rows = rows(&desk);
    assert_eq!((rows.len(), rows.iter().filter(|row| row.get("error").is_some()).count()), (2 * rates, 2));
    assert_eq!(rows, self::rows(&whole));
    for i in 0..2 * rates - 2 {
        let read = |desk: &Desk| fs::read(desk.path(&format!("s/trial-{i:04}/model.safetensors"))).unwrap();
        assert!(read(&desk) == read(&whole), "trial {i}");
        let updates = reports(&desk, &format!("s/trial-{i:04}")).iter().filter(|line| line["split"] == "train").count();
        assert_eq!(updates, 12, "trial {i}");
    }
    // What had ended was not run again.
    let done = |name: &&String| desk.path(&name.replace("/model.safetensors", ".json")).exists();
    for (name, time) in before.iter().zip(times).filter(|(name, _)| done(name) && !name.contains("checkpoints")) {
        assert_eq!(fs::metadata(desk.path(name)).unwrap().modified().unwrap(), time, "{name}");
    }
    assert!(!desk.files().iter().any(|name| name.contains("aside")), "{:?}", desk.files());
}
