//! [`NetworkConfig`]: a network of rates or of spiking neurons, trained on examples.

mod check;
mod defaults;
mod model;
mod source;
mod written;

use std::path::PathBuf;
use std::time::Duration;

use bd_core::{DeviceSpec, Error, Result, Shared, join, member_name};
use bd_models::{Encoder, Init, PopulationNetworkConfig, Preparation, RateNetConfig, SnnConfig, Surrogate};
use bd_train::data::dataset::{ArrayNames, Binning, HoldOut, InSteps, Learned, Targets, TargetsOf};
use bd_train::optim::Rule;
use bd_train::{
    Cadence, Checkpoints, EarlyStopping, Keep, Loss, OptimConfig, OverTime, Penalty, Schedule, Task, TrainConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::defaults::{USUAL_VALIDATION, usual_members};
pub use self::model::Model;
pub use self::source::Lessons;
use super::layers::{Layers, absolute, is_set, laid_value};
use super::overlay::{alternative, typed};
use super::{Dtype, check_threads, check_whole};
use crate::neuron::NamedNeuron;

/// What is learned: a task whose batches are drawn anew for every update, random spikes with random labels, or the examples of a
/// file. What does not apply is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NetworkData {
    /// A task, for networks of rates.
    pub task: Option<Task>,
    /// A file of arrays with examples.
    pub file: Option<PathBuf>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub sha256: Option<String>,
    /// A file with the test part. Null: that of the file, or of a file of `x` and `y` only a fraction.
    pub test_file: Option<PathBuf>,
    /// SHA-256 of that file.
    pub test_sha256: Option<String>,
    /// Fraction of a file of `x` and `y` only that is for testing. Null of a file with a test part.
    pub test: Option<f64>,
    /// Array `[sample]` of the file, such as `subject`, whose groups of samples are for one purpose each: training, validation or test.
    pub group: Option<String>,
    /// What the arrays of the file are called, where not `x` and `y`.
    #[serde(default)]
    pub arrays: ArrayNames,
    /// What targets `[sample, n]` are of that are numbers, where a sequence has `n` steps, too: `steps` or `sequences`. Null: of steps.
    pub targets_of: Option<TargetsOf>,
    /// What the targets of a file are.
    pub targets: Option<Targets>,
    /// The names of the classes by their labels. Null: they are numbers.
    pub classes: Option<Vec<String>>,
    /// Whether channels, and targets that are numbers, are standardised by the training part: for networks of rates.
    pub scale: bool,
    /// How inputs that are numbers drive a spiking network.
    pub encode: Encoder,
    /// Steps of random spikes, and those that spikes with times are put in. Null: as many as the training part needs.
    pub steps: Option<usize>,
    /// Channels of a file's data, for spiking networks. Null: as many as the training part has.
    pub channels: Option<i64>,
    /// Fraction of the training part of a file that chooses when to stop.
    pub validation: f64,
    /// Number of random samples.
    pub samples: Option<usize>,
    /// Rate of each channel of random spikes.
    pub rate_hz: Option<f64>,
    /// Sequences that a network is tested on after it was trained on a task.
    pub test_samples: usize,
}

impl NetworkData {
    /// So that a run can be repeated from anywhere.
    fn make_absolute(&mut self) {
        for file in [&mut self.file, &mut self.test_file] {
            *file = file.take().map(|path| absolute(&path));
        }
    }
}

/// The run with whose parameters a training begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InitialWeights {
    /// Its folder.
    pub run: PathBuf,
    /// SHA-256 of the weights that a run has begun with. Null: whatever they are.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// A network, what it learns and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// `rnn` or `snn`.
    pub job: String,
    /// Where to compute.
    pub device: DeviceSpec,
    /// Number type of parameters and states.
    pub dtype: Dtype,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of our own loops.
    pub threads: usize,
    /// Length of a step, in `time_unit`.
    pub dt: f64,
    /// Unit of `dt`. Time constants (`tau_ms`) are in milliseconds, so that it is `ms`.
    pub time_unit: String,
    /// What is learned.
    pub data: NetworkData,
    /// The network.
    pub model: Model,
    /// The run with whose parameters the training begins. Null: they are drawn.
    #[serde(default)]
    pub initial: Option<InitialWeights>,
    /// Time constants of a spiking network's readout, in milliseconds, of which one is chosen before the training and stands in `model`
    /// then; empty if it is set, or if there is no number to tell at each step.
    #[serde(skip)]
    pub readout_search: Vec<f64>,
    /// Networks of which the outputs are averaged, trained one after the other: each with initial weights, an order of examples and a
    /// validation part of its own. The batches of a task are the same for all.
    pub ensemble: usize,
    /// What training makes small.
    pub loss: Loss,
    /// On the parameters, added to the loss.
    pub penalty: Penalty,
    /// How the parameters are updated.
    pub optim: OptimConfig,
    /// Largest Euclidean norm of the gradient.
    pub clip: Option<f64>,
    /// Updates on a task; else null.
    pub updates: Option<u64>,
    /// How often examples are seen; of a task null.
    pub epochs: Option<u64>,
    /// Sequences of a batch; null is all of them at once.
    pub batch: Option<usize>,
    /// Batches of an update.
    pub accumulate: usize,
    /// Steps after which the gradient is cut.
    pub truncate: Option<usize>,
    /// When training ends before its time.
    pub early_stopping: Option<EarlyStopping>,
    /// Updates between reports.
    pub report_every: u64,
    /// Whether the numbers of reports are written for TensorBoard, too.
    #[serde(default)]
    pub tensorboard: bool,
    /// Updates between checkpoints; 0 is never, null leaves it to `checkpoint_minutes`.
    pub checkpoint_every: Option<u64>,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
    /// How many of the newest checkpoints are kept; 0 is all.
    pub checkpoint_keep: usize,
}

/// How the outputs of a network become those that are compared with targets, of which there is one for a sequence.
pub const OF_SEQUENCE: OverTime = OverTime::Last;

/// What belongs to the data of a configuration.
const OWN: [&str; 10] =
    ["data", "dt", "time_unit", "loss", "updates", "epochs", "batch", "early_stopping", "model.n_in", "model.n_out"];

impl NetworkConfig {
    /// The configuration that the layers make of the defaults of `job`, `rnn` or `snn`, and what is learned: a file is read, for
    /// it says what a network for it looks like.
    pub fn resolve(job: &str, layers: &Layers) -> Result<(Self, Lessons)> {
        let mut layers = layers.tables()?;
        let written = written::meant(job, &mut layers)?;
        let lessons = Lessons::meant(job, &mut layers)?;
        let defaults = Self::defaults(job, &lessons, written)?;
        let mut config = Self::of_value(laid_value(&defaults, &layers, &alternatives)?)?;
        config.make_absolute();
        check_threads(config.threads)?;
        let set = |pointer: &str| is_set(&layers, pointer);
        let lessons = config.complete(lessons, set)?;
        config.check_neuron()?;
        Ok((config, lessons))
    }

    fn of_value(value: Value) -> Result<Self> {
        // By itself first, for of one of two kinds of networks serde knows no path to what is wrong.
        let model = value["model"].clone();
        match value["job"].as_str() {
            Some("snn") if model.get("network").is_some() => drop(typed::<PopulationNetworkConfig>(model, "model")?),
            Some("snn") => drop(typed::<SnnConfig>(model, "model")?),
            _ => drop(typed::<RateNetConfig>(model, "model")?),
        }
        typed(value, "")
    }

    /// That of a run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(super) fn of_run(config: Value) -> Result<Self> {
        let plan = Self::of_value(config.clone())?;
        plan.check()?;
        check_whole(&plan, &config)?;
        Ok(plan)
    }

    /// The same with what the layers change of it. The data stay what they are; their file may lie elsewhere.
    pub(crate) fn changed(&self, layers: &Layers) -> Result<Self> {
        let mut changed = Self::of_value(laid_value(self, &layers.tables()?, &alternatives)?)?;
        changed.make_absolute();
        check_threads(changed.threads)?;
        changed.check()?;
        Ok(changed)
    }

    fn make_absolute(&mut self) {
        self.data.make_absolute();
        if let Some(initial) = &mut self.initial {
            initial.run = absolute(&initial.run);
        }
    }

    /// At the first step of every sequence.
    pub fn sha(&self) -> Shared {
        Shared { key: self.seed, ..Shared::new(self.dt) }
    }

    /// The same for one member of an ensemble alone, as the ensemble gives it to it.
    pub fn sha_of_member(&self, number: usize) -> Shared {
        match &member_name(number, self.ensemble)[..] {
            "" => self.sha(),
            name => self.sha().within(name),
        }
    }

    /// How it is trained on examples, of which a batch has all where the configuration names none.
    pub fn training(&self, examples: usize) -> TrainConfig {
        TrainConfig {
            seed: self.seed,
            optim: self.optim.clone(),
            penalty: self.penalty,
            clip: self.clip,
            epochs: self.epochs.unwrap_or(1),
            batch: self.batch.unwrap_or(usize::MAX).min(examples.max(1)),
            accumulate: self.accumulate,
            truncate: self.truncate,
            early_stopping: self.early_stopping,
            report_every: self.report_every,
        }
    }

    /// Names of the layers of neurons that spike, of all members.
    pub(crate) fn neurons(&self) -> Vec<String> {
        let members = (0..self.ensemble).map(|i| member_name(i, self.ensemble));
        members.flat_map(|member| self.model.neurons().into_iter().map(move |layer| join(&member, &layer))).collect()
    }

    /// How the training part of a file is divided.
    pub(crate) fn hold_out(&self) -> HoldOut {
        HoldOut { fraction: self.data.validation, seed: self.seed, members: self.ensemble }
    }

    /// The checkpoints of a run, if there are to be some.
    pub fn checkpoints(&self, folder: PathBuf) -> Option<Checkpoints> {
        let cadence = match self.checkpoint_every {
            Some(0) => return None,
            Some(updates) => Cadence::Updates(updates),
            None => Cadence::Time(Duration::from_secs_f64(self.checkpoint_minutes * 60.0)),
        };
        let keep = if self.checkpoint_keep == 0 { Keep::All } else { Keep::Last(self.checkpoint_keep) };
        Some(Checkpoints::new(folder, cadence, keep))
    }

    /// Samples of a batch of the test, whose outputs are in memory at once.
    pub fn test_batch(&self) -> usize {
        self.batch.unwrap_or(1).max(64)
    }

    /// Channels of the data, before they are encoded.
    pub fn channels(&self) -> i64 {
        self.data.channels.unwrap_or(self.model.n_in())
    }

    /// The steps and channels that spikes with times are put in, once they are known.
    pub fn binning(&self) -> Option<Binning> {
        let (steps, channels) = (self.data.steps?, usize::try_from(self.data.channels?).ok()?);
        Some(Binning { as_: InSteps::Spikes, dt_ms: self.dt, steps, channels })
    }

    /// What a network of this configuration has learned, if that is the examples of a file.
    pub(crate) fn learned(&self) -> Option<Learned<'_>> {
        let (channels, classes) = (self.channels(), self.data.classes.as_deref());
        self.data.targets.map(|targets| Learned {
            channels,
            targets,
            classes,
            binning: self.binning(),
            arrays: Some(&self.data.arrays),
        })
    }

    /// How inputs reach the network.
    pub fn preparation(&self) -> Preparation {
        match self.data.encode {
            Encoder::None if self.data.scale => Preparation::Standardise,
            Encoder::None => Preparation::None,
            encoder => Preparation::Encode(encoder),
        }
    }

    /// The number of targets that are numbers and are standardised. Probabilities stay what they are.
    pub fn scaled_targets(&self) -> Option<i64> {
        let numbers = self.data.targets.filter(|targets| !targets.are_labels())?;
        let scales = (self.data.scale || self.model.is_spiking()) && self.loss != Loss::BinaryCrossEntropy;
        scales.then(|| numbers.n_out())
    }
}

/// What can be chosen by name.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "data.task" => alternative(&Task::all(), path, name),
        "data.encode" => alternative(&Encoder::all(), path, name),
        "model.cell" => alternative(&bd_models::Cell::all(), path, name),
        "model.lif.surrogate" | "model.neuron.surrogate" => alternative(&Surrogate::all(), path, name),
        "model.neuron" => Ok(serde_json::to_value(NamedNeuron::config(name)?).expect("it is JSON")),
        "model.cell.input_init"
        | "model.cell.recurrent_init"
        | "model.readout.init"
        | "model.synapse.init"
        | "model.recurrent_init" => alternative(&Init::all(), path, name),
        "loss" => alternative(&Loss::all(), path, name),
        "optim.rule" => alternative(&Rule::all(), path, name),
        "optim.schedule" | "optim.schedule.then" => alternative(&Schedule::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}
