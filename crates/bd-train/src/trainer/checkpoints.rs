//! [`Checkpoints`]: when a training saves, where, and how much of it is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bd_core::files::{beside, sync_entry};
use bd_core::{Checkpoint, Error, Result};

/// How often a training saves. It also saves when it is [stopped](super::Control::stop), when [a checkpoint is
/// requested](super::Control::save), when a number is not finite, and at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cadence {
    /// At the end of the first update after so much time.
    Time(Duration),
    /// After every so many updates.
    Updates(u64),
}

/// Which checkpoints are left when a new one is written. Each holds the best parameters so far, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them.
    All,
    /// The last ones, at least one.
    Last(usize),
}

/// The checkpoints of a training: folders `step-00000500` and so on, named by the number of the last update, in one folder.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    cadence: Cadence,
    keep: Keep,
}

/// The newest checkpoint that is whole.
#[derive(Debug)]
pub struct Newest {
    /// Its folder.
    pub path: PathBuf,
    /// What is in it.
    pub checkpoint: Checkpoint,
    /// What is wrong with those after it.
    pub passed_over: Vec<Error>,
}

impl Newest {
    /// The number that it has in its name and in its `state.json`: of the last update, or of samples in a fit.
    pub fn step(&self) -> Result<u64> {
        let step = self.checkpoint.meta["step"].as_u64();
        step.ok_or_else(|| Error::bad_file(&self.path, "its state.json does not say after which step it was written"))
    }
}

impl Checkpoints {
    /// In `folder`, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>, cadence: Cadence, keep: Keep) -> Self {
        Self { folder: folder.into(), cadence, keep }
    }

    /// The newest checkpoint in a folder whose files are all what was written, by lengths and SHA-256; those that are not are
    /// passed over. `None` if there is none.
    pub fn newest(folder: &Path) -> Result<Option<Newest>> {
        let mut passed_over = Vec::new();
        for path in saved_in(folder)?.into_iter().rev() {
            match Checkpoint::load(&path) {
                Ok(checkpoint) => return Ok(Some(Newest { path, checkpoint, passed_over })),
                Err(error) => passed_over.push(error),
            }
        }
        match passed_over.is_empty() {
            true => Ok(None),
            // The newest one says best what happened.
            false => Err(passed_over.swap_remove(0)),
        }
    }

    /// Removes what a process that was killed while it saved has left, and completes what it had only to rename. The folder must be this
    /// process's own.
    pub fn sweep(folder: &Path) -> Result<()> {
        for path in entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.trim_start_matches('.').starts_with("step-") || !name.starts_with('.') {
                continue;
            }
            match replaced_by(&path).filter(|replaced| !replaced.exists()) {
                Some(replaced) => fs::rename(&path, &replaced).map_err(Error::storage("create", &replaced))?,
                None => fs::remove_dir_all(&path).map_err(Error::storage("remove", &path))?,
            }
        }
        Ok(())
    }

    /// Whether a checkpoint is due after update `step`.
    pub(crate) fn is_due(&self, step: u64, last: Instant) -> bool {
        match self.cadence {
            Cadence::Time(every) => last.elapsed() >= every,
            Cadence::Updates(every) => step.is_multiple_of(every.max(1)),
        }
    }

    /// Writes a checkpoint, unless there is one of that step, and removes those that are not to be kept.
    pub(crate) fn write(&self, step: u64, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let path = self.path(step);
        if path.exists() && Checkpoint::load(&path).is_ok() {
            return self.prune(path);
        }
        self.rewrite(step, checkpoint)
    }

    /// Writes a checkpoint in the place of one of that step, if there is one, and removes those that are not to be kept.
    pub(crate) fn rewrite(&self, step: u64, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let path = self.path(step);
        self.make_folder()?;
        if path.exists() {
            replace(&path, checkpoint)?
        } else {
            checkpoint.save(&path)?
        }
        self.prune(path)
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Removes the checkpoints that are not to be kept beside this one.
    fn prune(&self, newest: PathBuf) -> Result<PathBuf> {
        if let Keep::Last(count) = self.keep {
            let saved = saved_in(&self.folder)?;
            for old in saved.iter().rev().filter(|old| **old != newest).skip(count.max(1) - 1) {
                // One that cannot be removed takes space, and does no harm.
                let _ = set_aside(old);
            }
        }
        Ok(newest)
    }

    /// Makes the folder, which is there after a power cut too.
    fn make_folder(&self) -> Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::storage("create", &self.folder))?;
        sync_entry(&self.folder)
    }
}

/// Removes a checkpoint, under another name first: a folder under its final name is whole at every moment. What a process that is killed
/// leaves is [swept](Checkpoints::sweep).
fn set_aside(path: &Path) -> Result<()> {
    let aside = beside(path, OLD);
    fs::rename(path, &aside).map_err(Error::storage("rename", path))?;
    fs::remove_dir_all(&aside).map_err(Error::storage("remove", &aside))
}

/// Writes a checkpoint in the place of the one in `path`: first beside it, from where a [sweep](Checkpoints::sweep) takes it if the
/// process is killed between the two renames. If the second one fails, the old checkpoint comes back.
fn replace(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let (new, old) = (beside(path, NEW), beside(path, OLD));
    checkpoint.save(&new)?;
    fs::rename(path, &old).map_err(Error::storage("rename", path))?;
    fs::rename(&new, path).map_err(|error| {
        let _ = fs::rename(&old, path);
        Error::storage("create", path)(error)
    })?;
    sync_entry(path)?;
    fs::remove_dir_all(&old).map_err(Error::storage("remove", &old))
}

/// How the name of a whole checkpoint ends that is to replace another one.
const NEW: &str = "new";
/// How the name of one ends that is to be removed.
const OLD: &str = "old";

/// The path of the checkpoint that the whole one in `path` is to replace, if it is to replace one.
fn replaced_by(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(NEW)?.strip_suffix('.')?.strip_prefix('.')?;
    Some(path.with_file_name(name.split('.').next().filter(|step| !step.is_empty())?))
}

/// The folders of checkpoints, oldest first.
fn saved_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut saved: Vec<(u64, PathBuf)> = entries(folder)?
        .into_iter()
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?, path)))
        .collect();
    saved.sort();
    Ok(saved.into_iter().map(|(_, path)| path).collect())
}

/// Everything in a folder; nothing if it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::storage("read", folder))?,
    };
    read.map(|entry| entry.map(|entry| entry.path()).map_err(Error::storage("read", folder))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tch::Tensor;

    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            model: vec![("w".into(), Tensor::from_slice(&[step as f64]))],
            meta: json!({"step": step}),
            ..Checkpoint::default()
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            entries(folder).unwrap().iter().map(|path| path.file_name().unwrap().to_string_lossy().into()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_last_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path(), Cadence::Updates(1), Keep::Last(2));
        for step in [5, 100_000_000, 7] {
            checkpoints.write(step, &checkpoint(step)).unwrap();
        }
        // What was just written stays, whatever its number; of the others the newest.
        assert_eq!(names(folder.path()), ["step-00000007", "step-100000000"]);
        assert_eq!(Checkpoints::newest(folder.path()).unwrap().unwrap().checkpoint.meta["step"], 100_000_000);
    }

    #[test]
    fn damaged_ones_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path(), Cadence::Updates(1), Keep::All);
        assert!(Checkpoints::newest(folder.path()).unwrap().is_none());
        for step in [1, 2, 3] {
            checkpoints.write(step, &checkpoint(step)).unwrap();
        }
        fs::write(folder.path().join("step-00000003/model.safetensors"), "cut").unwrap();
        fs::remove_file(folder.path().join("step-00000002/state.json")).unwrap();
        let newest = Checkpoints::newest(folder.path()).unwrap().unwrap();
        assert_eq!((newest.checkpoint.meta["step"].as_u64(), newest.passed_over.len()), (Some(1), 2));
        fs::write(folder.path().join("step-00000001/SHA256SUMS"), "").unwrap();
        let error = Checkpoints::newest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("step-00000003/model.safetensors: it has 3 bytes"), "{error}");
    }

    /// A damaged one of the same step is no reason not to save, nor to remove the last valid one.
    #[test]
    fn a_damaged_one_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path(), Cadence::Updates(1), Keep::Last(1));
        checkpoints.write(1, &checkpoint(1)).unwrap();
        let path = folder.path().join("step-00000002");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("state.json"), "cut").unwrap();
        checkpoints.write(2, &checkpoint(2)).unwrap();
        assert_eq!(names(folder.path()), ["step-00000002"]);
        assert_eq!(Checkpoints::newest(folder.path()).unwrap().unwrap().checkpoint.meta["step"], 2);
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        for left in [".step-00000003.77.partial/x", "..step-00000004.77.new.77.partial/x", ".step-00000002.77.new"] {
            fs::create_dir_all(folder.path().join(left)).unwrap();
        }
        fs::create_dir_all(folder.path().join("step-00000002")).unwrap();
        fs::create_dir_all(folder.path().join("mine")).unwrap();
        Checkpoints::sweep(folder.path()).unwrap();
        assert_eq!(names(folder.path()), ["mine", "step-00000002"]);
    }

    /// Whenever a process is killed that replaces a checkpoint, the new one or the old one is there.
    #[test]
    fn a_checkpoint_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path(), Cadence::Updates(1), Keep::Last(1));
        let ended = |end: &str| Checkpoint { meta: json!({"step": 1, "end": end}), ..checkpoint(1) };
        let end = || Checkpoints::newest(folder.path()).unwrap().unwrap().checkpoint.meta["end"].clone();
        checkpoints.write(1, &ended("no")).unwrap();
        checkpoints.write(1, &ended("not yet")).unwrap();
        assert_eq!(end(), "no");
        checkpoints.rewrite(1, &ended("yes")).unwrap();
        assert_eq!((end(), names(folder.path())), (json!("yes"), vec!["step-00000001".to_owned()]));
        // Killed between the two renames.
        let whole = folder.path().join("step-00000001");
        ended("again").save(&beside(&whole, NEW)).unwrap();
        fs::rename(&whole, beside(&whole, OLD)).unwrap();
        Checkpoints::sweep(folder.path()).unwrap();
        assert_eq!((end(), names(folder.path())), (json!("again"), vec!["step-00000001".to_owned()]));
    }
}
