//! [`SeriesData`]: where a series comes from, a file or a [system](SystemConfig).

use std::collections::BTreeMap;
use std::path::PathBuf;

use bd_core::{Error, Result};
use bd_train::data::{Flow, Method, SeriesConfig, Solution};
use serde::{Deserialize, Serialize};

/// A chaotic system to integrate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SystemConfig {
    /// Its name, as [`Flow::named`] knows it.
    pub name: String,
    /// Its parameters by name; those that are left out have their usual values.
    pub params: BTreeMap<String, f64>,
    /// Its state at time 0.
    pub start: Vec<f64>,
    /// In the system's unit of time.
    pub duration: f64,
    /// A solver, `rk4`, `rk23` or `extrapolation`. Null: the system's usual one.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["rk4", "rk23", "extrapolation", null])))]
    pub method: Option<String>,
}

impl SystemConfig {
    /// 10,000 points of a system with its usual settings.
    pub(super) fn usual(flow: &Flow) -> Self {
        let params = flow.params.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let start = flow.start(&flow.usual_params());
        Self { name: flow.name.into(), params, start, duration: 10_000.0 * flow.dt, method: None }
    }

    /// The system, and its parameters in the order of its table.
    pub fn flow(&self) -> Result<(&'static Flow, Vec<f64>)> {
        let flow = Flow::named(&self.name)?;
        let params = flow.params_with(self.params.iter().map(|(name, value)| (name.as_str(), *value)))?;
        Ok((flow, params))
    }

    /// What its series is a solution of.
    pub(crate) fn solution(&self) -> Result<Solution> {
        let (flow, params) = self.flow()?;
        let Some(name) = &self.method else { return Ok(Solution { flow, params, method: None }) };
        let wrong = |why: String| Error::Config(format!("data.system.method is '{name}'; {why}"));
        let method = Method::named(name).map_err(wrong)?;
        match flow.is_ordinary() {
            true => Ok(Solution { flow, params, method: Some(method) }),
            false => Err(wrong(format!("{} has one method of its own, which null stands for", flow.name))),
        }
    }
}

/// Where the series comes from: `file` or `system`, and the other one is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeriesData {
    /// A file with the series.
    pub file: Option<PathBuf>,
    /// Channels, if not all.
    pub columns: Vec<String>,
    /// The column of the file that is the time.
    pub time: Option<String>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub sha256: Option<String>,
    /// A system whose solution is the series.
    pub system: Option<SystemConfig>,
}

impl SeriesData {
    /// How the file is read, whose points are `dt` apart where no column of the time says it.
    pub fn series(&self, dt: Option<f64>) -> SeriesConfig {
        SeriesConfig { columns: self.columns.clone(), time: self.time.clone(), dt }
    }
}
