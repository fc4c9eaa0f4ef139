//! One training: its examples, its loop, what it leaves behind.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Rng, Shared, Stack, catch_torch};
use bd_train::data::Examples;
use bd_train::{Bptt, EarlyStopping, RunDir, Verdict, Watch};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use super::Report;
use super::baseline::linear_accuracy;
use super::data::{Labelled, Part, Targets};
use super::evaluation::{Evaluated, Judge};
use super::figures::figures;
use super::network::Network;
use crate::console;
use crate::interrupt::Interrupt;
use crate::job::Seconds;
use crate::plan::{RnnPlan, Source};
use crate::text::{plural, short};
use crate::training::{Progress, Seen, Trained, Training};

/// The batch of a task that tests: a number that no update draws.
pub(super) const TEST_BATCH: u64 = u64::MAX;

/// A network with what it learns.
pub(super) struct Job {
    pub(super) plan: RnnPlan,
    network: Network,
    judge: Judge,
    test: Examples,
    /// Of a file.
    file: Option<OfFile>,
}

/// What is learned of a file.
struct OfFile {
    train: Examples,
    /// Says when to stop.
    validation: Option<Examples>,
    /// The training part without the validation part, as it was read.
    kept: Part,
    labelled: Box<Labelled>,
}

/// What a run that came to its end has found.
pub(super) struct Done {
    pub(super) trained: Trained,
    pub(super) evaluated: Evaluated,
    pub(super) baseline: Option<f64>,
    pub(super) metrics: Map<String, Value>,
    /// SHA-256 of the weights.
    pub(super) weights: String,
}

/// Parameters that were best on the validation part.
struct Best {
    step: u64,
    loss: f64,
    parameters: Vec<(String, Tensor)>,
}

impl Job {
    pub(super) fn new(mut plan: RnnPlan, source: Source, device: Device) -> bd_core::Result<Self> {
        if let Source::File(file, labelled) = &source {
            labelled.check_sha256(file, plan.data.sha256.as_deref())?;
            plan.data.sha256 = Some(labelled.sha256.clone());
            labelled.check_model(&plan.model)?;
        }
        let judge = Judge::new(&plan)?;
        let network = Network::new(&plan, device)?;
        let (test, file) = match source {
            Source::Task(usual) => {
                let task = plan.data.task.unwrap_or(usual);
                network.fit_scale_to_task(&task, &plan, TEST_BATCH - 1)?;
                let test = task.batch(plan.seed, TEST_BATCH, plan.data.test_samples, plan.dt, network.on())?;
                (network.prepared(test)?, None)
            }
            Source::File(_, labelled) => {
                let (kept, held) = labelled.hold_out(plan.data.validation, plan.seed)?;
                network.fit_scale(&kept)?;
                let train = network.examples(&kept)?;
                let validation = held.as_ref().map(|part| network.examples(part)).transpose()?;
                (network.examples(&labelled.test)?, Some(OfFile { train, validation, kept, labelled }))
            }
        };
        Ok(Self { plan, network, judge, test, file })
    }

    fn sha(&self) -> Shared {
        Shared { key: self.plan.seed, ..Shared::new(self.plan.dt) }
    }

    /// How many there will be, unless it is stopped.
    pub(super) fn updates(&self) -> u64 {
        let RnnPlan { batch, accumulate, updates, epochs, truncate, .. } = self.plan;
        let examples = self.file.as_ref().map_or(&self.test, |file| &file.train);
        let pieces = truncate.map_or(1, |piece| (examples.inputs().shape()[1] as usize).div_ceil(piece));
        let of_file = || epochs.unwrap_or(0) * examples.count().div_ceil(batch).div_ceil(accumulate);
        updates.unwrap_or_else(|| of_file() as u64) * pieces as u64
    }

    pub(super) fn describe(&self) -> String {
        let plan = &self.plan;
        let [samples, steps, channels] = self.test.inputs().shape().map(|n| n as usize);
        let channels = plural(channels, "channel");
        let data = match &self.file {
            None => format!(
                "task {}: {channels} of {}, a fresh batch of {} for every update, {samples} for testing",
                plan.data.task.map_or("", |task| task.name()),
                plural(steps, "step"),
                plan.batch,
            ),
            Some(OfFile { train, validation, labelled, .. }) => format!(
                "{}: {} for training, {} for validation, {samples} for testing, of {}, {channels}; {}",
                plan.data.file.as_ref().and_then(|file| file.file_name()).unwrap_or_default().to_string_lossy(),
                train.count(),
                validation.as_ref().map_or(0, Examples::count),
                plural(train.inputs().shape()[1] as usize, "step"),
                match labelled.targets {
                    Targets::Labels { classes } => format!("{classes} classes"),
                    Targets::LabelsOfSteps { classes } => format!("{classes} classes at every step"),
                    Targets::Series { n_out } => format!("{} at every step", plural(n_out as usize, "target")),
                    Targets::Vectors { n_out } => format!("{} a sequence", plural(n_out as usize, "target")),
                }
            ),
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
    pub(super) fn run(
        &self,
        run: &RunDir,
        progress: &Progress,
        interrupt: &Interrupt,
        seconds: &mut Seconds,
    ) -> Result<Done> {
        run.write_json("config.json", &self.plan)?;
        let RnnPlan { report_every, checkpoint_every, .. } = self.plan;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let (trained, reports, best) = match &self.file {
            None => self.train_on_task(&training)?,
            Some(file) => self.train_in_epochs(&training, file)?,
        };
        if let Some(best) = &best {
            self.network.params.load(&best.parameters)?;
            let (step, loss) = (best.step, short(best.loss));
            progress.say(&format!(
                "best      of the validation part after {step} updates, loss {loss}; its weights are kept"
            ));
        }
        seconds.lap("train");
        interrupt.check()?;
        let truth = self.file.as_ref().map_or_else(|| self.test.targets(), |file| &file.labelled.test.y);
        let evaluated = catch_torch(|| {
            self.judge.evaluate(&self.network, &self.sha(), (&self.test, truth), self.plan.test_batch())
        })?;
        let baseline = match &self.file {
            Some(OfFile { kept, labelled, .. }) => linear_accuracy(kept, &labelled.test, labelled.targets)?,
            None => None,
        };
        seconds.lap("evaluate");
        let mut metrics = evaluated.metrics(baseline);
        if let Some(best) = &best {
            metrics.insert("best_step".into(), json!(best.step));
            metrics.insert("best_validation_loss".into(), json!(best.loss));
        }
        let mut line = json!({"split": "test"});
        line.as_object_mut().expect("an object").extend(metrics.clone());
        line["confusion"] = json!(evaluated.confusion);
        run.report(&line)?;
        save_npz(&run.file("predictions.npz")?, &evaluated.arrays())?;
        let weights = save_tensors(&run.file("model.safetensors")?, &self.network.params.named())?;
        let inputs = self.test.inputs().to_dense();
        for (name, figure) in figures(&self.plan, &trained.losses, &reports, &inputs, &evaluated)? {
            interrupt.check()?;
            if let Err(error) = figure.save(run, &name) {
                console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
            }
        }
        interrupt.check()?;
        seconds.lap("write");
        Ok(Done { trained, evaluated, baseline, metrics, weights })
    }

    fn train_on_task(&self, training: &Training<'_>) -> Result<(Trained, Vec<Report>, Option<Best>)> {
        let RnnPlan { seed, dt, batch, accumulate, updates, .. } = self.plan;
        let task = self.plan.data.task.expect("there is no file");
        let mut reports = Vec::new();
        let micro = updates.unwrap_or(0) * accumulate as u64;
        let draw = |number| self.network.prepared(task.batch(seed, number, batch, dt, self.network.on())?);
        let each = |seen: &Seen<'_>| {
            if seen.report {
                reports.push(self.report(training.run, seen, None)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(&mut self.bptt()?, 1, |_| (0..micro).map(draw), each)?;
        Ok((trained, reports, None))
    }

    /// At the end of each epoch the validation part says whether it was the best, and whether to go on.
    fn train_in_epochs(&self, training: &Training<'_>, file: &OfFile) -> Result<(Trained, Vec<Report>, Option<Best>)> {
        let plan = &self.plan;
        let judged = Bptt::new(&self.network.net, &self.network.params, self.judge, &plan.optim, self.sha())?;
        let validate = || {
            let part = file.validation.as_ref().map(|part| judged.evaluate(part.batches(plan.batch, None)));
            part.transpose()
        };
        let watch = RefCell::new(plan.early_stopping.map(EarlyStopping::watch));
        let (best, step) = (RefCell::new(None), Cell::new(0));
        let end_of_epoch = |watch: &mut Watch| -> bd_core::Result<bool> {
            let Some(loss) = validate()? else { return Ok(true) };
            training.run.report(&json!({"step": step.get(), "split": "validation", "loss": loss}))?;
            let verdict = watch.see(step.get(), loss);
            if verdict == Verdict::Better {
                *best.borrow_mut() = Some(Best { step: step.get(), loss, parameters: judged.parameters() });
            }
            Ok(verdict != Verdict::Stop)
        };
        let stopped = Cell::new(false);
        let batches = |epoch: usize| -> Box<dyn Iterator<Item = bd_core::Result<Examples>> + '_> {
            // The beginning of an epoch is the end of the one before.
            let goes_on = match &mut *watch.borrow_mut() {
                Some(watch) if epoch > 0 && !stopped.get() => end_of_epoch(watch),
                _ => Ok(true),
            };
            match goes_on {
                Err(error) => return Box::new(std::iter::once(Err(error))),
                Ok(goes_on) => stopped.set(stopped.get() || !goes_on),
            }
            if stopped.get() {
                return Box::new(std::iter::empty());
            }
            Box::new(file.train.batches(plan.batch, Some(&mut Rng::new(plan.seed, &format!("epoch {epoch}")))))
        };
        let mut reports = Vec::new();
        let each = |seen: &Seen<'_>| {
            step.set(seen.update.step);
            if seen.report {
                reports.push(self.report(training.run, seen, validate()?)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(&mut self.bptt()?, plan.epochs.unwrap_or(0), batches, each)?;
        if let (Some(watch), false) = (&mut *watch.borrow_mut(), stopped.get()) {
            end_of_epoch(watch)?;
        }
        let best = best.take();
        Ok((trained, reports, best))
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
}
