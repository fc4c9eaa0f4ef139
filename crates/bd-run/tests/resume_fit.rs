//! A fit that is stopped after any chunk of samples and goes on is the fit that was not stopped, byte for byte.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bd_core::Error;
use bd_core::tch::Device;
use bd_run::{Ended, ForecastConfig, Layers, Listener, Resume, ResumeEnded, Run, Setting, Status, forecast};
use bd_train::{Checkpoints, Control};

use common::done;

mod common;

/// Stops a fit after a number of chunks, as a signal would that came while the chunk was taken in.
struct StopAfter {
    control: Control,
    chunk: Option<usize>,
    seen: Cell<usize>,
}

impl Listener for StopAfter {
    fn on_samples(&self, _done: usize) {
        self.seen.set(self.seen.get() + 1);
        if self.chunk == Some(self.seen.get()) {
            self.control.stop();
        }
    }
}

impl StopAfter {
    fn new(chunk: Option<usize>) -> Self {
        Self { control: Control::default(), chunk, seen: Cell::new(0) }
    }

    fn setting(&self, out: Option<PathBuf>) -> Setting {
        let control = self.control.clone();
        Setting { device: Device::Cpu, out, control, program: ("test", None), began: Instant::now(), group: None }
    }
}

fn layers(set: &[&str]) -> Layers {
    Layers { set: set.iter().map(ToString::to_string).collect(), ..Layers::default() }
}

/// How many chunks were taken in, and whether the run has ended.
fn begin(set: &[&str], out: &Path, stop: Option<usize>) -> (usize, bool) {
    let listener = StopAfter::new(stop);
    let config = ForecastConfig::resolve("ngrc", &layers(set)).unwrap();
    let ended = forecast(config, &listener.setting(Some(out.to_path_buf())), &listener).unwrap();
    (listener.seen.get(), done(ended))
}

fn go_on(run: &Path, set: &[&str], stop: Option<usize>) -> (usize, bool) {
    let listener = StopAfter::new(stop);
    let ended = Resume::open(run, &layers(set)).unwrap().run(&listener.setting(None), &listener).unwrap();
    let ResumeEnded::Went(ended) = ended else { panic!("there was something to do") };
    (listener.seen.get(), done(ended))
}

fn content(run: &Path) -> [Vec<u8>; 3] {
    ["model.safetensors", "predictions.npz", "metrics.jsonl"].map(|name| fs::read(run.join(name)).unwrap())
}

/// 900 points of two channels that a forecast can learn.
fn recording(folder: &Path) -> PathBuf {
    let path = folder.join("recording.csv");
    let rows = (0..900).map(|t| {
        let t = f64::from(t);
        format!("{},{}\n", (0.31 * t).sin() + 0.2 * (0.07 * t).cos(), (0.31 * t).cos() * (0.011 * t).sin())
    });
    fs::write(&path, "a,b\n".to_owned() + &rows.collect::<String>()).unwrap();
    path
}

#[test]
fn a_fit_that_is_stopped_goes_on_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    let file = format!("data.file={}", recording(folder.path()).display());
    let cases: [(&str, &[&str]); 6] = [
        ("nothing to choose", &[&file, "ridge.chunk_rows=100", "horizon=[1,3]", "nvar.delay=16", "ridge.alpha=1e-6"]),
        ("a choice of the penalty", &[&file, "ridge.chunk_rows=90", "nvar.delay=2", "nvar.order=2", "threads=1"]),
        ("a choice of the delay, too", &[&file, "ridge.chunk_rows=80", "horizon=[1,3]"]),
        // A first chunk of fewer samples than features: its factor has fewer rows than columns.
        ("float32, small chunks", &[&file, "ridge.chunk_rows=7", "dtype=f32", "nvar.delay=4"]),
        ("rls", &[&file, "ridge.chunk_rows=90", "horizon=[1,3]", r#"online={"name": "rls", "forgetting": 0.99}"#]),
        ("lms, float32", &[&file, "ridge.chunk_rows=90", "online=lms", "nvar.delay=4", "dtype=f32"]),
    ];
    for (name, set) in cases {
        let whole = at(format!("{name}, whole"));
        let (chunks, ended) = begin(set, &whole, None);
        assert!(ended && chunks > 6, "{name}: {chunks} chunks");
        let stops = (1..=chunks).step_by(if chunks > 50 { 13 } else { 1 });
        for stop in stops {
            let run = at(format!("{name}, stopped after {stop}"));
            assert_eq!(begin(set, &run, Some(stop)), (stop, false), "{name}");
            assert_eq!(Run::open(&run).unwrap().manifest().status, Status::Stopped);
            assert_eq!(go_on(&run, &[], None), (chunks - stop, true), "{name}, stopped after {stop}");
            assert_eq!(content(&run), content(&whole), "{name}, stopped after {stop}");
        }
        let run = at(format!("{name}, stopped twice"));
        begin(set, &run, Some(2));
        assert_eq!(go_on(&run, &[], Some(3)), (3, false));
        assert_eq!(go_on(&run, &[], None).0, chunks - 5);
        assert_eq!(content(&run), content(&whole), "{name}, stopped twice");
    }
}

#[test]
fn the_file_of_a_fit_may_lie_elsewhere_and_must_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, run) = (folder.path().join("whole"), folder.path().join("run"));
    let file = recording(folder.path());
    let set = [&format!("data.file={}", file.display()), "ridge.chunk_rows=100"];
    begin(&set, &whole, None);
    begin(&set, &run, Some(3));
    let moved = folder.path().join("moved.csv");
    fs::rename(&file, &moved).unwrap();
    let refused = |set: &[&str]| {
        let resume = Resume::open(&run, &layers(set))?;
        resume.run(&StopAfter::new(None).setting(None), &()).map(|_| panic!("it went on"))
    };
    let gone: Result<(), Error> = refused(&[]);
    assert!(matches!(&gone, Err(Error::Storage { .. } | Error::BadFile { .. })), "{gone:?}");
    let other = folder.path().join("other.csv");
    fs::write(&other, fs::read_to_string(&moved).unwrap() + "0,0\n").unwrap();
    let error = refused(&[&format!("data.file={}", other.display())]).unwrap_err().to_string();
    assert!(error.contains("its SHA-256 is not that of the configuration"), "{error}");
    let error = refused(&["online=rls", "ridge.alpha=1", "nvar.delay=1"]).unwrap_err().to_string();
    assert!(error.contains(r#"online: {"name":"off"} -> {"#), "{error}");
    let error = refused(&["ridge.chunk_rows=50"]).unwrap_err().to_string();
    assert!(error.contains("ridge.chunk_rows: 100 -> 50"), "{error}");
    assert!(go_on(&run, &[&format!("data.file={}", moved.display())], None).1);
    assert_eq!(content(&run), content(&whole));
}

/// Stops when a line begins so.
struct StopAt {
    control: Control,
    line: &'static str,
}

impl Listener for StopAt {
    fn say(&self, message: &str) {
        if message.starts_with(self.line) {
            self.control.stop();
        }
    }
}

/// A fit that is stopped while the delay is chosen leaves nothing behind; after the choice it goes on with what was chosen.
#[test]
fn a_fit_is_stopped_before_and_after_the_choice_of_the_delay() {
    let folder = tempfile::tempdir().unwrap();
    let set = [&format!("data.file={}", recording(folder.path()).display()), "ridge.chunk_rows=100"];
    let stopped = |line: &'static str, out: &Path| {
        let listener = StopAt { control: Control::default(), line };
        let setting = StopAfter { control: listener.control.clone(), ..StopAfter::new(None) }.setting(Some(out.into()));
        match forecast(ForecastConfig::resolve("ngrc", &layers(&set)).unwrap(), &setting, &listener).unwrap() {
            Ended::Stopped { kept } => kept,
            _ => panic!("it was not stopped"),
        }
    };
    let (before, after, whole) =
        (folder.path().join("before"), folder.path().join("after"), folder.path().join("whole"));
    assert!(stopped("split", &before).is_none() && !before.exists());
    assert_eq!(stopped("delay", &after).as_ref(), Some(&after));
    begin(&set, &whole, None);
    assert!(go_on(&after, &[], None).1);
    assert_eq!(content(&after), content(&whole));
    let config = |run: &Path| fs::read_to_string(run.join("config.json")).unwrap();
    assert_eq!(config(&after), config(&whole));
}

/// The three numbers by which a checkpoint is known are checked before anything is used.
#[test]
fn a_checkpoint_of_another_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (run, other) = (folder.path().join("run"), folder.path().join("other"));
    let file = format!("data.file={}", recording(folder.path()).display());
    begin(&[&file, "ridge.chunk_rows=100"], &run, Some(3));
    begin(&[&file, "ridge.chunk_rows=100", "horizon=[2]"], &other, Some(4));
    let newest = Checkpoints::newest(&other.join("checkpoints")).unwrap().unwrap();
    assert_eq!(newest.step().unwrap(), 400);
    assert!(newest.standing().is_err(), "it is of no training");
    fs::rename(&newest.path, run.join("checkpoints/step-00000400")).unwrap();
    let resume = Resume::open(&run, &Layers::default()).unwrap();
    let error = resume.run(&StopAfter::new(None).setting(None), &()).unwrap_err();
    assert!(matches!(&error, Error::BadFile { .. }), "{error}");
    assert!(error.to_string().contains("horizons: [2]"), "{error}");
}
