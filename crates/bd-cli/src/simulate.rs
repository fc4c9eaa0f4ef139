//! `bd simulate`: a network of populations over time.

use std::time::Instant;

use anyhow::Result;
use bd_core::device::Device;
use bd_core::{Error, kind_name};
use bd_run::config::cores;
use bd_run::experiment::Setting;
use bd_run::{Dtype, Listener, SimulateConfig, Simulated, simulate as run};
use serde_json::{Value, json};

use crate::args;
use crate::console;
use crate::figures;
use crate::info::{VERSION, git_hash};
use crate::progress::Progress;
use crate::signals::Watch;
use crate::table;
use crate::train::about;

pub(crate) fn simulate(args: &args::Simulate) -> Result<()> {
    let began = Instant::now();
    let config = config(args)?;
    let (watch, progress) = (Watch::begin()?, Progress::new(args.quiet));
    progress.say(&about("cpu", &kind_name(config.dtype.kind()), config.threads));
    let setting = Setting {
        device: Device::Cpu,
        out: args.out.clone(),
        control: watch.control(),
        program: (VERSION, git_hash()),
        began,
        group: None,
    };
    let simulated = run(config, &setting, &progress)?;
    figures::save(&simulated.folder, figures::of_simulation(&simulated.report));
    let printed = if args.json { json_of(&simulated).to_string() } else { table::of_simulation(&simulated) };
    let (seconds, stopped) = (simulated.seconds.total(), simulated.stopped);
    let path = simulated.finish()?;
    if args.json || !args.quiet {
        console::result(&printed)?;
    }
    if stopped {
        return Err(watch.interrupted(Some(path)).after_result().into());
    }
    progress.say(&format!("run       {} ({seconds:.2} s)", path.display()));
    Ok(())
}

fn config(args: &args::Simulate) -> Result<SimulateConfig, Error> {
    let usual = SimulateConfig::of(&args.network, args.duration_ms, args.member)?;
    let dtype = match args.dtype.as_deref() {
        None => usual.dtype,
        Some("f32") => Dtype::F32,
        Some("f64") => Dtype::F64,
        Some(other) => return Err(Error::setting("dtype", other, "f32 or f64")),
    };
    Ok(SimulateConfig {
        discard_ms: args.discard_ms,
        dtype,
        seed: args.seed.unwrap_or(usual.seed),
        compile: args.compile,
        threads: args.threads.unwrap_or(cores()),
        spikes: args.spikes.clone(),
        data: args.data.clone(),
        sample: args.sample,
        save_synapses: args.save_synapses,
        ..usual
    })
}

/// The object of `--json`: what was done, where, and what came of it.
fn json_of(simulated: &Simulated) -> Value {
    let mut found = simulated.report.to_json();
    found["job"] = json!("simulate");
    found["run"] = json!(simulated.folder.path().to_string_lossy());
    found["stopped"] = json!(simulated.stopped);
    found["seconds"] = json!(simulated.seconds.to_json());
    found["times_real_time"] = json!(simulated.times_real_time());
    found
}
