//! [`NetworkExperiment`]: a network with what it learns, trained, tested and written.

mod initial;
pub(super) mod members;
mod memory;
mod pictured;
mod readout;
mod words;

pub(crate) use self::members::pipeline;
pub(super) use self::words::counted_events;

use bd_core::npz::{save_npz, save_npz_with_text};
use bd_core::{DataTransform, Ensemble, Result, Shared, Stack, System, catch_torch};
use bd_models::Pipeline;
use bd_train::data::Examples;
use bd_train::data::dataset::{EvaluationSet, Prepared};
use bd_train::task::Decisions;
use bd_train::{Activity, Baselines, Criterion, End, HeldOut, Task, Trained, activity};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

pub(crate) use self::initial::Initial;
use self::members::AllTrained;
use self::memory::{batch_of_task, bytes_of_task, needs};
use super::objective::RunObjective;
use super::random::RandomSpikes;
use super::report::{Decided, NetworkReport, Recorded, time_constants_ms};
use super::reporter::spike_rates;
use super::{Found, Report, Stage, Work, heed};
use crate::config::{Lessons, Model, NetworkConfig};
use crate::folder::RunFolder;
use crate::metrics::Metrics;
use crate::resume::Points;
use crate::simulate::trained::synapses;

/// The batch of a task that tests: a number that no update draws.
const TEST_BATCH: u64 = u64::MAX;
/// The batch of a task that scales inputs.
const SCALE_BATCH: u64 = TEST_BATCH - 1;
/// The batch of a task that is neither for updates nor for the test, and how many samples it has at most: judged at every report, it must
/// not take the time of the updates between them.
const VALIDATION_BATCH: u64 = TEST_BATCH - 2;
const VALIDATION_SAMPLES: usize = 512;
/// Samples by which it is watched how much the neurons spike.
const WATCHED: usize = 64;

/// A network with what it learns, ready to be trained.
#[derive(Debug)]
pub struct NetworkExperiment {
    config: NetworkConfig,
    pipeline: Pipeline<Ensemble>,
    criterion: Criterion,
    data: Data,
}

/// Accuracies at reports: number of the update, accuracy.
type Accuracies = Vec<(u64, f64)>;

/// What is learned, as the network takes it.
#[derive(Debug)]
enum Data {
    /// A task, with the batch that tests.
    Task(Task, EvaluationSet),
    /// Examples that are learned by heart.
    Random(EvaluationSet),
    File(Box<Prepared>),
}

impl NetworkExperiment {
    /// Makes the network, with the parameters of the run that the configuration names if it names one, and the examples. Fails if there is
    /// not the memory for them.
    pub fn new(mut config: NetworkConfig, lessons: Lessons, device: Device) -> Result<Self> {
        let initial = Initial::read(&mut config)?;
        Self::beginning_with(initial.as_ref(), config, lessons, device)
    }

    /// The same with these parameters, whatever the configuration names; without any they are drawn, for what follows to replace them.
    pub(crate) fn beginning_with(
        initial: Option<&Initial>,
        config: NetworkConfig,
        lessons: Lessons,
        device: Device,
    ) -> Result<Self> {
        let criterion = criterion(&config)?;
        let pipeline = pipeline(&config, device)?;
        initial.map_or(Ok(()), |initial| initial.load(&pipeline.params, &config))?;
        let data = match lessons {
            Lessons::Task(task) => {
                needs(&config, &pipeline, criterion, &batch_of_task(&config, &task))?
                    .map_or(Ok(()), |needs| needs.check(bytes_of_task(&config, &task)))?;
                if config.data.scale {
                    let batch = task.batch(config.seed, SCALE_BATCH, 1000, config.dt, pipeline.on())?;
                    pipeline.fit_inputs(&batch.inputs().to_dense())?;
                }
                let test = task_batch(&config, &pipeline, &task, TEST_BATCH, config.data.test_samples)?;
                Data::Task(task, EvaluationSet::from(test))
            }
            Lessons::Random => {
                let random = RandomSpikes::of(&config)?;
                needs(&config, &pipeline, criterion, &random.batch(config.batch))?
                    .map_or(Ok(()), |needs| needs.check(random.bytes()))?;
                let examples = random.draw(pipeline.on())?;
                Data::Random(EvaluationSet::from(examples))
            }
            Lessons::File(_, dataset) => Data::File(Box::new(Prepared::new(*dataset, &pipeline, config.hold_out())?)),
        };
        Ok(Self { config, pipeline, criterion, data })
    }

    /// What it is to do.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The loss, and what else the network is judged by.
    pub fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// The network, with what stands before and behind it.
    pub fn pipeline(&self) -> &Pipeline<Ensemble> {
        &self.pipeline
    }

    /// The examples that are seen in epochs; none of a task.
    fn examples(&self) -> Option<&Examples> {
        match &self.data {
            Data::Task(..) => None,
            Data::Random(set) => Some(&set.examples),
            Data::File(data) => Some(&data.train),
        }
    }

    /// What it is tested on, or has learned where there is no test part.
    fn test(&self) -> (&EvaluationSet, &'static str) {
        match &self.data {
            Data::Task(_, set) => (set, "test"),
            Data::Random(set) => (set, "train"),
            Data::File(data) => (&data.test, "test"),
        }
    }

    /// How much each layer of neurons of a member spikes.
    pub(super) fn activity(&self, net: &Stack, examples: &Examples) -> Result<Vec<Activity>> {
        layer_activity(&self.config, net, &self.config.model.neurons(), examples)
    }

    /// By which samples it is watched how much the neurons spike: of all classes, where a file has one after the other.
    fn watched(&self, train: Option<&Examples>) -> Result<Option<Examples>> {
        match (&self.data, train.filter(|_| self.config.model.is_spiking())) {
            (_, None) | (Data::Task(..), _) => Ok(None),
            (Data::Random(_), Some(train)) => Ok(Some(train.clone())),
            (Data::File(_), Some(train)) => {
                let every = train.count().div_ceil(WATCHED);
                let watched: Vec<usize> = (0..train.count()).step_by(every).collect();
                train.select(&watched).map(Some)
            }
        }
    }

    /// Trains from the beginning or from checkpoints, tests, and writes everything.
    pub(crate) fn run(&self, folder: &mut RunFolder, from: Points, work: &mut Work<'_>) -> Result<Stage<Found>> {
        heed!(work);
        let mut metrics = Metrics::open(folder.path())?;
        if self.config.tensorboard {
            metrics.mirror(folder.path());
        }
        let Stage::Done(AllTrained { trained, validation, validation_losses, accuracies }) =
            self.train(folder, from, &mut metrics, work)?
        else {
            return Ok(Stage::Stopped);
        };
        work.seconds.lap("train");
        // Before anything else: what was trained must not be lost to whatever follows.
        folder.write_weights(&self.pipeline.params)?;
        if let Model::Populations(model) = &self.config.model {
            let arrays = synapses(&self.config, model, &self.pipeline.params.weights())?;
            save_npz(&folder.file("synapses.npz")?, &arrays)?;
        }
        heed!(work);
        let mut report = catch_torch(|| self.evaluate())?;
        work.seconds.lap("evaluate");
        heed!(work);
        (report.trained, report.accuracies) = (trained, accuracies);
        let objective = self.objective(&report, &validation_losses);
        let found = self.metrics(&report, &validation);
        report.validation = validation;
        if report.split == "test" {
            let mut line = json!({"split": "test"});
            line.as_object_mut().expect("an object").extend(found.clone());
            line["confusion"] = json!(report.evaluation.confusion);
            metrics.report(&line)?;
        }
        let names = self.config.data.classes.iter().map(|names| ("class_names", &names[..])).collect::<Vec<_>>();
        save_npz_with_text(&folder.file("predictions.npz")?, &self.arrays(&report), &names)?;
        if let Some(layer) = self.config.neurons().first() {
            let inputs = self.test().0.examples.inputs();
            report.recorded = Some(Recorded::of(
                [layer, &self.config.model.potential()],
                &self.pipeline.net,
                &self.config.sha(),
                inputs,
            )?);
        }
        report.pictured = catch_torch(|| self.pictured())?;
        work.seconds.lap("write");
        Ok(Stage::Done(Found { report: Report::Network(Box::new(report)), metrics: found, objective }))
    }

    /// On the test part, or on what was learned.
    pub(super) fn evaluate(&self) -> Result<NetworkReport> {
        let (set, split) = self.test();
        let mut report = evaluate(&self.config, &self.pipeline, self.criterion, set, split)?;
        match &self.data {
            Data::File(data) => report.baselines = data.baselines.clone(),
            Data::Task(task, _) => self.decide(task, &mut report)?,
            Data::Random(_) => {}
        }
        Ok(report)
    }

    /// Of a task of trials: accuracy and confusion are those of its decisions, and not of all steps.
    fn decide(&self, task: &Task, report: &mut NetworkReport) -> Result<()> {
        let config = &self.config;
        let trials = task.trials(config.seed, TEST_BATCH, config.data.test_samples, config.dt)?;
        if trials.is_empty() {
            return Ok(());
        }
        let found = Decisions::new(&report.evaluation.outputs, &trials, task.evidence())?;
        report.evaluation.accuracy = Some(found.right);
        report.evaluation.confusion = Some(found.confusion.clone());
        report.classes = task.classes().map(|names| names.iter().map(ToString::to_string).collect());
        report.decided = Some(Decided { found, trials });
        Ok(())
    }

    fn metrics(&self, report: &NetworkReport, validation: &HeldOut) -> Map<String, Value> {
        let mut metrics = metrics(report);
        metrics.extend(validation.metrics());
        let ended: Vec<End> = report.trained.iter().map(|trained| trained.end).collect();
        metrics.insert("ended".into(), json!(ended));
        // Of several members the means.
        let best: Vec<_> = report.trained.iter().filter_map(|trained| trained.best.as_ref()).collect();
        if let count @ 1.. = best.len() {
            metrics.insert("best_step".into(), json!(best.iter().map(|best| best.step).sum::<u64>() / count as u64));
            let loss = best.iter().map(|best| best.loss).sum::<f64>() / count as f64;
            metrics.insert("best_validation_loss".into(), json!(loss));
        }
        metrics
    }

    /// What the run is compared with others by: of members the mean.
    fn objective(&self, report: &NetworkReport, validation_losses: &[f64]) -> RunObjective {
        let of = |value: fn(&Trained) -> Option<f64>| report.trained.iter().filter_map(value).collect::<Vec<_>>();
        let best = of(|trained| trained.best.as_ref().map(|best| best.loss));
        match &self.data {
            Data::Random(_) => RunObjective { name: "train_loss", value: report.evaluation.loss },
            _ if !best.is_empty() => RunObjective::mean("best_validation_loss", &best),
            _ if !validation_losses.is_empty() => RunObjective::mean("validation_loss", validation_losses),
            _ => RunObjective::mean("train_loss_last_100", &of(|trained| Some(trained.mean_of_last(100)))),
        }
    }

    /// What `predictions.npz` has; of a file that was divided also which samples of it these are. Scores of samples that were learned by heart have the network's own dtype.
    fn arrays(&self, report: &NetworkReport) -> Vec<(String, Tensor)> {
        let arrays = report.evaluation.arrays();
        match &self.data {
            Data::Random(_) => arrays
                .into_iter()
                .map(|(name, array)| {
                    let array = if array.is_floating_point() { array.to_kind(self.config.dtype.kind()) } else { array };
                    (name, array)
                })
                .collect(),
            Data::File(data) => {
                let numbers = |samples: &Vec<usize>| samples.iter().map(|sample| *sample as i64).collect::<Vec<_>>();
                let samples = data.test_samples.as_ref().map(|samples| Tensor::from_slice(&numbers(samples)));
                arrays.into_iter().chain(samples.map(|samples| ("sample".to_owned(), samples))).collect()
            }
            Data::Task(_, set) => {
                let lengths =
                    set.examples.lengths().map(|lengths| ("length".to_owned(), lengths.to_device(Device::Cpu)));
                let decided = report.decided.iter().flat_map(|decided| decided.found.arrays(&decided.trials));
                arrays.into_iter().chain(lengths).chain(decided).collect()
            }
        }
    }
}

/// How the outputs of a network are judged.
fn criterion(config: &NetworkConfig) -> Result<Criterion> {
    match (config.data.targets, &config.data.task) {
        (Some(targets), _) => Criterion::for_targets(config.loss, targets),
        (None, Some(task)) => Criterion::for_task(config.loss, task.loss()),
        (None, None) => Ok(Criterion::Steps(config.loss)),
    }
}

/// A batch of a task, as the network takes it.
fn task_batch(
    config: &NetworkConfig,
    pipeline: &Pipeline<Ensemble>,
    task: &Task,
    number: u64,
    samples: usize,
) -> Result<Examples> {
    let examples = task.batch(config.seed, number, samples, config.dt, pipeline.on())?;
    if pipeline.preparation().is_none() {
        return Ok(examples);
    }
    let inputs = pipeline.inputs(&examples.inputs().to_dense(), examples.lengths(), "task")?;
    examples.with_inputs(inputs)
}

fn layer_activity<S: System>(
    config: &NetworkConfig,
    net: &S,
    neurons: &[String],
    examples: &Examples,
) -> Result<Vec<Activity>> {
    if neurons.is_empty() {
        return Ok(Vec::new());
    }
    activity(net, &config.sha(), examples.inputs(), examples.lengths(), neurons)
}

pub(super) fn evaluate(
    config: &NetworkConfig,
    pipeline: &Pipeline<Ensemble>,
    criterion: Criterion,
    set: &EvaluationSet,
    split: &'static str,
) -> Result<NetworkReport> {
    let sha: Shared = config.sha();
    // What was learned by heart is judged in the batches that it was learned in.
    let batch = if split == "test" { config.test_batch() } else { config.training(set.examples.count()).batch };
    let evaluation = criterion.evaluate(&pipeline.net, pipeline, &sha, set, batch)?;
    Ok(NetworkReport {
        what: config.data.task.as_ref().map_or("examples", Task::name).to_owned(),
        trained: Vec::new(),
        accuracies: Vec::new(),
        evaluation,
        classes: config.data.classes.clone(),
        split,
        validation: HeldOut::default(),
        baselines: Baselines::default(),
        activity: layer_activity(config, &pipeline.net, &config.neurons(), &set.examples)?,
        dt_ms: config.dt,
        time_constants_ms: time_constants_ms(&pipeline.params),
        pictured: None,
        recorded: None,
        decided: None,
    })
}

/// Numbers by name.
pub(super) fn metrics(report: &NetworkReport) -> Map<String, Value> {
    let mut metrics = report.evaluation.metrics(report.split);
    metrics.extend(report.baselines.metrics());
    metrics.extend(report.decided.iter().flat_map(|decided| decided.found.metrics(report.split)));
    metrics.extend(spike_rates(&report.activity, report.dt_ms));
    metrics
}
