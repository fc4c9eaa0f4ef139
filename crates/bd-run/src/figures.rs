//! Figures of what a run has found, from numbers of its tensors.

mod choice;
mod dynamics;
mod network;
mod simulation;

use bd_core::text::{plural, short};
use bd_core::{Error, Result};
use bd_plot::Figure;
use bd_plot::forecast::{self, MOST_CHANNELS, MOST_POINTS, Orbit};
use bd_train::FreeRuns;
use bd_train::forecast::Forecast;
use tch::{Device, Kind, Tensor};

pub use self::simulation::of_simulation;
use crate::Report;
use crate::experiment::{ForecastReport, SeriesSource};

/// Every figure of a run, with the name of its file; one that cannot be made is an error in its place.
pub fn of(report: &Report) -> Vec<(String, Result<Figure>)> {
    match report {
        Report::Forecast(report) => of_forecast(report),
        Report::Network(report) => network::of(report),
    }
}

/// The tutorial's figures of a forecast: the series, truth against prediction for each horizon, a free run, the attractor; of a reservoir
/// some states; and where free runs are long enough what they have of the dynamics.
fn of_forecast(report: &ForecastReport) -> Vec<(String, Result<Figure>)> {
    let ForecastReport { data, evaluation, states, .. } = report;
    let title = format!("{} over time", data.source);
    let series = drawn(data, 0, &data.series.values).map(|drawn| forecast::series(&title, &drawn));
    let mut figures = vec![("series".to_owned(), series)];
    for found in &evaluation.forecasts {
        figures.push((format!("horizon-{}", found.horizon), horizon(data, found)));
    }
    if let Some(free) = &evaluation.free {
        figures.push(("free-run".to_owned(), free_run(data, free)));
    }
    if data.series.channels.len() > 1 {
        figures.push(("attractor".to_owned(), attractor(data, &evaluation.forecasts)));
    }
    figures.extend(evaluation.free.iter().flat_map(|free| dynamics::of(data, free)));
    if let Some(states) = states {
        let figure = states.as_ref().map_err(|error| Error::Config(error.to_string()));
        figures.push(("states".to_owned(), figure.and_then(|states| dynamics::states(data, states))));
    }
    figures
}

/// Points `[time, channel]`, of which the first one is point `first` of the series.
fn drawn<'a>(data: &'a SeriesSource, first: usize, values: &Tensor) -> Result<forecast::Series<'a>> {
    let points = first..first + values.size()[0] as usize;
    Ok(forecast::Series {
        time_label: &data.time_label,
        names: &data.series.channels,
        times: points.map(|point| data.series.time(point)).collect(),
        values: channels(values, MOST_CHANNELS)?,
    })
}

fn horizon(data: &SeriesSource, found: &Forecast) -> Result<Figure> {
    let title = format!("{} ahead, test MSE {}", plural(found.horizon, "step"), short(found.error.mse));
    let prediction = channels(&found.prediction, MOST_CHANNELS)?;
    Ok(forecast::forecast(&title, &drawn(data, found.first, &found.target)?, &prediction))
}

/// The first of the free runs.
fn free_run(data: &SeriesSource, free: &FreeRuns) -> Result<Figure> {
    let title = format!("free run, {}", data.valid_time(free).sentence());
    let first = free.starts[0] + 1;
    let truth = data.series.stretch(first..first + free.compared()).squeeze_dim(0);
    let run = channels(&free.prediction.get(0), MOST_CHANNELS)?;
    Ok(forecast::free_run(&title, &drawn(data, first, &truth)?, &run))
}

/// The last channel against the first: the whole series, and the forecast of the first horizon.
fn attractor(data: &SeriesSource, forecasts: &[Forecast]) -> Result<Figure> {
    let names = &data.series.channels;
    let last = names.len() - 1;
    let orbit = |label: String, values: &Tensor| -> Result<Orbit> {
        let first = values.narrow(0, 0, values.size()[0].min(MOST_POINTS as i64));
        Ok(Orbit { label, values: [numbers(&first.select(1, 0))?, numbers(&first.select(1, last as i64))?] })
    };
    let ahead = |found: &Forecast| format!("forecast, {} ahead", plural(found.horizon, "step"));
    let forecasts = forecasts.iter().take(1).map(|found| orbit(ahead(found), &found.prediction));
    let forecasts = forecasts.collect::<Result<_>>()?;
    let series = orbit("series".into(), &data.series.values)?;
    Ok(forecast::attractor(&format!("attractor of {}", data.source), [&names[0], &names[last]], series, forecasts))
}

/// The first channels of `[time, channel]`, or outputs of `[sample, output]`, as `[channel][step]`.
fn channels(values: &Tensor, most: usize) -> Result<Vec<Vec<f64>>> {
    let count = values.size()[1].min(most as i64);
    (0..count).map(|c| numbers(&values.select(1, c))).collect()
}

/// All numbers of a tensor, the last index running fastest.
fn numbers(values: &Tensor) -> Result<Vec<f64>> {
    let host = values.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
    Ok(Vec::try_from(host.f_flatten(0, -1)?)?)
}
