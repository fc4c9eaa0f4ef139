//! The configuration of `bd train ngrc`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::NvarConfig;
use bd_train::Ridge;
use bd_train::data::{Flow, SplitConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Dtype;
use crate::args;

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
        let mut layers = super::layers(&args.run, options(args)?)?;
        let flow = match origin(&mut layers)? {
            Origin::File(_) => None,
            Origin::System(name) => Some(Flow::named(&name)?),
        };
        let mut plan = super::laid(&Self::defaults(flow), &layers, &|path, name| {
            Err(Error::Config(format!("{path} cannot be '{name}'"))) // the defaults are those of the system that is named
        })?;
        // Absolute, so that the run can be repeated from anywhere.
        plan.data.file = plan.data.file.map(|path| std::path::absolute(&path).unwrap_or(path));
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        super::check_threads(self.threads)?;
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

/// The options that were given.
fn options(args: &args::Ngrc) -> Result<Vec<(&'static str, Option<Value>)>> {
    Ok(vec![
        ("data.file", args.data.as_ref().map(|x| json!(x))),
        ("data.columns", args.columns.as_ref().map(|x| json!(x))),
        ("nvar.delay", args.delay.map(|x| json!(x))),
        ("nvar.order", args.order.as_ref().map(|x| json!(x))),
        ("nvar.stride", args.stride.map(|x| json!(x))),
        ("ridge.alpha", super::finite("--alpha", args.alpha)?),
        ("ridge.solver", args.solver.as_ref().map(|x| json!(x))),
        ("horizon", args.horizon.as_ref().map(|x| json!(x))),
    ])
}

/// Which data the layers ask for: a file, or a system by name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    File(String),
    System(String),
}

/// Finds the data that are asked for, and makes void what the layers below say of other data: names of columns, times and
/// parameters belong to one file or one system.
fn origin(layers: &mut [Value]) -> Result<Origin> {
    let mut origin = Origin::System("lorenz".into());
    for i in 0..layers.len() {
        let file = layers[i].pointer("/data/file");
        let system = layers[i].pointer("/data/system").filter(|system| !system.is_null());
        let named = match (file.and_then(Value::as_str), system) {
            (Some(_), Some(_)) => {
                return Err(Error::Config("data.file and data.system exclude each other; set one of them".into()));
            }
            (Some(file), None) => Origin::File(file.into()),
            (None, Some(system)) => match (system.get("name").and_then(Value::as_str), &origin) {
                (Some(name), _) => Origin::System(name.into()),
                (None, Origin::System(_)) => origin.clone(),
                (None, Origin::File(_)) => Origin::System("lorenz".into()),
            },
            (None, None) if file.is_some() && matches!(origin, Origin::File(_)) => Origin::System("lorenz".into()),
            (None, None) => origin.clone(),
        };
        if named != origin {
            for below in &mut layers[..i] {
                if let Some(Value::Object(data)) = below.pointer_mut("/data") {
                    data.retain(|key, _| !["file", "columns", "system", "dt"].contains(&key.as_str()));
                }
            }
            origin = named;
        }
    }
    Ok(origin)
}
