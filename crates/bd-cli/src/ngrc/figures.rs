//! The tutorial's figures of a forecast: the series, truth against prediction for each horizon, the attractor.

use bd_core::Result;
use bd_plot::Figure;
use bd_plot::forecast::{self, MOST_CHANNELS, MOST_POINTS, Orbit};
use bd_train::FreeRuns;
use tch::Tensor;

use super::data::Data;
use super::evaluation::{Evaluation, Forecast, Vpt};
use crate::plot::{channels, numbers};
use crate::text::{plural, short};

/// Every figure, with the name of its file.
pub(super) fn figures(data: &Data, found: &Evaluation) -> Result<Vec<(String, Figure)>> {
    let series = &data.series;
    let title = format!("{} over time", data.source);
    let mut figures = vec![("series".to_owned(), forecast::series(&title, &drawn(data, 0, &series.values)?))];
    for Forecast { horizon, first, prediction, target, error, .. } in &found.forecasts {
        let title = format!("{} ahead, test MSE {}", plural(*horizon, "step"), short(error.mse));
        let (truth, prediction) = (drawn(data, *first, target)?, channels(prediction, MOST_CHANNELS)?);
        figures.push((format!("horizon-{horizon}"), forecast::forecast(&title, &truth, &prediction)));
    }
    if let Some(free) = &found.free {
        figures.push(("free-run".to_owned(), free_run(data, free)?));
    }
    if series.channels.len() > 1 {
        figures.push(("attractor".to_owned(), attractor(data, &found.forecasts)?));
    }
    Ok(figures)
}

/// Points `[time, channel]`, of which the first one is point `first` of the series.
fn drawn<'a>(data: &'a Data, first: usize, values: &Tensor) -> Result<forecast::Series<'a>> {
    let points = first..first + values.size()[0] as usize;
    Ok(forecast::Series {
        time_label: &data.time_label,
        names: &data.series.channels,
        times: points.map(|point| data.series.time(point)).collect(),
        values: channels(values, MOST_CHANNELS)?,
    })
}

/// The first of the free runs.
fn free_run(data: &Data, free: &FreeRuns) -> Result<Figure> {
    let title = format!("free run, {}", Vpt::of(free, data).sentence(free));
    let first = free.starts[0] + 1;
    let truth = data.series.stretch(first..first + free.compared()).squeeze_dim(0);
    let run = channels(&free.prediction.get(0), MOST_CHANNELS)?;
    Ok(forecast::free_run(&title, &drawn(data, first, &truth)?, &run))
}

/// The last channel against the first: the whole series, and the forecast of the first horizon.
fn attractor(data: &Data, forecasts: &[Forecast]) -> Result<Figure> {
    let names = &data.series.channels;
    let last = names.len() - 1;
    let orbit = |label: String, values: &Tensor| -> Result<Orbit> {
        let first = values.narrow(0, 0, values.size()[0].min(MOST_POINTS as i64));
        Ok(Orbit { label, values: [numbers(&first.select(1, 0))?, numbers(&first.select(1, last as i64))?] })
    };
    let forecasts = forecasts.iter().take(1);
    let forecasts = forecasts
        .map(|forecast| orbit(format!("forecast, {} ahead", plural(forecast.horizon, "step")), &forecast.prediction))
        .collect::<Result<_>>()?;
    let series = orbit("series".into(), &data.series.values)?;
    Ok(forecast::attractor(&format!("attractor of {}", data.source), [&names[0], &names[last]], series, forecasts))
}
