//! [`RunDir`]: the folder that a run leaves behind, and nothing else does.
//!
//! | file | content |
//! |---|---|
//! | `config.json` | every value in force |
//! | `manifest.json` | versions, device, threads, dtype, seed, times, status, SHA-256 of the final weights |
//! | `metrics.jsonl` | one object a report |
//! | `model.safetensors` | the trained parameters |
//! | `checkpoints/step-00000500/` | where training can go on from: see [`Checkpoint`] |
//! | `predictions.npz`, `plots/` | where the job makes them |

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bd_core::files::write_atomic;
use bd_core::{Checkpoint, Error, Result};
use serde::Serialize;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Begun and not ended: at work, or cut off.
    Running,
    /// Ended as it should.
    Done,
    /// Stopped by a signal, with a checkpoint.
    Stopped,
    /// A loss or gradient was not finite; the last good parameters are in a checkpoint.
    Diverged,
    /// Ended by another error, with a checkpoint.
    Failed,
}

/// Versions of what computed a run.
#[derive(Debug, Clone, Serialize)]
pub struct Versions {
    /// Of this program.
    pub bd: String,
    /// Git commit it was built from.
    pub git: Option<String>,
    /// Of libtorch, as loaded.
    pub libtorch: Option<String>,
    /// Of CUDA's run time, if a GPU was used.
    pub cuda: Option<i64>,
}

/// What is worth knowing of a run beside its configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// The job.
    pub job: String,
    /// Where it stands.
    pub status: Status,
    /// What computed it.
    pub versions: Versions,
    /// Device in use, for example `cuda:0`.
    pub device: String,
    /// Threads in use.
    pub threads: usize,
    /// Dtype of parameters and states.
    pub dtype: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Begin, UTC.
    pub started: String,
    /// End, UTC.
    pub finished: Option<String>,
    /// SHA-256 of `model.safetensors`.
    pub weights_sha256: Option<String>,
}

/// Now, as `2026-01-31T09:00:00Z`.
pub fn utc_now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// A run folder that is being filled. Dropped before [`finish`](Self::finish) or [`keep`](Self::keep), it is removed.
#[derive(Debug)]
pub struct RunDir {
    /// Empty before the folder is made and after it is finished.
    path: PathBuf,
    /// Folders above it that did not exist before, deepest first.
    made_parents: Vec<PathBuf>,
    manifest: Manifest,
}

impl RunDir {
    /// Creates the folder `out`, which must not exist, or else `runs/<job>-<UTC time>-<4 hex>`.
    pub fn create(out: Option<&Path>, manifest: Manifest) -> Result<Self> {
        let path = out.map_or_else(|| default_path(&manifest.job), Path::to_path_buf);
        if path.symlink_metadata().is_ok() {
            // Told apart from what create_dir says, which names no way out.
            let there = std::io::Error::new(ErrorKind::AlreadyExists, "it exists; name a new folder or remove it");
            return Err(Error::storage("create run folder", path)(there));
        }
        let made_parents: Vec<_> = path
            .ancestors()
            .skip(1)
            .take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists())
            .map(Path::to_path_buf)
            .collect();
        // From here on, dropping `run` takes away what was made, whatever fails; and only what was made.
        let mut run = Self { path: PathBuf::new(), made_parents, manifest };
        if let Some(parent) = run.made_parents.first() {
            fs::create_dir_all(parent).map_err(Error::storage("create", parent))?;
        }
        fs::create_dir(&path).map_err(Error::storage("create run folder", &path))?;
        run.path = path;
        run.write_manifest()?;
        Ok(run)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, with its folder made.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let parent = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).map_err(Error::storage("create", parent))?;
        Ok(path)
    }

    /// Writes an object as indented JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text =
            serde_json::to_string_pretty(value).map_err(|error| Error::Config(format!("{name}: {error}")))?;
        text.push('\n');
        write_atomic(&self.file(name)?, text.as_bytes())
    }

    /// Appends a line to `metrics.jsonl`.
    pub fn report(&self, metrics: &impl Serialize) -> Result<()> {
        let path = self.file("metrics.jsonl")?;
        let mut line = serde_json::to_string(metrics).map_err(|error| Error::Config(format!("metrics: {error}")))?;
        line.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(Error::storage("write", path))
    }

    /// Writes a checkpoint to `checkpoints/step-<step>`, unless there is one of that step.
    pub fn checkpoint(&self, step: u64, checkpoint: &Checkpoint) -> Result<()> {
        let path = self.file(&format!("checkpoints/step-{step:08}"))?;
        if path.exists() { Ok(()) } else { checkpoint.save(&path) }
    }

    /// Marks the run as done, and keeps the folder.
    pub fn finish(mut self, weights_sha256: Option<String>) -> Result<PathBuf> {
        self.manifest.status = Status::Done;
        self.manifest.finished = Some(utc_now());
        self.manifest.weights_sha256 = weights_sha256;
        self.write_manifest()?;
        self.made_parents.clear();
        Ok(std::mem::take(&mut self.path))
    }

    /// Whether there is a checkpoint in it.
    pub fn has_checkpoint(&self) -> bool {
        fs::read_dir(self.path.join("checkpoints")).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Keeps the folder of a run that did not come to its end, whether or not its manifest can still be written.
    pub fn keep(mut self, status: Status) -> PathBuf {
        self.manifest.status = status;
        self.manifest.finished = Some(utc_now());
        let _ = self.write_manifest(); // what matters is there
        self.made_parents.clear();
        std::mem::take(&mut self.path)
    }

    fn write_manifest(&self) -> Result<()> {
        self.write_json("manifest.json", &self.manifest)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
        for parent in &self.made_parents {
            let _ = fs::remove_dir(parent); // not if another run is in it by now
        }
    }
}

/// `runs/<job>-<UTC time>-<4 hex>`: the digits tell apart runs of the same second.
fn default_path(job: &str) -> PathBuf {
    let time: String = utc_now().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.subsec_nanos());
    Path::new("runs").join(format!("{job}-{time}-{:04x}", (nanos ^ std::process::id()) & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let versions = Versions { bd: "0".into(), git: None, libtorch: None, cuda: None };
        Manifest {
            job: "test".into(),
            status: Status::Running,
            versions,
            device: "cpu".into(),
            threads: 1,
            dtype: "f64".into(),
            seed: 0,
            started: utc_now(),
            finished: None,
            weights_sha256: None,
        }
    }

    #[test]
    fn a_run_that_fails_leaves_nothing_and_one_that_ends_leaves_a_manifest() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/er/run");
        let run = RunDir::create(Some(&out), manifest()).unwrap();
        run.write_json("plots/x.json", &1).unwrap();
        drop(run);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

        let run = RunDir::create(Some(&out), manifest()).unwrap();
        run.report(&serde_json::json!({"loss": 1.0})).unwrap();
        run.report(&serde_json::json!({"loss": 0.5})).unwrap();
        let path = run.finish(Some("abc".into())).unwrap();
        assert_eq!(path, out);
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
        assert_eq!((manifest["status"].as_str(), manifest["weights_sha256"].as_str()), (Some("done"), Some("abc")));
        assert_eq!(fs::read_to_string(out.join("metrics.jsonl")).unwrap().lines().count(), 2);
    }

    #[test]
    fn what_is_there_is_never_touched() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), "mine").unwrap();
        let error = RunDir::create(Some(root.path()), manifest()).unwrap_err();
        assert!(matches!(error, Error::Storage { .. }), "{error}");
        // A parent made for a run stays if somebody else has put something there.
        let run = RunDir::create(Some(&root.path().join("runs/a")), manifest()).unwrap();
        fs::write(root.path().join("runs/other"), "").unwrap();
        drop(run);
        assert!(root.path().join("mine").exists() && root.path().join("runs/other").exists());
        assert!(!root.path().join("runs/a").exists());
    }
}
