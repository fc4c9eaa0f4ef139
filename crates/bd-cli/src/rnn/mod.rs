//! `bd train rnn`: networks of rates on a task that is drawn anew for every update, as in BrainPy's tutorial, or on examples from a
//! file.

mod figures;
mod job;
mod network;

use std::time::Instant;

use anyhow::Result;
use bd_core::{DataTransform, Error, catch_torch, threads};
use bd_train::LinearBaseline;
use bd_train::data::{Accept, Dataset, EvaluationSet};
use serde_json::json;

use self::job::{Job, TEST_BATCH, criterion, sha};
pub(crate) use self::network::network;
use self::network::prepared;
use crate::args;
use crate::console;
use crate::course::carry_out;
use crate::examples::{check_sha256, metrics, table};
use crate::finished;
use crate::interrupt::Interrupt;
use crate::job::{manifest, print_json, resolve_device};
use crate::plan::RnnPlan;

pub(crate) fn train(args: &args::Rnn) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let (plan, source) = RnnPlan::resolve(args)?;
    let device = resolve_device(None, plan.device, args.run.quiet)?;
    threads::set(plan.threads);
    let manifest = (manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed), device);
    carry_out(&args.run, began, &interrupt, manifest, || catch_torch(|| Job::new(plan, source, device)))
}

/// `bd eval`: the trained network on the test examples of its run, or on those of another file.
pub(crate) fn eval(args: &args::Eval, plan: &RnnPlan) -> Result<()> {
    let device = resolve_device(args.reuse.device.as_deref(), plan.device, args.reuse.quiet)?;
    threads::set(finished::threads(&args.reuse, plan.threads)?);
    let network = catch_torch(|| network(plan, device))?;
    network.params.load(&finished::weights_of(&args.run)?)?;
    let criterion = criterion(plan)?;
    let (test, baseline) = match (&args.data, &plan.data.task, &plan.data.file, plan.data.targets) {
        (Some(file), _, Some(_), Some(targets)) => {
            let part = Dataset::read_test_npz(file, Accept::Numbers, plan.model.n_in, targets, None)?;
            (EvaluationSet::new(&part, &network)?, None)
        }
        (Some(_), ..) => {
            return Err(Error::Config("bd eval --data is for a run that has learned from a file".into()).into());
        }
        (None, Some(task), ..) => {
            let test = task.batch(plan.seed, TEST_BATCH, plan.data.test_samples, plan.dt, network.on())?;
            (prepared(&network, test)?.into(), None)
        }
        (None, None, Some(file), Some(targets)) => {
            let dataset = Dataset::read_npz(file, Accept::Numbers)?;
            check_sha256(&dataset, file, plan.data.sha256.as_deref())?;
            let (kept, _) = dataset.hold_out(plan.data.validation, plan.seed)?;
            let baseline = LinearBaseline::new(&kept, &dataset.test, targets)?;
            let baseline = baseline.map(|baseline| baseline.accuracy()).transpose()?;
            (EvaluationSet::new(&dataset.test, &network)?, baseline)
        }
        _ => return Err(Error::Config("the run names neither a task nor a file".into()).into()),
    };
    let evaluated = catch_torch(|| criterion.evaluate(&network.net, &network, &sha(plan), &test, plan.test_batch()))?;
    if args.reuse.json {
        print_json("eval", &args.run, device, json!({"metrics": metrics(&evaluated, baseline)}))?;
    } else if !args.reuse.quiet {
        console::result(&table(&evaluated, baseline, None, &[]))?;
    }
    Ok(())
}
