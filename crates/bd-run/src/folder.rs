//! [`RunFolder`]: the folder that a run leaves behind, and nothing else does.
//!
//! | file | content |
//! |---|---|
//! | `config.json` | every value in force |
//! | `manifest.json` | versions, device, threads, dtype, seed, times, status, SHA-256 of the configuration and of the final weights |
//! | `metrics.jsonl` | one object a report |
//! | `tensorboard/train/` and so on | the same numbers as event files, where they are asked for |
//! | `model.safetensors` | the trained parameters |
//! | `checkpoints/step-00000500/` | where training can go on from, see [`Checkpoint`](bd_core::Checkpoint) |
//! | `checkpoints/member-2/` | the same of another member of an ensemble, from 2 on |
//! | `predictions.npz`, `plots/` | where the job makes them |
//! | `.lock` | held by the process at work in the folder; its content says which |

mod begun;
mod best;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bd_core::files::{drawn, save_tensors, sha256_hex, sync_entry, write_atomic};
use bd_core::{Error, Params, Result};
use bd_train::Checkpoints;
use serde::Serialize;

pub use self::begun::is_begun;
pub use self::best::of_best;
use crate::manifest::{Manifest, Resumed, Status, utc_now};
use crate::metrics;

pub(crate) const LOCK: &str = ".lock";
/// The trained parameters.
pub(crate) const WEIGHTS: &str = "model.safetensors";
const MANIFEST: &str = "manifest.json";
/// In a folder of several runs, which of them is the best.
pub(crate) const AUTO: &str = "auto.json";
/// Names that are drawn for a folder before something else must be wrong.
const MOST_TRIES: usize = 64;

/// A run folder that is being filled by this process, which alone may: it holds the folder's lock.
///
/// Dropped before [`finish`](Self::finish) or [`keep`](Self::keep), a folder in which there is neither a checkpoint nor weights
/// is removed; one with either is always kept, whatever happened.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Folders above it that did not exist before, deepest first.
    made_parents: Vec<PathBuf>,
    manifest: Manifest,
    /// Whether what becomes of the folder is decided.
    ended: bool,
    /// Locked until it is dropped, also by the end of the process.
    _lock: File,
}

impl RunFolder {
    /// Creates the folder `out`, which must not exist, or else `runs/<job>-<UTC time>-<4 hex>`, and writes the configuration.
    pub fn create(out: Option<&Path>, config: &impl Serialize, manifest: Manifest) -> Result<Self> {
        let made = match out {
            Some(path) => MadeFolders::make(path)?,
            None => MadeFolders::make_first_free(|| default_path(&manifest.job))?,
        };
        let path = made.path.clone();
        let lock = lock(&path)?;
        let mut run = Self { made_parents: made.keep(), path, manifest, ended: false, _lock: lock };
        // From here on, dropping `run` takes away what was made, whatever fails.
        run.write_config(config)?;
        Ok(run)
    }

    /// Opens the folder of a run that is to go on. Fails with [`Error::Locked`] while another process is at work in it.
    pub fn reopen(path: &Path) -> Result<Self> {
        // That there is one says that it is a run's folder; what it says counts under the lock.
        read_manifest(path)?;
        let lock = lock(path)?;
        let manifest = read_manifest(path)?;
        sweep_checkpoints(&path.join("checkpoints"))?;
        sweep_temporaries(path)?;
        // Nothing is changed before the run [goes on](Self::go_on).
        Ok(Self { path: path.to_path_buf(), made_parents: Vec::new(), manifest, ended: true, _lock: lock })
    }

    /// Marks the run of a reopened folder as at work again.
    pub(crate) fn go_on(&mut self, resumed: Resumed) -> Result<()> {
        self.ended = false;
        self.update_manifest(|manifest| {
            manifest.status = Status::Running;
            manifest.finished = None;
            manifest.resumed.push(resumed);
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The manifest as it was last written.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder of its checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The path of a file in it, with its folder made.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let parent = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).map_err(Error::storage("create", parent))?;
        Ok(path)
    }

    /// Writes `config.json`, and its hash into the manifest: first the manifest with both hashes, so that whenever the process
    /// is killed the file is one that the manifest knows.
    pub fn write_config(&mut self, config: &impl Serialize) -> Result<()> {
        let text = json_text("config.json", config)?;
        let hash = sha256_hex(text.as_bytes());
        if self.manifest.config_sha256.as_ref() == Some(&hash) && self.manifest.next_config_sha256.is_none() {
            return Ok(());
        }
        self.update_manifest(|manifest| manifest.next_config_sha256 = Some(hash.clone()))?;
        write_atomic(&self.file("config.json")?, text.as_bytes())?;
        self.update_manifest(|manifest| {
            manifest.config_sha256 = Some(hash);
            manifest.next_config_sha256 = None;
        })
    }

    /// Writes the trained parameters as the model uses them, and their hash into the manifest. Between the two the manifest has none, so that whenever the
    /// process is killed it does not speak of other weights than there are.
    pub(crate) fn write_weights(&mut self, params: &Params) -> Result<()> {
        if self.manifest.weights_sha256.is_some() {
            self.update_manifest(|manifest| manifest.weights_sha256 = None)?;
        }
        let hash = save_tensors(&self.file(WEIGHTS)?, &params.weights())?;
        self.update_manifest(|manifest| manifest.weights_sha256 = Some(hash))
    }

    /// Changes the manifest.
    pub fn update_manifest(&mut self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        change(&mut self.manifest);
        self.write_manifest()
    }

    /// Writes an object as a file of indented JSON.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        write_atomic(&self.file(name)?, json_text(name, value)?.as_bytes())
    }

    /// Marks the run as done, and keeps the folder, also if that cannot be written. What is done has all lines of its metrics, also after a
    /// power cut.
    pub fn finish(mut self) -> Result<PathBuf> {
        self.ended = true;
        let path = self.path.clone();
        metrics::sync(&path)?;
        self.update_manifest(|manifest| {
            manifest.status = Status::Done;
            manifest.finished = Some(utc_now());
        })?;
        Ok(path)
    }

    /// Whether there is something in it that must not be lost: a checkpoint, or weights.
    pub fn is_worth_keeping(&self) -> bool {
        self.path.join(WEIGHTS).try_exists().unwrap_or(true) || has_checkpoint(&self.path)
    }

    /// Keeps the folder of a run that did not come to its end, whether or not its manifest can still be written.
    pub fn keep(mut self, status: Status) -> PathBuf {
        self.end_as(status);
        self.path.clone()
    }

    fn end_as(&mut self, status: Status) {
        self.ended = true;
        let ended = self.update_manifest(|manifest| {
            manifest.status = status;
            manifest.finished = Some(utc_now());
        });
        drop(ended); // what matters is there
    }

    fn write_manifest(&self) -> Result<()> {
        self.write_json(MANIFEST, &self.manifest)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.is_worth_keeping() {
            return self.end_as(Status::Failed);
        }
        let _ = fs::remove_dir_all(&self.path);
        remove_empty(&self.made_parents);
    }
}

/// Whether there is a checkpoint in a run folder. What cannot be read may be anything: only what is surely not there is nothing.
pub(crate) fn has_checkpoint(folder: &Path) -> bool {
    let named = |entry: std::io::Result<fs::DirEntry>| {
        entry.map_or(true, |entry| entry.file_name().to_string_lossy().starts_with("step-"))
    };
    match fs::read_dir(folder.join("checkpoints")) {
        Ok(mut entries) => entries.any(named),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// A folder for several runs. Dropped with nothing in it, it is removed again.
pub(crate) struct RunsFolder(MadeFolders);

impl RunsFolder {
    /// Creates `out`, which must not exist, or else `runs/<name>-<UTC time>-<4 hex>`.
    pub(crate) fn make(out: Option<&Path>, name: &str) -> Result<Self> {
        let made = match out {
            Some(path) => MadeFolders::make(path)?,
            None => MadeFolders::make_first_free(|| default_path(name))?,
        };
        Ok(Self(made))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its path, if there is something in it.
    pub(crate) fn keep_if_filled(&self) -> Option<PathBuf> {
        self.is_filled().then(|| self.0.path.clone())
    }

    /// What cannot be read may be anything: only what is surely empty is nothing.
    fn is_filled(&self) -> bool {
        fs::read_dir(&self.0.path).map_or(true, |mut entries| entries.next().is_some())
    }
}

impl Drop for RunsFolder {
    fn drop(&mut self) {
        self.0.kept = self.is_filled();
    }
}

/// Reads the manifest of a run folder.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(Error::storage("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| Error::bad_file(&path, error.to_string()))
}

/// As indented JSON.
fn json_text(name: &str, value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Config(format!("{name}: {error}")))?;
    Ok(text + "\n")
}

/// A folder that was just made, with those above it: removed again unless it is kept.
struct MadeFolders {
    path: PathBuf,
    parents: Vec<PathBuf>,
    kept: bool,
}

impl MadeFolders {
    fn make(path: &Path) -> Result<Self> {
        let parents: Vec<_> = path
            .ancestors()
            .skip(1)
            .take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists())
            .map(Path::to_path_buf)
            .collect();
        let mut made = Self { path: PathBuf::new(), parents, kept: false };
        if let Some(parent) = made.parents.first() {
            fs::create_dir_all(parent).map_err(Error::storage("create", parent))?;
        }
        fs::create_dir(path).map_err(|error| {
            // What the system says names no way out.
            let exists = error.kind() == ErrorKind::AlreadyExists || path.symlink_metadata().is_ok();
            let words = || std::io::Error::new(ErrorKind::AlreadyExists, "it exists; name a new folder or remove it");
            Error::storage("create run folder", path)(if exists { words() } else { error })
        })?;
        made.path = path.to_path_buf();
        // A run speaks of checkpoints that are safe, which they are not in a folder whose name a power cut takes.
        std::iter::once(&made.path).chain(&made.parents).try_for_each(|folder| sync_entry(folder))?;
        Ok(made)
    }

    /// The first folder of the names that `name` draws that is not there yet: other jobs of an array may draw the same one.
    fn make_first_free(mut name: impl FnMut() -> PathBuf) -> Result<Self> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::make(&name()) {
                Err(Error::Storage { source, .. })
                    if source.kind() == ErrorKind::AlreadyExists && tries < MOST_TRIES => {}
                made => return made,
            }
        }
    }

    /// The folders above it that were made.
    fn keep(mut self) -> Vec<PathBuf> {
        self.kept = true;
        std::mem::take(&mut self.parents)
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        if !self.kept {
            if !self.path.as_os_str().is_empty() {
                let _ = fs::remove_dir_all(&self.path);
            }
            remove_empty(&self.parents);
        }
    }
}

fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder); // not if another run is in it by now
    }
}

/// Takes the lock of a folder, which the end of this process gives back, however it ends.
fn lock(folder: &Path) -> Result<File> {
    lock_as(folder, LOCK)
}

/// The same of a lock of another name.
pub(crate) fn lock_as(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(Error::storage("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner); // only words for people
            return Err(Error::Locked { path: folder.to_path_buf(), owner: owner.trim().to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(Error::storage("lock", &path)(error)),
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let owner = format!("process {} on {}\n", std::process::id(), host.trim());
    file.set_len(0).and_then(|()| file.write_all(owner.as_bytes())).map_err(Error::storage("write", &path))?;
    Ok(file)
}

/// Fails with [`Error::Locked`] if a process is at work in a run folder.
pub(crate) fn check_free(folder: &Path) -> Result<()> {
    if folder.join(LOCK).exists() { lock(folder).map(drop) } else { Ok(()) }
}

/// Removes what a process that was killed has left of checkpoints, of the first member of an ensemble, and of the others in folders of their own.
fn sweep_checkpoints(folder: &Path) -> Result<()> {
    Checkpoints::sweep(folder)?;
    let others = (1..).map(|i| member_checkpoints(folder, i)).take_while(|folder| folder.is_dir());
    others.into_iter().try_for_each(|folder| Checkpoints::sweep(&folder))
}

/// The folder of the checkpoints of member `i` of an ensemble, counted from 0, where `folder` is that of a run's.
pub(crate) fn member_checkpoints(folder: &Path, i: usize) -> PathBuf {
    if i == 0 { folder.to_path_buf() } else { folder.join(format!("member-{}", i + 1)) }
}

/// Removes the temporary files of a process that was killed while it wrote, from a folder and from those in it.
fn sweep_temporaries(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(Error::storage("read", folder))?;
    for entry in entries.filter_map(std::result::Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(&path).map_err(Error::storage("remove", &path))?;
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep_temporaries(&path)?;
        }
    }
    Ok(())
}

/// `runs/<job>-<UTC time>-<4 hex>`: the digits, which the system draws, tell apart runs of the same second.
fn default_path(job: &str) -> PathBuf {
    let time: String = utc_now().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    Path::new("runs").join(format!("{job}-{time}-{:04x}", drawn() & 0xffff))
}

#[cfg(test)]
mod tests;
