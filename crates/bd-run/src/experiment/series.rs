//! [`SeriesSource`]: the series that a forecast is about, from a file or integrated.

use std::path::Path;

use bd_core::files::sha256_of;
use bd_core::text::plural;
use bd_core::{Error, Result};
use bd_train::data::{FlowSeries, Series, SeriesConfig, Solution};
use bd_train::forecast::ValidTime;
use bd_train::{FreeRunSummary, FreeRuns, Units};
use tch::Tensor;

use crate::config::{ForecastConfig, SystemConfig, check_sha256};
use crate::listener::Listener;

/// A series, and what is known of where it comes from.
#[derive(Debug)]
pub struct SeriesSource {
    /// The series.
    pub series: Series,
    /// SHA-256 of the file that it is from, if it is from one.
    pub sha256: Option<String>,
    /// Where it comes from, in words.
    pub source: String,
    /// What the time axis of a picture says.
    pub time_label: String,
    /// Name of the unit of its times, empty if it has none.
    pub time_unit: String,
    /// What it is a solution of, where that is known.
    pub system: Option<Solution>,
    /// The column of the file that is the time, where the configuration names it or it was taken for it.
    pub time: Option<String>,
}

impl SeriesSource {
    /// That of a configuration. Fails if the file has changed since the run read it.
    pub(crate) fn load(config: &ForecastConfig) -> Result<Self> {
        let data = &config.data;
        match (&data.file, &data.system, config.dt) {
            (Some(file), None, dt) => {
                let found = Self::file(file, &data.series(dt))?.in_unit(&config.time_unit)?;
                let sha256 = found.sha256.as_deref().unwrap_or_default();
                check_sha256(file, "data.sha256", data.sha256.as_ref(), sha256)?;
                Ok(found)
            }
            (None, Some(system), Some(dt)) => integrated(system, dt)?.in_unit(&config.time_unit),
            (None, Some(_), None) => Err(Error::Config("dt must be set for a system".into())),
            _ => Err(Error::Config("data.file or data.system must be set, and not both".into())),
        }
    }

    /// From a file. Where nothing is said of its columns, the first of several is taken for the time if it rises evenly.
    pub(crate) fn file(file: &Path, config: &SeriesConfig) -> Result<Self> {
        let series = Series::read(file, config)?;
        let (series, time) = match timed(file, config, &series) {
            Some((series, time)) => (series, Some(time)),
            None => (series, config.time.clone()),
        };
        let unnamed = || if series.in_seconds { "time (s)".to_owned() } else { format!("time (dt = {})", series.dt) };
        let time_label = time.clone().unwrap_or_else(unnamed);
        let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sha256 = sha256_of(file).map_err(Error::storage("read", file))?;
        Ok(Self { series, sha256: Some(sha256), source, time_label, time_unit: String::new(), system: None, time })
    }

    /// With a name for the unit of its times, unless that is empty. Refused if it is known to be another one.
    pub(crate) fn in_unit(self, unit: &str) -> Result<Self> {
        if unit.is_empty() {
            return Ok(self);
        }
        if self.series.in_seconds && unit != SECOND {
            return Err(Error::Config(format!(
                "time_unit is '{unit}', but the times of {} are in seconds, dates too: leave it out",
                self.source
            )));
        }
        let (name, words) = (self.time.as_deref().unwrap_or("time"), format!("({unit})"));
        let time_label = if name.ends_with(&words) { name.to_owned() } else { format!("{name} {words}") };
        Ok(Self { time_label, time_unit: unit.into(), ..self })
    }

    /// How long free runs are valid, in the units of the series.
    pub fn valid_time(&self, free: impl Into<FreeRunSummary>) -> ValidTime {
        ValidTime::of(free, self.series.dt, &self.time_unit, self.lyapunov_exponent())
    }

    /// Largest Lyapunov exponent per unit of time, where it is in the table of the systems: at the usual parameters.
    pub fn lyapunov_exponent(&self) -> Option<f64> {
        let Solution { flow, params, .. } = self.system.as_ref()?;
        (flow.usual_params() == *params).then_some(flow.lyapunov_exponent)
    }

    /// Finds out for how long the series is a solution of its system, beside free runs along it. See [`FreeRuns::judge`].
    pub(crate) fn judge(&self, free: Option<&mut FreeRuns>, units: &Units, threshold: f64) -> Result<()> {
        let (Some(free), Some(solution)) = (free, &self.system) else { return Ok(()) };
        free.judge(solution, (&self.series.values, self.series.dt), units, threshold)
    }

    /// Times of `count` points from `first` on, float64 `[count]`.
    pub(crate) fn times(&self, first: usize, count: usize) -> Tensor {
        Tensor::from_slice(&(first..first + count).map(|point| self.series.time(point)).collect::<Vec<f64>>())
    }

    /// Says what the series is, and what looks wrong with it.
    pub(crate) fn describe(&self, listener: &dyn Listener) {
        self.words().iter().for_each(|line| listener.say(line));
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let series = &self.series;
        let (points, count) = (series.points(), series.channels.len());
        let names = series.channels[..count.min(8)].join(", ") + if count > 8 { ", ..." } else { "" };
        let channels = plural(count, "channel");
        let mut words = vec![format!(
            "series    {}: {}, {channels} ({names}), dt {}{}",
            self.source,
            plural(points, "point"),
            series.dt,
            if self.time_unit.is_empty() { String::new() } else { format!(" {}", self.time_unit) }
        )];
        words.extend(series.guess.iter().map(|guess| format!("note      {guess}")));
        if count > points {
            words.push(format!(
                "warning   {count} channels and only {points} points: is the table the wrong way round?"
            ));
        }
        for name in series.counters() {
            words.push(format!(
                "warning   {name} rises evenly, as a time or an index does: leave it out by naming the others with --columns, or say \
                 --time {name}"
            ));
        }
        words
    }
}

/// The series with its first column as the time, and the name of that column: where several were read of which nobody has said anything,
/// and the first one rises evenly, as no measurement does.
fn timed(file: &Path, config: &SeriesConfig, read: &Series) -> Option<(Series, String)> {
    let is_open = config.columns.is_empty() && config.time.is_none() && config.dt.is_none();
    let first = read.channels.first().filter(|_| is_open && read.channels.len() > 1)?;
    if read.points() < LEAST_TIMES || !read.counters().contains(&first.as_str()) {
        return None;
    }
    // What is not evenly spaced is a channel that rises, and keeps its warning.
    let mut series = Series::read(file, &SeriesConfig { time: Some(first.clone()), ..config.clone() }).ok()?;
    let words = format!("{first} rises evenly and is taken for the time; --columns with its name makes it a channel");
    series.guess = Some(series.guess.map_or(words.clone(), |guess| format!("{guess}; {words}")));
    Some((series, first.clone()))
}

/// The unit of times of which a file says it, and of dates.
const SECOND: &str = "s";

/// Of fewer points a channel may rise evenly by chance.
const LEAST_TIMES: usize = 10;

fn integrated(system: &SystemConfig, dt: f64) -> Result<SeriesSource> {
    let solution = system.solution()?;
    let points = (system.duration / dt).round();
    if !(points.is_finite() && points >= 0.0) {
        return Err(Error::Config(format!("data.system.duration is {}; it must be a number above 0", system.duration)));
    }
    let Solution { flow, ref params, method } = solution;
    let (points, start) = (points as usize, system.start.clone());
    let series = FlowSeries { start, dt, transient: 0.0, method, ..FlowSeries::of(flow, params.clone(), points) };
    Ok(SeriesSource {
        series: series.make(flow)?,
        sha256: None,
        source: system.name.clone(),
        time_label: "time".into(),
        time_unit: String::new(),
        system: Some(solution),
        time: None,
    })
}
