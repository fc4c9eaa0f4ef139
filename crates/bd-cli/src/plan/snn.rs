//! The configuration of `bd train snn`.

mod check;

use std::path::PathBuf;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::{Encoder, Init, LifConfig, SnnConfig, Surrogate, SynapseConfig};
use bd_train::data::{Accept, Binning, Dataset, Subset, Targets};
use bd_train::optim::{EpsOn, Rule};
use bd_train::{EarlyStopping, Loss, OptimConfig, OverTime, Schedule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Dtype;
use crate::args;
use crate::overlay::alternative;

/// What is learned: the examples of a file or, where that is null, random spike trains with random labels, as in BrainPy's tutorial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpikesPlan {
    pub(crate) file: Option<PathBuf>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub(crate) sha256: Option<String>,
    /// What the targets of a file are.
    pub(crate) targets: Option<Targets>,
    /// How inputs that are numbers drive the network.
    pub(crate) encode: Encoder,
    /// Steps of random spikes, and those that spikes with times are put in. Null: as many as the training part needs.
    pub(crate) steps: Option<usize>,
    /// Channels of a file's data. Null: as many as the training part has.
    pub(crate) channels: Option<i64>,
    /// Fraction of the training part of a file that chooses when to stop.
    pub(crate) validation: f64,
    /// Of random spikes; of a file null.
    pub(crate) samples: Option<usize>,
    /// Rate of each channel of random spikes; of a file null.
    pub(crate) rate_hz: Option<f64>,
}

/// `bd train snn`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnnPlan {
    pub(crate) job: String,
    pub(crate) device: DeviceSpec,
    pub(crate) dtype: Dtype,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) dt_ms: f64,
    pub(crate) data: SpikesPlan,
    pub(crate) model: SnnConfig,
    pub(crate) loss: Loss,
    pub(crate) optim: OptimConfig,
    /// Largest norm of the gradient.
    pub(crate) clip: Option<f64>,
    pub(crate) epochs: usize,
    /// Samples of an update; null is all of them.
    pub(crate) batch: Option<usize>,
    /// When training on a file ends before its time.
    pub(crate) early_stopping: Option<EarlyStopping>,
    /// In updates.
    pub(crate) report_every: u64,
    /// In updates; 0 is never.
    pub(crate) checkpoint_every: u64,
}

impl Default for SnnPlan {
    /// The tutorial's job.
    fn default() -> Self {
        let rule = Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_on: EpsOn::Uncorrected };
        Self {
            job: "snn".into(),
            device: DeviceSpec::Cpu,
            dtype: Dtype::F32,
            seed: 0,
            threads: super::cores(),
            dt_ms: 0.1,
            data: SpikesPlan {
                file: None,
                sha256: None,
                targets: None,
                encode: Encoder::None,
                steps: Some(2000),
                channels: None,
                validation: 0.0,
                samples: Some(256),
                rate_hz: Some(5.0),
            },
            model: SnnConfig::default(),
            loss: Loss::CrossEntropy { over: OverTime::Max },
            optim: OptimConfig { lr: 2e-3, rule, ..OptimConfig::default() },
            clip: None,
            epochs: 1500,
            batch: None,
            early_stopping: None,
            report_every: 100,
            checkpoint_every: 500,
        }
    }
}

/// Where the examples come from.
pub(crate) enum SnnSource {
    Random,
    /// A file, read: what it holds says what a network for it looks like.
    File(PathBuf, Box<Dataset>),
}

impl SnnPlan {
    /// For examples of one's own: there are fewer steps than the tutorial has, and more spikes in each.
    fn for_file(path: &std::path::Path, labelled: &Dataset) -> Self {
        let events = labelled.train.events().is_some();
        let tutorial = Self::default();
        let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
        Self {
            dt_ms: if events { 4.0 } else { 1.0 },
            data: SpikesPlan {
                file: Some(path.to_path_buf()),
                targets: Some(labelled.targets),
                steps: None,
                validation: 0.25,
                samples: None,
                rate_hz: None,
                ..tutorial.data
            },
            model: SnnConfig {
                n_in: labelled.train.channels(),
                hidden: vec![128],
                n_out: labelled.targets.n_out(),
                synapse: SynapseConfig { init: Init::KaimingNormal { scale: 2.0 }, ..tutorial.model.synapse },
                lif: LifConfig { surrogate, ..LifConfig::default() },
                ..tutorial.model
            },
            loss: labelled.targets.loss(),
            clip: Some(1.0),
            epochs: 100,
            batch: Some(32),
            early_stopping: Some(EarlyStopping { patience: 20, min_delta: 0.0 }),
            report_every: 50,
            ..tutorial
        }
    }

    /// The configuration in force, and the examples if they are of a file.
    pub(crate) fn resolve(args: &args::Snn) -> Result<(Self, SnnSource)> {
        let mut layers = super::layers(&args.run, options(args)?)?;
        let source = source(&mut layers)?;
        let defaults = match &source {
            SnnSource::Random => Self::default(),
            SnnSource::File(path, labelled) => Self::for_file(path, labelled),
        };
        let mut plan: Self = super::laid(&defaults, &layers, &alternatives)?;
        let set = |pointer: &str| layers.iter().any(|layer| layer.pointer(pointer).is_some());
        if plan.data.validation == 0.0 && !set("/early_stopping") {
            plan.early_stopping = None;
        }
        plan.data.file = plan.data.file.map(|path| std::path::absolute(&path).unwrap_or(path));
        super::check_threads(plan.threads)?;
        plan.check()?;
        let source = match source {
            SnnSource::Random => SnnSource::Random,
            SnnSource::File(path, labelled) => {
                plan.fit_to(&labelled.train, set)?;
                plan.check_inputs(&labelled.train)?;
                plan.check_outputs(labelled.targets)?;
                let labelled = labelled.in_steps(&path, plan.grid())?;
                SnnSource::File(path, Box::new(labelled))
            }
        };
        Ok((plan, source))
    }

    /// That of a finished run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(crate) fn of_run(config: Value) -> Result<Self> {
        let plan = super::laid(&Self::default(), std::slice::from_ref(&config), &alternatives)?;
        plan.check()?;
        super::check_whole(&plan, &config)?;
        Ok(plan)
    }

    /// Samples of a batch of the test, whose outputs are in memory at once.
    pub(crate) fn test_batch(&self) -> usize {
        self.batch.unwrap_or(1).max(64)
    }

    /// What spikes with times are put in, once it is known.
    pub(crate) fn grid(&self) -> Option<Binning> {
        let (steps, channels) = (self.data.steps?, usize::try_from(self.data.channels?).ok()?);
        Some(Binning { dt_ms: self.dt_ms, steps, channels })
    }

    /// Takes from a training part what nobody has set.
    fn fit_to(&mut self, train: &Subset, set: impl Fn(&str) -> bool) -> Result<()> {
        let needed = match train.events() {
            Some(events) => events.steps(self.dt_ms)?,
            None => train.steps().unwrap_or(1),
        };
        let there = [
            ("steps", self.data.steps.map(|n| n as i64), needed as i64),
            ("channels", self.data.channels, train.channels()),
        ];
        let in_steps = train.steps().is_some();
        if let Some((name, Some(set), found)) =
            there.iter().find(|(_, set, found)| in_steps && set.is_some_and(|set| set != *found))
        {
            return Err(Error::Config(format!(
                "data.{name} is {set}, but the file has {found} {name}; it is for spikes with times, which can be put in any"
            )));
        }
        self.data.steps.get_or_insert(needed);
        let channels = *self.data.channels.get_or_insert(train.channels());
        if !set("/model/n_in") {
            self.model.n_in = self.data.encode.channels(channels);
        }
        // What a neuron has seen ten steps of the data ago still counts a third.
        let tau_ms = 10.0 * self.dt_ms * self.data.encode.substeps() as f64;
        let (synapse, lif) = (&mut self.model.synapse.tau_ms, &mut self.model.lif.tau_ms);
        for (pointer, value) in [("/model/synapse/tau_ms", synapse), ("/model/lif/tau_ms", lif)] {
            if !set(pointer) {
                *value = tau_ms;
            }
        }
        Ok(())
    }
}

/// Finds the examples that the layers ask for. What a layer says of its own examples is void where a stronger one asks for others.
fn source(layers: &mut [Value]) -> Result<SnnSource> {
    let asked = |layer: &Value| {
        let file = layer.pointer("/data/file")?;
        Some(file.as_str().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.into())))
    };
    let last = super::settle(layers, asked, &OWN);
    match last.flatten() {
        None => Ok(SnnSource::Random),
        Some(file) => {
            let labelled = Dataset::read_npz(&file, Accept::SpikesAndNumbers)?;
            Ok(SnnSource::File(file, Box::new(labelled)))
        }
    }
}

/// The options that were given.
fn options(args: &args::Snn) -> Result<Vec<(&'static str, Option<Value>)>> {
    Ok(vec![
        ("data.file", args.data.as_ref().map(|x| json!(x))),
        ("data.encode", args.encode.as_ref().map(|x| json!({"name": x}))),
        ("dt_ms", super::finite("--dt", args.dt)?),
        ("data.validation", super::finite("--validation", args.validation)?),
        ("early_stopping", args.patience.map(|x| json!({"patience": x}))),
        ("data.samples", args.samples.map(|x| json!(x))),
        ("data.steps", args.steps.map(|x| json!(x))),
        ("data.rate_hz", super::finite("--rate-hz", args.rate_hz)?),
        ("epochs", args.epochs.map(|x| json!(x))),
        ("batch", args.batch.map(|x| json!(x))),
        ("optim.lr", super::finite("--lr", args.lr)?),
        ("report_every", args.report_every.map(|x| json!(x))),
        ("model.lif.surrogate", args.surrogate.as_ref().map(|x| json!(x))),
        ("model.lif.reset", args.reset.as_ref().map(|x| json!(x))),
        ("model.hidden", args.hidden.as_ref().map(|x| json!(x))),
        ("model.recurrent", args.recurrent.then(|| json!(true))),
    ])
}

/// What can be chosen by name.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "data.encode" => alternative(&Encoder::all(), path, name),
        "model.lif.surrogate" => alternative(&Surrogate::all(), path, name),
        "model.synapse.init" | "model.recurrent_init" => alternative(&Init::all(), path, name),
        "loss" => alternative(&Loss::all(), path, name),
        "optim.rule" => alternative(&Rule::all(), path, name),
        "optim.schedule" | "optim.schedule.then" => alternative(&Schedule::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}

/// What belongs to the examples of a configuration.
const OWN: [&str; 8] = ["data", "dt_ms", "loss", "epochs", "batch", "early_stopping", "model.n_in", "model.n_out"];
