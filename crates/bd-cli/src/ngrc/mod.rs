//! `bd train ngrc`: warm up, fit, test, for several horizons at once, on Lorenz or on a series of the user's own.

mod data;
mod evaluation;
mod figures;
mod fit;
mod reuse;

use std::time::Instant;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Forecaster, Params, System, catch_torch, threads};
use bd_models::{Ngrc, Nvar};
use bd_train::forecast::{self, ForecastFit, Measure, RidgeDevice};
use bd_train::{RunDir, Units};
use serde_json::json;
use tch::{Device, Tensor};

use self::data::Data;
use self::evaluation::{Evaluation, Forecast, metrics, table, tell};
use self::figures::figures;
use self::fit::{Reporter, config, divide, validation_lines};
use crate::args;
use crate::console;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, manifest, print_json, resolve_device};
use crate::plan::NgrcPlan;
use crate::text::plural;

pub(crate) use self::reuse::{eval, predict};

pub(crate) fn train(args: &args::Ngrc) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let say = |message: String| {
        if !args.run.quiet {
            console::message(&message);
        }
    };
    let mut plan = NgrcPlan::resolve(args)?;
    let device = resolve_device(None, plan.device, args.run.quiet)?;
    threads::set(plan.threads);
    let manifest = manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed);
    say(greeting(&manifest));

    let data = Data::load(&plan.data)?;
    if data.sha256.is_some() {
        // So that whatever file comes later, its columns are found by the names of these, and its points are as far apart.
        plan.data.columns = data.series.channels.clone();
        plan.data.dt = Some(data.series.dt);
        plan.data.sha256 = data.sha256.clone();
    }
    let split = divide(&plan, &data)?;
    let run = RunDir::create(args.run.out.as_deref(), manifest)?;
    let mut seconds = Seconds::since(began, "setup");
    describe(&data, &say);
    say(format!(
        "split     warm-up {}, training {}, validation {}, test {}",
        split.warmup.len(),
        split.train.len(),
        split.validation.len(),
        split.test.len()
    ));

    interrupt.check()?;
    let choice = ridge_device(&plan, &data, split.train.len(), device)?;
    if let Some(choice) = &choice {
        say(format!("ridge     {}", choice.describe()));
    }
    let on = (plan.dtype.kind(), choice.as_ref().map_or(device, RidgeDevice::device));
    let mut params = Params::new(plan.seed, on);
    let model = catch_torch(|| Ngrc::new(&mut params, data.series.channels.len(), plan.horizon.len(), &plan.model()))?;
    say(format!("model     ngrc: {} features, {}", model.n_features(), plural(plan.horizon.len(), "horizon")));
    let mut reporter = Reporter { plan: &plan, data: &data, say: &say, seconds: &mut seconds };
    let fitted = forecast::fit(&model, &data.series, &split, &config(&plan), &mut |event| reporter.see(event))?;
    interrupt.check()?;
    let units = Units::of(&data.series.stretch(split.train.clone()).squeeze_dim(0))?;
    let measure = Measure::new(&model, &data.series, &plan.horizon, units)?;
    let forecasts = catch_torch(|| measure.forecasts(split.test.clone()))?;
    tell(&forecasts, &data, &say);
    seconds.lap("test");
    interrupt.check()?;
    let free = catch_torch(|| measure.free_runs(split.test.clone(), &plan.free_run))?;
    let evaluation = Evaluation { forecasts, free };
    seconds.lap("free_run");
    interrupt.check()?;
    let weights = write(&run, &plan, &data, (&params, &fitted), &evaluation)?;
    for (name, figure) in figures(&data, &evaluation)? {
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
        let mut metrics = metrics(&evaluation, &data);
        metrics.insert("alpha".into(), json!(fitted.alpha));
        metrics.insert("condition_number".into(), json!(fitted.report.condition_number));
        let mut came = json!({"seconds": seconds.0, "metrics": metrics});
        if let Some(choice) = &choice {
            came["ridge"] = choice.json();
        }
        print_json(&plan.job, &path, device, came)?;
    } else if !args.run.quiet {
        console::result(&table(&evaluation, &data, "test MSE"))?;
    }
    say(format!("run       {} ({:.2} s)", path.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

/// Where model and data go, if there is a choice.
fn ridge_device(plan: &NgrcPlan, data: &Data, rows: usize, device: Device) -> Result<Option<RidgeDevice>> {
    let channels = data.series.channels.len();
    let features = Nvar::new(channels, &plan.nvar)?.n_out() as usize;
    Ok(RidgeDevice::choose(device, rows, features, channels * plan.horizon.len()))
}

/// What a series is, and what looks wrong with it.
fn describe(data: &Data, say: &dyn Fn(String)) {
    let series = &data.series;
    let (points, count) = (series.points(), series.channels.len());
    let names = series.channels[..count.min(8)].join(", ") + if count > 8 { ", ..." } else { "" };
    let channels = plural(count, "channel");
    say(format!("series    {}: {}, {channels} ({names}), dt {}", data.source, plural(points, "point"), series.dt));
    if count > points {
        say(format!("warning   {count} channels and only {points} points: is the table the wrong way round?"));
    }
    for name in series.counters() {
        say(format!(
            "warning   {name} rises evenly, as a time or an index does: leave it out by naming the others with --columns, or say \
             --time {name}"
        ));
    }
}

/// Writes everything but the plots, and returns the SHA-256 of the weights.
fn write(
    run: &RunDir,
    plan: &NgrcPlan,
    data: &Data,
    (params, fitted): (&Params, &ForecastFit),
    found: &Evaluation,
) -> Result<String> {
    run.write_json("config.json", plan)?;
    for line in validation_lines(fitted, data) {
        run.report(&line)?;
    }
    let mut arrays = Vec::new();
    for forecast in &found.forecasts {
        run.report(&forecast.line("test", &data.series.channels))?;
        let Forecast { horizon, first, prediction, target, .. } = forecast;
        arrays.push((format!("prediction.{horizon}"), prediction.shallow_clone()));
        arrays.push((format!("target.{horizon}"), target.shallow_clone()));
        arrays.push((format!("time.{horizon}"), times(data, *first, prediction.size()[0] as usize)));
    }
    if let Some(free) = &found.free {
        run.report(&json!({
            "split": "test", "free_run_steps": free.steps, "starts": free.starts, "valid_steps": free.valid_steps,
            "bounded": free.bounded, "error": free.error
        }))?;
        arrays.push(("free_run.prediction".into(), free.prediction.shallow_clone()));
        let starts: Vec<i64> = free.starts.iter().map(|&start| start as i64).collect();
        arrays.push(("free_run.start".into(), Tensor::from_slice(&starts)));
    }
    save_npz(&run.file("predictions.npz")?, &arrays)?;
    Ok(save_tensors(&run.file("model.safetensors")?, &params.named())?)
}

/// Times of `count` points from `first` on.
fn times(data: &Data, first: usize, count: usize) -> Tensor {
    Tensor::from_slice(&(first..first + count).map(|point| data.series.time(point)).collect::<Vec<f64>>())
}
