//! A spiking network on the examples of a file.

use std::path::Path;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Error, Inputs, Params, Result as CoreResult, Shared, Stack, catch_torch};
use bd_models::{Encoder, Pipeline};
use bd_train::data::{Accept, Dataset, EvaluationSet, Prepared, Subset, Targets};
use bd_train::{Activity, Criterion, LinearBaseline, MemoryNeeds, Penalty};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use super::rates::Warner;
use super::record::record;
use super::{figures, learned, network, rates, sha};
use crate::course::{Around, Finished, Job as Course};
use crate::examples::{Learner, Recipe, check_sha256, describe, metrics, report_test, table, training_figure};
use crate::plan::SnnPlan;
use crate::text::{plural, short};
use crate::training::Training;

/// Samples by which it is watched how much the neurons spike.
const WATCHED: usize = 64;

/// A network with the examples that it learns.
pub(super) struct Job {
    plan: SnnPlan,
    network: Pipeline,
    criterion: Criterion,
    data: Prepared,
    watched: Inputs,
}

impl Job {
    pub(super) fn new(mut plan: SnnPlan, file: &Path, dataset: Dataset, device: Device) -> CoreResult<Self> {
        check_sha256(&dataset, file, plan.data.sha256.as_deref())?;
        plan.data.sha256 = Some(dataset.sha256.clone());
        let criterion = Criterion::for_targets(plan.loss, dataset.targets)?;
        let network = network(&plan, device)?;
        let data = Prepared::new(dataset, &network, plan.data.validation, plan.seed)?;
        // Of all classes, where the file has one after the other.
        let every = data.train.count().div_ceil(WATCHED);
        let watched: Vec<usize> = (0..data.train.count()).step_by(every).collect();
        let watched = data.train.inputs().select(&watched)?;
        Ok(Self { plan, network, criterion, data, watched })
    }

    fn learner(&self) -> Learner<'_> {
        let plan = &self.plan;
        let recipe = Recipe {
            seed: plan.seed,
            sha: sha(plan),
            optim: &plan.optim,
            penalty: Penalty::default(),
            clip: plan.clip,
            batch: plan.batch.unwrap_or(self.data.train.count()),
            accumulate: 1,
            truncate: None,
            epochs: plan.epochs,
            early_stopping: plan.early_stopping,
        };
        Learner { network: &self.network, judge: self.criterion, recipe }
    }
}

impl Course for Job {
    fn describe(&self) -> String {
        let SnnPlan { data, model, .. } = &self.plan;
        let hidden = model.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        let weights = plural(self.network.n_trainable(), "weight");
        format!(
            "data      {}\ninputs    {}\nmodel     snn {}-{hidden}-{}, {weights}",
            describe(&self.data, data.file.as_deref()),
            inputs(&self.plan, &self.data),
            model.n_in,
            model.n_out
        )
    }

    fn network(&self) -> (&Stack, Shared) {
        (&self.network.net, sha(&self.plan))
    }

    fn updates(&self) -> u64 {
        self.learner().updates(&self.data.train)
    }

    fn needs(&self) -> CoreResult<Option<MemoryNeeds>> {
        let (batch, hidden) = (self.learner().batch_of(&self.data.train), &self.plan.model.hidden);
        let update = self.learner().bptt()?.bytes(&batch);
        Ok(update.map(|update| MemoryNeeds::new(&update, hidden, "take a smaller --batch or fewer --steps")))
    }

    fn run(&self, around: &mut Around<'_>) -> Result<Finished> {
        let (run, progress, interrupt) = (around.run, around.progress, around.interrupt);
        let plan = &self.plan;
        run.write_json("config.json", plan)?;
        let SnnPlan { report_every, checkpoint_every, .. } = *plan;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let mut warner = Warner::default();
        let net = &self.network.net;
        let (trained, reports, best) =
            self.learner().in_epochs(&training, &self.data.train, self.data.held_out(), |_| {
                let active = rates::measure(plan, net, &sha(plan), &self.watched)?;
                warner.see(&active, progress);
                Ok(rates::metrics(plan, &active))
            })?;
        if let Some(best) = &best {
            best.restore(&self.network, progress)?;
        }
        around.seconds.lap("train");
        interrupt.check()?;
        let found = catch_torch(|| {
            let (criterion, network, batch) = (&self.criterion, &self.network, plan.test_batch());
            let evaluated = criterion.evaluate(net, network, &sha(plan), &self.data.test, batch)?;
            let validation = self.data.validation_accuracy(criterion, net, network, &sha(plan), batch)?;
            let active = rates::measure(plan, net, &sha(plan), self.data.test.examples.inputs())?;
            let baseline = self.data.baseline.as_ref().map(LinearBaseline::accuracy).transpose()?;
            Ok((evaluated, baseline, validation, active))
        });
        let (evaluated, baseline, validation, active) = found?;
        around.seconds.lap("evaluate");
        let mut metrics = metrics(&evaluated, baseline);
        metrics.extend(validation.map(|accuracy| ("validation_accuracy".into(), json!(accuracy))));
        metrics.extend(rates::metrics(plan, &active));
        report_test(run, &evaluated, best.as_ref(), &mut metrics)?;
        save_npz(&run.file("predictions.npz")?, &evaluated.arrays())?;
        let weights = save_tensors(&run.file("model.safetensors")?, &self.network.params.named())?;
        let mut plots = figures::of_states(&record(plan, net, &sha(plan), self.data.test.examples.inputs())?)?;
        plots.push(("training".into(), training_figure(&trained.losses, &reports)));
        around.save(plots)?;
        around.seconds.lap("write");
        let table = table(&evaluated, baseline, Some(&trained), &lines(plan, &active, &self.network.params));
        Ok(Finished { trained, metrics, table, weights })
    }
}

/// What drives the network, in words.
fn inputs(plan: &SnnPlan, data: &Prepared) -> String {
    let dt = format!("steps of {} ms", plan.dt_ms);
    let Inputs::Spikes(spikes) = data.train.inputs() else {
        return format!("{}, {dt}", encoded(plan));
    };
    let [steps, samples, channels] = spikes.shape();
    let percent = short(100.0 * spikes.count() as f64 / (steps * samples * channels) as f64);
    let counted = [
        (data.merged_events, "counted as one with another of the same channel and step"),
        (data.late_events, "left out, which come after the last step"),
    ];
    let counted = counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}"));
    let from = if plan.data.encode == Encoder::None { String::new() } else { format!("{}: ", encoded(plan)) };
    let spikes = format!("{} spikes for training (in {percent} % of all channels and steps)", spikes.count());
    format!("{from}{spikes}, kept as a list, {dt}{}", counted.collect::<String>())
}

fn encoded(plan: &SnnPlan) -> String {
    let encoder = plan.data.encode;
    let steps = match encoder.substeps() {
        1 => String::new(),
        substeps => format!(", {substeps} steps for each of the data"),
    };
    format!("encoded as {}{steps}", encoder.name())
}

/// Metrics and table of a trained network on the test part of its file, or of another.
pub(super) fn eval(
    plan: &SnnPlan,
    other: Option<&Path>,
    weights: &[(String, Tensor)],
    device: Device,
) -> CoreResult<(Map<String, Value>, String)> {
    let network = network(plan, device)?;
    network.params.load(weights)?;
    let (test, baseline, targets) = tested(plan, other)?;
    let criterion = Criterion::for_targets(plan.loss, targets)?;
    let test = EvaluationSet::new(&test, &network)?;
    let evaluated = criterion.evaluate(&network.net, &network, &sha(plan), &test, plan.test_batch())?;
    let active = rates::measure(plan, &network.net, &sha(plan), test.examples.inputs())?;
    let mut metrics = metrics(&evaluated, baseline);
    metrics.extend(rates::metrics(plan, &active));
    Ok((metrics, table(&evaluated, baseline, None, &lines(plan, &active, &network.params))))
}

/// What is said of the neurons.
fn lines(plan: &SnnPlan, active: &[Activity], params: &Params) -> Vec<(String, String)> {
    rates::lines(plan, active).into_iter().chain(learned::lines(params)).collect()
}

/// The part to test on, and what ridge regression makes of the run's own.
fn tested(plan: &SnnPlan, other: Option<&Path>) -> CoreResult<(Subset, Option<f64>, Targets)> {
    let (Some(file), Some(targets), Some(channels)) = (&plan.data.file, plan.data.targets, plan.data.channels) else {
        return Err(Error::Config("the run names no file, or not what is in it".into()));
    };
    if let Some(other) = other {
        let part = Dataset::read_test_npz(other, Accept::SpikesAndNumbers, channels, targets, plan.grid())?;
        plan.check_inputs(&part)?;
        return Ok((part, None, targets));
    }
    let dataset = Dataset::read_npz(file, Accept::SpikesAndNumbers)?;
    check_sha256(&dataset, file, plan.data.sha256.as_deref())?;
    let dataset = dataset.in_steps(file, plan.grid())?;
    let (kept, _) = dataset.hold_out(plan.data.validation, plan.seed)?;
    let baseline = LinearBaseline::new(&kept, &dataset.test, targets)?;
    let baseline = baseline.map(|baseline| baseline.accuracy()).transpose()?;
    Ok((dataset.test, baseline, targets))
}
