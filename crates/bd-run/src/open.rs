//! [`Run`]: a run folder, opened.

use std::fs;
use std::path::{Path, PathBuf};

use bd_core::files::{sha256_hex, tensors_from_bytes};
use bd_core::{DeviceSpec, Error, Result, threads};
use tch::{Device, Tensor};

use crate::Config;
use crate::config::cores;
use crate::folder::{WEIGHTS, of_best, read_manifest};
use crate::manifest::Manifest;
use crate::predict::Predictor;

/// A run folder that this process reads: its configuration, its manifest and, where it has them, its weights.
///
/// ```no_run
/// use bd_core::DeviceSpec;
/// use bd_run::{Input, Run};
/// # fn main() -> bd_core::Result<()> {
/// let run = Run::open("runs/my-run")?;
/// let predictor = run.predictor(DeviceSpec::Cpu)?;
/// let prediction = predictor.predict_prepared(&predictor.read("new.npz".as_ref(), &Input::default())?)?;
/// prediction.save("out.npz".as_ref())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Run {
    path: PathBuf,
    config: Config,
    manifest: Manifest,
}

impl Run {
    /// Opens the folder of a run of any job, or of [several](crate::auto()): then that of the best. Fails if its configuration is not whole, or not the one that the manifest has the
    /// hash of.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = &of_best(path.as_ref())?;
        let file = path.join("config.json");
        let text = fs::read(&file).map_err(Error::storage("read", &file))?;
        let config = Config::of_text(&file, &text)?;
        let manifest = read_manifest(path)?;
        if let Some(known) = &manifest.config_sha256 {
            let next = manifest.next_config_sha256.as_ref().filter(|next| **next == sha256_hex(&text));
            check_hash(&file, &text, next.unwrap_or(known))?;
        }
        Ok(Self { path: path.to_path_buf(), config, manifest })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the run was to do.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is known of it beside that.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The trained parameters, by name, if they are those that the run wrote.
    pub fn weights(&self) -> Result<Vec<(String, Tensor)>> {
        let Some(hash) = &self.manifest.weights_sha256 else {
            let status = serde_json::to_value(self.manifest.status).unwrap_or_default();
            let status = status.as_str().unwrap_or_default().to_owned();
            return Err(Error::bad_file(
                self.path.join("manifest.json"),
                format!("this run has no final weights, for its status is '{status}'; a run that is done has some"),
            ));
        };
        let file = self.path.join(WEIGHTS);
        let content = fs::read(&file).map_err(Error::storage("read", &file))?;
        check_hash(&file, &content, hash)?;
        tensors_from_bytes(&file, &content)
    }

    /// The trained model, ready to run on a device. Fails if there is no such device.
    pub fn predictor(&self, device: DeviceSpec) -> Result<Predictor> {
        self.predictor_on(device.resolve()?)
    }

    /// The trained model, ready to run on a device that is there.
    pub fn predictor_on(&self, device: Device) -> Result<Predictor> {
        Predictor::new(self, device)
    }

    /// Sets the threads of our own loops to `threads`, or else to those of the run, as far as this machine has them, which give the same
    /// bytes: what is to be said of that.
    pub fn use_threads(&self, threads: Option<usize>) -> Result<Option<String>> {
        threads.map_or(Ok(()), crate::config::check_threads)?;
        let (of_run, most) = (self.config.threads(), cores());
        threads::set(threads.unwrap_or(of_run.min(most)));
        let fewer = threads.is_none() && of_run > most;
        Ok(fewer.then(|| format!("the run was of {of_run} threads, and this machine has {most}, which are used")))
    }
}

fn check_hash(path: &Path, content: &[u8], known: &str) -> Result<()> {
    if sha256_hex(content) == known {
        return Ok(());
    }
    Err(Error::bad_file(path, "its SHA-256 is not the one in manifest.json; the file was changed"))
}
