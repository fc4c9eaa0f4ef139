//! `bd train ngrc`: warm up, fit, test, for several horizons at once.
//!
//! The horizons share their inputs, so that one model with the targets of all horizons side by side needs the features
//! and the factorisation once: its outputs are `[horizon, channel]`, flattened.

use std::time::Instant;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Error, Params, Shared, System, Tap, catch_torch, device, threads};
use bd_models::Ngrc;
use bd_train::data::Split;
use bd_train::metrics::{ForecastError, forecast_error};
use bd_train::{RidgeReport, RunDir, predict};
use serde_json::{Map, json};
use tch::{Device, Kind, Tensor};

use crate::args;
use crate::console;
use crate::forecast_figures::figures;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, manifest};
use crate::plan::NgrcPlan;
use crate::series::Series;
use crate::text::{plural, short};

/// The forecast of one horizon over the test part.
pub(crate) struct Forecast {
    pub(crate) horizon: usize,
    /// Point of the series that the first prediction is about.
    pub(crate) first: usize,
    /// `[time, channel]`, float64.
    pub(crate) prediction: Tensor,
    /// `[time, channel]`, float64.
    pub(crate) target: Tensor,
    pub(crate) error: ForecastError,
}

/// What the job found.
struct Outcome {
    params: Params,
    report: RidgeReport,
    forecasts: Vec<Forecast>,
}

pub(crate) fn train(args: &args::Ngrc) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let say = |message: String| {
        if !args.run.quiet {
            console::message(&message);
        }
    };
    let plan = NgrcPlan::resolve(args)?;
    let device = plan.device.resolve()?;
    threads::set_libtorch(plan.threads);
    let manifest = manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed);
    say(greeting(&manifest));

    let series = Series::load(&plan.data)?;
    let split = plan.split.divide(series.points())?;
    check_lengths(&plan, &series, &split)?;
    let run = RunDir::create(args.run.out.as_deref(), manifest)?;
    let mut seconds = Seconds::since(began, "setup");
    say(format!(
        "series    {}: {} points, {}, dt {}",
        series.source,
        series.points(),
        plural(series.channels.len(), "channel"),
        series.dt
    ));
    say(format!(
        "split     warm-up {}, training {}, validation {}, test {}",
        split.warmup.len(),
        split.train.len(),
        split.validation.len(),
        split.test.len()
    ));

    interrupt.check()?;
    let outcome = catch_torch(|| fit_and_test(&plan, &series, &split, device, &mut seconds, &say))?;
    interrupt.check()?;
    let weights = write(&run, &plan, &series, &outcome)?;
    for (name, figure) in figures(&series, &outcome.forecasts)? {
        interrupt.check()?;
        if let Err(error) = figure.save(&run, &name) {
            console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
        }
    }
    interrupt.check()?;
    seconds.lap("write");
    let path = run.finish(Some(weights))?;
    seconds.0.insert("total".into(), json!(began.elapsed().as_secs_f64()));

    if args.run.json {
        let result = json!({
            "job": plan.job,
            "run": path,
            "device": device::device_name(device),
            "seconds": seconds.0,
            "metrics": metrics(&series, &outcome),
        });
        console::result(&result.to_string())?;
    } else if !args.run.quiet {
        console::result(&table(&series, &outcome.forecasts))?;
    }
    say(format!("run       {} ({:.2} s)", path.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

fn check_lengths(plan: &NgrcPlan, series: &Series, split: &Split) -> Result<(), Error> {
    let (points, channels) = (series.points(), series.channels.len());
    let farthest = plan.horizon.iter().copied().max().unwrap_or(0);
    if split.train.is_empty() {
        return Err(Error::Config("the training part is empty; see split.warmup and split.split".into()));
    }
    if split.test.len() <= farthest {
        return Err(Error::Config(format!(
            "of the series' {points} points ({}) the test part has {}, too few to test a forecast {farthest} steps ahead; \
             lower --horizon, or give the test part more with split.split",
            plural(channels, "channel"),
            split.test.len()
        )));
    }
    Ok(())
}

fn fit_and_test(
    plan: &NgrcPlan,
    series: &Series,
    split: &Split,
    device: Device,
    seconds: &mut Seconds,
    say: &dyn Fn(String),
) -> Result<Outcome, Error> {
    let on = (plan.dtype.kind(), device);
    let stretch = |range| series.stretch(range).to_device(device).to_kind(on.0);
    let channels = series.channels.len();
    let mut params = Params::new(plan.seed, on);
    let model = Ngrc::new(&mut params, channels, channels * plan.horizon.len(), &plan.nvar)?;
    say(format!("model     ngrc: {} features, {}", model.r.n_out(), plural(plan.horizon.len(), "horizon")));

    let reach = model.r.memory();
    if reach > split.warmup.len() {
        let warmup = split.warmup.len();
        say(format!(
            "warning   lags reach {reach} points back, but warm-up has {warmup}: training begins with zeros as history"
        ));
    }

    let sha = Shared::new(series.dt);
    let mut state = model.init_state(1, on);
    if !split.warmup.is_empty() {
        let warmed = predict(&model, &sha, &stretch(split.warmup.clone()), state, &mut Tap::none())?;
        state = warmed.1;
        let size = warmed.0.size();
        say(format!("warm-up   predicted {:?} for each horizon", [size[0], size[1], channels as i64]));
    }
    seconds.lap("warmup");

    // As in the tutorial, inputs end with the training part, and targets lie `horizon` points further on.
    let shifted = |h: &usize| stretch(split.train.start + h..split.train.end + h);
    let targets = Tensor::cat(&plan.horizon.iter().map(shifted).collect::<Vec<_>>(), 2);
    let sha = sha.ahead(split.train.start);
    let (report, state) = plan.ridge.fit(&model, &sha, &stretch(split.train.clone()), &targets, state)?;
    say(format!(
        "fit       {} samples, condition number {:.1e} ({:.1e} with alpha {:e})",
        report.rows, report.condition_number, report.regularised_condition_number, plan.ridge.alpha
    ));
    let columns = report.features + 1; // and the intercept
    if report.rank < columns {
        say(format!("warning   the solver has dropped {} of {columns} directions as round-off", columns - report.rank));
    }
    if report.rows < columns {
        say(format!("warning   {} samples cannot determine {columns} weights; the penalty decides", report.rows));
    }
    seconds.lap("fit");

    let sha = sha.ahead(split.train.len());
    let rest = split.validation.start..split.test.end;
    let (all, _) = predict(&model, &sha, &stretch(rest), state, &mut Tap::none())?;
    let tested = all.narrow(1, split.validation.len() as i64, split.test.len() as i64);
    let forecasts = plan.horizon.iter().enumerate().map(|(i, &horizon)| {
        let points = split.test.len() - horizon;
        let prediction = tested.narrow(1, 0, points as i64).narrow(2, (i * channels) as i64, channels as i64);
        let prediction = prediction.squeeze_dim(0).to_kind(Kind::Double).to_device(Device::Cpu);
        let first = split.test.start + horizon;
        let target = series.stretch(first..split.test.end).squeeze_dim(0);
        let error = forecast_error(&prediction, &target)?;
        for (name, _) in channel_values(series, &error).filter(|(_, value)| value.is_nan()) {
            say(format!("warning   {name} is constant in the test part of horizon {horizon}: it has no NRMSE"));
        }
        Ok(Forecast { horizon, first, prediction, target, error })
    });
    let forecasts = forecasts.collect::<Result<Vec<_>, Error>>()?;
    seconds.lap("test");
    Ok(Outcome { params, report, forecasts })
}

/// Writes everything but the plots, and returns the SHA-256 of the weights.
fn write(run: &RunDir, plan: &NgrcPlan, series: &Series, outcome: &Outcome) -> Result<String> {
    run.write_json("config.json", plan)?;
    let mut arrays = Vec::new();
    for forecast in &outcome.forecasts {
        let Forecast { horizon, first, prediction, target, error } = forecast;
        let nrmse: Map<_, _> = channel_values(series, error).map(|(name, value)| (name, json!(value))).collect();
        run.report(&json!({
            "split": "test", "horizon": horizon, "mse": error.mse, "nrmse": error.nrmse, "nrmse_per_channel": nrmse
        }))?;
        arrays.push((format!("prediction.{horizon}"), prediction.shallow_clone()));
        arrays.push((format!("target.{horizon}"), target.shallow_clone()));
        let times: Vec<f64> = (0..prediction.size()[0]).map(|i| series.time(first + i as usize)).collect();
        arrays.push((format!("time.{horizon}"), Tensor::from_slice(&times)));
    }
    save_npz(&run.file("predictions.npz")?, &arrays)?;
    Ok(save_tensors(&run.file("model.safetensors")?, &outcome.params.named())?)
}

fn channel_values<'a>(series: &'a Series, error: &'a ForecastError) -> impl Iterator<Item = (String, f64)> + 'a {
    series.channels.iter().cloned().zip(error.nrmse_per_channel.iter().copied())
}

fn metrics(series: &Series, outcome: &Outcome) -> Map<String, serde_json::Value> {
    let mut metrics = Map::new();
    for Forecast { horizon, error, .. } in &outcome.forecasts {
        metrics.insert(format!("test_mse.{horizon}"), json!(error.mse));
        metrics.insert(format!("test_nrmse.{horizon}"), json!(error.nrmse));
        for (name, value) in channel_values(series, error) {
            metrics.insert(format!("test_nrmse.{horizon}.{name}"), json!(value));
        }
    }
    metrics.insert("condition_number".into(), json!(outcome.report.condition_number));
    metrics
}

fn table(series: &Series, forecasts: &[Forecast]) -> String {
    let mut text = format!("{:>8}  {:>10}  {:>10}", "horizon", "test MSE", "NRMSE");
    text += &series.channels.iter().map(|name| format!("  {name:>10}")).collect::<String>();
    for Forecast { horizon, error, .. } in forecasts {
        text += &format!("\n{horizon:>8}  {:>10}  {:>10}", short(error.mse), short(error.nrmse));
        text += &error.nrmse_per_channel.iter().map(|&value| format!("  {:>10}", short(value))).collect::<String>();
    }
    text
}
