//! The course of a training by back-propagation through time: what is said, what is written, what is printed in the end.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use bd_core::kernel::gpu::has_form;
use bd_core::{Error, Shared, Stack};
use bd_train::RunDir;
use bd_train::memory::{MemoryNeeds as Needs, MemoryReport as Memory};
use bd_train::run_dir::Manifest;
use serde_json::{Map, Value, json};
use tch::Device;

use crate::args;
use crate::console;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, print_json, unfinished};
use crate::plot::Figure;
use crate::training::{Progress, Trained};

/// What is trained, ready to begin.
pub(crate) trait Job {
    /// Lines about data and model.
    fn describe(&self) -> String;

    /// What is trained, for steps as they will be.
    fn network(&self) -> (&Stack, Shared);

    /// How many updates there will be, unless it is stopped.
    fn updates(&self) -> u64;

    /// What it will take of memory, where that is known.
    fn needs(&self) -> bd_core::Result<Option<Needs>>;

    /// Trains, evaluates and writes everything.
    fn run(&self, around: &mut Around<'_>) -> Result<Finished>;
}

/// What a job works with.
pub(crate) struct Around<'a> {
    pub(crate) run: &'a RunDir,
    pub(crate) progress: &'a Progress,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) seconds: Seconds,
}

/// What a run that came to its end has found.
pub(crate) struct Finished {
    pub(crate) trained: Trained,
    pub(crate) metrics: Map<String, Value>,
    /// For people.
    pub(crate) table: String,
    /// SHA-256 of the weights.
    pub(crate) weights: String,
}

impl Around<'_> {
    /// Writes plots. One that fails is a warning: the results are there.
    pub(crate) fn save(&self, figures: Vec<(String, Figure)>) -> Result<()> {
        for (name, figure) in figures {
            self.interrupt.check()?;
            if let Err(error) = figure.save(self.run, &name) {
                console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
            }
        }
        Ok(self.interrupt.check()?)
    }
}

/// Makes a job and sees it through.
pub(crate) fn carry_out<J: Job>(
    args: &args::Run,
    began: Instant,
    interrupt: &Interrupt,
    (manifest, device): (Manifest, Device),
    job: impl FnOnce() -> Result<J, Error>,
) -> Result<()> {
    let before = Progress::plain(args.quiet);
    before.say(&greeting(&manifest));
    let name = manifest.job.clone();
    let job = job()?;
    before.say(&job.describe());
    let (network, sha) = job.network();
    if device != Device::Cpu && !has_form(network, &sha) {
        before.say("gpu       no kernels of bd's own for all of this network; what is left, libtorch does, some of it step by step");
    }
    let needs = job.needs()?;
    if let Some(needs) = &needs {
        needs.check(0)?;
    }
    let memory = needs.map(Needs::beside);
    if let Some(memory) = &memory {
        before.say(&format!("memory    {}", memory.describe()));
    }
    let progress = Progress::new(args.quiet, job.updates());
    let run = RunDir::create(args.out.as_deref(), manifest)?;
    let mut around = Around { run: &run, progress: &progress, interrupt, seconds: Seconds::since(began, "setup") };
    let done = job.run(&mut around);
    let seconds = around.seconds;
    let done = match done {
        Ok(done) => done,
        Err(error) => return Err(unfinished(run, error)),
    };
    let path = run.finish(Some(done.weights.clone()))?;
    let total = began.elapsed().as_secs_f64();
    if args.json {
        print_results((&name, &path, device), done, seconds, total, memory)?;
    } else if !args.quiet {
        console::result(&done.table)?;
    }
    before.say(&format!("run       {} ({total:.2} s)", path.display()));
    Ok(())
}

fn print_results(
    (job, path, device): (&str, &Path, Device),
    done: Finished,
    mut seconds: Seconds,
    total: f64,
    memory: Option<Memory>,
) -> bd_core::Result<()> {
    seconds.0.insert("total".into(), json!(total));
    seconds.0.insert("update".into(), done.trained.spread());
    seconds.0.insert("drawing".into(), json!(done.trained.drawing));
    let mut metrics = done.metrics;
    metrics.insert("train_loss_last_100".into(), json!(done.trained.last_100()));
    metrics.insert("updates".into(), json!(done.trained.losses.len()));
    let mut came = json!({"seconds": seconds.0, "metrics": metrics});
    if let Some(memory) = memory {
        came["memory"] = memory.json();
    }
    print_json(job, path, device, came)
}
