//! A training that is stopped after any update and goes on is the training that was not stopped: weights, optimiser, reports and
//! predictions, byte for byte.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bd_core::Error;
use bd_core::tch::Device;
use bd_run::{Layers, Listener, NetworkConfig, Resume, ResumeEnded, Run, Setting, Status, train};
use bd_train::{Control, Seen};
use serde_json::{Value, json};

use common::{content, done, examples};

mod common;

/// A job and what is asked of it.
struct Case {
    name: &'static str,
    job: &'static str,
    set: Vec<String>,
}

/// Stops the training after an update, as a signal would that came while the update was made.
struct StopAfter {
    control: Control,
    step: Option<u64>,
    seen: Cell<u64>,
}

impl Listener for StopAfter {
    fn on_update(&self, seen: &Seen<'_>) {
        self.seen.set(seen.step);
        if self.step == Some(seen.step) {
            self.control.stop();
        }
    }
}

impl StopAfter {
    fn new(step: Option<u64>) -> Self {
        Self { control: Control::default(), step, seen: Cell::new(0) }
    }

    fn setting(&self, out: Option<PathBuf>) -> Setting {
        Setting {
            device: Device::Cpu,
            out,
            control: self.control.clone(),
            program: ("test", None),
            began: Instant::now(),
            group: None,
        }
    }
}

fn layers(case: &Case) -> Layers {
    Layers { config: None, options: Vec::new(), set: case.set.clone() }
}

/// The updates that were made, and whether the run has ended.
fn begin(case: &Case, out: &Path, stop: Option<u64>) -> (u64, bool) {
    let listener = StopAfter::new(stop);
    let (config, lessons) = NetworkConfig::resolve(case.job, &layers(case)).unwrap();
    let ended = train(config, lessons, &listener.setting(Some(out.to_path_buf())), &listener).unwrap();
    (listener.seen.get(), done(ended))
}

fn go_on(run: &Path, stop: Option<u64>, set: &[&str]) -> (u64, bool) {
    let listener = StopAfter::new(stop);
    let layers = Layers { set: set.iter().map(ToString::to_string).collect(), ..Layers::default() };
    let ended = Resume::open(run, &layers).unwrap().run(&listener.setting(None), &listener).unwrap();
    let ResumeEnded::Went(ended) = ended else { panic!("there was something to do") };
    (listener.seen.get(), done(ended))
}

/// Trainings of some 40 updates each.
fn cases(folder: &Path) -> Vec<Case> {
    let [numbers, spikes] = examples(folder).map(|path| format!("data.file={}", path.display()));
    let case = |name, job, set: &[&str]| {
        let common = ["threads=1", "report_every=4", "checkpoint_every=1000", "ensemble=1"];
        Case { name, job, set: common.iter().chain(set).map(ToString::to_string).collect() }
    };
    vec![
        case("rnn, task", "rnn", &["updates=40", "model.hidden=6", "batch=4", "data.test_samples=8"]),
        case(
            "rnn, file, validation and patience",
            "rnn",
            &[&numbers, "model.hidden=5", "batch=5", "epochs=60", "early_stopping.patience=3", "optim.lr=0.02"],
        ),
        case(
            "rnn, accumulation",
            "rnn",
            &["updates=40", "model.hidden=6", "batch=3", "accumulate=3", "data.test_samples=8"],
        ),
        case(
            "snn, random",
            "snn",
            &["epochs=20", "batch=8", "data.samples=16", "data.steps=60", "data.rate_hz=200", "model.n_in=20"],
        ),
        case(
            "snn, file, pieces",
            "snn",
            &[
                &spikes,
                "model.hidden=8",
                "batch=9",
                "epochs=5",
                "truncate=4",
                "early_stopping=null",
                "optim.rule=adam_w",
                "penalty.l2=1e-4",
            ],
        ),
    ]
}

/// Stops every case after every `every`-th update, and goes on.
fn stopped_and_resumed(every: usize) {
    let folder = tempfile::tempdir().unwrap();
    for case in cases(folder.path()) {
        let at = |name: &str| folder.path().join(format!("{} {name}", case.name));
        let (updates, ended) = begin(&case, &at("whole"), None);
        assert!(ended && (30..=60).contains(&updates), "{}: {updates} updates", case.name);
        let whole = content(&at("whole"));
        for stop in (1..updates).step_by(every) {
            let run = at(&format!("stopped after {stop}"));
            assert_eq!(begin(&case, &run, Some(stop)), (stop, false), "{}", case.name);
            assert_eq!(Run::open(&run).unwrap().manifest().status, Status::Stopped);
            assert_eq!(go_on(&run, None, &[]), (updates, true), "{}", case.name);
            let resumed = content(&run);
            assert_eq!(resumed, whole, "{}, stopped after update {stop}", case.name);
            assert_eq!(Run::open(&run).unwrap().manifest().resumed[0].step, stop);
            fs::remove_dir_all(&run).unwrap();
        }
        let run = at("stopped twice");
        begin(&case, &run, Some(5));
        assert_eq!(go_on(&run, Some(17), &[]), (17, false));
        go_on(&run, None, &[]);
        assert_eq!(content(&run), whole, "{}, stopped twice", case.name);
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_byte_for_byte() {
    stopped_and_resumed(7);
}

#[test]
#[ignore = "after every update takes half a minute, alone on two cores"]
fn a_run_that_is_stopped_after_any_update_goes_on_byte_for_byte() {
    stopped_and_resumed(1);
}

fn task(folder: &Path) -> Case {
    cases(folder).swap_remove(0)
}

fn refused(run: &Path, set: &[&str]) -> Error {
    let layers = Layers { set: set.iter().map(ToString::to_string).collect(), ..Layers::default() };
    match Resume::open(run, &layers) {
        Err(error) => error,
        Ok(resume) => resume.run(&StopAfter::new(None).setting(None), &()).unwrap_err(),
    }
}

#[test]
fn what_changes_updates_is_refused_with_the_differences() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    begin(&task(folder.path()), &run, Some(3));
    let error = refused(&run, &["optim.lr=0.5", "batch=7", "report_every=9"]);
    assert!(matches!(error, Error::Mismatch { .. }));
    let words = error.to_string();
    assert!(words.contains("optim.lr: 0.025 -> 0.5") && words.contains("batch: 4 -> 7"), "{words}");
    assert!(!words.contains("report_every: "), "{words}");
    // And nothing was touched: it still goes on.
    assert_eq!(Run::open(&run).unwrap().manifest().status, Status::Stopped);
    assert!(go_on(&run, None, &[]).1);
}

#[test]
fn a_run_that_is_done_has_nothing_left_to_do_and_may_have_more_updates() {
    let folder = tempfile::tempdir().unwrap();
    let (run, longer) = (folder.path().join("run"), folder.path().join("longer"));
    let case = task(folder.path());
    begin(&case, &run, None);
    let before = content(&run);
    let ended = Resume::open(&run, &Layers::default()).unwrap().run(&StopAfter::new(None).setting(None), &()).unwrap();
    assert!(matches!(ended, ResumeEnded::NothingLeft(path) if path == run));
    assert_eq!(content(&run), before);
    assert_eq!(go_on(&run, None, &["updates=50"]), (50, true));
    let case = Case { set: [case.set, vec!["updates=50".into()]].concat(), ..case };
    begin(&case, &longer, None);
    let (found, expected) = (content(&run), content(&longer));
    for name in ["model.safetensors", "predictions.npz", "checkpoint optim.safetensors"] {
        assert_eq!(found[name], expected[name], "{name}");
    }
    assert_eq!(Run::open(&run).unwrap().manifest().status, Status::Done);
}

#[test]
fn damaged_checkpoints_are_passed_over_and_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    let case = task(folder.path());
    let case =
        Case { set: [case.set, vec!["checkpoint_every=10".into(), "checkpoint_keep=0".into()]].concat(), ..case };
    begin(&case, &whole, None);
    begin(&case, &run, Some(25));
    let checkpoint = |step: u64| run.join(format!("checkpoints/step-{step:08}"));
    fs::write(checkpoint(25).join("optim.safetensors"), "cut").unwrap();
    assert_eq!(go_on(&run, None, &[]).0, 40);
    assert_eq!(content(&run), content(&whole));
    for step in [10, 20, 25, 30, 40] {
        let _ = fs::remove_file(checkpoint(step).join("state.json"));
    }
    let error = refused(&run, &["updates=50"]);
    assert!(matches!(&error, Error::BadFile { .. }), "{error}");
    assert!(error.to_string().contains("no checkpoint in it is whole"), "{error}");
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    let error = refused(&run, &["updates=50"]).to_string();
    assert!(error.contains("there is no checkpoint to go on from"), "{error}");
}

#[test]
fn a_torn_last_line_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    let case = task(folder.path());
    begin(&case, &whole, None);
    begin(&case, &run, Some(21));
    let metrics = run.join("metrics.jsonl");
    fs::write(&metrics, fs::read_to_string(&metrics).unwrap() + "{\"step\": 22, \"lo").unwrap();
    go_on(&run, None, &[]);
    assert_eq!(content(&run), content(&whole));
}

#[test]
fn one_process_at_a_time_works_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    begin(&task(folder.path()), &run, Some(3));
    let held = Resume::open(&run, &Layers::default()).unwrap();
    let error = refused(&run, &[]);
    assert!(matches!(&error, Error::Locked { .. }), "{error}");
    let own = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&own), "{error}");
    drop(held);
    assert!(go_on(&run, None, &[]).1);
}

#[test]
fn a_changed_configuration_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    begin(&task(folder.path()), &run, None);
    let path = run.join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["dt"] = json!(0.5);
    fs::write(&path, serde_json::to_string_pretty(&config).unwrap() + "\n").unwrap();
    let error = Run::open(&run).unwrap_err();
    assert!(error.to_string().contains("config.json: its SHA-256 is not the one in manifest.json"), "{error}");
}
