//! A training of an ensemble that is stopped in any of its members goes on as if it had not been stopped, and a member is the network
//! that is trained alone with its seed.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::time::Instant;

use bd_core::tch::Device;
use bd_core::{Error, Result};
use bd_run::{Layers, Listener, NetworkConfig, Resume, ResumeEnded, Run, Setting, Status, train};
use bd_train::data::dataset::member_seed;
use bd_train::{Control, Seen};
use serde_json::{Value, json};

use common::{content, done, examples};

mod common;

/// Stops the training after so many updates, whichever members made them, and writes down what is said.
struct StopAfter {
    control: Control,
    updates: u64,
    seen: Cell<u64>,
    said: RefCell<Vec<String>>,
}

impl StopAfter {
    fn new(updates: u64) -> Self {
        Self { control: Control::default(), updates, seen: Cell::new(0), said: RefCell::default() }
    }

    /// There is no time: each member makes an update.
    fn without_time() -> Self {
        Self { control: Control::default().ending_at(Instant::now()), ..Self::new(0) }
    }

    fn setting(&self, out: Option<&Path>) -> Setting {
        Setting {
            device: Device::Cpu,
            out: out.map(Path::to_path_buf),
            control: self.control.clone(),
            program: ("test", None),
            began: Instant::now(),
            group: None,
        }
    }

    /// The updates that are made, and whether the run comes to its end.
    fn begin(&self, file: &Path, set: &[&str], out: &Path) -> (u64, bool) {
        let common = ["threads=1", "checkpoint_every=1000", "model.hidden=5", "batch=5", "epochs=4", "optim.lr=0.02"];
        let of_file = format!("data.file={}", file.display());
        let set = common.iter().chain(set).map(ToString::to_string).chain([of_file]).collect();
        let (config, lessons) = NetworkConfig::resolve("rnn", &Layers { set, ..Layers::default() }).unwrap();
        let ended = train(config, lessons, &self.setting(Some(out)), self).unwrap();
        (self.seen.get(), done(ended))
    }

    /// The same of a run that goes on, or `None` if nothing is left to do.
    fn go_on(&self, run: &Path, set: &[&str]) -> Result<Option<(u64, bool)>> {
        let layers = Layers { set: set.iter().map(ToString::to_string).collect(), ..Layers::default() };
        Ok(match Resume::open(run, &layers)?.run(&self.setting(None), self)? {
            ResumeEnded::Went(ended) => Some((self.seen.get(), done(ended))),
            ResumeEnded::NothingLeft(_) => None,
        })
    }
}

impl Listener for StopAfter {
    fn say(&self, message: &str) {
        self.said.borrow_mut().push(message.to_owned());
    }

    fn on_update(&self, _seen: &Seen<'_>) {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() == self.updates {
            self.control.stop();
        }
    }
}

fn begin(file: &Path, set: &[&str], out: &Path, updates: u64) -> (u64, bool) {
    StopAfter::new(updates).begin(file, &[&["report_every=3"], set].concat(), out)
}

fn go_on(run: &Path, updates: u64) -> (u64, bool) {
    StopAfter::new(updates).go_on(run, &[]).unwrap().expect("there was something to do")
}

/// The last line of metrics, of the test.
fn of_test(run: &Path) -> Value {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Four updates in each of four epochs of three members.
#[test]
fn an_ensemble_goes_on_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let whole = folder.path().join("whole");
    assert_eq!(begin(&file, &["ensemble=3"], &whole, 0), (48, true));
    let whole = content(&whole);
    for stop in [1, 7, 15, 16, 17, 30, 32, 33, 47, 48] {
        let run = folder.path().join(format!("stopped after {stop}"));
        assert_eq!(begin(&file, &["ensemble=3"], &run, stop), (stop, false));
        assert_eq!(go_on(&run, 0), (48 - stop, true));
        assert_eq!(Run::open(&run).unwrap().manifest().resumed[0].step, stop);
        assert_eq!(content(&run), whole, "stopped after update {stop}");
    }
    let run = folder.path().join("stopped twice");
    begin(&file, &["ensemble=3"], &run, 10);
    assert_eq!(go_on(&run, 25), (25, false));
    assert_eq!(go_on(&run, 0), (13, true));
    assert_eq!(content(&run), whole, "stopped twice");
}

/// Without scaling, which an ensemble learns from all of the training part, every member is the network alone of its seed.
#[test]
fn a_member_is_the_network_of_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let all = folder.path().join("all");
    begin(&file, &["ensemble=2", "seed=4", "data.scale=false"], &all, 0);
    let all = Run::open(&all).unwrap().weights().unwrap();
    for i in [0, 1] {
        let (seed, alone) = (format!("seed={}", member_seed(4, i)), folder.path().join(format!("alone {i}")));
        begin(&file, &["ensemble=1", &seed, "data.scale=false"], &alone, 0);
        let alone = Run::open(&alone).unwrap().weights().unwrap();
        assert!(!alone.is_empty());
        for (name, tensor) in alone {
            let (_, of_member) = all.iter().find(|(known, _)| *known == format!("{}.{name}", i + 1)).unwrap();
            assert_eq!(*of_member, tensor, "{name} of member {i}");
        }
    }
}

/// Every member goes on for two more epochs, whose updates are seen and reported like the others, also where that is stopped in any of
/// them. The file of metrics has the lines of a run that had all epochs from the beginning, those of the last two after the others.
#[test]
fn every_member_has_the_epochs_that_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let set = ["ensemble=3", "report_every=2", "early_stopping.patience=100"];
    let of_run = |run: &Path| {
        let (mut lines, mut files) = (Vec::new(), Vec::new());
        for (name, value) in content(run) {
            if name.starts_with("metrics") { lines.push(value) } else { files.push((name, value)) }
        }
        lines.sort();
        (files, lines)
    };
    let whole = folder.path().join("whole");
    assert_eq!(StopAfter::new(0).begin(&file, &set, &whole), (48, true));
    let whole = of_run(&whole);
    for stop in [0, 1, 8, 9, 16, 20, 24] {
        let run = folder.path().join(format!("stopped after {stop} more"));
        assert_eq!(StopAfter::new(0).begin(&file, &[&set[..], &["epochs=2"]].concat(), &run), (24, true));
        let mut ended = StopAfter::new(stop).go_on(&run, &["epochs=4"]).unwrap().unwrap();
        if stop > 0 {
            assert_eq!(ended, (stop, false));
            ended = StopAfter::new(0).go_on(&run, &[]).unwrap().unwrap();
        }
        assert_eq!(ended, (24 - stop, true));
        assert_eq!(of_run(&run), whole, "stopped after {stop} more");
    }
}

/// More epochs are for the members that early stopping has not ended, whichever they are.
#[test]
fn early_stopping_of_one_member_does_not_end_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let begun = |ends: [&str; 2]| {
        // With some seed the training of these two ends so.
        let found = (0..60).find_map(|seed| {
            let run = folder.path().join(format!("{ends:?} {seed}"));
            let set = ["ensemble=2", "optim.lr=0.05", "early_stopping.patience=1", &format!("seed={seed}")];
            begin(&file, &set, &run, 0);
            (of_test(&run)["ended"] == json!(ends)).then_some(run)
        });
        found.unwrap_or_else(|| panic!("no seed below 60 ends in {ends:?}"))
    };
    let one = begun(["patience", "done"]);
    let (updates, ended) = StopAfter::new(0).go_on(&one, &["epochs=5"]).unwrap().expect("the second goes on");
    assert!(updates == 4 && ended, "{updates} updates");
    assert_eq!(of_test(&one)["ended"][0], "patience");
    let both = begun(["patience", "patience"]);
    assert_eq!(StopAfter::new(0).go_on(&both, &["epochs=5"]).unwrap(), None);
}

/// Also if the checkpoint is of another member than the one that was trained last.
#[test]
fn damaged_checkpoints_of_any_member_are_passed_over_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let set = ["ensemble=3", "checkpoint_every=5", "checkpoint_keep=0"];
    let whole = folder.path().join("whole");
    begin(&file, &set, &whole, 0);
    for newest in ["step-00000016", "member-2/step-00000011"] {
        let run = folder.path().join(format!("without {}", newest.replace('/', " ")));
        begin(&file, &set, &run, 27);
        fs::write(run.join("checkpoints").join(newest).join("model.safetensors"), "cut").unwrap();
        let listener = StopAfter::new(0);
        let (updates, ended) = listener.go_on(&run, &[]).unwrap().unwrap();
        assert!(updates == 22 && ended, "{updates} updates after {newest}");
        let said = listener.said.into_inner();
        let is_warning = |line: &&String| line.starts_with("warning   a checkpoint is passed over");
        assert!(said.iter().find(is_warning).is_some_and(|line| line.contains(newest)), "{said:?}");
        assert_eq!(content(&run), content(&whole), "without {newest}");
    }
}

/// Nothing is changed before it is known that every member can go on; a member whose checkpoints are taken away begins anew.
#[test]
fn a_member_without_a_valid_checkpoint_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let [whole, run] = ["whole", "run"].map(|name| folder.path().join(name));
    begin(&file, &["ensemble=3"], &whole, 0);
    begin(&file, &["ensemble=3"], &run, 27);
    let second = run.join("checkpoints/member-2");
    fs::write(second.join("step-00000011/state.json"), "cut").unwrap();
    let error = StopAfter::new(0).go_on(&run, &[]).unwrap_err();
    assert!(matches!(&error, Error::BadFile { path, .. } if *path == second), "{error}");
    let words = error.to_string();
    assert!(words.contains("no checkpoint in it is whole; remove its step-* folders"), "{words}");
    let manifest = Run::open(&run).unwrap().manifest().clone();
    assert!(manifest.status == Status::Stopped && manifest.resumed.is_empty());
    fs::remove_dir_all(second).unwrap();
    assert_eq!(go_on(&run, 0), (32, true));
    assert_eq!(content(&run), content(&whole));
}

/// What `bd train auto` leaves of a network whose share of the time was over. Without early stopping nothing was judged in the middle of
/// an epoch, and the run is the one that had the time.
#[test]
fn a_run_whose_time_was_over_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    // A checkpoint after each update is there before it is known that the time is over.
    for every in ["checkpoint_every=1000", "checkpoint_every=1"] {
        let set = ["ensemble=3", "report_every=3", "early_stopping=null", every];
        let [whole, run] = ["whole", "run"].map(|name| folder.path().join(format!("{name}, {every}")));
        assert_eq!(StopAfter::new(0).begin(&file, &set, &whole), (48, true));
        assert_eq!(StopAfter::without_time().begin(&file, &set, &run), (3, true));
        assert_eq!(Run::open(&run).unwrap().manifest().status, Status::Done);
        assert_eq!(of_test(&run)["ended"], json!(["time", "time", "time"]));
        assert_eq!(go_on(&run, 0), (45, true));
        assert_eq!(content(&run), content(&whole), "{every}");
        assert_eq!(StopAfter::new(0).go_on(&run, &[]).unwrap(), None);
    }
}

/// With early stopping the best weights are those of the judgement when the time was over, until better ones are found.
#[test]
fn a_run_with_early_stopping_goes_on_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let run = folder.path().join("run");
    assert_eq!(StopAfter::without_time().begin(&file, &["ensemble=2"], &run), (2, true));
    assert_eq!(go_on(&run, 0), (30, true));
    assert_eq!(of_test(&run)["ended"], json!(["done", "done"]));
}
