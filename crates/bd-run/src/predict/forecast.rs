//! Forecasts of a series by a fitted model, and the model on its own outputs.

use std::path::Path;

use bd_core::text::plural;
use bd_core::{Error, Forecaster, Result, Shared, StateTree, System, catch_torch};
use bd_models::AnyForecaster;
use bd_train::data::{Series, SeriesConfig, in_table};
use bd_train::{free_run, predict_series};
use tch::{Device, Kind, Tensor};

use super::{Input, Prediction, Prepared, PreparedData, refuse};
use crate::Run;
use crate::config::ForecastConfig;
use crate::experiment::{SeriesSource, loaded};

/// A fitted model.
#[derive(Debug)]
pub(super) struct Forecasting {
    run: Run,
    config: ForecastConfig,
    device: Device,
}

/// A series, and the model for its channels.
#[derive(Debug)]
pub(super) struct SeriesInput {
    data: SeriesSource,
    model: AnyForecaster,
    free_run: usize,
}

impl Forecasting {
    pub(super) fn new(run: &Run, config: &ForecastConfig, device: Device) -> Result<Self> {
        run.weights()?; // a run without weights is refused here
        Ok(Self { run: run.clone(), config: config.clone(), device })
    }

    pub(super) fn device(&self) -> Device {
        self.device
    }

    pub(super) fn read(&self, path: &Path, input: &Input) -> Result<Prepared> {
        refuse(&self.config.job, &[("--array", input.array.is_some()), ("--record", !input.record.is_empty())])?;
        let data = other_series(&self.config, path, input)?;
        self.prepared(data, input.free_run, &path.display().to_string())
    }

    /// A series in memory, `[1, time, channel]`.
    pub(super) fn prepare(&self, x: &Tensor) -> Result<Prepared> {
        let size = x.size();
        if size.len() != 3 || size[0] != 1 {
            let expected = "[1, time, channel], one series".into();
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        let dt = self.config.dt.unwrap_or(1.0);
        let named = |i: i64| self.config.data.columns.get(i as usize).cloned().unwrap_or_else(|| format!("x.{i}"));
        let series = Series {
            channels: (0..size[2]).map(named).collect(),
            values: x.squeeze_dim(0).to_device(Device::Cpu).to_kind(Kind::Double),
            start: 0.0,
            dt,
            times: None,
            in_seconds: false,
            guess: None,
        };
        let (source, time_label, time_unit) = ("series".to_owned(), "time".to_owned(), String::new());
        let data = SeriesSource { series, sha256: None, source, time_label, time_unit, system: None, time: None };
        let data = data.in_unit(&self.config.time_unit)?;
        self.prepared(data, 0, "the series")
    }

    fn prepared(&self, data: SeriesSource, free_run: usize, name: &str) -> Result<Prepared> {
        let model = loaded(&self.run, &self.config, data.series.channels.len(), self.device)?;
        let reach = model.memory();
        if data.series.points() <= reach {
            return Err(Error::Config(format!(
                "{name} has {}, but lags reach {reach} points back: a forecast needs one more",
                plural(data.series.points(), "point")
            )));
        }
        if free_run > 0 && !self.config.horizon.contains(&1) {
            return Err(Error::Config(format!(
                "--free-run needs a model that forecasts one step ahead, and this one has the horizons {:?}",
                self.config.horizon
            )));
        }
        let words = data.words();
        Ok(Prepared { words, data: PreparedData::Series(Box::new(SeriesInput { data, model, free_run })) })
    }

    pub(super) fn predict(&self, input: &SeriesInput) -> Result<Prediction> {
        let tables = catch_torch(|| self.tables(input))?;
        let data = &input.data;
        Ok(Prediction {
            class_names: None,
            arrays: tables.iter().flat_map(Table::arrays).collect(),
            words: tables.iter().flat_map(|table| table.lines(data)).collect(),
            csv: Some(to_csv(data, &tables)?),
        })
    }

    /// Forecasts after each point of the input that has a whole history before it, those of points to come included, and the free
    /// run after the last one.
    fn tables(&self, SeriesInput { data, model, free_run: steps }: &SeriesInput) -> Result<Vec<Table>> {
        let horizons = &self.config.horizon;
        let on = (self.config.dtype.kind(), self.device);
        let (points, reach) = (data.series.points(), model.memory());
        let x = data.series.stretch(0..points).to_kind(on.0).to_device(on.1);
        let sha = Shared::new(data.series.dt);
        let channels = model.n_in();
        let host = |t: Tensor| t.to_kind(Kind::Double).to_device(Device::Cpu);
        let mut all = Vec::new();
        let (before, last) = (x.narrow(1, 0, points as i64 - 1), x.narrow(1, points as i64 - 1, 1));
        let mut state = model.init_state(1, on);
        let mut outputs = Vec::new();
        if points > 1 {
            let (ys, next) = predict_series(model, &sha, &before, state)?;
            outputs.push(ys);
            state = next;
        }
        if let (Some(at), true) = (horizons.iter().position(|&horizon| horizon == 1), *steps > 0) {
            let sha = sha.ahead(points - 1);
            let run = free_run(&model.horizon(at), &sha, &last.squeeze_dim(1), state.share(), *steps)?.0;
            let (prediction, times) = (host(run.squeeze_dim(0)), data.times(points, *steps));
            all.push(Table { name: "free_run".into(), first: points, prediction, times });
        }
        outputs.push(predict_series(model, &sha.ahead(points - 1), &last, state)?.0);
        let outputs = host(Tensor::cat(&outputs, 1).squeeze_dim(0));
        for (i, &horizon) in horizons.iter().enumerate() {
            let whole = (points - reach) as i64;
            let prediction = outputs.narrow(0, reach as i64, whole).narrow(1, i as i64 * channels, channels);
            let times = data.times(reach + horizon, whole as usize);
            all.push(Table { name: horizon.to_string(), first: reach + horizon, prediction, times });
        }
        Ok(all)
    }
}

/// The series in a file that is given later: the same columns as in the training, or others in the same order.
pub fn other_series(config: &ForecastConfig, file: &Path, other: &Input) -> Result<SeriesSource> {
    let trained = config.data.series(config.dt);
    // Whoever says how far points are apart does not want a column to say it.
    let time = other.time.clone().or_else(|| trained.time.filter(|_| other.dt.is_none()));
    let columns = other.columns.clone().unwrap_or(trained.columns);
    if let (Some(given), Some(expected)) = (other.dt, trained.dt)
        && (given / expected - 1.0).abs() > 0.01
    {
        return Err(Error::Config(format!(
            "--dt is {given}, but the model was trained on points {expected} apart: resample the series"
        )));
    }
    let series = SeriesSource::file(file, &SeriesConfig { columns, time, dt: other.dt.or(trained.dt) })?;
    series.in_unit(&config.time_unit)
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

    fn len(&self) -> usize {
        self.prediction.size()[0] as usize
    }

    fn has(&self, point: usize) -> bool {
        (self.first..self.first + self.len()).contains(&point)
    }

    /// What it holds, and from where on it holds no number.
    fn lines(&self, data: &SeriesSource) -> Vec<String> {
        let (name, first) = (&self.name, self.first);
        let (count, time) = (plural(self.len(), "forecast"), data.series.time(first));
        let mut lines = vec![format!("{name}: {count} from point {first} on, time {time}")];
        let lost = self.prediction.isfinite().logical_not().any_dim(1, false).nonzero();
        if lost.size()[0] > 0 {
            let steps = lost.int64_value(&[0, 0]);
            let left = plural(lost.size()[0] as usize, "row");
            lines.push(format!(
                "{name}: the model leaves all bounds after {} of it; {left} hold no number",
                plural(steps as usize, "step")
            ));
        }
        lines
    }
}

/// Of each channel a column for each kind of forecast, over the points that any of them is about; empty where one is about
/// another point.
fn to_csv(data: &SeriesSource, tables: &[Table]) -> Result<String> {
    let first = tables.iter().map(|table| table.first).min().unwrap_or(0);
    let end = tables.iter().map(|table| table.first + table.len()).max().unwrap_or(0);
    let mut text = String::from("time");
    for table in tables {
        text.extend(
            data.series.channels.iter().map(|name| format!(",{}", in_table(&format!("{name}.{}", table.name)))),
        );
    }
    text.push('\n');
    let rows: Vec<Vec<f64>> =
        tables.iter().map(|table| Ok(Vec::try_from(table.prediction.flatten(0, -1))?)).collect::<Result<_>>()?;
    let channels = data.series.channels.len();
    for point in (first..end).filter(|&point| tables.iter().any(|table| table.has(point))) {
        text += &data.series.time_text(point);
        for (table, row) in tables.iter().zip(&rows) {
            let at = point.checked_sub(table.first).filter(|&at| at < table.len());
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
