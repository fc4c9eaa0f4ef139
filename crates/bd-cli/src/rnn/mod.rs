//! `bd train rnn`: networks of rates on a task that is drawn anew for every update, as in BrainPy's tutorial, or on examples from a
//! file.

mod baseline;
mod data;
mod evaluation;
mod figures;
mod job;
mod network;

use std::time::Instant;

use anyhow::Result;
use bd_core::{Error, Shared, catch_torch, threads};
use bd_train::RunDir;
use serde_json::json;

use self::baseline::linear_accuracy;
pub(crate) use self::data::{Labelled, Targets};
use self::evaluation::{Evaluated, Judge};
use self::job::{Job, TEST_BATCH};
pub(crate) use self::network::Network;
use crate::args;
use crate::console;
use crate::finished;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, manifest, print_json, unfinished};
use crate::plan::RnnPlan;
use crate::text::short;
use crate::training::{Progress, Trained};

/// What is seen at a report.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    /// Of the validation part, where there is one.
    pub(crate) validation: Option<f64>,
}

pub(crate) fn train(args: &args::Rnn) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let (plan, source) = RnnPlan::resolve(args)?;
    let device = plan.device.resolve()?;
    threads::set(plan.threads);
    let manifest = manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed);
    let before = Progress::plain(args.run.quiet);
    before.say(&greeting(&manifest));
    let job = catch_torch(|| Job::new(plan, source, device))?;
    before.say(&job.describe());
    let progress = Progress::new(args.run.quiet, job.updates());

    let run = RunDir::create(args.run.out.as_deref(), manifest)?;
    let mut seconds = Seconds::since(began, "setup");
    let done = match job.run(&run, &progress, &interrupt, &mut seconds) {
        Ok(done) => done,
        Err(error) => return Err(unfinished(run, error)),
    };
    let path = run.finish(Some(done.weights))?;
    seconds.0.insert("total".into(), json!(began.elapsed().as_secs_f64()));
    seconds.0.insert("update".into(), done.trained.spread());
    seconds.0.insert("drawing".into(), json!(done.trained.drawing));
    if args.run.json {
        let mut metrics = done.metrics;
        metrics.insert("train_loss_last_100".into(), json!(done.trained.last_100()));
        metrics.insert("updates".into(), json!(done.trained.losses.len()));
        print_json(&job.plan.job, &path, device, json!({"seconds": seconds.0, "metrics": metrics}))?;
    } else if !args.run.quiet {
        console::result(&table(&done.evaluated, done.baseline, Some(&done.trained)))?;
    }
    before.say(&format!("run       {} ({:.2} s)", path.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

/// `bd eval`: the trained network on the test examples of its run, or on those of another file.
pub(crate) fn eval(args: &args::Eval, plan: &RnnPlan) -> Result<()> {
    let device = args.reuse.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
    threads::set(finished::threads(&args.reuse, plan.threads)?);
    let network = catch_torch(|| Network::new(plan, device))?;
    network.params.load(&finished::weights_of(&args.run)?)?;
    let judge = Judge::new(plan)?;
    let (test, truth, baseline) = match (&args.data, &plan.data.task, &plan.data.file, plan.data.targets) {
        (Some(file), _, Some(_), Some(targets)) => {
            let part = Labelled::read_test(file, plan.model.n_in, targets)?;
            (network.examples(&part)?, part.y, None)
        }
        (Some(_), ..) => {
            return Err(Error::Config("bd eval --data is for a run that has learned from a file".into()).into());
        }
        (None, Some(task), ..) => {
            let test = task.batch(plan.seed, TEST_BATCH, plan.data.test_samples, plan.dt, network.on())?;
            let truth = test.targets().shallow_clone();
            (network.prepared(test)?, truth, None)
        }
        (None, None, Some(file), Some(targets)) => {
            let labelled = Labelled::read(file)?;
            labelled.check_sha256(file, plan.data.sha256.as_deref())?;
            let (kept, _) = labelled.hold_out(plan.data.validation, plan.seed)?;
            let baseline = linear_accuracy(&kept, &labelled.test, targets)?;
            (network.examples(&labelled.test)?, labelled.test.y, baseline)
        }
        _ => return Err(Error::Config("the run names neither a task nor a file".into()).into()),
    };
    let sha = Shared { key: plan.seed, ..Shared::new(plan.dt) };
    let evaluated = catch_torch(|| judge.evaluate(&network, &sha, (&test, &truth), plan.test_batch()))?;
    if args.reuse.json {
        print_json("eval", &args.run, device, json!({"metrics": evaluated.metrics(baseline)}))?;
    } else if !args.reuse.quiet {
        console::result(&table(&evaluated, baseline, None))?;
    }
    Ok(())
}

/// For people.
fn table(evaluated: &Evaluated, baseline: Option<f64>, trained: Option<&Trained>) -> String {
    let mut text = trained.map_or(String::new(), |trained| {
        format!("{:>14}  {} (mean of the last 100 updates)\n", "train loss", short(trained.last_100()))
    });
    text += &evaluated.table();
    if let Some(accuracy) = baseline {
        let accuracy = short(accuracy);
        text += &format!("\n{:>14}  {accuracy} (ridge regression on each channel's mean and deviation)", "linear");
    }
    text + &evaluated.confusion_table()
}
