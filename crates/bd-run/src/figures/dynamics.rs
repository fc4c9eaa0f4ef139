//! Figures of what runs on a model's own outputs have of the dynamics of their series.

use bd_core::Result;
use bd_core::text::plural;
use bd_plot::dynamics::{self, Spectra};
use bd_plot::forecast::MOST_CHANNELS;
use bd_plot::{Figure, forecast};
use bd_train::{FreeRuns, power_spectrum};
use tch::Tensor;

use super::{channels, numbers};
use crate::experiment::{ReservoirStates, SeriesSource};

/// Steps of a run whose spectrum is worth a look.
const LEAST_STEPS: usize = 256;
/// Pairs of maxima that make a map.
const LEAST_PAIRS: usize = 20;

/// The figures that the runs are long enough for. Runs that do not stay bounded are left out.
pub(super) fn of(data: &SeriesSource, free: &FreeRuns) -> Vec<(String, Result<Figure>)> {
    let bounded: Vec<usize> = (0..free.starts.len()).filter(|&run| free.bounded[run]).collect();
    if bounded.is_empty() {
        return Vec::new();
    }
    let mut figures = Vec::new();
    if free.compared() >= LEAST_STEPS {
        figures.push(("spectrum".to_owned(), spectrum(data, free, &bounded)));
    }
    if let Some(map) = return_map(data, free, &bounded).transpose() {
        figures.push(("return-map".to_owned(), map));
    }
    figures
}

fn said(runs: usize, of: usize) -> String {
    if runs == of { plural(runs, "run") } else { format!("{runs} of {} that stay bounded", plural(of, "run")) }
}

/// Power spectra of the runs, and of the series over the same points.
fn spectrum(data: &SeriesSource, free: &FreeRuns, bounded: &[usize]) -> Result<Figure> {
    let (steps, channels_shown) = (free.compared(), data.series.channels.len().min(MOST_CHANNELS) as i64);
    let truth = bounded.iter().map(|&run| data.series.stretch(free.starts[run] + 1..free.starts[run] + 1 + steps));
    let truth = Tensor::cat(&truth.collect::<Vec<_>>(), 0).narrow(2, 0, channels_shown);
    let runs: Vec<_> = bounded.iter().map(|&run| free.prediction.get(run as i64)).collect();
    let model = Tensor::stack(&runs, 0).narrow(2, 0, channels_shown);
    let [truth, model] = [&truth, &model].map(|points| power_spectrum(points, data.series.dt));
    let (truth, model) = (truth?, model?);
    let label = match data.time_unit.as_str() {
        "" if data.series.in_seconds => "cycles per second".to_owned(),
        "" => "cycles per unit of time".to_owned(),
        unit => format!("cycles per {unit}"),
    };
    let title = format!(
        "power spectra of {} and of {} on the model's own outputs, {} each",
        data.source,
        said(bounded.len(), free.starts.len()),
        plural(steps, "step")
    );
    let spectra = Spectra {
        label: &label,
        names: &data.series.channels,
        frequencies: truth.frequencies,
        truth: channels(&truth.power, MOST_CHANNELS)?,
        model: channels(&model.power, MOST_CHANNELS)?,
    };
    Ok(dynamics::spectrum(&title, &spectra))
}

/// Each maximum of the last channel against the one before it, if there are enough of the series and of the runs.
fn return_map(data: &SeriesSource, free: &FreeRuns, bounded: &[usize]) -> Result<Option<Figure>> {
    let last = data.series.channels.len() - 1;
    let of_channel = |points: &Tensor| Ok(maxima(&numbers(&points.select(1, last as i64))?));
    let truth = [of_channel(&data.series.values)?];
    let runs = bounded.iter().map(|&run| of_channel(&free.prediction.get(run as i64)));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let pairs = |maxima: &[Vec<f64>]| maxima.iter().map(|stretch| stretch.len().saturating_sub(1)).sum::<usize>();
    if pairs(&truth) < LEAST_PAIRS || pairs(&runs) < LEAST_PAIRS {
        return Ok(None);
    }
    let channel = &data.series.channels[last];
    let title = format!("maxima of {channel}, each against the one before; {}", said(runs.len(), free.starts.len()));
    Ok(Some(dynamics::return_map(&title, channel, &truth, &runs)))
}

/// The maxima of a curve through points that are evenly apart, each the vertex of the parabola through three points.
fn maxima(points: &[f64]) -> Vec<f64> {
    let vertex = |three: &[f64]| {
        let [before, at, after] = [three[0], three[1], three[2]];
        let is_maximum = before < at && at >= after;
        is_maximum.then(|| at - (after - before).powi(2) / (8.0 * (before - 2.0 * at + after)))
    };
    points.windows(3).filter_map(vertex).collect()
}

/// States of the first units of a reservoir over time, a panel each.
pub(super) fn states(data: &SeriesSource, states: &ReservoirStates) -> Result<Figure> {
    let ReservoirStates { first, values, units } = states;
    let shown = values.size()[1] as usize;
    let names: Vec<String> = (0..shown).map(|unit| format!("unit {unit}")).collect();
    let series = forecast::Series {
        time_label: &data.time_label,
        names: &names,
        times: (*first..*first + values.size()[0] as usize).map(|point| data.series.time(point)).collect(),
        values: channels(values, shown)?,
    };
    let title = format!("states of {shown} of {} at the beginning of the test part", plural(*units, "unit"));
    Ok(forecast::series(&title, &series))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `5 - (t - t0)^2` the vertex is 5 wherever the points lie; of a plateau the first point counts.
    #[test]
    fn maxima_are_those_of_the_curve() {
        for t0 in [2.0, 2.3, 1.6] {
            let points: Vec<f64> = (0..5).map(|t| 5.0 - (f64::from(t) - t0).powi(2)).collect();
            let found = maxima(&points);
            assert!(found.len() == 1 && (found[0] - 5.0).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(maxima(&[0.0, 1.0, 1.0, 0.0]).len(), 1);
        assert!(maxima(&[0.0, 1.0, 2.0]).is_empty());
        assert!(maxima(&[f64::NAN, 1.0, 0.0]).is_empty());
    }
}
