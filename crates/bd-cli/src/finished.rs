//! A run that has ended: what it was to do, and the weights it found.

use std::fs;
use std::path::Path;

use bd_core::Error;
use bd_core::files::{load_tensors, sha256_hex};
use serde_json::Value;
use tch::Tensor;

use crate::args::Reuse;
use crate::plan::{NgrcPlan, RnnPlan, SnnPlan, check_threads, cores};

/// Of a file that a run has read, and that has changed since.
pub(crate) const CHANGED_FILE: &str = "it is not what the run has read: its SHA-256 is not that of the configuration; to train on it as \
     it is now, --set data.sha256=null, and to test on it, bd eval --data";

/// The configuration of a run of any job.
pub(crate) enum AnyPlan {
    Ngrc(Box<NgrcPlan>),
    Rnn(Box<RnnPlan>),
    Snn(Box<SnnPlan>),
}

impl AnyPlan {
    pub(crate) fn of(run: &Path) -> Result<Self, Error> {
        let path = run.join("config.json");
        let text = fs::read_to_string(&path).map_err(Error::storage("read", &path))?;
        let config: Value = serde_json::from_str(&text).map_err(|error| Error::bad_file(&path, error.to_string()))?;
        let plan = match config["job"].as_str() {
            Some("ngrc") => NgrcPlan::of_run(config).map(|plan| Self::Ngrc(Box::new(plan))),
            Some("rnn") => RnnPlan::of_run(config).map(|plan| Self::Rnn(Box::new(plan))),
            Some("snn") => SnnPlan::of_run(config).map(|plan| Self::Snn(Box::new(plan))),
            job => {
                let reason = format!("it is of a job '{}'; there are: ngrc, rnn, snn", job.unwrap_or(""));
                return Err(Error::bad_file(&path, reason));
            }
        };
        plan.map_err(|error| Error::bad_file(&path, error.to_string()))
    }
}

/// The weights of a run that has ended, if they are those that it wrote.
pub(crate) fn weights_of(run: &Path) -> Result<Vec<(String, Tensor)>, Error> {
    let (weights, manifest) = (run.join("model.safetensors"), run.join("manifest.json"));
    let text = fs::read(&manifest).map_err(Error::storage("read", &manifest))?;
    let said: Value = serde_json::from_slice(&text).map_err(|error| Error::bad_file(&manifest, error.to_string()))?;
    let Some(hash) = said["weights_sha256"].as_str() else {
        let status = said["status"].as_str().unwrap_or("unknown");
        return Err(Error::bad_file(
            &manifest,
            format!("this run has no final weights, for its status is '{status}'; a run that is done has some"),
        ));
    };
    let content = fs::read(&weights).map_err(Error::storage("read", &weights))?;
    if sha256_hex(&content) != hash {
        return Err(Error::bad_file(&weights, "its SHA-256 is not the one in manifest.json; the file was changed"));
    }
    load_tensors(&weights)
}

/// The threads to use for a run that used `threads`, perhaps on another machine.
pub(crate) fn threads(reuse: &Reuse, threads: usize) -> Result<usize, Error> {
    reuse.threads.map_or(Ok(()), check_threads)?;
    Ok(reuse.threads.unwrap_or(threads.min(cores())))
}
