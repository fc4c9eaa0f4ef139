//! The configuration of `bd train ngrc`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bd_core::{DeviceSpec, Error, Result};
use bd_models::{NgrcConfig, Nvar, NvarConfig, Target};
use bd_train::data::chaos::MAX_POINTS;
use bd_train::data::{Flow, SeriesConfig, Split, SplitConfig, split_names};
use bd_train::forecast::Select;
use bd_train::{FreeRunConfig, Ridge, Solver};
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
    pub(crate) file: Option<PathBuf>,
    /// Channels, if not all.
    pub(crate) columns: Vec<String>,
    /// The column of the file that is the time.
    pub(crate) time: Option<String>,
    /// Time between two points. Null: what the column of the time says, or else 1.
    pub(crate) dt: Option<f64>,
    /// SHA-256 of the file that a run has read. Null: whatever is in it.
    pub(crate) sha256: Option<String>,
    pub(crate) system: Option<SystemPlan>,
}

impl DataPlan {
    pub(crate) fn series(&self) -> SeriesConfig {
        SeriesConfig { columns: self.columns.clone(), time: self.time.clone(), dt: self.dt }
    }
}

/// [`SplitConfig`], with values that depend on others where nobody sets them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitPlan {
    /// Null: for a file what the lags reach back, for a system 0.2.
    pub(crate) warmup: Option<f64>,
    /// Null: a validation part only if there is something to choose.
    pub(crate) split: Option<[f64; 3]>,
    /// Whether the targets of the last points of a part lie in the part after it, as in BrainPy's tutorial. Otherwise a part
    /// ends with its last target.
    pub(crate) targets_beyond: bool,
}

/// [`Ridge`] with any number of penalties to choose from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RidgePlan {
    pub(crate) alpha: Vec<f64>,
    pub(crate) solver: Solver,
    pub(crate) penalise_intercept: bool,
    pub(crate) chunk_rows: usize,
}

impl RidgePlan {
    pub(crate) fn with(&self, alpha: f64) -> Ridge {
        let Self { solver, penalise_intercept, chunk_rows, .. } = *self;
        Ridge { alpha, solver, penalise_intercept, chunk_rows }
    }
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
    pub(crate) split: SplitPlan,
    pub(crate) nvar: NvarConfig,
    pub(crate) target: Target,
    /// Whether inputs are standardised by the training part.
    pub(crate) scale: bool,
    pub(crate) ridge: RidgePlan,
    pub(crate) select: Select,
    pub(crate) horizon: Vec<usize>,
    pub(crate) free_run: FreeRunConfig,
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
        let Ridge { alpha, solver, penalise_intercept, chunk_rows } = Ridge::default();
        Self {
            job: "ngrc".into(),
            device: DeviceSpec::Cpu,
            dtype: Dtype::F64,
            seed: 0,
            threads: super::cores(),
            split: SplitPlan { warmup: None, split: None, targets_beyond: flow.is_some() },
            horizon: if flow.is_some() { vec![1, 10, 100] } else { vec![1] },
            data: DataPlan {
                file: None,
                columns: vec![],
                time: None,
                dt: flow.map(|flow| flow.dt),
                sha256: None,
                system,
            },
            nvar: NvarConfig::default(),
            target: Target::default(),
            // In whatever units and with whatever offset a recording comes, a penalty should mean the same. The tutorial has neither.
            scale: flow.is_none(),
            ridge: RidgePlan {
                alpha: vec![alpha],
                solver,
                penalise_intercept: penalise_intercept && flow.is_some(),
                chunk_rows,
            },
            select: Select::OneStep,
            free_run: FreeRunConfig::default(),
        }
    }

    /// The configuration in force.
    pub(crate) fn resolve(args: &args::Ngrc) -> Result<Self> {
        let mut layers = super::layers(&args.run, options(args)?)?;
        let mut plan = Self::of_layers(&mut layers)?;
        // Absolute, so that the run can be repeated from anywhere.
        plan.data.file = plan.data.file.map(|path| std::path::absolute(&path).unwrap_or(path));
        super::check_threads(plan.threads)?;
        plan.check()?;
        plan.complete()?;
        Ok(plan)
    }

    /// That of a finished run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(crate) fn of_run(config: Value) -> Result<Self> {
        let plan = Self::of_layers(&mut [config.clone()])?;
        plan.check()?;
        super::check_whole(&plan, &config)?;
        Ok(plan)
    }

    fn of_layers(layers: &mut [Value]) -> Result<Self> {
        let flow = match origin(layers)? {
            Origin::File(_) => None,
            Origin::System(name) => Some(Flow::named(&name)?),
        };
        super::laid(&Self::defaults(flow), layers, &|path, name| {
            Err(Error::Config(format!("{path} cannot be '{name}'"))) // the defaults are those of the system that is named
        })
    }

    pub(crate) fn model(&self) -> NgrcConfig {
        NgrcConfig { nvar: self.nvar.clone(), target: self.target, scale: self.scale }
    }

    /// Divides a series of so many points.
    pub(crate) fn divide(&self, points: usize) -> Result<Split> {
        let SplitPlan { warmup: Some(warmup), split: Some(split), .. } = self.split else {
            return Err(Error::Config("split.warmup and split.split must be set".into()));
        };
        SplitConfig { warmup, split }.divide(points)
    }

    /// The farthest horizon.
    pub(crate) fn farthest(&self) -> usize {
        self.horizon.iter().copied().max().unwrap_or(0)
    }

    /// Sets what depends on other values and was left open.
    fn complete(&mut self) -> Result<()> {
        let Some(reach) = self.nvar.reach() else { return Nvar::new(1, &self.nvar).map(|_| ()) };
        let (file, choice) = (self.data.file.is_some(), self.ridge.alpha.len() > 1);
        self.split.warmup.get_or_insert(if file { reach as f64 } else { 0.2 });
        // On a system a choice takes nothing from the training, for the chosen model is fitted to both parts in the end.
        self.split.split.get_or_insert(match (file, choice) {
            (true, false) => [0.8, 0.0, 0.2],
            (true, true) => [0.7, 0.1, 0.2],
            (false, false) => [0.75, 0.0, 0.25],
            (false, true) => [0.5, 0.25, 0.25],
        });
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let config = |message: String| Err(Error::Config(message));
        let columns = !self.data.columns.is_empty() || self.data.time.is_some();
        if self.data.file.is_none() && columns {
            return config("data.columns and data.time name columns of data.file, and there is none".into());
        }
        if let Some(dt) = self.data.dt.filter(|dt| !(*dt > 0.0 && dt.is_finite())) {
            return config(format!("data.dt is {dt}; it must be a number above 0"));
        }
        if self.horizon.is_empty() || self.horizon.iter().any(|h| !(1..=MAX_POINTS).contains(h)) {
            return config(format!(
                "horizon is {:?}; it is one or more numbers of steps from 1 to {MAX_POINTS}",
                self.horizon
            ));
        }
        let mut sorted = self.horizon.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return config(format!("horizon is {:?}; each number of steps can be named once", self.horizon));
        }
        let alphas = &self.ridge.alpha;
        if alphas.is_empty() {
            return config("ridge.alpha is empty; it is one penalty, or several to choose from".into());
        }
        alphas.iter().try_for_each(|&alpha| self.ridge.with(alpha).check())?;
        if let Some(twice) = alphas.iter().enumerate().find(|(i, alpha)| alphas[..*i].contains(alpha)) {
            return config(format!("ridge.alpha has {:e} twice, in {alphas:?}", twice.1));
        }
        if let (true, Select::FreeRun, false) = (alphas.len() > 1, self.select, self.horizon.contains(&1)) {
            return config(format!(
                "select is free-run, and a model runs freely by its forecasts one step ahead: horizon must have 1, it is {:?}",
                self.horizon
            ));
        }
        self.free_run.check()
    }
}

/// The options that were given.
fn options(args: &args::Ngrc) -> Result<Vec<(&'static str, Option<Value>)>> {
    let alphas = args.alpha.as_deref().map(alphas).transpose()?;
    if let Some(split) = args.split.as_ref().filter(|split| split.len() != 3) {
        let found = split.len();
        return Err(Error::Config(format!(
            "--split has {found} fractions; it takes three, for training, validation and test, as in 0.8,0,0.2"
        )));
    }
    Ok(vec![
        ("data.file", args.data.as_ref().map(|x| json!(x))),
        ("data.columns", args.columns.as_deref().map(|text| json!(split_names(text)))),
        ("data.time", args.time.as_ref().map(|x| json!(x))),
        ("data.dt", super::finite("--dt", args.dt)?),
        ("split.warmup", super::finite("--warmup", args.warmup)?),
        ("split.split", args.split.as_ref().map(|x| json!(x))),
        ("nvar.delay", args.delay.map(|x| json!(x))),
        ("nvar.order", args.order.as_ref().map(|x| json!(x))),
        ("nvar.stride", args.stride.map(|x| json!(x))),
        ("nvar.constant", args.constant.then(|| json!(true))),
        ("target", args.target.as_ref().map(|x| json!(x))),
        ("scale", args.scale.map(|x| json!(x))),
        ("ridge.alpha", alphas.map(|x| json!(x))),
        ("ridge.solver", args.solver.as_ref().map(|x| json!(x))),
        ("select", args.select.as_ref().map(|x| json!(x))),
        ("horizon", args.horizon.as_ref().map(|x| json!(x))),
        ("free_run.steps", args.free_run.map(|x| json!(x))),
    ])
}

/// Penalties separated by commas. `1e-8..1e2` stands for each power of ten from one to the other.
fn alphas(text: &str) -> Result<Vec<f64>> {
    let bad = |part: &str, why: &str| Error::Config(format!("--alpha {part}: {why}"));
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => Err(Error::Config(format!("--alpha is {value}; it must be a number"))),
        Err(_) => Err(bad(part, "expected numbers separated by commas, or a range of powers of ten such as 1e-8..1e2")),
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let Some((from, to)) = part.split_once("..") else {
            all.push(number(part)?);
            continue;
        };
        let [from, to] = [number(from)?, number(to)?].map(|end| if end > 0.0 { end.log10() } else { f64::NAN });
        if !(from <= to && from.fract() == 0.0 && to.fract() == 0.0) {
            return Err(bad(part, "a range goes from a power of ten to a greater one"));
        }
        // Read from text, as it would be if it were written out: 10^-5 by multiplication is not quite 1e-5.
        let powers = (from as i32..=to as i32).map(|power| format!("1e{power}").parse().expect("a power of ten"));
        all.extend(powers.collect::<Vec<f64>>());
    }
    Ok(all)
}

/// Which data the layers ask for: a file, or a system by name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    File(String),
    System(String),
}

/// Finds the data that are asked for. What a layer says of its own data is void where a stronger one asks for others: names of
/// columns, times, parameters and how the series is divided belong to one file or one system. A layer that names no data speaks of
/// whatever they are.
fn origin(layers: &mut [Value]) -> Result<Origin> {
    let mut origin = Origin::System("lorenz".into());
    let mut told = vec![false; layers.len()];
    for i in 0..layers.len() {
        let file = layers[i].pointer("/data/file");
        let system = layers[i].pointer("/data/system").filter(|system| !system.is_null());
        let named = match (file.and_then(Value::as_str), system) {
            (Some(_), Some(_)) => {
                return Err(Error::Config("data.file and data.system exclude each other; set one of them".into()));
            }
            (Some(file), None) => Some(Origin::file(file)),
            (None, Some(system)) => Some(match (system.get("name").and_then(Value::as_str), &origin) {
                (Some(name), _) => Origin::System(name.into()),
                (None, Origin::System(_)) => origin.clone(),
                (None, Origin::File(_)) => Origin::System("lorenz".into()),
            }),
            (None, None) if file.is_some() && matches!(origin, Origin::File(_)) => {
                Some(Origin::System("lorenz".into()))
            }
            (None, None) => None,
        };
        let Some(named) = named else { continue };
        told[i] = true;
        if named != origin {
            for (below, told) in layers[..i].iter_mut().zip(&told) {
                if *told {
                    forget_data(below);
                }
            }
            origin = named;
        }
    }
    Ok(origin)
}

impl Origin {
    /// The same file, however it is written.
    fn file(path: &str) -> Self {
        let whole = std::path::absolute(path).map(|path| path.canonicalize().unwrap_or(path));
        Self::File(whole.map_or_else(|_| path.to_owned(), |path| path.display().to_string()))
    }
}

fn forget_data(layer: &mut Value) {
    if let Some(layer) = layer.as_object_mut() {
        layer.remove("split");
    }
    if let Some(Value::Object(data)) = layer.pointer_mut("/data") {
        data.retain(|key, _| !["file", "columns", "time", "system", "dt", "sha256"].contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_are_a_list_or_powers_of_ten() {
        assert_eq!(alphas("0.5").unwrap(), [0.5]);
        assert_eq!(alphas("0,1e-6..1e-3, 2").unwrap(), [0.0, 1e-6, 1e-5, 1e-4, 1e-3, 2.0]);
        for (text, words) in [
            ("1e-3..1e-6", "a range goes from"),
            ("0..1", "a range goes from"),
            ("2..20", "a range goes from"),
            ("many", "--alpha many: expected numbers"),
            ("", "--alpha : expected numbers"),
            ("NaN", "--alpha is NaN"),
        ] {
            let error = alphas(text).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
