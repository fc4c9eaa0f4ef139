//! Random spike trains with random labels, which a network learns by heart, as in BrainPy's tutorial.

use std::ops::ControlFlow;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Error, Inputs, Params, Result as CoreResult, Rng, Shared, Spike, Spikes, Stack, Tap, catch_torch};
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::{Activity, BatchOf, Bptt, Loss, MemoryNeeds, Objective, OverTime, RunDir, Update, predict_sequences};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use super::figures::{Report, figures};
use super::rates::Warner;
use super::record::record;
use super::{learned, rates, sha};
use crate::course::{Around, Finished, Job as Course};
use crate::plan::SnnPlan;
use crate::text::{plural, short};
use crate::training::{Seen, Trained, Training};

/// A network with the examples it learns.
pub(super) struct Job {
    plan: SnnPlan,
    params: Params,
    net: Stack,
    examples: Examples,
    over: OverTime,
}

/// What the trained network does on all examples.
struct Evaluated {
    scores: Tensor,
    loss: f64,
    accuracy: f64,
    activity: Vec<Activity>,
}

/// Metrics and table of a trained network on the examples of its run.
pub(super) fn eval(
    plan: SnnPlan,
    weights: &[(String, Tensor)],
    device: Device,
) -> CoreResult<(Map<String, Value>, String)> {
    let job = Job::new(plan, device)?;
    job.params.load(weights)?;
    let evaluated = job.evaluate()?;
    Ok((job.metrics(&evaluated), job.table(&evaluated)))
}

impl Job {
    pub(super) fn new(plan: SnnPlan, device: Device) -> CoreResult<Self> {
        let on = (plan.dtype.kind(), device);
        let data = &plan.data;
        let (Some(steps), Some(samples), Some(rate_hz)) = (data.steps, data.samples, data.rate_hz) else {
            unreachable!("the plan was checked")
        };
        let shape = [steps, samples, usize::try_from(plan.model.n_in).unwrap_or(0)];
        let probability = rate_hz * plan.dt_ms / 1000.0;
        let mut params = Params::new(plan.seed, on);
        let net = plan.model.build(&mut params)?;
        // Before anything is drawn that there may be no room for.
        let expected = (shape.iter().map(|n| *n as f64).product::<f64>() * probability) as usize;
        let batch = BatchOf {
            steps,
            samples: plan.batch.unwrap_or(samples).min(samples),
            spikes: Some((expected as f64 * plan.batch.map_or(1.0, |b| (b as f64 / samples as f64).min(1.0))) as usize),
            targets_bytes: 0,
            padded: false,
            copied: plan.batch.is_some_and(|batch| batch < samples),
        };
        if let Some(needs) = needs(&plan, &net, &params, &batch)? {
            // The list and its last copy.
            needs.check((expected as u64).saturating_mul(2 * size_of::<Spike>() as u64))?;
        }
        let spikes = Spikes::draw(shape, on, probability, &mut Rng::new(plan.seed, "inputs"))?;
        let mut rng = Rng::new(plan.seed, "labels");
        let classes = plan.model.n_out as f64;
        let labels: Vec<i64> = (0..samples).map(|_| (rng.uniform() * classes) as i64).collect();
        let examples = Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))?;
        let Loss::CrossEntropy { over } = plan.loss else { unreachable!("the plan was checked") };
        Ok(Self { plan, params, net, examples, over })
    }

    fn batch(&self) -> usize {
        self.plan.batch.unwrap_or(usize::MAX).min(self.examples.count())
    }

    fn updates_an_epoch(&self) -> u64 {
        self.examples.count().div_ceil(self.batch()) as u64
    }

    fn train(&self, around: &Around<'_>) -> Result<(Trained, Vec<Report>)> {
        let (run, progress, interrupt, plan) = (around.run, around.progress, around.interrupt, &self.plan);
        let mut bptt = Bptt::new(&self.net, &self.params, plan.loss, &plan.optim, sha(plan))?;
        if let Some(norm) = plan.clip {
            bptt = bptt.clip(norm)?;
        }
        let (mut reports, mut warner) = (Vec::new(), Warner::default());
        let batches = |epoch: usize, _: &Bptt<'_, Stack, Loss>| {
            self.examples.batches(self.batch(), Some(&mut Rng::new(plan.seed, &format!("epoch {epoch}"))))
        };
        let each = |seen: &Seen| {
            let first_epoch = seen.step == self.updates_an_epoch();
            let active = if first_epoch || seen.report.is_some() { self.activity()? } else { Vec::new() };
            warner.see(&active, progress);
            if let Some(update) = &seen.report {
                reports.push(self.report(run, (update, seen.wall_s), &active)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let SnnPlan { report_every, checkpoint_every, .. } = *plan;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let trained = training.fit(&mut bptt, plan.epochs, batches, each)?;
        Ok((trained, reports))
    }

    fn activity(&self) -> CoreResult<Vec<Activity>> {
        rates::measure(&self.plan, &self.net, &sha(&self.plan), self.examples.inputs())
    }

    fn report(&self, run: &RunDir, (update, wall_s): (&Update, f64), active: &[Activity]) -> CoreResult<Report> {
        // Of the batch of this update, which need not be all examples.
        let accuracy = (self.batch() == self.examples.count())
            .then(|| accuracy(&self.over.scores(&update.outputs, None), self.examples.targets()));
        let mut line = json!({
            "step": update.step,
            "epoch": update.step.div_ceil(self.updates_an_epoch()),
            "split": "train",
            "loss": update.loss,
            "accuracy": accuracy,
            "lr": self.plan.optim.lr * self.plan.optim.schedule.factor(update.step - 1),
            "gradient_norm": update.gradient_norm,
            "wall_s": wall_s,
            "samples_per_s": update.step as f64 * self.batch() as f64 / wall_s,
        });
        line.as_object_mut().expect("an object").extend(rates::metrics(&self.plan, active));
        run.report(&line)?;
        Ok(Report { step: update.step, loss: update.loss, accuracy: accuracy.unwrap_or(f64::NAN) })
    }

    fn evaluate(&self) -> CoreResult<Evaluated> {
        let scores = self.examples.batches(self.batch(), None).map(|batch| {
            let outputs = predict_sequences(&self.net, &sha(&self.plan), batch?.inputs(), &mut Tap::none())?;
            Ok(self.over.scores(&outputs, None))
        });
        let scores = Tensor::cat(&scores.collect::<CoreResult<Vec<_>>>()?, 0);
        let labels = self.examples.targets();
        // A score is its own maximum over one step.
        let loss =
            Loss::CrossEntropy { over: OverTime::Last }.loss(&scores.unsqueeze(1), labels, None).double_value(&[]);
        if !loss.is_finite() {
            let where_ = format!("it is {loss} after the last update");
            return Err(Error::NotFinite { what: "the loss".into(), where_ });
        }
        Ok(Evaluated { loss, accuracy: accuracy(&scores, labels), activity: self.activity()?, scores })
    }

    /// Writes everything but the plots, and returns the SHA-256 of the weights.
    fn write(&self, run: &RunDir, evaluated: &Evaluated) -> CoreResult<String> {
        let arrays = [("score", &evaluated.scores), ("label", self.examples.targets())];
        let arrays = arrays.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        save_npz(&run.file("predictions.npz")?, &arrays)?;
        save_tensors(&run.file("model.safetensors")?, &self.params.named())
    }

    fn metrics(&self, evaluated: &Evaluated) -> Map<String, Value> {
        let mut metrics = Map::new();
        metrics.insert("train_loss".into(), json!(evaluated.loss));
        metrics.insert("train_accuracy".into(), json!(evaluated.accuracy));
        metrics.extend(rates::metrics(&self.plan, &evaluated.activity));
        metrics
    }

    fn table(&self, evaluated: &Evaluated) -> String {
        let mut text = format!(
            "{:>14}  {}\n{:>14}  {}",
            "train loss",
            short(evaluated.loss),
            "accuracy",
            short(evaluated.accuracy)
        );
        let lines = rates::lines(&self.plan, &evaluated.activity);
        for (name, value) in lines.into_iter().chain(learned::lines(&self.params)) {
            text += &format!("\n{name:>14}  {value}");
        }
        text
    }
}

/// What an update takes of memory.
fn needs(plan: &SnnPlan, net: &Stack, params: &Params, batch: &BatchOf) -> CoreResult<Option<MemoryNeeds>> {
    let mut bptt = Bptt::new(net, params, plan.loss, &plan.optim, sha(plan))?;
    if let Some(norm) = plan.clip {
        bptt = bptt.clip(norm)?;
    }
    let advice = "take a smaller --batch, fewer --steps or fewer --samples";
    Ok(bptt.bytes(batch).map(|update| MemoryNeeds::new(&update, &plan.model.hidden, advice)))
}

impl Course for Job {
    fn describe(&self) -> String {
        let Inputs::Spikes(spikes) = self.examples.inputs() else { unreachable!("spikes were drawn") };
        let [steps, samples, channels] = spikes.shape();
        let hidden = self.plan.model.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        let (n_in, n_out) = (self.plan.model.n_in, self.plan.model.n_out);
        let percent = 100.0 * spikes.count() as f64 / (steps * samples * channels) as f64;
        let weights: usize = self.params.trainable().iter().map(|(_, tensor)| tensor.numel()).sum();
        format!(
            "data      {} of {} ({} ms), {}, {} spikes (in {} % of all channels and steps), kept as a list\n\
             model     snn {n_in}-{hidden}-{n_out}, {}",
            plural(samples, "sample"),
            plural(steps, "step"),
            short(steps as f64 * self.plan.dt_ms),
            plural(channels, "channel"),
            spikes.count(),
            short(percent),
            plural(weights, "weight"),
        )
    }

    fn network(&self) -> (&Stack, Shared) {
        (&self.net, sha(&self.plan))
    }

    fn updates(&self) -> u64 {
        self.plan.epochs as u64 * self.updates_an_epoch()
    }

    fn needs(&self) -> CoreResult<Option<MemoryNeeds>> {
        needs(&self.plan, &self.net, &self.params, &BatchOf::examples(&self.examples, self.batch()))
    }

    fn run(&self, around: &mut Around<'_>) -> Result<Finished> {
        around.run.write_json("config.json", &self.plan)?;
        let (trained, reports) = self.train(around)?;
        around.seconds.lap("train");
        around.interrupt.check()?;
        let evaluated = catch_torch(|| self.evaluate())?;
        around.seconds.lap("evaluate");
        let weights = self.write(around.run, &evaluated)?;
        let recorded = record(&self.plan, &self.net, &sha(&self.plan), self.examples.inputs())?;
        around.save(figures(&trained.losses, &reports, &recorded)?)?;
        around.seconds.lap("write");
        let (metrics, table) = (self.metrics(&evaluated), self.table(&evaluated));
        Ok(Finished { trained, metrics, table, weights })
    }
}
