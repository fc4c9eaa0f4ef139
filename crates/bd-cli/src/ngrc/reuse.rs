//! A fitted model used again: `bd predict` and `bd eval` of a run of `bd train ngrc`.

use std::path::Path;

use anyhow::Result;
use bd_core::files::write_atomic;
use bd_core::npz::save_npz;
use bd_core::{Error, Forecaster, Params, Shared, StateTree, System, Tap, catch_torch, threads};
use bd_models::Ngrc;
use bd_train::data::{SeriesConfig, split_names};
use bd_train::forecast::Measure;
use bd_train::{Units, free_run};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::data::Data;
use super::evaluation::{Evaluation, metrics, table, tell};
use super::{describe, times};
use crate::args;
use crate::console;
use crate::finished;
use crate::job::{print_json, resolve_device};
use crate::plan::NgrcPlan;
use crate::text::plural;

/// A model as a run has left it.
struct Loaded {
    model: Ngrc,
    device: Device,
    on: (Kind, Device),
}

fn load(run: &Path, plan: &NgrcPlan, channels: usize, reuse: &args::Reuse) -> Result<Loaded> {
    let device = resolve_device(reuse.device.as_deref(), plan.device, reuse.quiet)?;
    threads::set(finished::threads(reuse, plan.threads)?);
    let on = (plan.dtype.kind(), device);
    let mut params = Params::new(plan.seed, on);
    let model = catch_torch(|| Ngrc::new(&mut params, channels, plan.horizon.len(), &plan.model()))?;
    params.load(&finished::weights_of(run)?).map_err(|error| match error {
        // The weights are those that the run wrote, so that what does not fit most likely is the series.
        Error::Mismatch { .. } if Some(channels) != trained_channels(plan) => Error::Config(format!(
            "the model was trained on another number of channels than the {channels} of this series; choose them with --columns"
        )),
        error => error,
    })?;
    Ok(Loaded { model, device, on })
}

/// Channels that a run was trained on, if its configuration names them.
fn trained_channels(plan: &NgrcPlan) -> Option<usize> {
    Some(plan.data.columns.len()).filter(|&count| count > 0)
}

/// The series in a file that somebody gives later: the same columns as in the training, or others in the same order.
fn series(plan: &NgrcPlan, file: &Path, other: &args::OtherColumns) -> Result<Data, Error> {
    let trained = plan.data.series();
    // Whoever says how far points are apart does not want a column to say it.
    let time = other.time.clone().or_else(|| trained.time.filter(|_| other.dt.is_none()));
    let columns = other.columns.as_deref().map_or(trained.columns, split_names);
    if let (Some(given), Some(expected)) = (other.dt, trained.dt)
        && (given / expected - 1.0).abs() > 0.01
    {
        return Err(Error::Config(format!(
            "--dt is {given}, but the model was trained on points {expected} apart: resample the series"
        )));
    }
    Data::file(file, &SeriesConfig { columns, time, dt: other.dt.or(trained.dt) })
}

pub(crate) fn eval(args: &args::Eval, plan: &NgrcPlan) -> Result<()> {
    let say = |message: String| {
        if !args.reuse.quiet {
            console::message(&message);
        }
    };
    let data = match &args.data {
        Some(file) => series(plan, file, &args.columns)?,
        None => Data::load(&plan.data)?,
    };
    let loaded = load(&args.run, plan, data.series.channels.len(), &args.reuse)?;
    let points = data.series.points();
    let (known, part, mse) = match &args.data {
        None => {
            let split = plan.divide(points)?;
            (split.train, split.test, "test MSE")
        }
        // Of other data all that has a whole history is for testing.
        Some(_) => (0..points, loaded.model.r.memory()..points, "MSE"),
    };
    if part.len() <= plan.farthest() {
        return Err(Error::Config(format!(
            "the series has {points} points, too few: lags reach {} back, and the farthest forecast is {} ahead",
            loaded.model.r.memory(),
            plan.farthest()
        ))
        .into());
    }
    describe(&data, &say);
    say(format!("test      {}", plural(part.len(), "point")));
    if args.data.is_some() {
        say("note      mean and standard deviation, of the baseline and of free runs, are those of this series".into());
        if data.sha256 == plan.data.sha256 {
            say("warning   the model was trained on a part of this file; without --data, bd eval takes the part that was not".into());
        }
    }
    let units = Units::of(&data.series.stretch(known).squeeze_dim(0))?;
    let measure = Measure::new(&loaded.model, &data.series, &plan.horizon, units)?;
    let free = catch_torch(|| measure.free_runs(part.clone(), &plan.free_run))?;
    let found = Evaluation { forecasts: catch_torch(|| measure.forecasts(part))?, free };
    tell(&found.forecasts, &data, &say);
    if args.reuse.json {
        print_json("eval", &args.run, loaded.device, json!({"metrics": metrics(&found, &data)}))?;
    } else if !args.reuse.quiet {
        console::result(&table(&found, &data, mse))?;
    }
    Ok(())
}

pub(crate) fn predict(args: &args::Predict, plan: &NgrcPlan) -> Result<()> {
    let say = |message: String| {
        if !args.reuse.quiet {
            console::message(&message);
        }
    };
    let data = series(plan, &args.input, &args.columns)?;
    let loaded = load(&args.run, plan, data.series.channels.len(), &args.reuse)?;
    let reach = loaded.model.r.memory();
    if data.series.points() <= reach {
        return Err(Error::Config(format!(
            "{} has {}, but lags reach {reach} points back: a forecast needs one more",
            args.input.display(),
            plural(data.series.points(), "point")
        ))
        .into());
    }
    describe(&data, &say);
    let tables = catch_torch(|| tables(plan, &data, &loaded, args.free_run))?;
    let csv = args.output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let arrays: Vec<(String, Tensor)> = tables.iter().flat_map(Table::arrays).collect();
    if csv {
        write_atomic(&args.output, to_csv(&data, &tables)?.as_bytes())?;
    } else {
        save_npz(&args.output, &arrays)?;
    }
    let shapes: Map<String, Value> = arrays.iter().map(|(name, array)| (name.clone(), json!(array.size()))).collect();
    for table in &tables {
        say(format!("output    {}: {}", table.name, table.words(&data)));
    }
    if args.reuse.json {
        print_json("predict", &args.run, loaded.device, json!({"output": args.output, "arrays": shapes}))?;
    }
    say(format!("written   {}", args.output.display()));
    Ok(())
}

/// Forecasts of one kind, with the points that they are about.
struct Table {
    /// `1` for one step ahead, or `free_run`.
    name: String,
    first: usize,
    /// `[time, channel]`, float64.
    prediction: Tensor,
    times: Tensor,
}

impl Table {
    fn arrays(&self) -> [(String, Tensor); 2] {
        let named = |what: &str| match self.name.as_str() {
            "free_run" => format!("free_run.{what}"),
            horizon => format!("{what}.{horizon}"),
        };
        [(named("prediction"), self.prediction.shallow_clone()), (named("time"), self.times.shallow_clone())]
    }

    fn words(&self, data: &Data) -> String {
        let (points, first) = (self.prediction.size()[0] as usize, self.first);
        format!("{} from point {first} on, time {}", plural(points, "forecast"), data.series.time(first))
    }
}

/// Forecasts after each point of the input that has a whole history before it, those of points to come included, and the free
/// run after the last one.
fn tables(plan: &NgrcPlan, data: &Data, loaded: &Loaded, steps: usize) -> Result<Vec<Table>, Error> {
    let Loaded { model, on, .. } = loaded;
    let (points, reach) = (data.series.points(), model.r.memory());
    let x = data.series.stretch(0..points).to_kind(on.0).to_device(on.1);
    let sha = Shared::new(data.series.dt);
    let channels = model.n_in();
    let host = |t: Tensor| t.to_kind(Kind::Double).to_device(Device::Cpu);
    let mut all = Vec::new();
    let (before, last) = (x.narrow(1, 0, points as i64 - 1), x.narrow(1, points as i64 - 1, 1));
    let mut state = model.init_state(1, *on);
    let mut outputs = Vec::new();
    if points > 1 {
        let (ys, next) = bd_train::predict(model, &sha, &before, state, &mut Tap::none())?;
        outputs.push(ys);
        state = next;
    }
    let at = plan.horizon.iter().position(|&horizon| horizon == 1);
    if steps > 0 {
        let Some(at) = at else {
            return Err(Error::Config(format!(
                "--free-run needs a model that forecasts one step ahead, and this one has the horizons {:?}",
                plan.horizon
            )));
        };
        let state = state.share();
        let sha = sha.ahead(points - 1);
        let run = free_run(&model.horizon(at), &sha, &last.squeeze_dim(1), state, steps)?.0;
        let prediction = host(run.squeeze_dim(0));
        let times = times(data, points, steps);
        all.push(Table { name: "free_run".into(), first: points, prediction, times });
    }
    outputs.push(bd_train::predict(model, &sha.ahead(points - 1), &last, state, &mut Tap::none())?.0);
    let outputs = host(Tensor::cat(&outputs, 1).squeeze_dim(0));
    for (i, &horizon) in plan.horizon.iter().enumerate() {
        let whole = (points - reach) as i64;
        let prediction = outputs.narrow(0, reach as i64, whole).narrow(1, i as i64 * channels, channels);
        let times = times(data, reach + horizon, whole as usize);
        all.push(Table { name: horizon.to_string(), first: reach + horizon, prediction, times });
    }
    Ok(all)
}

/// Of each channel a column for each kind of forecast, over the points that any of them is about; empty where one is about
/// another point.
fn to_csv(data: &Data, tables: &[Table]) -> Result<String, Error> {
    let length = |table: &Table| table.prediction.size()[0] as usize;
    let first = tables.iter().map(|table| table.first).min().unwrap_or(0);
    let end = tables.iter().map(|table| table.first + length(table)).max().unwrap_or(0);
    let quoted = |name: String| {
        if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name }
    };
    // As many digits as the step has, and a few more: 1.636, not 1.6360000000000001.
    let digits = (4 - data.series.dt.log10().floor() as i32).clamp(0, 15) as usize;
    let time = |point: usize| {
        let text = format!("{:.digits$}", data.series.time(point));
        if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    };
    let mut text = String::from("time");
    for table in tables {
        text.extend(data.series.channels.iter().map(|name| format!(",{}", quoted(format!("{name}.{}", table.name)))));
    }
    text.push('\n');
    let rows: Vec<Vec<f64>> =
        tables.iter().map(|table| Ok(Vec::try_from(table.prediction.flatten(0, -1))?)).collect::<Result<_, Error>>()?;
    let channels = data.series.channels.len();
    let within = |table: &&Table, point: usize| (table.first..table.first + length(table)).contains(&point);
    for point in (first..end).filter(|&point| tables.iter().any(|table| within(&table, point))) {
        text += &time(point);
        for (table, row) in tables.iter().zip(&rows) {
            let at = point.checked_sub(table.first).filter(|&at| at < length(table));
            for c in 0..channels {
                text.push(',');
                if let Some(at) = at {
                    text += &row[at * channels + c].to_string();
                }
            }
        }
        text.push('\n');
    }
    Ok(text)
}
