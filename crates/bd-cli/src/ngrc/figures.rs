//! The tutorial's plots of a forecast: the series, truth against prediction for each horizon, the attractor.

use bd_core::Result;
use tch::Tensor;

use super::data::Data;
use super::evaluation::{Evaluation, Forecast, Vpt};
use crate::plot::{Figure, Line, Mark, Panel, thin};
use crate::text::{plural, short};

/// More panels than this nobody looks at in one picture.
const MOST_PANELS: usize = 12;
/// More points than this are a blot in the picture of an attractor.
const MOST_POINTS: i64 = 20_000;

/// Every figure, with the name of its file.
pub(super) fn figures(data: &Data, found: &Evaluation) -> Result<Vec<(String, Figure)>> {
    let (series, forecasts) = (&data.series, &found.forecasts);
    let note = match series.channels.len() {
        all if all > MOST_PANELS => format!(" (first {MOST_PANELS} of {all} channels)"),
        _ => String::new(),
    };
    let over_time = |title: String, lines: &dyn Fn(usize) -> Result<Vec<Line>>| -> Result<Figure> {
        let panel =
            |(c, name): (usize, &String)| Ok(Panel { y_label: name.clone(), lines: lines(c)?, ..Panel::default() });
        let panels = series.channels.iter().take(MOST_PANELS).enumerate().map(panel).collect::<Result<_>>()?;
        Ok(Figure {
            title: title + &note,
            x_label: data.time_label.clone(),
            panels,
            panel_height: 140,
            ..Figure::default()
        })
    };
    let line = |label: Option<&str>, mark, first: usize, values: &Tensor, c: usize| -> Result<Line> {
        let points = column(values, c)?.into_iter().enumerate().map(|(i, value)| (series.time(first + i), value));
        Ok(Line { label: label.map(str::to_owned), points: thin(points.collect()), mark })
    };

    let all =
        over_time(format!("{} over time", data.source), &|c| Ok(vec![line(None, Mark::Line, 0, &series.values, c)?]))?;
    let mut figures = vec![("series".to_owned(), all)];
    for Forecast { horizon, first, prediction, target, error, .. } in forecasts {
        let title = format!("{} ahead, test MSE {}", plural(*horizon, "step"), short(error.mse));
        let figure = over_time(title, &|c| {
            let label = |text| (c == 0).then_some(text); // one legend says it for all panels
            let truth = line(label("truth"), Mark::Wide, *first, target, c)?;
            Ok(vec![truth, line(label("prediction"), Mark::Line, *first, prediction, c)?])
        })?;
        figures.push((format!("horizon-{horizon}"), figure));
    }
    if let Some(free) = &found.free {
        let title = format!("free run, {}", Vpt::of(free, data).sentence(free));
        let (first, steps) = (free.starts[0] + 1, free.compared());
        let (truth, run) = (series.stretch(first..first + steps).squeeze_dim(0), free.prediction.get(0));
        let figure = over_time(title, &|c| {
            let label = |text| (c == 0).then_some(text);
            let truth = line(label("truth"), Mark::Wide, first, &truth, c)?;
            Ok(vec![truth, line(label("the model on its own outputs"), Mark::Line, first, &run, c)?])
        })?;
        figures.push(("free-run".to_owned(), figure));
    }
    if series.channels.len() > 1 {
        figures.push(("attractor".to_owned(), attractor(data, forecasts)?));
    }
    Ok(figures)
}

fn column(values: &Tensor, c: usize) -> Result<Vec<f64>> {
    Ok(Vec::try_from(values.select(1, c as i64).contiguous())?)
}

/// The last channel against the first over the test part: truth, and the forecast of the first horizon.
fn attractor(data: &Data, forecasts: &[Forecast]) -> Result<Figure> {
    let series = &data.series;
    let last = series.channels.len() - 1;
    let line = |label: String, mark, values: &Tensor| -> Result<Line> {
        let values = values.narrow(0, 0, values.size()[0].min(MOST_POINTS));
        let points = column(&values, 0)?.into_iter().zip(column(&values, last)?).collect();
        Ok(Line { label: Some(label), points, mark })
    };
    let mut lines = vec![line("series".into(), Mark::Wide, &series.values)?];
    if let Some(forecast) = forecasts.first() {
        let label = format!("forecast, {} ahead", plural(forecast.horizon, "step"));
        lines.push(line(label, Mark::Line, &forecast.prediction)?);
    }
    let name = |c: usize| series.channels[c].clone();
    Ok(Figure {
        title: format!("attractor of {}", data.source),
        x_label: name(0),
        panels: vec![Panel { y_label: name(last), lines, ..Panel::default() }],
        panel_height: 600,
        ..Figure::default()
    })
}
