//! [`Measure`]: how good a fitted model is on a part of a series, by forecasts beside what needs no model, and by free runs.

use std::ops::Range;

use bd_core::text::{plural, short};
use bd_core::{Error, Forecaster, Result, Shared, catch_torch};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::data::Series;
use crate::free_runs::{FreeRunConfig, FreeRunSummary, FreeRuns, Units, free_runs};
use crate::metrics::{ForecastError, forecast_error};
use crate::predict::predict_series;

/// The forecast of one horizon over a part of a series.
#[derive(Debug)]
pub struct Forecast {
    /// Points ahead of the last input.
    pub horizon: usize,
    /// Point of the series that the first prediction is about.
    pub first: usize,
    /// `[time, channel]`, float64, on the host.
    pub prediction: Tensor,
    /// `[time, channel]`, float64, on the host.
    pub target: Tensor,
    /// Of the prediction.
    pub error: ForecastError,
    /// Of the forecast that nothing changes: the present value.
    pub persistence: ForecastError,
    /// Of the forecast by the mean of the points that are known.
    pub mean: ForecastError,
}

/// What is found on a part of a series.
#[derive(Debug)]
pub struct ForecastEvaluation {
    /// Of each horizon.
    pub forecasts: Vec<Forecast>,
    /// Where one of the horizons is one step ahead, and the part is long enough.
    pub free: Option<FreeRuns>,
}

/// A model with the series it is measured on.
#[derive(Debug)]
pub struct Measure<'a, M> {
    model: &'a M,
    series: &'a Series,
    horizons: &'a [usize],
    units: Units,
    on: (Kind, Device),
    /// Points of the series as the model takes them, `[time, channel]`.
    values: Tensor,
}

impl<'a, M: Forecaster> Measure<'a, M> {
    /// `horizons` are those of the model's outputs, in their order. `units` are those of the points that a forecaster without a model
    /// would know; errors of free runs are in these, too.
    ///
    /// Fails if the series has other channels than the model, or the model other horizons.
    pub fn new(model: &'a M, series: &'a Series, horizons: &'a [usize], units: Units) -> Result<Self> {
        let (channels, known) = (series.channels.len(), model.channels());
        if channels != known || horizons.len() != model.horizons() {
            return Err(Error::Config(format!(
                "the model forecasts {known} channels at {} horizons; the series has {channels} channels, and {} horizons are named",
                model.horizons(),
                horizons.len()
            )));
        }
        let weight = model.readout().0;
        let on = (weight.kind(), weight.device());
        let values = series.values.f_to_kind(on.0)?.f_to_device(on.1)?;
        Ok(Self { model, series, horizons, units, on, values })
    }

    /// Mean and standard deviation of the channels, in which errors of free runs are measured.
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// Forecasts of each horizon with inputs and targets in `part`, and their errors. What the model remembers at its beginning are the
    /// points before. Fails if the part is not longer than the farthest horizon, or ends beyond the series.
    pub fn forecasts(&self, part: Range<usize>) -> Result<Vec<Forecast>> {
        let farthest = self.horizons.iter().copied().max().unwrap_or(0);
        if part.len() <= farthest || part.end > self.series.points() {
            return Err(Error::Config(format!(
                "points {part:?} of a series of {} points have no forecast {farthest} ahead within them",
                self.series.points()
            )));
        }
        catch_torch(|| {
            let seen = part.start.min(self.model.memory());
            let sha = Shared::new(self.series.dt).ahead(part.start - seen);
            let mut state = self.model.init_state(1, self.on);
            if seen > 0 {
                let before = self.stretch(part.start - seen..part.start);
                state = predict_series(self.model, &sha, &before, state)?.1;
            }
            let inputs = self.stretch(part.clone());
            let (all, _) = predict_series(self.model, &sha.ahead(seen), &inputs, state)?;
            let all = all.squeeze_dim(0).to_kind(Kind::Double).to_device(Device::Cpu);
            (0..self.horizons.len()).map(|i| self.forecast(i, &part, &all)).collect()
        })
    }

    fn stretch(&self, range: Range<usize>) -> Tensor {
        self.values.narrow(0, range.start as i64, range.len() as i64).unsqueeze(0)
    }

    fn forecast(&self, i: usize, part: &Range<usize>, all: &Tensor) -> Result<Forecast> {
        let (horizon, channels) = (self.horizons[i], self.series.channels.len() as i64);
        let series = &self.series.values;
        let points = (part.len() - horizon) as i64;
        let first = part.start + horizon;
        let prediction = all.narrow(0, 0, points).narrow(1, i as i64 * channels, channels);
        let target = series.narrow(0, first as i64, points);
        Ok(Forecast {
            horizon,
            first,
            error: forecast_error(&prediction, &target)?,
            persistence: forecast_error(&series.narrow(0, part.start as i64, points), &target)?,
            mean: forecast_error(&self.units.mean.unsqueeze(0).expand_as(&target), &target)?,
            prediction,
            target,
        })
    }

    /// Free runs in `part` by the forecasts one step ahead; `None` if there are no such forecasts, or if the part is too short.
    pub fn free_runs(&self, part: Range<usize>, config: &FreeRunConfig) -> Result<Option<FreeRuns>> {
        let Some(at) = self.horizons.iter().position(|&horizon| horizon == 1) else { return Ok(None) };
        let sha = Shared::new(self.series.dt);
        let (model, memory) = (self.model.horizon(at), self.model.memory());
        free_runs(&model, &sha, self.on, &self.series.values, part, memory, &self.units, config)
    }

    /// Both, on `part`.
    pub fn evaluate(&self, part: Range<usize>, config: &FreeRunConfig) -> Result<ForecastEvaluation> {
        Ok(ForecastEvaluation { forecasts: self.forecasts(part.clone())?, free: self.free_runs(part, config)? })
    }
}

impl Forecast {
    /// Errors of forecasts that need no model, by name.
    pub fn baselines(&self) -> [(&'static str, &ForecastError); 2] {
        [("persistence", &self.persistence), ("mean", &self.mean)]
    }

    /// Channels, counted from 0, that are constant over the targets and have no normalised error.
    pub fn constant_channels(&self) -> impl Iterator<Item = usize> {
        self.error.nrmse_per_channel.iter().enumerate().filter(|(_, value)| value.is_nan()).map(|(channel, _)| channel)
    }

    /// For a line of `metrics.jsonl`, with errors by names of the channels.
    pub fn line(&self, split: &str, channels: &[String]) -> Value {
        let named = channels.iter().zip(&self.error.nrmse_per_channel);
        let nrmse: Map<_, _> = named.map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut line = json!({
            "split": split, "horizon": self.horizon, "mse": self.error.mse, "nrmse": self.error.nrmse,
            "nrmse_per_channel": nrmse
        });
        for (name, error) in self.baselines() {
            line[format!("baseline_{name}")] = json!({"mse": error.mse, "nrmse": error.nrmse});
        }
        line
    }
}

impl ForecastEvaluation {
    /// By names that begin with `split`, such as `test_nrmse.10` for the horizon 10 and `test_nrmse.10.x` for one channel; of the
    /// baselines and of free runs likewise. `time` is what [`ValidTime`] says of the free runs, if there are some.
    pub fn metrics(&self, split: &str, channels: &[String], time: Option<&ValidTime>) -> Map<String, Value> {
        let mut metrics = Map::new();
        for forecast in &self.forecasts {
            let (h, error) = (forecast.horizon, &forecast.error);
            metrics.insert(format!("{split}_mse.{h}"), json!(error.mse));
            metrics.insert(format!("{split}_nmse.{h}"), json!(error.nmse()));
            metrics.insert(format!("{split}_nrmse.{h}"), json!(error.nrmse));
            metrics.insert(format!("{split}_nrmse_by_range.{h}"), json!(error.nrmse_by_range));
            for (name, value) in channels.iter().zip(&error.nrmse_per_channel) {
                metrics.insert(format!("{split}_nrmse.{h}.{name}"), json!(value));
            }
            for (name, error) in forecast.baselines() {
                metrics.insert(format!("baseline_{name}_mse.{h}"), json!(error.mse));
                metrics.insert(format!("baseline_{name}_nmse.{h}"), json!(error.nmse()));
                metrics.insert(format!("baseline_{name}_nrmse.{h}"), json!(error.nrmse));
            }
        }
        if let (Some(free), Some(time)) = (&self.free, time) {
            metrics.insert("vpt".into(), json!(time.value));
            metrics.insert("vpt_unit".into(), json!(time.unit));
            metrics.insert("vpt_steps".into(), json!(free.median_valid_steps()));
            if let Some(limit) = time.limit() {
                metrics.insert("vpt_limit".into(), json!(limit));
                metrics.insert("vpt_void".into(), json!(time.free.void as f64 / free.starts.len() as f64));
            }
            metrics.insert("free_run_bounded".into(), json!(free.bounded() as f64 / free.starts.len() as f64));
        }
        metrics
    }
}

/// How long free runs are valid, the median of them: the valid prediction time.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidTime {
    /// In `unit`.
    pub value: f64,
    /// `Lyapunov times`, the name of the series' unit of time, or `units of time` where it has none.
    pub unit: String,
    free: FreeRunSummary,
    /// What makes steps a time in `unit`.
    per_step: f64,
}

impl ValidTime {
    /// Of runs with steps of `dt`: in Lyapunov times where the largest Lyapunov exponent is known (per unit of time), else in the
    /// series' own unit of time, whose name may be empty.
    pub fn of(free: impl Into<FreeRunSummary>, dt: f64, time_unit: &str, lyapunov_exponent: Option<f64>) -> Self {
        let free = free.into();
        let (per_step, unit) = match lyapunov_exponent {
            Some(exponent) => (dt * exponent, "Lyapunov times"),
            None if time_unit.is_empty() => (dt, "units of time"),
            None => (dt, time_unit),
        };
        Self { value: free.median_valid_steps * per_step, unit: unit.into(), free, per_step }
    }

    /// For how long the truth is one, in `unit`, the median of the runs; where the system is known. See [`FreeRuns::truth_steps`].
    pub fn limit(&self) -> Option<f64> {
        self.free.median_truth_steps.map(|steps| steps * self.per_step)
    }

    /// In a sentence for people.
    pub fn sentence(&self) -> String {
        let FreeRunSummary { runs, steps, compared, valid_throughout, bounded, .. } = self.free;
        let capped = match valid_throughout {
            0 => String::new(),
            whole => format!(" ({whole} for all {compared} steps that could be compared)"),
        };
        format!(
            "valid for {} {}, the median of {}{capped}; {bounded} of them bounded over {}",
            short(self.value),
            self.unit,
            plural(runs, "start"),
            plural(steps, "step")
        )
    }

    /// What [`limit`](Self::limit) says of them, in a sentence for people.
    pub fn limit_sentence(&self) -> Option<String> {
        let FreeRunSummary { void, runs, .. } = self.free;
        let longer = match void {
            0 => "no run is valid for longer".into(),
            void => format!("{void} of {runs} runs are valid for longer, which is void"),
        };
        Some(format!(
            "by a second solver the series is a solution for {} {} in the median; {longer}",
            short(self.limit()?),
            self.unit
        ))
    }
}
