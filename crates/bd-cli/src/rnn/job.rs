//! One training: its examples, its loop, what it leaves behind.

use std::ops::ControlFlow;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{DataTransform, Error, Result as CoreResult, Shared, Stack, catch_torch};
use bd_models::Pipeline;
use bd_train::data::{Dataset, EvaluationSet, Prepared};
use bd_train::{BatchOf, Criterion, Evaluation, LinearBaseline, MemoryNeeds, Task};
use serde_json::{Map, json};
use tch::Device;

use super::figures::figures;
use super::network::{fit_scale_to_task, network, prepared};
use crate::course::{Around, Finished, Job as Course};
use crate::examples::{Best, Learner, Recipe, Report, check_sha256, describe, metrics, report_test, table};
use crate::plan::{RnnPlan, Source};
use crate::text::plural;
use crate::training::{Seen, Trained, Training};

/// The batch of a task that tests: a number that no update draws.
pub(super) const TEST_BATCH: u64 = u64::MAX;

/// A network with what it learns.
pub(super) struct Job {
    plan: RnnPlan,
    network: Pipeline,
    criterion: Criterion,
    lessons: Lessons,
}

/// What is learned.
enum Lessons {
    /// A task, with the batch that tests.
    Task(Task, Box<EvaluationSet>),
    File(Box<Prepared>),
}

/// How outputs are judged.
pub(super) fn criterion(plan: &RnnPlan) -> CoreResult<Criterion> {
    match (plan.data.targets, &plan.data.task) {
        (Some(targets), _) => Criterion::for_targets(plan.loss, targets),
        (None, Some(task)) => Criterion::for_task(plan.loss, task.loss()),
        (None, None) => Err(Error::Config("data.task or data.file must be set".into())),
    }
}

/// At the first step of every sequence.
pub(super) fn sha(plan: &RnnPlan) -> Shared {
    Shared { key: plan.seed, ..Shared::new(plan.dt) }
}

/// Refuses a network of other sizes than the examples need.
fn check_model(plan: &RnnPlan, labelled: &Dataset) -> CoreResult<()> {
    let (n_in, n_out) = (labelled.train.channels(), labelled.targets.n_out());
    if (plan.model.n_in, plan.model.n_out) == (n_in, n_out) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "the file has {n_in} channels and needs {n_out} outputs, but model.n_in is {} and model.n_out {}",
        plan.model.n_in, plan.model.n_out
    )))
}

fn learner<'a>(plan: &'a RnnPlan, network: &'a Pipeline, criterion: Criterion) -> Learner<'a> {
    let recipe = Recipe {
        seed: plan.seed,
        sha: sha(plan),
        optim: &plan.optim,
        penalty: plan.penalty,
        clip: plan.clip,
        batch: plan.batch,
        accumulate: plan.accumulate,
        truncate: plan.truncate,
        epochs: plan.epochs.unwrap_or(0),
        early_stopping: plan.early_stopping,
    };
    Learner { network, judge: criterion, recipe }
}

/// What an update takes of memory.
fn needs(plan: &RnnPlan, learner: &Learner<'_>, batch: &BatchOf) -> CoreResult<Option<MemoryNeeds>> {
    let advice = "take a smaller --batch, perhaps with more of --accumulate, or cut the sequences by --truncate";
    Ok(learner.bptt()?.bytes(batch).map(|update| MemoryNeeds::new(&update, &plan.model.hidden, advice)))
}

/// Before anything of a task is drawn that there may be no room for.
fn check_memory(plan: &RnnPlan, network: &Pipeline, criterion: Criterion, task: &Task) -> CoreResult<()> {
    let (steps, samples) = (task.steps(), plan.batch);
    let number = plan.dtype.kind().elt_size_in_bytes();
    let targets_bytes = steps.saturating_mul(samples).saturating_mul(plan.model.n_out as usize * number);
    let batch = BatchOf { steps, samples, spikes: None, targets_bytes, padded: false, copied: true };
    let channels = (plan.model.n_in + plan.model.n_out) as usize;
    let test = steps.saturating_mul(plan.data.test_samples).saturating_mul(channels * number);
    match needs(plan, &learner(plan, network, criterion), &batch)? {
        Some(needs) => needs.check(test as u64),
        None => Ok(()),
    }
}

impl Job {
    pub(super) fn new(mut plan: RnnPlan, source: Source, device: Device) -> CoreResult<Self> {
        if let Source::File(file, labelled) = &source {
            check_sha256(labelled, file, plan.data.sha256.as_deref())?;
            plan.data.sha256 = Some(labelled.sha256.clone());
            check_model(&plan, labelled)?;
        }
        let criterion = criterion(&plan)?;
        let network = network(&plan, device)?;
        let lessons = match source {
            Source::Task(usual) => {
                let task = plan.data.task.unwrap_or(usual);
                check_memory(&plan, &network, criterion, &task)?;
                fit_scale_to_task(&network, &task, &plan, TEST_BATCH - 1)?;
                let test = task.batch(plan.seed, TEST_BATCH, plan.data.test_samples, plan.dt, network.on())?;
                Lessons::Task(task, Box::new(prepared(&network, test)?.into()))
            }
            Source::File(_, labelled) => {
                Lessons::File(Box::new(Prepared::new(*labelled, &network, plan.data.validation, plan.seed)?))
            }
        };
        Ok(Self { plan, network, criterion, lessons })
    }

    fn test(&self) -> &EvaluationSet {
        match &self.lessons {
            Lessons::Task(_, test) => test,
            Lessons::File(data) => &data.test,
        }
    }

    fn learner(&self) -> Learner<'_> {
        learner(&self.plan, &self.network, self.criterion)
    }

    fn train(&self, training: &Training<'_>) -> Result<(Trained, Vec<Report>, Option<Best>)> {
        let learner = self.learner();
        match &self.lessons {
            Lessons::Task(task, _) => self.train_on_task(training, &learner, task),
            Lessons::File(data) => learner.in_epochs(training, &data.train, data.held_out(), |_| Ok(Map::new())),
        }
    }

    fn train_on_task(
        &self,
        training: &Training<'_>,
        learner: &Learner<'_>,
        task: &Task,
    ) -> Result<(Trained, Vec<Report>, Option<Best>)> {
        let RnnPlan { seed, dt, batch, accumulate, updates, .. } = self.plan;
        let mut reports = Vec::new();
        let micro = updates.unwrap_or(0) * accumulate as u64;
        let draw = |number| prepared(&self.network, task.batch(seed, number, batch, dt, self.network.on())?);
        let each = |seen: &Seen| {
            if let Some(update) = &seen.report {
                reports.push(learner.report(training.run, (update, seen.wall_s), None, Map::new())?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(&mut learner.bptt()?, 1, |_, _| (0..micro).map(draw), each)?;
        Ok((trained, reports, None))
    }

    /// On the test examples; with the baseline and the accuracy on the validation part, where there are those.
    fn evaluate(&self) -> CoreResult<(Evaluation, Option<f64>, Option<f64>)> {
        let (sha, batch) = (sha(&self.plan), self.plan.test_batch());
        let (criterion, network) = (&self.criterion, &self.network);
        let found = criterion.evaluate(&network.net, network, &sha, self.test(), batch)?;
        Ok(match &self.lessons {
            Lessons::Task(..) => (found, None, None),
            Lessons::File(data) => {
                let validation = data.validation_accuracy(criterion, &network.net, network, &sha, batch)?;
                (found, data.baseline.as_ref().map(LinearBaseline::accuracy).transpose()?, validation)
            }
        })
    }
}

impl Course for Job {
    fn describe(&self) -> String {
        let plan = &self.plan;
        let data = match &self.lessons {
            Lessons::Task(task, test) => {
                let [samples, steps, channels] = test.examples.inputs().shape().map(|n| n as usize);
                format!(
                    "task {}: {} of {}, a fresh batch of {} for every update, {samples} for testing",
                    task.name(),
                    plural(channels, "channel"),
                    plural(steps, "step"),
                    plan.batch,
                )
            }
            Lessons::File(data) => describe(data, plan.data.file.as_deref()),
        };
        let hidden = plan.model.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        format!(
            "data      {data}\nmodel     {} {}-{hidden}-{}, {}",
            plan.model.cell.name(),
            plan.model.n_in,
            plan.model.n_out,
            plural(self.network.n_trainable(), "weight")
        )
    }

    fn network(&self) -> (&Stack, Shared) {
        (&self.network.net, sha(&self.plan))
    }

    fn updates(&self) -> u64 {
        let learner = self.learner();
        match &self.lessons {
            Lessons::Task(_, test) => self.plan.updates.unwrap_or(0) * learner.pieces(&test.examples),
            Lessons::File(data) => learner.updates(&data.train),
        }
    }

    fn needs(&self) -> CoreResult<Option<MemoryNeeds>> {
        let learner = self.learner();
        let batch = match &self.lessons {
            Lessons::Task(_, test) => {
                let (all, samples) = (BatchOf::examples(&test.examples, test.examples.count()), self.plan.batch);
                let targets_bytes = (all.targets_bytes as u64 * samples as u64 / all.samples as u64) as usize;
                BatchOf { samples, targets_bytes, copied: true, ..all }
            }
            Lessons::File(data) => learner.batch_of(&data.train),
        };
        needs(&self.plan, &learner, &batch)
    }

    fn run(&self, around: &mut Around<'_>) -> Result<Finished> {
        let (run, progress, interrupt) = (around.run, around.progress, around.interrupt);
        run.write_json("config.json", &self.plan)?;
        let RnnPlan { report_every, checkpoint_every, .. } = self.plan;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let (trained, reports, best) = self.train(&training)?;
        if let Some(best) = &best {
            best.restore(&self.network, progress)?;
        }
        around.seconds.lap("train");
        interrupt.check()?;
        let (evaluated, baseline, validation) = catch_torch(|| self.evaluate())?;
        around.seconds.lap("evaluate");
        let mut metrics = metrics(&evaluated, baseline);
        metrics.extend(validation.map(|accuracy| ("validation_accuracy".into(), json!(accuracy))));
        report_test(run, &evaluated, best.as_ref(), &mut metrics)?;
        save_npz(&run.file("predictions.npz")?, &evaluated.arrays())?;
        let weights = save_tensors(&run.file("model.safetensors")?, &self.network.params.named())?;
        let inputs = self.test().examples.inputs().to_dense();
        around.save(figures(&self.plan, &trained.losses, &reports, &inputs, &evaluated)?)?;
        around.seconds.lap("write");
        let table = table(&evaluated, baseline, Some(&trained), &[]);
        Ok(Finished { trained, metrics, table, weights })
    }
}
