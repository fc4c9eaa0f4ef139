//! What a job is to do, as one configuration: defaults, then the file, then options, then `--set`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::NvarConfig;
use bd_train::Ridge;
use bd_train::data::{Flow, SplitConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Kind;

use crate::args;
use crate::overlay::{overlay, put, put_assignment, read, typed};

/// Number type of parameters and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dtype {
    #[serde(rename = "f32")]
    F32,
    #[serde(rename = "f64")]
    F64,
}

impl Dtype {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::F64 => Kind::Double,
        }
    }
}

/// A chaotic system to integrate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemPlan {
    pub(crate) name: String,
    pub(crate) params: BTreeMap<String, f64>,
    pub(crate) start: Vec<f64>,
    /// In the system's unit of time.
    pub(crate) duration: f64,
}

/// Where the series comes from: `file` or `system`, and the other one is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataPlan {
    /// Time between two points.
    pub(crate) dt: f64,
    pub(crate) file: Option<PathBuf>,
    pub(crate) columns: Vec<String>,
    pub(crate) system: Option<SystemPlan>,
}

/// `bd train ngrc`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NgrcPlan {
    pub(crate) job: String,
    pub(crate) device: DeviceSpec,
    pub(crate) dtype: Dtype,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) data: DataPlan,
    pub(crate) split: SplitConfig,
    pub(crate) nvar: NvarConfig,
    pub(crate) ridge: Ridge,
    pub(crate) horizon: Vec<usize>,
}

impl NgrcPlan {
    /// The tutorial's job, on `flow` or, without one, on a file that is still to be named.
    fn defaults(flow: Option<&Flow>) -> Self {
        let system = flow.map(|flow| SystemPlan {
            name: flow.name.into(),
            params: flow.params.iter().map(|&(name, value)| (name.to_owned(), value)).collect(),
            start: flow.start.to_vec(),
            duration: 10_000.0 * flow.dt,
        });
        Self {
            job: "ngrc".into(),
            device: DeviceSpec::Cpu,
            dtype: Dtype::F64,
            seed: 0,
            threads: 1,
            data: DataPlan { dt: flow.map_or(1.0, |flow| flow.dt), file: None, columns: vec![], system },
            split: SplitConfig::default(),
            nvar: NvarConfig::default(),
            ridge: Ridge::default(),
            horizon: vec![1, 10, 100],
        }
    }

    /// The configuration in force.
    pub(crate) fn resolve(args: &args::Ngrc) -> Result<Self> {
        let mut layers = Vec::new();
        if let Some(path) = &args.run.config {
            layers.push(read(path)?);
        }
        layers.push(options(args)?);
        let mut set = json!({});
        for assignment in &args.run.set {
            put_assignment(&mut set, assignment)?;
        }
        layers.push(set);

        forget_other_systems(&mut layers);
        let mut value = serde_json::to_value(Self::defaults(flow_of(&layers)?)).expect("defaults are JSON");
        for layer in &layers {
            overlay(&mut value, layer, "")?;
        }
        let mut plan: Self = typed(value)?;
        // Absolute, so that the run can be repeated from anywhere.
        plan.data.file = plan.data.file.map(|path| std::path::absolute(&path).unwrap_or(path));
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        if self.job != "ngrc" {
            return config(format!("this is the configuration of a job '{}', not of 'ngrc'", self.job));
        }
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        if self.threads == 0 || self.threads > most {
            return config(format!("threads is {}; this machine allows 1 to {most}", self.threads));
        }
        if self.data.file.is_none() && !self.data.columns.is_empty() {
            return config("data.columns names tensors of data.file, and there is none".into());
        }
        if !(self.data.dt > 0.0 && self.data.dt.is_finite()) {
            return config(format!("data.dt is {}; it must be a number above 0", self.data.dt));
        }
        if self.horizon.is_empty() || self.horizon.contains(&0) {
            return config(format!("horizon is {:?}; it is one or more numbers of steps from 1", self.horizon));
        }
        let mut sorted = self.horizon.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return config(format!("horizon is {:?}; each number of steps can be named once", self.horizon));
        }
        self.ridge.check()
    }
}

/// The options that were given, as a layer.
fn options(args: &args::Ngrc) -> Result<Value> {
    if let Some(alpha) = args.alpha.filter(|alpha| !alpha.is_finite()) {
        return Err(Error::Config(format!("--alpha is {alpha}; it must be a number from 0"))); // JSON has no such numbers
    }
    let given = [
        ("device", args.run.device.as_ref().map(|x| json!(x))),
        ("dtype", args.run.dtype.as_ref().map(|x| json!(x))),
        ("seed", args.run.seed.map(|x| json!(x))),
        ("threads", args.run.threads.map(|x| json!(x))),
        ("data.system", args.data.as_ref().map(|_| Value::Null)),
        ("data.file", args.data.as_ref().map(|x| json!(x))),
        ("data.columns", args.columns.as_ref().map(|x| json!(x))),
        ("nvar.delay", args.delay.map(|x| json!(x))),
        ("nvar.order", args.order.as_ref().map(|x| json!(x))),
        ("nvar.stride", args.stride.map(|x| json!(x))),
        ("ridge.alpha", args.alpha.map(|x| json!(x))),
        ("ridge.solver", args.solver.as_ref().map(|x| json!(x))),
        ("horizon", args.horizon.as_ref().map(|x| json!(x))),
    ];
    let mut layer = json!({});
    for (path, value) in given {
        if let Some(value) = value {
            put(&mut layer, path, value)?;
        }
    }
    Ok(layer)
}

/// Parameters, start and times belong to a system: a layer that names another system makes those below it void.
fn forget_other_systems(layers: &mut [Value]) {
    let mut name = "lorenz".to_owned();
    for i in 0..layers.len() {
        let named = layers[i].pointer("/data/system/name").and_then(Value::as_str).unwrap_or(&name).to_owned();
        if named != name {
            for below in &mut layers[..i] {
                if let Some(Value::Object(data)) = below.pointer_mut("/data") {
                    data.retain(|key, _| key != "system" && key != "dt");
                }
            }
            name = named;
        }
    }
}

/// Which system the layers ask for, for its defaults: none if they name a file, Lorenz if they name nothing.
fn flow_of(layers: &[Value]) -> Result<Option<&'static Flow>> {
    let last = |pointer: &str| layers.iter().rev().find_map(|layer| layer.pointer(pointer));
    if last("/data/file").is_some_and(|file| !file.is_null()) {
        return Ok(None);
    }
    let name = last("/data/system/name").and_then(Value::as_str).unwrap_or("lorenz");
    Flow::named(name).map(Some)
}
