//! `bd train snn`: spiking networks on examples of one's own, or on random spike trains with random labels, as in BrainPy's tutorial.

mod figures;
mod job;
mod learned;
mod random;
mod rates;
mod record;

use std::time::Instant;

use anyhow::Result;
use bd_core::{Error, Params, Shared, catch_torch, threads};
use bd_models::{Encoder, Pipeline, Preparation};
use serde_json::json;
use tch::Device;

use crate::args;
use crate::console;
use crate::course::carry_out;
use crate::finished;
use crate::interrupt::Interrupt;
use crate::job::{manifest, print_json, resolve_device};
use crate::plan::{SnnPlan, SnnSource};

pub(crate) fn train(args: &args::Snn) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let (plan, source) = SnnPlan::resolve(args)?;
    let device = resolve_device(None, plan.device, args.run.quiet)?;
    threads::set(plan.threads);
    let manifest = (manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed), device);
    match source {
        SnnSource::Random => {
            carry_out(&args.run, began, &interrupt, manifest, || catch_torch(|| random::Job::new(plan, device)))
        }
        SnnSource::File(path, labelled) => carry_out(&args.run, began, &interrupt, manifest, || {
            catch_torch(|| job::Job::new(plan, &path, *labelled, device))
        }),
    }
}

/// `bd eval`: the trained network on the test examples of its run, on those of another file, or on the random samples that it has
/// learned.
pub(crate) fn eval(args: &args::Eval, plan: SnnPlan) -> Result<()> {
    let device = resolve_device(args.reuse.device.as_deref(), plan.device, args.reuse.quiet)?;
    threads::set(finished::threads(&args.reuse, plan.threads)?);
    if args.data.is_some() && plan.data.file.is_none() {
        return Err(Error::Config("bd eval --data is for a run that has learned from a file".into()).into());
    }
    let weights = finished::weights_of(&args.run)?;
    let (metrics, table) = if plan.data.file.is_some() {
        catch_torch(|| job::eval(&plan, args.data.as_deref(), &weights, device))?
    } else {
        catch_torch(|| random::eval(plan, &weights, device))?
    };
    if args.reuse.json {
        print_json("eval", &args.run, device, json!({"metrics": metrics}))?;
    } else if !args.reuse.quiet {
        console::result(&table)?;
    }
    Ok(())
}

/// The network of a plan, with what drives it.
pub(crate) fn network(plan: &SnnPlan, device: Device) -> bd_core::Result<Pipeline> {
    let preparation = match plan.data.encode {
        Encoder::None => Preparation::None,
        encoder => Preparation::Encode(encoder),
    };
    let numbers = plan.data.targets.filter(|targets| !targets.are_labels()).map(|targets| targets.n_out());
    let channels = plan.data.channels.unwrap_or(plan.model.n_in);
    let on = (plan.dtype.kind(), device);
    Pipeline::new(Params::new(plan.seed, on), channels, preparation, numbers, |params| plan.model.build(params))
}

/// At the first step of every sequence.
fn sha(plan: &SnnPlan) -> Shared {
    Shared { key: plan.seed, ..Shared::new(plan.dt_ms) }
}
