//! [`Record`]: what a run folder says, however the run has ended: for reports and lists. Nothing is computed, and nothing in the folder changes.

mod list;
mod score;
mod settings;
mod several;
mod state;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bd_core::files::{load_tensors, sha256_hex};
use bd_core::{Error, Result};
use serde_json::Value;
use tch::Kind;

pub use self::list::{Filter, RunRow, SortKey, runs};
pub use self::score::{Better, MainMetric, main_metric};
pub use self::settings::{flat, usual};
pub use self::several::{Several, SeveralKind, SeveralRow};
pub use self::state::State;
use crate::folder::{has_checkpoint, read_manifest};
use crate::manifest::Manifest;

/// Of `metrics.jsonl`, where only its end is read.
const TAIL_BYTES: u64 = 1 << 16;

/// What a run folder says. Only its manifest must be readable; of everything else it has what is there, and [notes](Self::notes) say what is wrong.
#[derive(Debug, Clone)]
pub struct Record {
    path: PathBuf,
    manifest: Manifest,
    config: Value,
    lines: Vec<Value>,
    activity: Option<Value>,
    notes: Vec<String>,
    state: State,
}

impl Record {
    /// Reads a run folder, also that of a run that is at work, was stopped or has failed, and of a simulation.
    ///
    /// # Errors
    /// [`Error::Storage`] if there is no such folder, and [`Error::BadFile`] if it is none of a run, or of one whose manifest is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_to(path.as_ref(), None)
    }

    /// The same without what many updates ago was reported.
    pub(crate) fn glance(path: &Path) -> Result<Self> {
        Self::read_to(path, Some(TAIL_BYTES))
    }

    fn read_to(path: &Path, most: Option<u64>) -> Result<Self> {
        check_is_run(path)?;
        let manifest = read_manifest(path)?;
        let mut notes = Vec::new();
        let config = read_config(path, &manifest, &mut notes);
        let lines = read_lines(&path.join("metrics.jsonl"), most, &mut notes);
        let activity = read_json(&path.join("activity.json"), &mut notes);
        let state = State::of(path, manifest.status);
        Ok(Self { path: path.to_path_buf(), manifest, config, lines, activity, notes, state })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the folder.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its configuration; null if that is missing.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// What it has reported: the lines of `metrics.jsonl`.
    pub fn lines(&self) -> &[Value] {
        &self.lines
    }

    /// Of a simulation what is in `activity.json`.
    pub fn activity(&self) -> Option<&Value> {
        self.activity.as_ref()
    }

    /// What is missing or damaged, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last line of the test part, if it was tested.
    pub fn test(&self) -> Option<&Value> {
        self.lines.iter().rev().find(|line| line["split"] == "test")
    }

    /// Networks whose outputs are averaged: the numbers of those that have reported, or 1 alone.
    pub fn members(&self) -> Vec<u64> {
        let mut members: Vec<u64> = self.reports().map(member).collect();
        members.sort_unstable();
        members.dedup();
        if members.is_empty() { vec![1] } else { members }
    }

    /// The reports of a network while it was trained, each with `step` and `loss`.
    pub fn reports_of(&self, of: u64) -> Vec<&Value> {
        self.reports().filter(|line| member(line) == of).collect()
    }

    fn reports(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line["split"] == "train" && line["step"].is_u64())
    }

    /// Updates that are known to have been made, of all networks together; of a regression samples. 0 if none is known.
    pub fn updates(&self) -> u64 {
        let mut most: BTreeMap<u64, u64> =
            self.checkpoints().into_iter().map(|(member, step, _)| (member, step)).collect();
        for line in self.reports() {
            let known = most.entry(member(line)).or_default();
            *known = line["step"].as_u64().unwrap_or(0).max(*known);
        }
        most.values().sum()
    }

    /// Update and loss of every update of a network that its newest checkpoint knows; without one what it has reported.
    pub fn losses(&self, of: u64) -> Vec<(f64, f64)> {
        let newest = self.checkpoints().into_iter().find(|(member, ..)| *member == of);
        let known = newest.map_or(Vec::new(), |(_, _, folder)| losses_in(&folder.join("history.safetensors")));
        let reports = self.reports_of(of);
        let last = reports.last().and_then(|line| line["step"].as_u64()).unwrap_or(0);
        if known.len() as u64 >= last && !known.is_empty() {
            return known.into_iter().enumerate().map(|(i, loss)| ((i + 1) as f64, loss)).collect();
        }
        reports.iter().filter_map(|line| Some((line["step"].as_f64()?, line["loss"].as_f64()?))).collect()
    }

    /// Update and loss on the validation part of a network, wherever that was judged.
    pub fn validation_losses(&self, of: u64) -> Vec<(f64, f64)> {
        let known = self.lines.iter().filter(|line| member(line) == of).filter_map(|line| {
            let loss = match line["split"].as_str()? {
                "validation" => &line["loss"],
                "train" => &line["validation_loss"],
                _ => return None,
            };
            Some((line["step"].as_u64()?, loss.as_f64()?))
        });
        let by_update: BTreeMap<u64, f64> = known.collect();
        by_update.into_iter().map(|(step, loss)| (step as f64, loss)).collect()
    }

    /// Whether there is a checkpoint to go on from.
    pub fn has_checkpoint(&self) -> bool {
        has_checkpoint(&self.path)
    }

    /// Number of each member with the updates and the folder of its newest checkpoint.
    fn checkpoints(&self) -> Vec<(u64, u64, PathBuf)> {
        let folder = self.path.join("checkpoints");
        let others = (2..).map(|i| (i, folder.join(format!("member-{i}")))).take_while(|(_, folder)| folder.is_dir());
        std::iter::once((1, folder.clone())).chain(others).filter_map(|(i, folder)| newest(i, &folder)).collect()
    }

    /// Wall seconds from its begin to its end, or until now; of one that was resumed those of its training, as far as they were reported.
    pub fn seconds(&self) -> Option<f64> {
        let Manifest { started, finished, resumed, .. } = &self.manifest;
        let time = |text: &str| humantime::parse_rfc3339(text).ok();
        let until = match (finished, &self.state) {
            (Some(finished), _) => time(finished),
            (None, State::Running { .. }) => Some(std::time::SystemTime::now()),
            _ => None,
        };
        let whole = until.zip(time(started)).and_then(|(end, begin)| end.duration_since(begin).ok());
        let trained = || {
            self.members().iter().filter_map(|i| self.reports_of(*i).last()?["wall_s"].as_f64()).reduce(|a, b| a + b)
        };
        whole.filter(|_| resumed.is_empty()).map_or_else(trained, |whole| Some(whole.as_secs_f64()))
    }
}

/// The number of the network that a line is of, from 1.
fn member(line: &Value) -> u64 {
    line["member"].as_u64().unwrap_or(1)
}

fn name_of(path: &Path) -> String {
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    whole.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Fails if there is no folder, or no manifest in it; names the runs that are in it, if there are some.
fn check_is_run(path: &Path) -> Result<()> {
    if path.join("manifest.json").exists() {
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(Error::storage("read", path))?;
    let mut within: Vec<String> = (entries.filter_map(std::result::Result::ok))
        .filter(|entry| entry.path().join("manifest.json").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    within.sort_unstable();
    let words = match &within[..] {
        [] => "there is no manifest.json in it; name a folder that a training, a simulation or a sweep has written"
            .to_owned(),
        [first, ..] => format!(
            "but {} of runs are in it; name those, such as {first}",
            bd_core::text::plural(within.len(), "folder")
        ),
    };
    Err(Error::bad_file(path, format!("it is not the folder of a run: {words}")))
}

fn read_config(path: &Path, manifest: &Manifest, notes: &mut Vec<String>) -> Value {
    let Ok(text) = fs::read(path.join("config.json")) else {
        notes.push("config.json is missing or cannot be read".into());
        return Value::Null;
    };
    let hash = Some(sha256_hex(&text));
    if manifest.config_sha256.is_some() && hash != manifest.config_sha256 && hash != manifest.next_config_sha256 {
        notes.push(
            "config.json is not the one that the run has written: its SHA-256 is not that of manifest.json".into(),
        );
    }
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        notes.push(format!("config.json is damaged: {error}"));
        Value::Null
    })
}

/// A file of JSON that need not be there.
fn read_json(path: &Path, notes: &mut Vec<String>) -> Option<Value> {
    let text = fs::read(path).ok()?;
    let name = name_of(path);
    serde_json::from_slice(&text).map_err(|error| notes.push(format!("{name} is damaged: {error}"))).ok()
}

/// The lines of `metrics.jsonl`, or the last ones.
fn read_lines(path: &Path, most: Option<u64>, notes: &mut Vec<String>) -> Vec<Value> {
    let (bytes, is_whole) = match read_end(path, most) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            notes.push(format!("metrics.jsonl cannot be read: {error}"));
            return Vec::new();
        }
    };
    // The first of the last ones may begin in the middle; the very last one may be still being written.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let written =
        bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).skip(usize::from(!is_whole));
    let (mut lines, mut damaged) = (Vec::new(), 0);
    for line in written {
        match serde_json::from_slice::<Value>(line) {
            Ok(line) if line.is_object() => lines.push(line),
            _ => damaged += 1,
        }
    }
    if damaged > 0 {
        notes.push(format!("{} of metrics.jsonl cannot be read", bd_core::text::plural(damaged, "line")));
    }
    lines
}

/// At most the last `most` bytes of a file, and whether that is all of it.
fn read_end(path: &Path, most: Option<u64>) -> std::io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let skipped = most.map_or(Ok(0), |most| Ok::<_, std::io::Error>(file.metadata()?.len().saturating_sub(most)))?;
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((bytes, skipped == 0))
}

/// The newest checkpoint in a folder of them.
fn newest(member: u64, folder: &Path) -> Option<(u64, u64, PathBuf)> {
    let step = |name: &str| name.strip_prefix("step-")?.parse::<u64>().ok();
    let entries = fs::read_dir(folder).ok()?.filter_map(std::result::Result::ok);
    let steps = entries.filter_map(|entry| Some((step(&entry.file_name().to_string_lossy())?, entry.path())));
    steps.max_by_key(|(step, _)| *step).map(|(step, path)| (member, step, path))
}

/// The losses of all updates, or nothing.
fn losses_in(path: &Path) -> Vec<f64> {
    let of = |tensors: Vec<(String, tch::Tensor)>| {
        let (_, losses) = tensors.into_iter().find(|(name, _)| name == "losses")?;
        let losses = losses.f_to_kind(Kind::Double).ok()?.f_reshape([-1]).ok()?;
        Vec::try_from(losses).ok()
    };
    load_tensors(path).ok().and_then(of).unwrap_or_default()
}

#[cfg(test)]
mod tests;
