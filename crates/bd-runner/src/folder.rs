//! The folder of a run: configuration and weights, if they are those that the run wrote.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::weights::Weights;
use crate::{Error, Result};

/// What a run has left behind.
pub(crate) struct Folder {
    pub(crate) config_file: PathBuf,
    pub(crate) config: Value,
    pub(crate) weights: Weights,
}

impl Folder {
    /// Reads the folder of a run, or of several: then that of the best.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = of_best(path)?;
        let (config_file, manifest_file) = (path.join("config.json"), path.join("manifest.json"));
        let text = read(&config_file)?;
        let manifest = json(&manifest_file, &read(&manifest_file)?)?;
        let known = |name: &str| manifest.get(name).and_then(Value::as_str);
        if let Some(hash) = known("config_sha256") {
            // A configuration that was about to be written may be there already.
            let next = known("next_config_sha256").filter(|next| *next == sha256_hex(&text));
            check(&config_file, &text, next.unwrap_or(hash))?;
        }
        let Some(hash) = known("weights_sha256") else {
            let status = known("status").unwrap_or_default();
            let reason =
                format!("this run has no final weights, for its status is '{status}'; a run that is done has some");
            return Err(Error::bad_file(&manifest_file, reason));
        };
        let weights_file = path.join("model.safetensors");
        let content = read(&weights_file)?;
        check(&weights_file, &content, hash)?;
        let weights = Weights::parse(&weights_file, &content)?;
        Ok(Self { config: json(&config_file, &text)?, config_file, weights })
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|source| Error::Storage { path: file.to_path_buf(), source })
}

fn json(file: &Path, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|error| Error::bad_file(file, error))
}

/// The folder of the best run, where there are several.
fn of_best(path: &Path) -> Result<PathBuf> {
    let file = path.join("auto.json");
    let text = match fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path.to_path_buf()),
        Err(source) => return Err(Error::Storage { path: file, source }),
        Ok(text) => text,
    };
    let best = json(&file, &text)?;
    match best.get("best").and_then(Value::as_str).filter(|best| !best.contains(['/', '\\']) && *best != "..") {
        Some(best) => Ok(path.join(best)),
        None => Err(Error::bad_file(&file, "it does not say which run is the best")),
    }
}

fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(file: &Path, content: &[u8], known: &str) -> Result<()> {
    match sha256_hex(content) == known {
        true => Ok(()),
        false => Err(Error::bad_file(file, "its SHA-256 is not the one in manifest.json; the file was changed")),
    }
}
