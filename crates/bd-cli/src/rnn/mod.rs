//! `bd train rnn`: networks of rates on a task that is drawn anew for every update, as in BrainPy's tutorial, or on examples from a
//! file.

mod baseline;
mod data;
mod evaluation;
mod figures;

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Error, Params, Rng, Shared, Stack, catch_torch, threads};
use bd_models::Standardise;
use bd_train::data::Examples;
use bd_train::{Bptt, EarlyStopping, RunDir, Verdict, Watch};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use self::data::Part;
pub(crate) use self::data::{Labelled, Targets};
use self::evaluation::{Evaluated, Judge};
use crate::args;
use crate::console;
use crate::finished;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, manifest, print_json, unfinished};
use crate::plan::{RnnPlan, Source};
use crate::text::{plural, short};
use crate::training::{Progress, Seen, Trained, Training};

/// A batch that no update draws.
const TEST_BATCH: u64 = u64::MAX;

/// A network, and the scaling of its inputs where there is one.
pub(crate) struct Network {
    pub(crate) params: Params,
    pub(crate) net: Stack,
    pub(crate) scale: Option<Standardise>,
}

impl Network {
    pub(crate) fn new(plan: &RnnPlan, device: Device) -> bd_core::Result<Self> {
        let mut params = Params::new(plan.seed, (plan.dtype.kind(), device));
        let scale = plan.data.scale.then(|| Standardise::new(&mut params.at("scale"), plan.model.n_in)).transpose()?;
        let net = plan.model.build(&mut params)?;
        Ok(Self { params, net, scale })
    }

    /// Inputs in the units of the data as the network takes them.
    pub(crate) fn prepare(&self, x: &Tensor) -> Tensor {
        self.scale.as_ref().map_or_else(|| x.shallow_clone(), |scale| scale.apply(x))
    }
}

/// A network with what it learns.
struct Job {
    plan: RnnPlan,
    network: Network,
    judge: Judge,
    /// Of a file: the examples to learn, and those that say when to stop.
    train: Option<Examples>,
    validation: Option<Examples>,
    test: Examples,
    /// Of a file, as it was read.
    labelled: Option<Box<Labelled>>,
    /// Of a file: what is left for training.
    kept: Option<Part>,
}

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
    let (trained, evaluated, weights) = match job.run(&run, &progress, &interrupt, &mut seconds) {
        Ok(done) => done,
        Err(error) => return Err(unfinished(run, error)),
    };
    let path = run.finish(Some(weights))?;
    seconds.0.insert("total".into(), json!(began.elapsed().as_secs_f64()));
    seconds.0.insert("update".into(), trained.spread());
    seconds.0.insert("drawing".into(), json!(trained.drawing));
    if args.run.json {
        let mut metrics = job.metrics(&evaluated);
        metrics.insert("train_loss_last_100".into(), json!(trained.last_100()));
        metrics.insert("updates".into(), json!(trained.losses.len()));
        print_json(&job.plan.job, &path, device, json!({"seconds": seconds.0, "metrics": metrics}))?;
    } else if !args.run.quiet {
        console::result(&job.table(&evaluated, Some(&trained)))?;
    }
    before.say(&format!("run       {} ({:.2} s)", path.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

/// `bd eval`: the trained network on the test examples of its run, or on those of another file.
pub(crate) fn eval(args: &args::Eval, plan: RnnPlan) -> Result<()> {
    let device = args.reuse.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
    threads::set(finished::threads(&args.reuse, plan.threads)?);
    let source = match (&plan.data.task, &plan.data.file) {
        (Some(task), _) => Source::Task(*task),
        (None, Some(file)) => Source::File(file.clone(), Box::new(Labelled::read(file)?)),
        (None, None) => return Err(Error::Config("the run names neither a task nor a file".into()).into()),
    };
    let mut job = catch_torch(|| Job::new(plan, source, device))?;
    job.network.params.load(&finished::weights_of(&args.run)?)?;
    // The inputs were scaled before the weights of the scaling were known.
    catch_torch(|| job.prepare_again())?;
    if let Some(file) = &args.data {
        let Some(labelled) = &job.labelled else {
            return Err(Error::Config("bd eval --data is for a run that has learned from a file".into()).into());
        };
        let part = Labelled::read_test(file, job.plan.model.n_in, labelled.targets)?;
        job.test = part.examples(job.on(), |x| job.network.prepare(x))?;
    }
    let evaluated = catch_torch(|| job.evaluate())?;
    if args.reuse.json {
        print_json("eval", &args.run, device, json!({"metrics": job.metrics(&evaluated)}))?;
    } else if !args.reuse.quiet {
        console::result(&job.table(&evaluated, None))?;
    }
    Ok(())
}

impl Job {
    fn new(mut plan: RnnPlan, source: Source, device: Device) -> bd_core::Result<Self> {
        let network = Network::new(&plan, device)?;
        let on = (plan.dtype.kind(), device);
        let (labelled, kept, train, validation, test) = match source {
            Source::Task(usual) => {
                let task = plan.data.task.unwrap_or(usual);
                if let Some(scale) = &network.scale {
                    scale.fit(&task.batch(plan.seed, TEST_BATCH - 1, 1000, plan.dt, on)?.inputs().to_dense())?;
                }
                let test = task.batch(plan.seed, TEST_BATCH, plan.data.test_samples, plan.dt, on)?;
                (None, None, None, None, test)
            }
            Source::File(file, labelled) => {
                if plan.data.sha256.as_ref().is_some_and(|known| *known != labelled.sha256) {
                    return Err(Error::bad_file(
                        file,
                        "it is not what the run has read: its SHA-256 is not that of the configuration; to take it as it is now, \
                         --set data.sha256=null",
                    ));
                }
                plan.data.sha256 = Some(labelled.sha256.clone());
                let (n_in, n_out) = (labelled.n_in(), labelled.n_out());
                if (plan.model.n_in, plan.model.n_out) != (n_in, n_out) {
                    return Err(Error::Config(format!(
                        "the file has {n_in} channels and needs {n_out} outputs, but model.n_in is {} and model.n_out {}",
                        plan.model.n_in, plan.model.n_out
                    )));
                }
                let (kept, held) = labelled.hold_out(plan.data.validation, plan.seed)?;
                if let Some(scale) = &network.scale {
                    scale.fit(&kept.valid_steps())?;
                }
                let examples = |part: &Part| part.examples(on, |x| network.prepare(x));
                let (train, test) = (examples(&kept)?, examples(&labelled.test)?);
                let validation = held.as_ref().map(examples).transpose()?;
                (Some(labelled), Some(kept), Some(train), validation, test)
            }
        };
        let judge = Judge::new(&plan, labelled.as_ref().map(|labelled| labelled.targets))?;
        Ok(Self { plan, network, judge, train, validation, test, labelled, kept })
    }

    fn prepare_again(&mut self) -> bd_core::Result<()> {
        if let Some(labelled) = &self.labelled {
            self.test = labelled.test.examples(self.on(), |x| self.network.prepare(x))?;
        }
        Ok(())
    }

    fn on(&self) -> (Kind, Device) {
        self.network.params.on()
    }

    fn sha(&self) -> Shared {
        Shared { key: self.plan.seed, ..Shared::new(self.plan.dt) }
    }

    fn updates(&self) -> u64 {
        let of_file = || {
            let batches = self.train.as_ref().map_or(0, |train| train.count().div_ceil(self.plan.batch));
            (self.plan.epochs.unwrap_or(0) * batches.div_ceil(self.plan.accumulate)) as u64
        };
        self.plan.updates.unwrap_or_else(of_file) * self.pieces()
    }

    /// Updates of a batch.
    fn pieces(&self) -> u64 {
        let steps = self.train.as_ref().unwrap_or(&self.test).inputs().shape()[1] as usize;
        self.plan.truncate.map_or(1, |piece| steps.div_ceil(piece) as u64)
    }

    fn describe(&self) -> String {
        let plan = &self.plan;
        let [samples, steps, channels] = self.test.inputs().shape().map(|n| n as usize);
        let data = match (&plan.data.task, &self.labelled, &self.train) {
            (Some(task), ..) => format!(
                "task {}: {} of {}, a fresh batch of {} for every update, {} for testing",
                task.name(),
                plural(channels, "channel"),
                plural(steps, "step"),
                plan.batch,
                samples
            ),
            (None, Some(labelled), Some(train)) => format!(
                "{}: {} for training, {} for validation, {} for testing, of {}, {}; {}",
                plan.data.file.as_ref().and_then(|file| file.file_name()).unwrap_or_default().to_string_lossy(),
                train.count(),
                self.validation.as_ref().map_or(0, Examples::count),
                samples,
                plural(train.inputs().shape()[1] as usize, "step"),
                plural(channels, "channel"),
                match labelled.targets {
                    Targets::Labels { classes } => plural(classes as usize, "class").replace("classs", "classes"),
                    Targets::LabelsOfSteps { classes } => format!("{classes} classes at every step"),
                    Targets::Series { n_out } => format!("{} at every step", plural(n_out as usize, "target")),
                    Targets::Vectors { n_out } => format!("{} a sequence", plural(n_out as usize, "target")),
                }
            ),
            _ => unreachable!("a task or a file"),
        };
        let hidden = plan.model.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        let weights: usize = self.network.params.trainable().iter().map(|(_, tensor)| tensor.numel()).sum();
        format!(
            "data      {data}\nmodel     {} {}-{hidden}-{}, {}",
            plan.model.cell.name(),
            plan.model.n_in,
            plan.model.n_out,
            plural(weights, "weight")
        )
    }

    /// Trains, evaluates and writes everything.
    fn run(
        &self,
        run: &RunDir,
        progress: &Progress,
        interrupt: &Interrupt,
        seconds: &mut Seconds,
    ) -> Result<(Trained, Evaluated, String)> {
        run.write_json("config.json", &self.plan)?;
        let (trained, reports) = self.train(run, progress, interrupt)?;
        seconds.lap("train");
        interrupt.check()?;
        let evaluated = catch_torch(|| self.evaluate())?;
        seconds.lap("evaluate");
        run.report(&self.test_line(&evaluated))?;
        let weights = self.write(run, &evaluated)?;
        let inputs = self.test.inputs().to_dense();
        for (name, figure) in figures::figures(&self.plan, &trained.losses, &reports, &inputs, &evaluated)? {
            interrupt.check()?;
            if let Err(error) = figure.save(run, &name) {
                console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
            }
        }
        interrupt.check()?;
        seconds.lap("write");
        Ok((trained, evaluated, weights))
    }

    fn train(&self, run: &RunDir, progress: &Progress, interrupt: &Interrupt) -> Result<(Trained, Vec<Report>)> {
        let RnnPlan { report_every, checkpoint_every, .. } = self.plan;
        let mut bptt = self.bptt()?;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let mut reports = Vec::new();
        let (trained, best) = match (&self.plan.data.task, &self.train) {
            (Some(task), _) => {
                let RnnPlan { seed, dt, batch, accumulate, .. } = self.plan;
                let (on, micro) = (self.on(), self.plan.updates.unwrap_or(0) * accumulate as u64);
                let prepared = |examples: Examples| self.prepared(examples);
                let batches = |_| (0..micro).map(move |number| prepared(task.batch(seed, number, batch, dt, on)?));
                let each = |seen: &Seen<'_>| {
                    if seen.report {
                        reports.push(self.report(run, seen, None)?);
                    }
                    Ok(ControlFlow::Continue(()))
                };
                (training.fit(&mut bptt, 1, batches, each)?, None)
            }
            (None, Some(train)) => self.train_in_epochs(&training, &mut bptt, train, &mut reports)?,
            (None, None) => unreachable!("a task or a file"),
        };
        if let Some((step, parameters)) = best {
            self.network.params.load(&parameters)?;
            progress.say(&format!("best      of the validation part after {step} updates; its weights are kept"));
        }
        Ok((trained, reports))
    }

    #[allow(clippy::type_complexity)] // what training found, and the step and the parameters that were best
    fn train_in_epochs(
        &self,
        training: &Training<'_>,
        bptt: &mut Bptt<'_, Stack, Judge>,
        train: &Examples,
        reports: &mut Vec<Report>,
    ) -> Result<(Trained, Option<(u64, Vec<(String, Tensor)>)>)> {
        let plan = &self.plan;
        let epochs = plan.epochs.unwrap_or(0);
        let an_epoch = self.updates() / (epochs as u64).max(1);
        let judged = Bptt::new(&self.network.net, &self.network.params, self.judge, &plan.optim, self.sha())?;
        let validate = || {
            let part = self.validation.as_ref().map(|part| judged.evaluate(part.batches(plan.batch, None)));
            part.transpose()
        };
        let mut watch: Option<Watch> = plan.early_stopping.map(EarlyStopping::watch);
        let mut best = None;
        let batches =
            |epoch: usize| train.batches(plan.batch, Some(&mut Rng::new(plan.seed, &format!("epoch {epoch}"))));
        let each = |seen: &Seen<'_>| {
            let step = seen.update.step;
            let ends_epoch = step.is_multiple_of(an_epoch);
            let validation = if seen.report || (ends_epoch && watch.is_some()) { validate()? } else { None };
            if seen.report {
                reports.push(self.report(training.run, seen, validation)?);
            }
            if let (true, Some(watch), Some(loss)) = (ends_epoch, &mut watch, validation) {
                match watch.see(step, loss) {
                    Verdict::Better => best = Some((step, judged.parameters())),
                    Verdict::Worse => {}
                    Verdict::Stop => return Ok(ControlFlow::Break(())),
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(bptt, epochs, batches, each)?;
        Ok((trained, best))
    }

    fn bptt(&self) -> bd_core::Result<Bptt<'_, Stack, Judge>> {
        let plan = &self.plan;
        let mut bptt = Bptt::new(&self.network.net, &self.network.params, self.judge, &plan.optim, self.sha())?
            .penalty(plan.penalty)?
            .accumulate(plan.accumulate)?;
        if let Some(norm) = plan.clip {
            bptt = bptt.clip(norm)?;
        }
        if let Some(steps) = plan.truncate {
            bptt = bptt.truncate(steps)?;
        }
        Ok(bptt)
    }

    /// Examples of a task with their inputs as the network takes them.
    fn prepared(&self, examples: Examples) -> bd_core::Result<Examples> {
        if self.network.scale.is_none() {
            return Ok(examples);
        }
        let x = self.network.prepare(&examples.inputs().to_dense());
        Examples::new(bd_train::data::Sequences::dense(&x)?, examples.targets().shallow_clone())
    }

    fn report(&self, run: &RunDir, seen: &Seen<'_>, validation: Option<f64>) -> bd_core::Result<Report> {
        let (update, plan) = (seen.update, &self.plan);
        run.report(&json!({
            "step": update.step,
            "split": "train",
            "loss": update.loss,
            "validation_loss": validation,
            "lr": plan.optim.lr * plan.optim.schedule.factor(update.step - 1),
            "gradient_norm": update.gradient_norm,
            "wall_s": seen.wall_s,
            "samples_per_s": update.step as f64 * (plan.batch * plan.accumulate) as f64 / seen.wall_s,
        }))?;
        Ok(Report { step: update.step, loss: update.loss, validation })
    }

    fn evaluate(&self) -> bd_core::Result<Evaluated> {
        // Batches of many steps are cut, for what the whole of a long test set would take.
        let test = self.task_test()?;
        self.judge.evaluate(&self.network.net, &self.sha(), &test, self.plan.batch.max(64))
    }

    fn task_test(&self) -> bd_core::Result<Examples> {
        if self.plan.data.task.is_some() { self.prepared(self.test.clone()) } else { Ok(self.test.clone()) }
    }

    fn linear_baseline(&self) -> Option<f64> {
        let (labelled, kept) = (self.labelled.as_ref()?, self.kept.as_ref()?);
        let Targets::Labels { classes } = labelled.targets else { return None };
        baseline::linear_accuracy(kept, &labelled.test, classes).ok()
    }

    fn metrics(&self, evaluated: &Evaluated) -> Map<String, Value> {
        let mut metrics = evaluated.metrics();
        if let Some(accuracy) = self.linear_baseline() {
            metrics.insert("baseline_accuracy".into(), json!(accuracy));
        }
        metrics
    }

    fn test_line(&self, evaluated: &Evaluated) -> Value {
        let mut line = json!({"split": "test"});
        line.as_object_mut().expect("an object").extend(self.metrics(evaluated));
        line["confusion"] = json!(evaluated.confusion);
        line
    }

    fn table(&self, evaluated: &Evaluated, trained: Option<&Trained>) -> String {
        let mut text = trained.map_or(String::new(), |trained| {
            format!("{:>14}  {} (mean of the last 100 updates)\n", "train loss", short(trained.last_100()))
        });
        text += &evaluated.table();
        if let Some(accuracy) = self.linear_baseline() {
            text += &format!(
                "\n{:>14}  {} (ridge regression on each channel's mean and deviation)",
                "linear",
                short(accuracy)
            );
        }
        text + &evaluated.confusion_table()
    }

    /// Writes everything but the plots, and returns the SHA-256 of the weights.
    fn write(&self, run: &RunDir, evaluated: &Evaluated) -> bd_core::Result<String> {
        save_npz(&run.file("predictions.npz")?, &evaluated.arrays())?;
        save_tensors(&run.file("model.safetensors")?, &self.network.params.named())
    }
}
