//! [`ForecastConfig`]: a forecast of a series by next-generation reservoir computing.

use bd_core::{DeviceSpec, Error, Result};
use bd_models::{
    AnyForecasterConfig, EsnConfig, NgrcConfig, Nvar, NvarConfig, RecurrentMatrix, ReservoirConfig, ReservoirKind,
    Target,
};
use bd_train::data::flow::MAX_POINTS;
use bd_train::data::{Flow, Split, SplitConfig};
use bd_train::forecast::{self, Select};
use bd_train::{FreeRunConfig, OnlineRule, Ridge};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::choice::{NvarChoice, RidgeChoice, SplitChoice, UNCHOSEN_ALPHA, UNCHOSEN_DELAY, check_search, ladder};
use super::layers::{Layers, Meant, absolute, data_meant, is_set, laid};
use super::online::OnlineChoice;
use super::overlay::alternative;
use super::series_data::{SeriesData, SystemConfig};
use super::{Dtype, ESN, check_threads, check_whole, cores};

/// What is to be forecast, by which model, fitted how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// `ngrc` or `esn`.
    pub job: String,
    /// Where to compute.
    pub device: DeviceSpec,
    /// Number type of parameters and states.
    pub dtype: Dtype,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of our own loops.
    pub threads: usize,
    /// Time between two points, in `time_unit`. Null: what the column of the time says, or else 1.
    pub dt: Option<f64>,
    /// Name of the unit of all times, for people; empty if it has none.
    pub time_unit: String,
    /// The series.
    pub data: SeriesData,
    /// Which part of it is for what.
    pub split: SplitChoice,
    /// The features: lagged inputs, of esn those beside the states of the reservoir.
    pub nvar: NvarChoice,
    /// The reservoir of esn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservoir: Option<ReservoirConfig>,
    /// Of esn, steps after which a state no longer depends on where it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub washout: Option<usize>,
    /// Of esn, settings of the reservoir that are drawn and tried beside those of `reservoir`, of which the validation part chooses. What
    /// a run has chosen is in its `reservoir`, and this is 0 then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<usize>,
    /// What is fitted.
    pub target: Target,
    /// Whether inputs are standardised by the training part.
    pub scale: bool,
    /// How it is fitted.
    pub ridge: RidgeChoice,
    /// Whether it is learned sample by sample instead.
    pub online: OnlineChoice,
    /// What a choice of the penalty and of the delay is by.
    pub select: Select,
    /// Steps ahead to forecast.
    pub horizon: Vec<usize>,
    /// How the model runs on its own outputs.
    pub free_run: FreeRunConfig,
}

impl ForecastConfig {
    /// The tutorial's job on `flow` or, without one, a linear forecast of a file that is still to be named.
    fn defaults(job: &str, flow: Option<&Flow>) -> Self {
        let is_esn = job == ESN;
        let system = flow.map(SystemConfig::usual);
        let Ridge { solver, l1_ratio, penalise_intercept, chunk_rows, .. } = Ridge::default();
        let nvar = match (is_esn, flow) {
            (true, _) => EsnConfig::default().nvar.into(),
            // Products of lags of many channels would be more features than points.
            (false, Some(flow)) if flow.channels(&flow.usual_params()).len() > FEW_CHANNELS => {
                NvarConfig { delay: 1, stride: 1, ..NvarConfig::default() }.into()
            }
            (false, Some(_)) => NvarConfig::default().into(),
            (false, None) => NvarChoice::of_a_file(),
        };
        Self {
            job: job.into(),
            device: DeviceSpec::Cpu,
            dtype: Dtype::F64,
            seed: 0,
            threads: cores(),
            dt: flow.map(|flow| flow.dt),
            time_unit: String::new(),
            split: SplitChoice { warmup: None, split: None, targets_beyond: flow.is_some() },
            horizon: if flow.is_some() { vec![1, 10, 100] } else { vec![1] },
            data: SeriesData { file: None, columns: vec![], time: None, sha256: None, system },
            nvar,
            reservoir: is_esn.then(ReservoirConfig::default),
            washout: is_esn.then_some(EsnConfig::default().washout),
            search: is_esn.then_some(0),
            target: Target::default(),
            // In whatever units and with whatever offset a recording comes, a penalty should mean the same. The tutorial has neither.
            scale: flow.is_none(),
            ridge: RidgeChoice {
                alpha: if flow.is_some() { vec![UNCHOSEN_ALPHA] } else { ladder() },
                solver,
                l1_ratio,
                penalise_intercept: penalise_intercept && flow.is_some(),
                chunk_rows,
            },
            online: OnlineChoice::Off {},
            select: Select::OneStep,
            free_run: FreeRunConfig::default(),
        }
    }

    /// The configuration that the layers make, with what nobody has set filled in where it follows from the rest.
    /// `job` is `ngrc` or `esn`.
    pub fn resolve(job: &str, layers: &Layers) -> Result<Self> {
        let mut layers = layers.tables()?;
        let mut config = Self::of_layers(job, &mut layers)?;
        config.without_choice(&layers);
        config.data.file = config.data.file.map(|path| absolute(&path));
        check_threads(config.threads)?;
        config.check()?;
        config.complete()?;
        Ok(config)
    }

    /// The same with what the layers change of it. The data stay what they are; their file may lie elsewhere.
    pub(crate) fn changed(&self, layers: &Layers) -> Result<Self> {
        let mut changed: Self = laid(self, &layers.tables()?, &alternatives)?;
        changed.data.file = changed.data.file.map(|path| absolute(&path));
        check_threads(changed.threads)?;
        changed.check()?;
        Ok(changed)
    }

    /// That of a finished run, perhaps of another machine: nothing of it may be missing, or today's defaults would stand in.
    pub(super) fn of_run(config: Value) -> Result<Self> {
        let job = config["job"].as_str().unwrap_or_default().to_owned();
        let mut config = config;
        if let Some(table) = config.as_object_mut() {
            // Runs of versions without it were fitted at once.
            table.entry("online").or_insert_with(|| json!(OnlineChoice::Off {}));
        }
        let plan = Self::of_layers(&job, &mut [config.clone()])?;
        plan.check()?;
        check_whole(&plan, &config)?;
        Ok(plan)
    }

    fn of_layers(job: &str, layers: &mut [Value]) -> Result<Self> {
        let flow = match data_meant(layers, "system", "lorenz", &OWN)? {
            Meant::File(_) => None,
            Meant::Generated(name) => Some(Flow::named(&name)?),
        };
        let mut config = laid::<Self>(&Self::defaults(job, flow), layers, &alternatives)?;
        if let Some(system) = &mut config.data.system
            && !is_set(layers, "/data/system/start")
        {
            // The usual start may depend on parameters that are set.
            let (flow, params) = system.flow()?;
            system.start = flow.start(&params);
        }
        config.data.system.as_ref().map(SystemConfig::solution).transpose()?;
        config.search = config.search.or(config.reservoir.is_some().then_some(0)); // null is none that are tried
        Ok(config)
    }

    /// The features: those of the first delay, where one is still to be chosen.
    pub fn nvar(&self) -> NvarConfig {
        self.nvar.with(self.nvar.delay[0])
    }

    /// The same with one delay.
    pub(crate) fn with_delay(&self, delay: usize) -> Self {
        Self { nvar: NvarChoice { delay: vec![delay], ..self.nvar.clone() }, ..self.clone() }
    }

    /// The same with the settings of a reservoir that were chosen.
    pub(crate) fn with_reservoir(&self, reservoir: ReservoirConfig) -> Self {
        Self { reservoir: Some(reservoir), search: Some(0), ..self.clone() }
    }

    /// The model.
    pub fn model(&self) -> AnyForecasterConfig {
        let Self { target, scale, .. } = *self;
        let nvar = self.nvar();
        match self.reservoir {
            None => AnyForecasterConfig::Ngrc(NgrcConfig { nvar, target, scale }),
            Some(reservoir) => {
                let washout = self.washout.unwrap_or(0);
                AnyForecasterConfig::Esn(EsnConfig { reservoir, nvar, washout, target, scale })
            }
        }
    }

    /// Points before the present one that the model's state depends on, if that is a number of points: of several delays with the
    /// longest.
    pub(crate) fn reach(&self) -> Option<usize> {
        let longest = self.nvar.delay.iter().copied().max().unwrap_or(0);
        Some(self.nvar.with(longest).reach()?.max(self.washout.unwrap_or(0)))
    }

    /// The settings of the fit.
    pub(crate) fn fit(&self) -> forecast::ForecastConfig {
        forecast::ForecastConfig {
            horizons: self.horizon.clone(),
            ridge: self.ridge.with(self.ridge.alpha[0]),
            alphas: self.ridge.alpha.clone(),
            select: self.select,
            targets_beyond: self.split.targets_beyond,
            free_run: self.free_run.clone(),
        }
    }

    /// The rule by which it is learned sample by sample, if it is.
    pub(crate) fn rule(&self) -> Option<OnlineRule> {
        self.online.rule(&self.ridge)
    }

    /// Divides a series of so many points.
    pub fn divide(&self, points: usize) -> Result<Split> {
        let SplitChoice { warmup: Some(warmup), split: Some(split), .. } = self.split else {
            return Err(Error::Config("split.warmup and split.split must be set".into()));
        };
        SplitConfig { warmup, split }.divide(points)
    }

    /// Whether something is to be chosen by the validation part.
    pub(crate) fn chooses(&self) -> bool {
        self.ridge.alpha.len() > 1 || self.nvar.is_open() || self.search > Some(0)
    }

    /// The farthest horizon.
    pub fn farthest(&self) -> usize {
        self.horizon.iter().copied().max().unwrap_or(0)
    }

    /// Where a file has no validation part, or is learned sample by sample, nothing is chosen: of the lists that nobody has set one value
    /// each is left.
    fn without_choice(&mut self, layers: &[Value]) {
        let has_validation = self.split.split.is_none_or(|[_, validation, _]| validation > 0.0);
        if self.data.file.is_none() || (has_validation && self.online.is_off()) {
            return;
        }
        if self.nvar.is_open() && !is_set(layers, "/nvar/delay") {
            self.nvar.delay = vec![UNCHOSEN_DELAY];
        }
        if !is_set(layers, "/ridge/alpha") {
            self.ridge.alpha = vec![UNCHOSEN_ALPHA];
        }
    }

    /// Sets what depends on other values and was left open. A warm-up that several delays share depends on the series, too.
    fn complete(&mut self) -> Result<()> {
        let Some(reach) = self.reach() else { return Nvar::new(1, &self.nvar()).map(|_| ()) };
        let file = self.data.file.is_some();
        let choice = self.chooses();
        if !file {
            self.split.warmup.get_or_insert(0.2);
        } else if !self.nvar.is_open() {
            self.split.warmup.get_or_insert(reach as f64);
        }
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
        if let Some(dt) = self.dt.filter(|dt| !(*dt > 0.0 && dt.is_finite())) {
            return config(format!("dt is {dt}; it must be a number above 0"));
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
        self.nvar.check()?;
        check_search(self.search.unwrap_or(0))?;
        match (&self.reservoir, self.washout, self.job == ESN) {
            (Some(reservoir), Some(_), true) => {
                reservoir.check()?;
                if reservoir.n_states() > MOST_UNITS {
                    let allowed =
                        format!("1 to {}: {MOST_UNITS} units in all layers", MOST_UNITS / reservoir.layers.max(1));
                    return Err(Error::setting("reservoir.units", reservoir.units, allowed));
                }
            }
            (None, None, false) if self.search.is_none() => {}
            (_, _, true) => return config("reservoir and washout must be set for esn".into()),
            (_, _, false) => return config("reservoir, washout and search are for esn".into()),
        }
        self.ridge.check()?;
        self.online.check(&self.ridge, &self.nvar)?;
        if let (Some(settings @ 1..), false) = (self.search, self.online.is_off()) {
            return config(format!(
                "search is {settings}; a series is learned online once, with one value of each setting"
            ));
        }
        if let (true, Select::FreeRun, false) = (self.chooses(), self.select, self.horizon.contains(&1)) {
            return config(format!(
                "select is free-run, and a model runs freely by its forecasts one step ahead: horizon must have 1, it is {:?}",
                self.horizon
            ));
        }
        self.free_run.check()
    }
}

/// Most channels of a system whose features are those of the tutorial.
const FEW_CHANNELS: usize = 8;

/// A dense matrix of so many units takes 3 GB.
const MOST_UNITS: i64 = 20_000;

/// What can be chosen by name. Of a system the defaults are those of the one that is named.
fn alternatives(path: &str, name: &str) -> Result<Value> {
    match path {
        "reservoir.matrix" => alternative(&RecurrentMatrix::all(), path, name),
        "online" => alternative(&OnlineChoice::all(), path, name),
        "reservoir.kind" => alternative(&ReservoirKind::all(), path, name),
        _ => Err(Error::Config(format!("{path} cannot be '{name}'"))),
    }
}

/// The data of a configuration and what is said about them: void where other data are meant.
const OWN: [&str; 8] =
    ["split", "dt", "data.file", "data.columns", "data.time", "data.system", "data.sha256", "time_unit"];
