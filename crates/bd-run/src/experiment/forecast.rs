//! Forecasts: a series, warm-up, fit, test, for several horizons at once.

use std::ops::Range;

use bd_core::npz::save_npz;
use bd_core::text::plural;
use bd_core::{Error, Forecaster, Params, Result, System, catch_torch};
use bd_models::{AnyForecaster, Nvar, NvarConfig};
use bd_train::data::Split;
use bd_train::data::columns::MAX_NUMBERS;
use bd_train::forecast::{ForecastEvaluation, Measure, RidgeDevice, ShortPart};
use bd_train::{Newest, Units};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use super::delay::{self, listed};
use super::fit_memory::{self, ForecastMemory};
use super::fit_words::{say_few, say_oddities};
use super::fitted::{Fitted, fit};
use super::objective::RunObjective;
use super::reservoir_states::ReservoirStates;
use super::reservoir_words::{kind_words, units_words};
use super::series::SeriesSource;
use super::trial::{Trial, best};
use super::{Ended, Found, Report, Setting, Stage, Work, end, heed, search};
use crate::config::ForecastConfig;
use crate::folder::RunFolder;
use crate::listener::Listener;
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::{Config, Run};

/// What a fitted model does on a part of a series, and on which.
#[derive(Debug)]
pub struct ForecastReport {
    /// The series.
    pub data: SeriesSource,
    /// Forecasts and free runs.
    pub evaluation: ForecastEvaluation,
    /// Where the regression was solved, where there was a choice.
    pub device: Option<RidgeDevice>,
    /// States of a reservoir that was trained, for a picture.
    pub states: Option<Result<ReservoirStates>>,
}

/// A forecast whose series is there and divided.
pub(crate) struct PreparedForecast {
    config: ForecastConfig,
    data: SeriesSource,
    split: Split,
    /// Delays that the series is too short for.
    left_out: Vec<usize>,
    memory: ForecastMemory,
}

/// Carries out what a configuration says.
pub(super) fn run(config: ForecastConfig, setting: &Setting, listener: &dyn Listener) -> Result<Ended> {
    let prepared = PreparedForecast::new(config)?;
    let whole = Config::Forecast(Box::new(prepared.config.clone()));
    let manifest = Manifest::now(&whole, setting.device, setting.program.clone());
    let folder = RunFolder::create(setting.out.as_deref(), &whole, manifest)?;
    prepared.carry_out(folder, None, setting, listener)
}

impl PreparedForecast {
    /// Reads or integrates the series of a configuration, and divides it. Fails with [`Error::OutOfMemory`] if a fit to it would take more
    /// than there is.
    pub(crate) fn new(mut config: ForecastConfig) -> Result<Self> {
        let data = SeriesSource::load(&config)?;
        if data.sha256.is_some() {
            // So that whatever file comes later, its columns are found by the names of these, and its points are as far apart.
            config.data.columns = data.series.channels.clone();
            config.data.time = data.time.clone();
            config.dt = Some(data.series.dt);
            config.data.sha256 = data.sha256.clone();
        }
        let is_open = config.nvar.is_open();
        let left_out = delay::leave_out(&mut config, data.series.points(), data.series.channels.len());
        let split = divide(&config, &data, is_open)?;
        let memory = fit_memory::of_forecast(&config, &split, data.series.channels.len())?;
        Ok(Self { config, data, split, left_out, memory })
    }

    /// Fits, tests and writes, from the beginning or from a checkpoint.
    pub(crate) fn carry_out(
        self,
        mut folder: RunFolder,
        from: Option<Newest>,
        setting: &Setting,
        listener: &dyn Listener,
    ) -> Result<Ended> {
        let mut work = Work::new(setting, listener);
        work.seconds.lap("setup");
        self.data.describe(listener);
        let Split { warmup, train, validation, test } = &self.split;
        let [warmup, train, validation, test] = [warmup, train, validation, test].map(|part| part.len());
        listener.say(&format!("split     warm-up {warmup}, training {train}, validation {validation}, test {test}"));
        if !self.left_out.is_empty() {
            listener.say(&delay::words_of_left_out(&self.left_out));
        }
        say_few(&self.config, validation, listener);
        let memory = self.memory.report;
        listener.say(&format!("memory    {}", memory.describe()));
        let found = catch_torch(|| self.fit_and_test(setting.device, from, &mut folder, &mut work));
        end(found, folder, work.seconds, Some(memory), listener)
    }

    fn fit_and_test(
        self,
        device: Device,
        from: Option<Newest>,
        folder: &mut RunFolder,
        work: &mut Work<'_>,
    ) -> Result<Stage<Found>> {
        heed!(work);
        let Self { mut config, data, split, memory, .. } = self;
        let mut lines = Metrics::open(folder.path())?;
        // What a run that goes on has tried stays. The rest is written in the end.
        lines.keep_first(|line| ["delay", "reservoir"].iter().any(|tried| line.get(tried).is_some()))?;
        let trial = Trial { data: &data, split: &split, device, control: work.control, at_once: memory.at_once };
        if config.nvar.is_open() {
            let Stage::Done(tried) =
                trial.choose(config.nvar.delay.clone(), |delay| config.with_delay(*delay), |_| {})?
            else {
                return Ok(Stage::Stopped);
            };
            work.listener.say(&delay::words(&tried, &config, &data));
            tried.iter().try_for_each(|one| lines.report(&delay::line(one)))?;
            config = config.with_delay(best(&tried).setting);
            folder.write_config(&Config::Forecast(Box::new(config.clone())))?;
            work.seconds.lap("delay");
        }
        if let (Some(usual), Some(count @ 1..)) = (config.reservoir, config.search) {
            let settings = search::with_drawn(usual, count, config.seed);
            work.listener.on_search(settings.len());
            let tried = trial.choose(settings, |one| config.with_reservoir(*one), |done| work.listener.on_tried(done));
            work.listener.on_trained();
            let Stage::Done(tried) = tried? else { return Ok(Stage::Stopped) };
            work.listener.say(&search::words(&tried, &config, &data));
            tried.iter().try_for_each(|one| lines.report(&search::line(one)))?;
            config = config.with_reservoir(best(&tried).setting);
            folder.write_config(&Config::Forecast(Box::new(config.clone())))?;
            work.seconds.lap("search");
        }
        let tried = lines.mark()?;
        let channels = data.series.channels.len();
        let choice = ridge_device(&config, channels, split.train.len(), device)?;
        if let Some(choice) = &choice {
            work.listener.say(&format!("ridge     {}", choice.describe()));
        }
        let (params, model) = model(&config, channels, choice.as_ref().map_or(device, RidgeDevice::device))?;
        let (features, horizons) = (model.n_features(), plural(config.horizon.len(), "horizon"));
        work.listener.say(&format!("model     {}; {horizons}", model_words(&config, features)));
        let Stage::Done(fitted) = fit(&config, &data, &split, &model, from, folder, work)? else {
            return Ok(Stage::Stopped);
        };
        // Before anything else: what was fitted must not be lost to whatever follows.
        folder.write_weights(&params)?;
        heed!(work);
        let units = Units::of(&data.series.stretch(split.train.clone()).squeeze_dim(0))?;
        let measure = Measure::new(&model, &data.series, &config.horizon, units)?;
        let forecasts = catch_torch(|| measure.forecasts(split.test.clone()))?;
        say_oddities(&config, &forecasts, &data.series.channels, work.listener);
        work.seconds.lap("test");
        heed!(work);
        let mut free = catch_torch(|| measure.free_runs(split.test.clone(), &config.free_run))?;
        data.judge(free.as_mut(), measure.units(), config.free_run.threshold)?;
        let evaluation = ForecastEvaluation { forecasts, free };
        work.seconds.lap("free_run");
        lines.cut(&tried)?;
        fitted.lines(&data.series.channels).iter().try_for_each(|line| lines.report(line))?;
        write(folder, &mut lines, &data, &evaluation)?;
        work.seconds.lap("write");
        let mut metrics = metrics(&evaluation, &data);
        metrics.extend(fitted.metrics(&config));
        let states = ReservoirStates::of(&model, &data.series, split.test.clone());
        let objective = objective(&fitted, &measure, split.train.clone(), config.farthest())?;
        let report = Report::Forecast(Box::new(ForecastReport { data, evaluation, device: choice, states }));
        Ok(Stage::Done(Found { report, metrics, objective }))
    }
}

/// Points of the training part, at its end, by which a model is judged where there is nothing else.
const JUDGED: usize = 10_000;

/// What the run is compared with others by: the validation part, and without one the end of what was learned.
fn objective(
    fitted: &Fitted,
    measure: &Measure<'_, AnyForecaster>,
    train: Range<usize>,
    farthest: usize,
) -> Result<RunObjective> {
    if let Some(found) = fitted.objective() {
        return Ok(found);
    }
    let last = train.start.max(train.end.saturating_sub(JUDGED))..train.end;
    let forecasts = if last.len() > farthest { catch_torch(|| measure.forecasts(last))? } else { Vec::new() };
    Ok(RunObjective::of_training(&forecasts))
}

/// The features of a model in words.
fn model_words(config: &ForecastConfig, features: usize) -> String {
    let NvarConfig { delay, stride, order, .. } = config.nvar();
    let order = listed(&order);
    match &config.reservoir {
        None => format!("ngrc: {features} features of delay {delay}, stride {stride} and order {order}"),
        Some(reservoir) => format!(
            "esn: {} ({}{} matrix of radius {}, leak {}), {features} features with inputs of delay {delay}, stride {stride} and order {order}",
            units_words(reservoir),
            kind_words(reservoir),
            reservoir.matrix.name(),
            reservoir.spectral_radius,
            reservoir.leak,
        ),
    }
}

/// The model of a configuration.
pub(crate) fn model(config: &ForecastConfig, channels: usize, device: Device) -> Result<(Params, AnyForecaster)> {
    let mut params = Params::new(config.seed, (config.dtype.kind(), device));
    let model = catch_torch(|| AnyForecaster::new(&mut params, channels, config.horizon.len(), &config.model()))?;
    Ok((params, model))
}

/// Where model and data go, if there is a choice: where a ridge regression is faster.
pub(super) fn ridge_device(
    config: &ForecastConfig,
    channels: usize,
    rows: usize,
    device: Device,
) -> Result<Option<RidgeDevice>> {
    if config.rule().is_some() {
        return Ok(None); // a rule is a loop on the host, wherever the features are made
    }
    let units = config.reservoir.map_or(0, |reservoir| reservoir.n_states());
    let features = (Nvar::new(channels, &config.nvar())?.n_out() + units) as usize;
    Ok(RidgeDevice::choose(device, rows, features, channels * config.horizon.len()))
}

/// Writes forecasts and free runs.
fn write(folder: &RunFolder, lines: &mut Metrics, data: &SeriesSource, found: &ForecastEvaluation) -> Result<()> {
    let mut arrays = Vec::new();
    for forecast in &found.forecasts {
        lines.report(&forecast.line("test", &data.series.channels))?;
        let (horizon, count) = (forecast.horizon, forecast.prediction.size()[0] as usize);
        arrays.push((format!("prediction.{horizon}"), forecast.prediction.shallow_clone()));
        arrays.push((format!("target.{horizon}"), forecast.target.shallow_clone()));
        arrays.push((format!("time.{horizon}"), data.times(forecast.first, count)));
    }
    if let Some(free) = &found.free {
        lines.report(&json!({
            "split": "test", "free_run_steps": free.steps, "starts": free.starts, "valid_steps": free.valid_steps,
            "bounded": free.bounded, "error": free.error, "truth_steps": free.truth_steps
        }))?;
        arrays.push(("free_run.prediction".into(), free.prediction.shallow_clone()));
        let starts: Vec<i64> = free.starts.iter().map(|&start| start as i64).collect();
        arrays.push(("free_run.start".into(), Tensor::from_slice(&starts)));
    }
    save_npz(&folder.file("predictions.npz")?, &arrays)
}

/// Numbers by name.
fn metrics(found: &ForecastEvaluation, data: &SeriesSource) -> Map<String, Value> {
    let time = found.free.as_ref().map(|free| data.valid_time(free));
    found.metrics("test", &data.series.channels, time.as_ref())
}

/// Divides the series, and refuses a division that leaves a part without what it needs: the validation part what it needs for a choice
/// of the delay, if that `is_open`.
fn divide(config: &ForecastConfig, data: &SeriesSource, is_open: bool) -> Result<Split> {
    let (points, farthest) = (data.series.points(), config.farthest());
    let channels = data.series.channels.len();
    let turned =
        if channels > points { "; a row is a point: transpose the array if its rows are channels" } else { "" };
    let all = format!("the series has {points} points ({}{turned})", plural(channels, "channel"));
    // Of several delays the longest one that is tried.
    let nvar = config.nvar.with(config.nvar.delay.iter().copied().max().unwrap_or(0));
    let NvarConfig { delay, stride, .. } = nvar;
    let reach = config.reach().unwrap_or(usize::MAX);
    let (memory, options) = match config.washout {
        None => (format!("the lags of delay {delay} and stride {stride}"), "--delay, --stride or --horizon"),
        Some(_) => ("the washout and the lags".to_owned(), "--washout or --horizon"),
    };
    // The tutorial's split of a system may begin with zeros as history.
    let needs_history = data.sha256.is_some() || config.washout.is_some();
    if needs_history && points <= reach.saturating_add(farthest) {
        return Err(Error::Config(format!(
            "{all}, too few: {memory} reach {reach} points back, and the farthest forecast is {farthest} ahead; lower {options}"
        )));
    }
    let split = config.divide(points)?;
    check_free_run(config, channels, split.test.len())?;
    let fit = config.fit();
    let for_choice = || is_open.then(|| fit.short_for_choice(&split, reach)).flatten();
    let Some(short) = fit.short_part(&split, reach).or_else(for_choice) else { return Ok(split) };
    Err(Error::Config(match short {
        ShortPart::Training { points: train, .. } => format!(
            "{all}, and the training part {train} of them after a warm-up of {}: too few to learn a forecast {farthest} steps ahead; \
             lower --delay, --stride, --horizon or --warmup, or give the training part more with --split",
            split.warmup.len()
        ),
        ShortPart::Choice { .. } | ShortPart::FreeRuns { .. } => {
            format!("{short}; lower --horizon, or give it more with --split, for example 0.5,0.25,0.25")
        }
        ShortPart::Test { points: test, .. } => format!(
            "{all}, and the test part {test} of them: too few to test a forecast {farthest} steps ahead; lower --horizon, or \
             give the test part more with --split"
        ),
    }))
}

/// Refuses free runs of more numbers than there may be, before anything is fitted.
fn check_free_run(config: &ForecastConfig, channels: usize, points: usize) -> Result<()> {
    let starts = config.free_run.starts.min(points);
    let (steps, numbers) = (config.free_run.steps_in(points), starts.saturating_mul(channels));
    if config.horizon.contains(&1) && steps.saturating_mul(numbers) > MAX_NUMBERS {
        return Err(Error::Config(format!(
            "a free run has {steps} steps of {numbers} numbers; there are at most {MAX_NUMBERS} numbers in all: take fewer by --free-run STEPS or --set free_run.starts"
        )));
    }
    Ok(())
}

/// The fitted model of a run on the test part of its own series or, where `other` has one, on all of another: what is found, and
/// numbers by name.
pub fn evaluate_forecast(
    run: &Run,
    config: &ForecastConfig,
    device: Device,
    other: Option<SeriesSource>,
    listener: &dyn Listener,
) -> Result<(ForecastReport, Map<String, Value>)> {
    let is_other = other.is_some();
    let data = other.map_or_else(|| SeriesSource::load(config), Ok)?;
    let model = loaded(run, config, data.series.channels.len(), device)?;
    let points = data.series.points();
    let (known, part) = match is_other {
        false => {
            let split = config.divide(points)?;
            (split.train, split.test)
        }
        // Of other data all that has a whole history is for testing.
        true => (0..points, model.memory()..points),
    };
    if part.len() <= config.farthest() {
        let (reach, farthest) = (model.memory(), config.farthest());
        return Err(Error::Config(format!(
            "the series has {points} points, too few: lags reach {reach} back, and the farthest forecast is {farthest} ahead"
        )));
    }
    data.describe(listener);
    listener.say(&format!("test      {}", plural(part.len(), "point")));
    if is_other {
        listener
            .say("note      mean and standard deviation, of the baseline and of free runs, are those of this series");
        if data.sha256 == config.data.sha256 {
            listener.say("warning   the model was trained on a part of this file; without --data, bd eval takes the part that was not");
        }
    }
    let units = Units::of(&data.series.stretch(known).squeeze_dim(0))?;
    let measure = Measure::new(&model, &data.series, &config.horizon, units)?;
    let mut evaluation = measure.evaluate(part, &config.free_run)?;
    data.judge(evaluation.free.as_mut(), measure.units(), config.free_run.threshold)?;
    say_oddities(config, &evaluation.forecasts, &data.series.channels, listener);
    let metrics = metrics(&evaluation, &data);
    Ok((ForecastReport { data, evaluation, device: None, states: None }, metrics))
}

/// The model of a run with its weights, for a series of so many channels.
pub(crate) fn loaded(run: &Run, config: &ForecastConfig, channels: usize, device: Device) -> Result<AnyForecaster> {
    let (params, model) = model(config, channels, device)?;
    let trained = Some(config.data.columns.len()).filter(|&count| count > 0);
    params.load(&run.weights()?).map_err(|error| match error {
        // The weights are those that the run wrote, so that what does not fit most likely is the series.
        Error::Mismatch { .. } if Some(channels) != trained => Error::Config(format!(
            "the model was trained on another number of channels than the {channels} of this series; choose them with `columns`"
        )),
        error => error,
    })?;
    Ok(model)
}
