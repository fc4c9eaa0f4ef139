//! A run that was cut off, or that is to have more updates, goes on.

use std::path::{Path, PathBuf};

use bd_core::{Error, Result, catch_torch, device};
use bd_train::{Checkpoints, Newest};
use serde_json::Value;

use crate::Config;
use crate::config::{Layers, Lessons, NetworkConfig, cores};
use crate::experiment::{Ended, NetworkExperiment, Setting, carry_out};
use crate::folder::RunFolder;
use crate::listener::Listener;
use crate::manifest::{Resumed, Status, Versions, utc_now};
use crate::open::Run;

/// What may differ when a training goes on: how long it lasts, where it computes, what it reports and saves. None of it changes
/// what the next update is.
const MAY_CHANGE: [&str; 8] = [
    "updates",
    "epochs",
    "device",
    "threads",
    "report_every",
    "checkpoint_every",
    "checkpoint_minutes",
    "checkpoint_keep",
];

/// How going on ended.
#[derive(Debug)]
pub enum ResumeEnded {
    /// There was nothing left to do.
    NothingLeft(PathBuf),
    /// The training went on.
    Went(Ended),
}

/// A run folder that is locked and ready to go on.
#[derive(Debug)]
pub struct Resume {
    folder: RunFolder,
    config: NetworkConfig,
    /// What differs from before, as `name: before -> now`.
    changes: Vec<String>,
    /// Whether more updates or epochs are wanted than before.
    is_longer: bool,
}

impl Resume {
    /// Opens the run in `path`, whose configuration `layers` may change where that changes no update: length, device, threads,
    /// reports and checkpoints. Anything else that differs is refused with [`Error::Mismatch`].
    ///
    /// Fails with [`Error::Locked`] while another process is at work in the folder.
    pub fn open(path: &Path, layers: &Layers) -> Result<Self> {
        let folder = RunFolder::reopen(path)?;
        let run = Run::open(path)?;
        let Config::Network(before) = run.config() else {
            return Err(Error::Config(format!(
                "{}: a run of {} is fitted in one pass over its data, and has no checkpoint to go on from; repeat it with its \
                 config.json as the configuration",
                path.display(),
                run.config().job()
            )));
        };
        // A machine with fewer threads gives the same bytes.
        let here = NetworkConfig { threads: before.threads.min(cores()), ..NetworkConfig::clone(before) };
        let config = here.changed(layers)?;
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for (name, was, is) in differences(before, &config) {
            let line = format!("{name}: {was} -> {is}");
            if MAY_CHANGE.contains(&name.as_str()) { changes.push(line) } else { refused.push(line) }
        }
        if !refused.is_empty() {
            let what = format!("the configuration of {} (only {} may change)", path.display(), MAY_CHANGE.join(", "));
            return Err(Error::Mismatch { what, differences: refused });
        }
        let is_longer = config.updates > before.updates || config.epochs > before.epochs;
        Ok(Self { folder, config, changes, is_longer })
    }

    /// The configuration under which it goes on.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Goes on from the newest checkpoint whose files are all what was written.
    ///
    /// Fails with [`Error::BadFile`] if there is none.
    pub fn run(mut self, setting: &Setting, listener: &dyn Listener) -> Result<ResumeEnded> {
        let is_done = self.folder.manifest().status == Status::Done;
        if is_done && !self.is_longer {
            return Ok(ResumeEnded::NothingLeft(self.folder.path().to_path_buf()));
        }
        let newest = self.newest(listener)?;
        let step = newest.checkpoint.meta["step"].as_u64().unwrap_or(0);
        self.check_length(&newest, step)?;
        if is_done && newest.checkpoint.meta["training"]["end"] == "patience" {
            listener.say("note      early stopping had ended this training: its validation loss no longer fell");
            return Ok(ResumeEnded::NothingLeft(self.folder.path().to_path_buf()));
        }
        listener.say(&format!("resume    after update {step}, from {}", newest.path.display()));
        for change in &self.changes {
            listener.say(&format!("changed   {change}"));
        }
        let (was, is) = (&self.folder.manifest().device, device::device_name(setting.device));
        if *was != is {
            listener.say(&format!(
                "note      the run was on {was} and goes on on {is}: what follows is no longer bit for bit what it would have been"
            ));
        }
        let lessons = Lessons::again(&self.config)?;
        let experiment = catch_torch(|| NetworkExperiment::new(self.config.clone(), lessons, setting.device))?;
        experiment.introduce(listener);
        let memory = experiment.checked_memory(listener)?;
        self.folder.go_on(Resumed {
            at: utc_now(),
            step,
            device: is,
            threads: self.config.threads,
            versions: Versions::here(setting.device, setting.program.clone()),
        })?;
        self.folder.write_config(&Config::Network(Box::new(self.config.clone())))?;
        carry_out(experiment, self.folder, Some(newest), memory, setting, listener).map(ResumeEnded::Went)
    }

    /// Refuses a training that is to be shorter than it is.
    fn check_length(&self, newest: &Newest, step: u64) -> Result<()> {
        let pieces = self.config.truncate.is_some();
        if let Some(updates) = self.config.updates.filter(|updates| *updates < step && !pieces) {
            return Err(Error::setting("updates", updates, format!("at least {step}, which were made")));
        }
        let epoch = newest.checkpoint.meta["training"]["place"]["epoch"].as_u64().unwrap_or(0);
        match self.config.epochs.filter(|epochs| *epochs < epoch) {
            Some(epochs) => Err(Error::setting("epochs", epochs, format!("at least {epoch}, which were made"))),
            None => Ok(()),
        }
    }

    fn newest(&self, listener: &dyn Listener) -> Result<Newest> {
        let folder = self.folder.checkpoints();
        let found = Checkpoints::newest(&folder).map_err(|error| {
            Error::bad_file(&folder, format!("no checkpoint in it is whole; of the newest one: {error}"))
        })?;
        let Some(newest) = found else {
            return Err(Error::bad_file(
                &folder,
                "there is no checkpoint to go on from; repeat the run with its config.json",
            ));
        };
        for error in &newest.passed_over {
            listener.say(&format!("warning   a checkpoint is passed over: {error}"));
        }
        Ok(newest)
    }
}

/// Dotted name, value before and value now of everything that differs.
fn differences(before: &NetworkConfig, now: &NetworkConfig) -> Vec<(String, Value, Value)> {
    let [before, now] = [before, now].map(|config| serde_json::to_value(config).expect("a configuration is JSON"));
    let mut all = Vec::new();
    compare("", &before, &now, &mut all);
    all
}

fn compare(path: &str, before: &Value, now: &Value, all: &mut Vec<(String, Value, Value)>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for ((name, a), b) in a.iter().zip(b.values()) {
                compare(&bd_core::join(path, name), a, b, all);
            }
        }
        _ if before != now => all.push((path.to_owned(), before.clone(), now.clone())),
        _ => {}
    }
}
