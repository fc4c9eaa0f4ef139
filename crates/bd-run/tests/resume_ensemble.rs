//! A training of an ensemble that is stopped in any of its members goes on as if it had not been stopped, and a member is the network
//! that is trained alone with its seed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use bd_core::tch::Device;
use bd_run::{Layers, Listener, NetworkConfig, Resume, ResumeEnded, Run, Setting, train};
use bd_train::data::dataset::member_seed;
use bd_train::{Control, Seen};

use common::{content, done, examples};

mod common;

/// Stops the training after so many updates, whichever members made them.
struct StopAfter {
    control: Control,
    updates: u64,
    seen: Cell<u64>,
}

impl StopAfter {
    fn new(updates: u64) -> Self {
        Self { control: Control::default(), updates, seen: Cell::new(0) }
    }

    fn setting(&self, out: Option<&Path>) -> Setting {
        Setting {
            device: Device::Cpu,
            out: out.map(Path::to_path_buf),
            control: self.control.clone(),
            program: ("test", None),
            began: Instant::now(),
        }
    }
}

impl Listener for StopAfter {
    fn on_update(&self, _seen: &Seen<'_>) {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() == self.updates {
            self.control.stop();
        }
    }
}

fn begin(file: &Path, set: &[&str], out: &Path, updates: u64) -> (u64, bool) {
    let common = [
        "threads=1",
        "report_every=3",
        "checkpoint_every=1000",
        "model.hidden=5",
        "batch=5",
        "epochs=4",
        "optim.lr=0.02",
    ];
    let of_file = format!("data.file={}", file.display());
    let set = common.iter().chain(set).map(ToString::to_string).chain([of_file]).collect();
    let (config, lessons) = NetworkConfig::resolve("rnn", &Layers { set, ..Layers::default() }).unwrap();
    let listener = StopAfter::new(updates);
    let ended = train(config, lessons, &listener.setting(Some(out)), &listener).unwrap();
    (listener.seen.get(), done(ended))
}

fn go_on(run: &Path, updates: u64) -> (u64, bool) {
    let listener = StopAfter::new(updates);
    let ended = Resume::open(run, &Layers::default()).unwrap().run(&listener.setting(None), &listener).unwrap();
    let ResumeEnded::Went(ended) = ended else { panic!("there was something to do") };
    (listener.seen.get(), done(ended))
}

/// [`content`] without the best parameters in the checkpoint of the first member: one that was written between the last update and
/// the judgement of its epoch lacks that, and is judged when the training goes on.
fn of_run(run: &Path) -> BTreeMap<String, String> {
    content(run).into_iter().filter(|(name, _)| !name.contains("best")).collect()
}

/// Four updates in each of four epochs of three members.
#[test]
fn an_ensemble_goes_on_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let [file, _] = examples(folder.path());
    let whole = folder.path().join("whole");
    assert_eq!(begin(&file, &["ensemble=3"], &whole, 0), (48, true));
    let whole = of_run(&whole);
    for stop in [1, 7, 15, 16, 17, 30, 32, 33, 47, 48] {
        let run = folder.path().join(format!("stopped after {stop}"));
        assert_eq!(begin(&file, &["ensemble=3"], &run, stop), (stop, false));
        assert_eq!(go_on(&run, 0), (48 - stop, true));
        assert_eq!(of_run(&run), whole, "stopped after update {stop}");
    }
    let run = folder.path().join("stopped twice");
    begin(&file, &["ensemble=3"], &run, 10);
    assert_eq!(go_on(&run, 25), (25, false));
    assert_eq!(go_on(&run, 0), (13, true));
    assert_eq!(of_run(&run), whole, "stopped twice");
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
