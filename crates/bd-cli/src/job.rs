//! What all jobs share: their manifest, the clock of their parts, how they end.

use std::path::Path;
use std::time::Instant;

use bd_core::{Error, device, kind_name, libtorch};
use bd_train::RunDir;
use bd_train::run_dir::{Manifest, Status, Versions, utc_now};
use serde_json::{Map, Value, json};
use tch::{Device, Kind};

use crate::console;
use crate::info::{VERSION, git_hash};
use crate::interrupt::Interrupted;
use crate::text::plural;

/// Wall seconds of the parts of a run, by name.
pub(crate) struct Seconds(pub(crate) Map<String, Value>, Instant);

impl Seconds {
    pub(crate) fn since(began: Instant, name: &str) -> Self {
        let mut seconds = Self(Map::new(), began);
        seconds.lap(name);
        seconds
    }

    pub(crate) fn lap(&mut self, name: &str) {
        self.0.insert(name.into(), json!(self.1.elapsed().as_secs_f64()));
        self.1 = Instant::now();
    }
}

pub(crate) fn manifest(job: &str, device: Device, kind: Kind, threads: usize, seed: u64) -> Manifest {
    Manifest {
        job: job.into(),
        status: Status::Running,
        versions: Versions {
            bd: VERSION.into(),
            git: git_hash(),
            libtorch: libtorch::version(),
            cuda: device.is_cuda().then(tch::utils::version_cudart),
        },
        device: device::device_name(device),
        threads,
        dtype: kind_name(kind),
        seed,
        started: utc_now(),
        finished: None,
        weights_sha256: None,
    }
}

/// The first line of every run.
pub(crate) fn greeting(manifest: &Manifest) -> String {
    format!(
        "bd {VERSION}, libtorch {}, {}, {}, {}",
        manifest.versions.libtorch.as_deref().unwrap_or("unknown"),
        manifest.device,
        manifest.dtype,
        plural(manifest.threads, "thread")
    )
}

/// Prints the object of `--json`: what was done with which run, where, and what came of it.
pub(crate) fn print_json(job: &str, run: &Path, device: Device, what_came: Value) -> bd_core::Result<()> {
    let mut result = json!({"job": job, "run": run, "device": device::device_name(device)});
    let (Some(all), Value::Object(what_came)) = (result.as_object_mut(), what_came) else {
        unreachable!("both are objects")
    };
    all.extend(what_came);
    console::result(&result.to_string())
}

/// How a run ends that did not come to its end: its folder is kept if there is a checkpoint in it, and the words say so.
pub(crate) fn unfinished(run: RunDir, error: anyhow::Error) -> anyhow::Error {
    if !run.has_checkpoint() {
        return error;
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        return interrupted.keeping(run.keep(Status::Stopped)).into();
    }
    let diverged = matches!(error.downcast_ref(), Some(Error::NotFinite { .. }));
    let path = run.keep(if diverged { Status::Diverged } else { Status::Failed });
    console::message(&format!("run       {} is kept, with the last good parameters as a checkpoint", path.display()));
    error
}
