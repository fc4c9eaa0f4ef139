//! The configuration of `bd train rnn`.

use std::path::PathBuf;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::{Cell, Init, RateNetConfig};
use bd_train::data::{Accept, Dataset, Targets};
use bd_train::optim::{EpsOn, Rule};
use bd_train::{EarlyStopping, Loss, OptimConfig, Penalty, Schedule, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Dtype;
use crate::args;
use crate::overlay::alternative;

/// What is learned: a task that is drawn anew for every update, or the examples of a file; the other one is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExamplesPlan {
    pub(crate) task: Option<Task>,
    pub(crate) file: Option<PathBuf>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub(crate) sha256: Option<String>,
    /// What the targets of a file are; of a task null.
    pub(crate) targets: Option<Targets>,
    /// Whether channels, and targets that are numbers, are standardised by the training part.
    pub(crate) scale: bool,
    /// Fraction of the training part of a file that chooses when to stop.
    pub(crate) validation: f64,
    /// Inputs that a trained network is tested on, of a task.
    pub(crate) test_samples: usize,
}

/// `bd train rnn`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RnnPlan {
    pub(crate) job: String,
    pub(crate) device: DeviceSpec,
    pub(crate) dtype: Dtype,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// Length of a step, in the unit of the task's parameters and of `tau_ms`.
    pub(crate) dt: f64,
    pub(crate) data: ExamplesPlan,
    pub(crate) model: RateNetConfig,
    pub(crate) loss: Loss,
    pub(crate) penalty: Penalty,
    pub(crate) optim: OptimConfig,
    /// Largest norm of the gradient.
    pub(crate) clip: Option<f64>,
    /// Of a task, its updates; of a file null.
    pub(crate) updates: Option<u64>,
    /// Of a file, how often it is seen; of a task null.
    pub(crate) epochs: Option<usize>,
    pub(crate) batch: usize,
    /// Batches of an update.
    pub(crate) accumulate: usize,
    /// Steps after which the gradient is cut.
    pub(crate) truncate: Option<usize>,
    /// When training ends before its time.
    pub(crate) early_stopping: Option<EarlyStopping>,
    /// In updates.
    pub(crate) report_every: u64,
    /// In updates; 0 is never.
    pub(crate) checkpoint_every: u64,
}

/// Where the examples come from.
pub(crate) enum Source {
    /// With its default parameters; those in force are the plan's.
    Task(Task),
    /// A file, read: what it holds says what a network for it looks like.
    File(PathBuf, Box<Dataset>),
}

impl RnnPlan {
    fn defaults(source: &Source) -> Self {
        let rate_net = |n_in, n_out| RateNetConfig { n_in, n_out, ..RateNetConfig::default() };
        let common = Self {
            job: "rnn".into(),
            device: DeviceSpec::Cpu,
            dtype: Dtype::F32,
            seed: 0,
            threads: super::cores(),
            dt: 1.0,
            data: ExamplesPlan {
                task: None,
                file: None,
                sha256: None,
                targets: None,
                scale: false,
                validation: 0.0,
                test_samples: 1000,
            },
            model: RateNetConfig::default(),
            loss: Loss::Mse,
            penalty: Penalty::default(),
            optim: OptimConfig::default(),
            clip: None,
            updates: None,
            epochs: None,
            batch: 128,
            accumulate: 1,
            truncate: None,
            early_stopping: None,
            report_every: 500,
            checkpoint_every: 500,
        };
        match source {
            Source::Task(task) => Self {
                dt: task.usual_dt(),
                data: ExamplesPlan { task: Some(*task), ..common.data.clone() },
                model: rate_net(task.n_in(), task.n_out()),
                loss: task.loss(),
                updates: Some(3000),
                ..with_optimiser_of(task, common)
            },
            Source::File(path, labelled) => Self {
                data: ExamplesPlan {
                    file: Some(path.clone()),
                    targets: Some(labelled.targets),
                    scale: true,
                    validation: 0.25,
                    ..common.data
                },
                model: RateNetConfig {
                    hidden: vec![64],
                    cell: Cell::all()[1],
                    ..rate_net(labelled.train.channels(), labelled.targets.n_out())
                },
                loss: labelled.targets.loss(),
                clip: Some(1.0),
                epochs: Some(200),
                batch: 16,
                early_stopping: Some(EarlyStopping { patience: 40, min_delta: 0.0 }),
                report_every: 50,
                ..common
            },
        }
    }

    /// The configuration in force, and the examples if they are of a file.
    pub(crate) fn resolve(args: &args::Rnn) -> Result<(Self, Source)> {
        let mut layers = super::layers(&args.run, options(args)?)?;
        let source = source(&mut layers)?;
        let mut plan: Self = super::laid(&Self::defaults(&source), &layers, &alternatives)?;
        let set = |pointer: &str| layers.iter().any(|layer| layer.pointer(pointer).is_some());
        if let Some(task) = &plan.data.task {
            // Those of the defaults are of the task as it is by default.
            plan.model.n_in = if set("/model/n_in") { plan.model.n_in } else { task.n_in() };
            plan.model.n_out = if set("/model/n_out") { plan.model.n_out } else { task.n_out() };
        }
        if plan.data.validation == 0.0 && !set("/early_stopping") {
            plan.early_stopping = None;
        }
        plan.data.file = plan.data.file.map(|path| std::path::absolute(&path).unwrap_or(path));
        super::check_threads(plan.threads)?;
        plan.check()?;
        Ok((plan, source))
    }

    /// That of a finished run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(crate) fn of_run(config: Value) -> Result<Self> {
        let any = Source::Task(Task::all()[0]);
        let mut defaults = serde_json::to_value(Self::defaults(&any)).expect("defaults are JSON");
        // Every table of one of several kinds is replaced as a whole, so that nothing of the default's own is mixed in.
        for (name, value) in config.as_object().into_iter().flatten() {
            defaults[name] = value.clone();
        }
        let plan: Self = crate::overlay::typed(defaults)?;
        plan.check()?;
        super::check_whole(&plan, &config)?;
        Ok(plan)
    }

    /// Samples of a batch of the test, whose outputs are in memory at once.
    pub(crate) fn test_batch(&self) -> usize {
        self.batch.max(64)
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        let widths = self.model.hidden.iter().chain([&self.model.n_in, &self.model.n_out]);
        if let Some(width) = widths.clone().find(|width| **width > MOST_UNITS) {
            return config(format!("a layer has {width} units; at most {MOST_UNITS} are allowed"));
        }
        if self.data.task.is_some() == self.data.file.is_some() {
            return config("data.task or data.file must be set, and not both".into());
        }
        if !(self.dt > 0.0 && self.dt.is_finite()) {
            return config(format!("dt is {}; it must be a number above 0", self.dt));
        }
        let counts = [
            ("updates", self.updates.map_or(1, |n| n as usize)),
            ("epochs", self.epochs.unwrap_or(1)),
            ("batch", self.batch),
            ("accumulate", self.accumulate),
            ("truncate", self.truncate.unwrap_or(1)),
            ("report_every", self.report_every as usize),
            ("data.test_samples", self.data.test_samples),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return config(format!("{name} is 0; it must be at least 1"));
        }
        if self.data.task.is_some() && (self.updates.is_none() || self.epochs.is_some()) {
            return config("a task is drawn anew for every update: set updates, and not epochs".into());
        }
        if self.data.file.is_some() && (self.epochs.is_none() || self.updates.is_some()) {
            return config("a file is seen in epochs: set epochs, and not updates".into());
        }
        super::check_held_out(self.data.validation, self.early_stopping, self.data.file.is_some())?;
        if let Some(task) = &self.data.task {
            task.check()?;
            let (n_in, n_out) = (task.n_in(), task.n_out());
            if (self.model.n_in, self.model.n_out) != (n_in, n_out) {
                return config(format!(
                    "{} has {n_in} inputs and {n_out} outputs, but model.n_in is {} and model.n_out {}",
                    task.name(),
                    self.model.n_in,
                    self.model.n_out
                ));
            }
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return config(format!("clip is {clip}; it must be above 0"));
        }
        self.loss.check_parameters()?;
        self.penalty.check()?;
        self.optim.check()
    }
}

/// With the tutorial's optimiser for the tutorial's task, and one that learns the others.
fn with_optimiser_of(task: &Task, plan: RnnPlan) -> RnnPlan {
    match task {
        Task::Integration(_) => RnnPlan {
            penalty: Penalty { l2: 2e-4, ..Penalty::default() },
            optim: OptimConfig {
                lr: 0.025,
                schedule: Schedule::ExponentialDecay { rate: 0.99975, steps: 1.0 },
                rule: Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 0.1, eps_on: EpsOn::Uncorrected },
            },
            ..plan
        },
        _ => RnnPlan { clip: Some(1.0), ..plan },
    }
}

/// Finds the examples that the layers ask for. What a layer says of its own examples is void where a stronger one asks for others.
fn source(layers: &mut [Value]) -> Result<Source> {
    let named = |layer: &Value, pointer: &str| layer.pointer(pointer).filter(|value| !value.is_null()).cloned();
    if layers.iter().any(|layer| named(layer, "/data/file").is_some() && named(layer, "/data/task").is_some()) {
        return Err(Error::Config("data.file and data.task exclude each other; set one of them".into()));
    }
    let asked = |layer: &Value| {
        let (file, task) = (named(layer, "/data/file"), named(layer, "/data/task"));
        let file =
            file.and_then(|file| file.as_str().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.into())));
        let task = task.and_then(|task| task.as_str().or_else(|| task["name"].as_str()).map(str::to_owned));
        file.map(Err).or(task.map(Ok))
    };
    let last = super::settle(layers, asked, &OWN);
    match last.unwrap_or_else(|| Ok("integration".into())) {
        Ok(name) => Ok(Source::Task(crate::overlay::typed(alternative(&Task::all(), "data.task", &name)?)?)),
        Err(file) => {
            let labelled = Dataset::read_npz(&file, Accept::Numbers)?;
            Ok(Source::File(file, Box::new(labelled)))
        }
    }
}

/// The options that were given.
fn options(args: &args::Rnn) -> Result<Vec<(&'static str, Option<Value>)>> {
    Ok(vec![
        ("data.task", args.task.as_ref().map(|x| json!({"name": x}))),
        ("data.file", args.data.as_ref().map(|x| json!(x))),
        ("data.scale", args.scale.map(|x| json!(x))),
        ("data.validation", super::finite("--validation", args.validation)?),
        ("model.cell", args.cell.as_ref().map(|x| json!({"name": x}))),
        ("model.hidden", args.hidden.as_ref().map(|x| json!(x))),
        ("loss", args.loss.as_ref().map(|x| json!({"name": x}))),
        ("optim.rule", args.optimizer.as_ref().map(|x| json!({"name": x}))),
        ("optim.lr", super::finite("--lr", args.lr)?),
        ("penalty.l2", super::finite("--l2", args.l2)?),
        ("updates", args.updates.map(|x| json!(x))),
        ("epochs", args.epochs.map(|x| json!(x))),
        ("batch", args.batch.map(|x| json!(x))),
        ("truncate", args.truncate.map(|x| json!(x))),
        ("early_stopping", args.patience.map(|x| json!({"patience": x}))),
        ("report_every", args.report_every.map(|x| json!(x))),
    ])
}

/// What can be chosen by name.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "data.task" => alternative(&Task::all(), path, name),
        "model.cell" => alternative(&Cell::all(), path, name),
        "model.cell.input_init" | "model.cell.recurrent_init" | "model.readout.init" => {
            alternative(&Init::all(), path, name)
        }
        "loss" => alternative(&Loss::all(), path, name),
        "optim.rule" => alternative(&Rule::all(), path, name),
        "optim.schedule" | "optim.schedule.then" => alternative(&Schedule::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}

/// The recurrent weights of so many units with four gates take 2 GB in float64, and drawing them three times as much.
const MOST_UNITS: i64 = 1 << 13;

/// What belongs to the examples of a configuration.
const OWN: [&str; 8] = ["data", "dt", "loss", "updates", "epochs", "early_stopping", "model.n_in", "model.n_out"];
