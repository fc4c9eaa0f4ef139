//! What all jobs share: their manifest, the clock of their parts, how they end.

use std::path::Path;
use std::time::Instant;

use bd_core::{DeviceSpec, Error, device, kind_name, libtorch};
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

/// The device of `--device`, or else of the plan. Of `auto` it says what was chosen, and why that is no GPU.
pub(crate) fn resolve_device(option: Option<&str>, plan: DeviceSpec, quiet: bool) -> bd_core::Result<Device> {
    let spec = option.map_or(Ok(plan), str::parse)?;
    let (device, problem) = spec.choose()?;
    if spec == DeviceSpec::Auto && !quiet {
        let why = problem.map_or_else(String::new, |problem| format!(", for CUDA is not usable: {problem}"));
        console::message(&format!("device    auto is {}{why}", device::device_name(device)));
    }
    Ok(device)
}

/// The first line of every run.
pub(crate) fn greeting(manifest: &Manifest) -> String {
    about(&manifest.device, &manifest.dtype, manifest.threads)
}

/// The program, and what it computes on.
pub(crate) fn about(device: &str, dtype: &str, threads: usize) -> String {
    let libtorch = libtorch::version();
    let libtorch = libtorch.as_deref().unwrap_or("unknown");
    format!("bd {VERSION}, libtorch {libtorch}, {device}, {dtype}, {}", plural(threads, "thread"))
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
