//! How good a fitted model is on a part of a series: forecasts beside what needs no model, and free runs.

use std::ops::Range;

use bd_core::{Result, Shared, System, Tap};
use bd_models::Ngrc;
use bd_train::metrics::{ForecastError, forecast_error};
use bd_train::{FreeRunConfig, FreeRuns, Units, free_runs, predict};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::data::Data;
use crate::text::{plural, short};

/// The forecast of one horizon.
pub(crate) struct Forecast {
    pub(crate) horizon: usize,
    /// Point of the series that the first prediction is about.
    pub(crate) first: usize,
    /// `[time, channel]`, float64.
    pub(crate) prediction: Tensor,
    /// `[time, channel]`, float64.
    pub(crate) target: Tensor,
    pub(crate) error: ForecastError,
    /// Errors of forecasts that need no model, by name.
    pub(crate) baselines: [(&'static str, ForecastError); 2],
}

/// What is found on a part of a series.
pub(crate) struct Evaluation {
    pub(crate) forecasts: Vec<Forecast>,
    pub(crate) free: Option<FreeRuns>,
}

/// A model with the series it is measured on.
pub(crate) struct Measure<'a> {
    model: &'a Ngrc,
    horizon: &'a [usize],
    data: &'a Data,
    /// Of the points that a forecaster without a model knows, by which errors of free runs are measured, too.
    units: Units,
    on: (Kind, Device),
    /// Points of the series as the model takes them, `[time, channel]`.
    values: Tensor,
}

impl<'a> Measure<'a> {
    pub(crate) fn new(
        model: &'a Ngrc,
        horizon: &'a [usize],
        data: &'a Data,
        units: Units,
        on: (Kind, Device),
    ) -> Result<Self> {
        let values = data.series.values.f_to_kind(on.0)?.f_to_device(on.1)?;
        Ok(Self { model, horizon, data, units, on, values })
    }

    /// Forecasts of each horizon with inputs and targets in `part`, and errors beside them. What the model remembers at its
    /// beginning are the points before.
    pub(crate) fn forecasts(&self, part: Range<usize>) -> Result<Vec<Forecast>> {
        let stretch = |range: Range<usize>| self.values.narrow(0, range.start as i64, range.len() as i64).unsqueeze(0);
        let seen = part.start.min(self.model.r.memory());
        let sha = Shared::new(self.data.series.dt).ahead(part.start - seen);
        let mut state = self.model.init_state(1, self.on);
        if seen > 0 {
            state = predict(self.model, &sha, &stretch(part.start - seen..part.start), state, &mut Tap::none())?.1;
        }
        let (all, _) = predict(self.model, &sha.ahead(seen), &stretch(part.clone()), state, &mut Tap::none())?;
        let all = all.squeeze_dim(0).to_kind(Kind::Double).to_device(Device::Cpu);
        self.horizon.iter().enumerate().map(|(i, &horizon)| self.forecast(i, horizon, part.clone(), &all)).collect()
    }

    fn forecast(&self, i: usize, horizon: usize, part: Range<usize>, all: &Tensor) -> Result<Forecast> {
        let channels = self.data.series.channels.len() as i64;
        let series = &self.data.series.values;
        let points = (part.len() - horizon) as i64;
        let first = part.start + horizon;
        let prediction = all.narrow(0, 0, points).narrow(1, i as i64 * channels, channels);
        let target = series.narrow(0, first as i64, points);
        let baselines = [
            ("persistence", forecast_error(&series.narrow(0, part.start as i64, points), &target)?),
            ("mean", forecast_error(&self.units.mean.unsqueeze(0).expand_as(&target), &target)?),
        ];
        Ok(Forecast { horizon, first, error: forecast_error(&prediction, &target)?, prediction, target, baselines })
    }

    /// Free runs in `part` by the forecasts one step ahead, if there are such.
    pub(crate) fn free_runs(&self, part: Range<usize>, config: &FreeRunConfig) -> Result<Option<FreeRuns>> {
        let Some(at) = self.horizon.iter().position(|&horizon| horizon == 1) else { return Ok(None) };
        let sha = Shared::new(self.data.series.dt);
        let (model, memory) = (self.model.horizon(at), self.model.r.memory());
        free_runs(&model, &sha, self.on, &self.data.series.values, part, memory, &self.units, config)
    }
}

/// Tells what is odd about forecasts.
pub(crate) fn tell(forecasts: &[Forecast], data: &Data, say: &dyn Fn(String)) {
    for forecast in forecasts {
        let Forecast { horizon, error, baselines: [(_, persistence), _], .. } = forecast;
        for name in forecast.constant(data) {
            say(format!("warning   {name} is constant where horizon {horizon} is tested: it has no NRMSE"));
        }
        if error.nrmse > persistence.nrmse {
            say(format!(
                "warning   {} ahead the forecast is worse than none (persistence); try --order 1, other delays, or --alpha 1e-8..1e2",
                plural(*horizon, "step")
            ));
        }
    }
}

impl Forecast {
    fn channel_values<'a>(&'a self, data: &'a Data) -> impl Iterator<Item = (&'a str, f64)> {
        data.series.channels.iter().map(String::as_str).zip(self.error.nrmse_per_channel.iter().copied())
    }

    /// Channels that are constant over the targets.
    fn constant<'a>(&'a self, data: &'a Data) -> impl Iterator<Item = &'a str> {
        self.channel_values(data).filter(|(_, value)| value.is_nan()).map(|(name, _)| name)
    }

    /// As a line of `metrics.jsonl`.
    pub(crate) fn line(&self, split: &str, data: &Data) -> Value {
        let nrmse: Map<_, _> = self.channel_values(data).map(|(name, value)| (name.into(), json!(value))).collect();
        let mut line = json!({
            "split": split, "horizon": self.horizon, "mse": self.error.mse, "nrmse": self.error.nrmse,
            "nrmse_per_channel": nrmse
        });
        for (name, error) in &self.baselines {
            line[format!("baseline_{name}")] = json!({"mse": error.mse, "nrmse": error.nrmse});
        }
        line
    }
}

impl Evaluation {
    /// Named as other programs rely on.
    pub(crate) fn metrics(&self, data: &Data) -> Map<String, Value> {
        let mut metrics = Map::new();
        for forecast in &self.forecasts {
            let (h, error) = (forecast.horizon, &forecast.error);
            metrics.insert(format!("test_mse.{h}"), json!(error.mse));
            metrics.insert(format!("test_nmse.{h}"), json!(error.nmse()));
            metrics.insert(format!("test_nrmse.{h}"), json!(error.nrmse));
            for (name, value) in forecast.channel_values(data) {
                metrics.insert(format!("test_nrmse.{h}.{name}"), json!(value));
            }
            for (name, error) in &forecast.baselines {
                metrics.insert(format!("baseline_{name}_mse.{h}"), json!(error.mse));
                metrics.insert(format!("baseline_{name}_nmse.{h}"), json!(error.nmse()));
                metrics.insert(format!("baseline_{name}_nrmse.{h}"), json!(error.nrmse));
            }
        }
        if let Some(free) = &self.free {
            metrics.insert("vpt".into(), json!(Vpt::of(free, data).value));
            metrics.insert("vpt_unit".into(), json!(Vpt::of(free, data).unit));
            metrics.insert("vpt_steps".into(), json!(free.median_valid_steps()));
            metrics.insert("free_run_bounded".into(), json!(free.bounded() as f64 / free.starts.len() as f64));
        }
        metrics
    }

    /// For people: a row for each horizon, under a word for what the errors are of.
    pub(crate) fn table(&self, data: &Data, mse: &str) -> String {
        // More columns than this do not fit on a line.
        const MOST_CHANNELS: usize = 8;
        let channels = &data.series.channels;
        let shown = if channels.len() == 1 { 0 } else { channels.len().min(MOST_CHANNELS) };
        let mut text = format!("{:>8}  {mse:>10}  {:>10}  {:>11}  {:>10}", "horizon", "NRMSE", "persistence", "mean");
        text += &channels[..shown].iter().map(|name| format!("  {name:>10}")).collect::<String>();
        text += if shown < channels.len() && shown > 0 { "  ..." } else { "" };
        for Forecast { horizon, error, baselines, .. } in &self.forecasts {
            let [persistence, mean] = baselines.each_ref().map(|(_, error)| short(error.nrmse));
            let (mse, nrmse) = (short(error.mse), short(error.nrmse));
            text += &format!("\n{horizon:>8}  {mse:>10}  {nrmse:>10}  {persistence:>11}  {mean:>10}");
            let values = error.nrmse_per_channel.iter().take(shown);
            text += &values.map(|&value| format!("  {:>10}", short(value))).collect::<String>();
        }
        if let Some(free) = &self.free {
            text += &format!("\nfree run  {}", Vpt::of(free, data).sentence(free));
        }
        text
    }
}

/// The valid prediction time: the median over the runs.
pub(crate) struct Vpt {
    value: f64,
    unit: &'static str,
}

impl Vpt {
    /// In Lyapunov times where the exponent is known, else in the series' own unit of time.
    pub(crate) fn of(free: &FreeRuns, data: &Data) -> Self {
        let time = free.median_valid_steps() * data.series.dt;
        match data.lyapunov_exponent {
            Some(exponent) => Self { value: time * exponent, unit: "Lyapunov times" },
            None => Self { value: time, unit: "units of time" },
        }
    }

    pub(crate) fn sentence(&self, free: &FreeRuns) -> String {
        let (compared, runs) = (free.compared(), free.starts.len());
        let whole = free.valid_steps.iter().filter(|&&steps| steps == compared).count();
        let capped = match whole {
            0 => String::new(),
            whole => format!(" ({whole} for all {compared} steps that could be compared)"),
        };
        format!(
            "valid for {} {}, the median of {}{capped}; {} of them bounded over {}",
            short(self.value),
            self.unit,
            plural(runs, "start"),
            free.bounded(),
            plural(free.steps, "step")
        )
    }
}
