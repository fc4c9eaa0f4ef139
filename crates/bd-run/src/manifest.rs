//! [`Manifest`]: what is worth knowing of a run beside its configuration.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bd_core::{determinism, device, kind_name, libtorch};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::Config;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Begun and not ended: at work, or cut off.
    Running,
    /// Ended as it should.
    Done,
    /// Stopped by a signal, with a checkpoint; of a simulation with what was simulated until then.
    Stopped,
    /// A loss or gradient was not finite; the last good parameters are in a checkpoint.
    Diverged,
    /// Ended by another error, with weights or a checkpoint.
    Failed,
}

/// Versions of what computed a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// A training that went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// Begin, UTC.
    pub at: String,
    /// Updates that had been made, of all networks of an ensemble together; of a regression the samples.
    pub step: u64,
    /// Device from then on.
    pub device: String,
    /// Threads from then on.
    pub threads: usize,
    /// What computed it from then on.
    pub versions: Versions,
}

/// What is worth knowing of a run beside its configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Whether it was computed [in one way](bd_core::determinism), so that other processors give the same bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deterministic: bool,
    /// Begin, UTC.
    pub started: String,
    /// End, UTC.
    pub finished: Option<String>,
    /// Every time that it went on after a break.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Resumed>,
    /// SHA-256 of `config.json`.
    pub config_sha256: Option<String>,
    /// That of a configuration that is about to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_config_sha256: Option<String>,
    /// SHA-256 of `model.safetensors`.
    pub weights_sha256: Option<String>,
}

impl Manifest {
    /// Of a run of this configuration that begins now, computed by a program of this version, built from this commit.
    pub fn now(config: &Config, device: Device, program: (&str, Option<String>)) -> Self {
        let dtype = kind_name(config.dtype().kind());
        Self::of_job(config.job(), dtype, config.seed(), config.threads(), device, program)
    }

    /// The same of a job that has another kind of configuration.
    pub(crate) fn of_job(
        job: &str,
        dtype: String,
        seed: u64,
        threads: usize,
        device: Device,
        program: (&str, Option<String>),
    ) -> Self {
        Self {
            job: job.into(),
            status: Status::Running,
            versions: Versions::here(device, program),
            device: device::device_name(device),
            threads,
            dtype,
            seed,
            deterministic: determinism::is_held(),
            started: utc_now(),
            finished: None,
            resumed: Vec::new(),
            config_sha256: None,
            next_config_sha256: None,
            weights_sha256: None,
        }
    }
}

impl Versions {
    /// Of what computes here: a program of this version, built from this commit.
    pub fn here(device: Device, (version, git): (&str, Option<String>)) -> Self {
        Self {
            bd: version.into(),
            git,
            libtorch: libtorch::version(),
            cuda: device.is_cuda().then(tch::utils::version_cudart),
        }
    }
}

/// Now, as `2026-01-31T09:00:00Z`. A clock before 1970 stands at its beginning.
pub(crate) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}
