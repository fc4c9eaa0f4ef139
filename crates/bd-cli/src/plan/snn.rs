//! The configuration of `bd train snn`.

use bd_core::{DeviceSpec, Error, Result};
use bd_models::{Init, SnnConfig, Surrogate};
use bd_train::optim::{EpsOn, Rule};
use bd_train::{Loss, OptimConfig, OverTime, Schedule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Dtype;
use crate::args;
use crate::overlay::alternative;

/// Random spike trains with random labels, as in BrainPy's tutorial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpikesPlan {
    pub(crate) samples: usize,
    pub(crate) steps: usize,
    /// Rate of each input channel.
    pub(crate) rate_hz: f64,
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
            data: SpikesPlan { samples: 256, steps: 2000, rate_hz: 5.0 },
            model: SnnConfig::default(),
            loss: Loss::CrossEntropy { over: OverTime::Max },
            optim: OptimConfig { lr: 2e-3, rule, ..OptimConfig::default() },
            clip: None,
            epochs: 1500,
            batch: None,
            report_every: 100,
            checkpoint_every: 500,
        }
    }
}

impl SnnPlan {
    /// The configuration in force.
    pub(crate) fn resolve(args: &args::Snn) -> Result<Self> {
        let layers = super::layers(&args.run, options(args)?)?;
        let plan = super::laid(&Self::default(), &layers, &alternatives)?;
        super::check_threads(plan.threads)?;
        plan.check()?;
        Ok(plan)
    }

    /// That of a finished run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(crate) fn of_run(config: Value) -> Result<Self> {
        let plan = super::laid(&Self::default(), std::slice::from_ref(&config), &alternatives)?;
        plan.check()?;
        super::check_whole(&plan, &config)?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        if !(self.dt_ms > 0.0 && self.dt_ms.is_finite()) {
            return config(format!("dt_ms is {}; it must be a number above 0", self.dt_ms));
        }
        let counts = [
            ("data.samples", self.data.samples),
            ("data.steps", self.data.steps),
            ("epochs", self.epochs),
            ("report_every", self.report_every as usize),
            ("batch", self.batch.unwrap_or(1)),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return config(format!("{name} is 0; it must be at least 1"));
        }
        let p = self.data.rate_hz * self.dt_ms / 1000.0;
        if !(0.0..=1.0).contains(&p) {
            return config(format!(
                "data.rate_hz is {}: in a step of {} ms that is a spike with probability {p}, which must be from 0 to 1",
                self.data.rate_hz, self.dt_ms
            ));
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return config(format!("clip is {clip}; it must be above 0"));
        }
        let Loss::CrossEntropy { over } = self.loss else {
            return config("loss must be cross_entropy: the targets are labels".into());
        };
        if over == OverTime::Every {
            return config("loss.over cannot be every: a sample has one label".into());
        }
        self.optim.check()
    }
}

/// The options that were given.
fn options(args: &args::Snn) -> Result<Vec<(&'static str, Option<Value>)>> {
    Ok(vec![
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
    ])
}

/// What can be chosen by name.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "model.lif.surrogate" => alternative(&Surrogate::all(), path, name),
        "model.synapse.init" => alternative(&Init::all(), path, name),
        "loss" => alternative(&Loss::all(), path, name),
        "optim.rule" => alternative(&Rule::all(), path, name),
        "optim.schedule" | "optim.schedule.then" => alternative(&Schedule::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}
