//! [`SweepFolder`]: what is known of the trials of a sweep, by the files in its folder.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bd_core::files::write_atomic;
use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::report::SweepReport;
use super::spec::{SweepSpec, SweepTrial};
use crate::folder::{check_free, has_checkpoint, lock_as, read_manifest};
use crate::manifest::Status;
use crate::resume::compare;

pub(crate) const RECORD: &str = "sweep.json";

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// Its number, from 0.
    pub trial: usize,
    /// The number of its setting, which the trials of its other seeds share.
    pub setting: usize,
    /// What it has of grid and draws.
    pub values: Map<String, Value>,
    /// Its seed, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The name of its run folder.
    pub run: String,
    /// What the objective is; nothing of a trial that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective_name: Option<String>,
    /// The objective, the smaller the better; nothing of a trial that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// Seconds that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TrialFailure>,
}

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialFailure {
    /// The exit code of its process.
    pub code: i32,
    /// A word for it.
    pub kind: String,
    /// What was said.
    pub message: String,
}

impl TrialFailure {
    /// Whether it may be otherwise the next time: memory, disk, a lock, a device, a signal.
    pub fn is_passing(&self) -> bool {
        matches!(self.code, 4 | 5 | 6 | 8) || self.code >= 128 || self.code < 0
    }
}

impl TrialRow {
    /// Of a trial whose process has printed this object.
    pub(super) fn of(trial: &SweepTrial, printed: &Value) -> Self {
        let mut row = Self {
            trial: trial.number,
            setting: trial.setting,
            values: trial.values.clone(),
            seed: trial.seed,
            run: trial.name(),
            objective_name: None,
            objective: None,
            seconds: printed["seconds"]["total"].as_f64(),
            error: None,
        };
        let value = printed["metrics"]["objective"].as_f64().filter(|value| value.is_finite());
        match (printed.get("error"), printed["objective"].as_str(), value) {
            (Some(error), ..) => {
                let failure = TrialFailure::deserialize(error);
                row.error = Some(failure.unwrap_or_else(|_| no_number(&error.to_string())));
            }
            (None, Some(name), Some(value)) => {
                (row.objective_name, row.objective) = (Some(name.to_owned()), Some(value));
            }
            (None, name, _) => {
                row.error = Some(no_number(&format!("{} is not a number", name.unwrap_or("its objective"))))
            }
        }
        row
    }
}

fn no_number(message: &str) -> TrialFailure {
    TrialFailure { code: 3, kind: "not_finite".into(), message: message.to_owned() }
}

/// How a trial stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It has ended.
    Ended(Box<TrialRow>),
    /// It is to be run, and nobody does: the lock is this process's.
    Open(File, Work),
    /// Another process works on it.
    Busy(String),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Begin,
    Resume,
}

/// The folder of a sweep.
#[derive(Debug)]
pub(super) struct SweepFolder {
    path: PathBuf,
}

impl SweepFolder {
    /// Makes the folder, or opens that of the same sweep, of which there may be more draws now.
    ///
    /// Fails with [`Error::Mismatch`] if it is of another one, and if it is a folder of something else.
    pub(super) fn open(path: &Path, spec: &SweepSpec) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::storage("create", path))?;
        let folder = Self { path: path.to_path_buf() };
        let record = path.join(RECORD);
        let is_seen = |entry: std::io::Result<fs::DirEntry>| {
            entry.map_or(true, |entry| !entry.file_name().to_string_lossy().starts_with('.'))
        };
        let has_files = fs::read_dir(path).map_err(Error::storage("read", path))?.any(is_seen);
        // Looked for after the listing: another job of an array writes it before anything else.
        match fs::read(&record) {
            Ok(text) => folder.check_same(&record, &text, spec)?,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::storage("read", &record)(error)),
            Err(_) if has_files => {
                let words = "it exists and is no folder of a sweep; name a new one or remove it";
                let exists = std::io::Error::new(ErrorKind::AlreadyExists, words);
                return Err(Error::storage("create the folder of a sweep", path)(exists));
            }
            Err(_) => folder.write_record(spec, &json!({"trials": []}))?,
        }
        Ok(folder)
    }

    fn check_same(&self, record: &Path, text: &[u8], spec: &SweepSpec) -> Result<()> {
        let bad = |error: serde_json::Error| Error::bad_file(record, error.to_string());
        let known: Value = serde_json::from_slice(text).map_err(bad)?;
        let began = SweepSpec::deserialize(&known["spec"]).map_err(bad)?;
        // More draws change none of those that there are.
        let like = SweepSpec { trials: began.trials.max(spec.trials), ..began };
        let [was, is] = [&like, spec].map(|spec| serde_json::to_value(spec).expect("a specification is JSON"));
        let mut differences = Vec::new();
        for (name, was) in was.as_object().into_iter().flatten() {
            compare(name, was, &is[name], &mut differences);
        }
        if differences.is_empty() {
            return Ok(());
        }
        let what = format!("the specification of the sweep in {} (only trials may grow)", self.path.display());
        let lines = differences.into_iter().map(|(name, was, is)| format!("{name}: {was} -> {is}")).collect();
        Err(Error::Mismatch { what, differences: lines })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Held by the process that runs the whole sweep.
    pub(super) fn lock(&self) -> Result<File> {
        lock_as(&self.path, ".lock")
    }

    /// The run folder of a trial.
    pub(super) fn run(&self, trial: &SweepTrial) -> PathBuf {
        self.path.join(trial.name())
    }

    /// What its process prints.
    pub(super) fn printed(&self, trial: &SweepTrial) -> PathBuf {
        self.path.join(format!("{}.json", trial.name()))
    }

    /// Its messages.
    pub(super) fn log(&self, trial: &SweepTrial) -> PathBuf {
        self.path.join(format!("{}.log", trial.name()))
    }

    /// What its process has printed, if that is a whole object that says how it ended: not that it was stopped.
    pub(super) fn outcome(&self, trial: &SweepTrial) -> Result<Option<Value>> {
        let path = self.printed(trial);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::storage("read", &path))?,
        };
        let found: Option<Value> = serde_json::from_slice(&text).ok();
        Ok(found.filter(|found| found.get("metrics").is_some() || found.get("error").is_some()))
    }

    /// Its row, if it has ended.
    pub(super) fn row(&self, trial: &SweepTrial) -> Result<Option<TrialRow>> {
        Ok(self.outcome(trial)?.map(|printed| TrialRow::of(trial, &printed)))
    }

    /// Whether there is nothing left to do of it.
    pub(super) fn has_ended(&self, trial: &SweepTrial) -> Result<bool> {
        let row = self.row(trial)?;
        Ok(row.is_some_and(|row| !row.error.is_some_and(|error| error.is_passing())))
    }

    /// How a trial stands, after what is of no use any more was taken out of the way.
    pub(super) fn standing(&self, trial: &SweepTrial) -> Result<Standing> {
        let lock = match lock_as(&self.path, &format!(".{}.lock", trial.name())) {
            Err(Error::Locked { owner, .. }) => return Ok(Standing::Busy(owner)),
            lock => lock?,
        };
        if let Some(row) = self.row(trial)?.filter(|row| !row.error.as_ref().is_some_and(TrialFailure::is_passing)) {
            return Ok(Standing::Ended(Box::new(row)));
        }
        // The process of a sweep that was killed may still write its checkpoint.
        let run = self.run(trial);
        match check_free(&run) {
            Err(Error::Locked { owner, .. }) => return Ok(Standing::Busy(owner)),
            free => free?,
        }
        let is_done = read_manifest(&run).is_ok_and(|manifest| manifest.status == Status::Done);
        if has_checkpoint(&run) && run.join("manifest.json").is_file() && !is_done {
            return Ok(Standing::Open(lock, Work::Resume));
        }
        self.clear(trial)?;
        Ok(Standing::Open(lock, Work::Begin))
    }

    /// Makes room for a run folder: one with weights or a checkpoint is set aside, any other removed.
    pub(super) fn clear(&self, trial: &SweepTrial) -> Result<()> {
        let run = self.run(trial);
        if !run.exists() {
            return Ok(());
        }
        if !run.join(crate::folder::WEIGHTS).exists() && !has_checkpoint(&run) {
            return fs::remove_dir_all(&run).map_err(Error::storage("remove", &run));
        }
        let aside = (1..).map(|i| self.path.join(format!("{}.aside-{i}", trial.name()))).find(|path| !path.exists());
        let aside = aside.expect("there are numbers enough");
        fs::rename(&run, aside).map_err(Error::storage("rename", &run))
    }

    /// Says that the process of a trial ended without a word.
    pub(super) fn write_failure(&self, trial: &SweepTrial, failure: &TrialFailure) -> Result<()> {
        write_atomic(&self.printed(trial), format!("{}\n", json!({ "error": failure })).as_bytes())
    }

    /// Writes what is known by now.
    pub(super) fn write(&self, spec: &SweepSpec, report: &SweepReport) -> Result<()> {
        let mut lines = Vec::new();
        for row in &report.rows {
            writeln!(lines, "{}", json!(row)).expect("a vector takes everything");
        }
        write_atomic(&self.path.join("trials.jsonl"), &lines)?;
        self.write_record(spec, &report.json())
    }

    pub(super) fn write_table(&self, report: &SweepReport) -> Result<()> {
        write_atomic(&self.path.join("report.md"), format!("{}\n", report.text()).as_bytes())
    }

    fn write_record(&self, spec: &SweepSpec, found: &Value) -> Result<()> {
        let mut record = json!({ "spec": spec });
        record.as_object_mut().expect("an object").extend(found.as_object().cloned().unwrap_or_default());
        let text = serde_json::to_string_pretty(&record).map_err(|error| Error::Config(error.to_string()))?;
        write_atomic(&self.path.join(RECORD), (text + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> SweepSpec {
        SweepSpec::of_value(&toml::from_str(text).unwrap()).unwrap()
    }

    const SPEC: &str = "job = \"rnn\"\n[random]\noptim.lr = {low = 0.1, high = 1}\n";

    #[test]
    fn a_folder_is_of_one_sweep_with_more_draws() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        SweepFolder::open(&path, &spec(&format!("trials = 2\n{SPEC}"))).unwrap();
        SweepFolder::open(&path, &spec(&format!("trials = 3\n{SPEC}"))).unwrap();
        let fewer = SweepFolder::open(&path, &spec(&format!("trials = 1\n{SPEC}"))).unwrap_err().to_string();
        assert!(fewer.ends_with("does not fit:\n  trials: 2 -> 1"), "{fewer}");
        let other = SweepFolder::open(&path, &spec(&format!("trials = 2\nseed = 1\n{SPEC}"))).unwrap_err().to_string();
        assert!(other.ends_with("\n  seed: 0 -> 1"), "{other}");
        fs::write(folder.path().join("mine"), "").unwrap();
        let error = SweepFolder::open(folder.path(), &spec(SPEC)).unwrap_err().to_string();
        assert!(error.contains("is no folder of a sweep"), "{error}");
    }

    /// What is to be done of a trial, by what its process has left.
    #[test]
    fn a_trial_that_was_cut_off_is_resumed_or_begun_anew() {
        let desk = tempfile::tempdir().unwrap();
        let spec = spec(SPEC);
        let trial = &spec.all()[0];
        let folder = SweepFolder::open(&desk.path().join("s"), &spec).unwrap();
        let run = folder.run(trial);
        let work = || match folder.standing(trial).unwrap() {
            Standing::Open(_, work) => Some(work),
            Standing::Ended(_) => None,
            Standing::Busy(owner) => panic!("{owner}"),
        };
        assert_eq!(work(), Some(Work::Begin));
        // Killed before its first checkpoint; with one; stopped, which says so.
        fs::create_dir_all(&run).unwrap();
        fs::write(folder.printed(trial), "").unwrap();
        assert_eq!((work(), run.exists()), (Some(Work::Begin), false));
        fs::create_dir_all(run.join("checkpoints/step-00000001")).unwrap();
        fs::write(run.join("manifest.json"), "{}").unwrap();
        assert_eq!(work(), Some(Work::Resume));
        let failed = |code: i32| json!({"error": {"code": code, "kind": "k", "message": "m"}}).to_string();
        fs::write(folder.printed(trial), failed(143)).unwrap();
        assert_eq!(work(), Some(Work::Resume));
        fs::write(folder.printed(trial), &failed(3)[..20]).unwrap();
        assert_eq!(work(), Some(Work::Resume));
        // It diverged, or is done: nothing is left to do.
        fs::write(folder.printed(trial), failed(3)).unwrap();
        assert_eq!((work(), folder.has_ended(trial).unwrap()), (None, true));
        fs::write(folder.printed(trial), r#"{"objective":"validation_loss","metrics":{"objective":0.5}}"#).unwrap();
        let row = folder.row(trial).unwrap().unwrap();
        assert_eq!((work(), row.objective, row.error), (None, Some(0.5), None));
        // Weights are set aside, and not removed.
        fs::write(run.join("model.safetensors"), "").unwrap();
        folder.clear(trial).unwrap();
        assert!(!run.exists() && folder.path().join("trial-0000.aside-1/model.safetensors").exists());
        // Two processes do not run one trial.
        let _held = lock_as(folder.path(), ".trial-0000.lock").unwrap();
        assert!(matches!(folder.standing(trial).unwrap(), Standing::Busy(_)));
    }

    #[test]
    fn an_objective_that_is_no_number_is_a_failure() {
        let trial = &spec(SPEC).all()[0];
        let row = TrialRow::of(trial, &json!({"objective": "train_nrmse", "metrics": {"objective": null}}));
        assert_eq!(row.error.unwrap().message, "train_nrmse is not a number");
    }
}
