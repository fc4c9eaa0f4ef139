//! What a model that runs on its own outputs has of the dynamics of a series, where it has long left its points: the map from one maximum
//! to the next, and the power spectrum.

use std::ops::Range;

use crate::forecast::{FREE_RUN, MOST_CHANNELS, titled};
use crate::{Figure, Line, Mark, Panel, Scale, thin};

/// Points of a map: more are a blot.
const MOST_MAXIMA: usize = 5_000;

/// Each maximum of a channel against the one before, of the truth and of runs of a model (Lorenz, "Deterministic nonperiodic flow",
/// 1963).
///
/// `maxima` are those of stretches, in their order: no maximum follows on the last one of another stretch.
pub fn return_map(title: &str, channel: &str, truth: &[Vec<f64>], model: &[Vec<f64>]) -> Figure {
    let pairs = |maxima: &[Vec<f64>]| -> Vec<(f64, f64)> {
        let of_stretch = |stretch: &Vec<f64>| stretch.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>();
        maxima.iter().flat_map(of_stretch).collect()
    };
    let dots = |label: &str, maxima, radius| {
        let mut points = pairs(maxima);
        let label = match points.len() > MOST_MAXIMA {
            true => format!("{label} (first {MOST_MAXIMA} of {} pairs)", points.len()),
            false => label.to_owned(),
        };
        points.truncate(MOST_MAXIMA);
        Line { label: Some(label), points, mark: Mark::Dots(radius) }
    };
    Figure {
        title: title.into(),
        x_label: format!("maximum of {channel}"),
        panels: vec![Panel {
            y_label: "the next maximum".into(),
            lines: vec![dots("truth", truth, 5), dots(FREE_RUN, model, 2)],
            diagonal: true,
            ..Panel::default()
        }],
        panel_height: 600,
        squares: true,
        ..Figure::default()
    }
}

/// Power over frequency, a panel for each of the first channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spectra<'a> {
    /// Words of the axis of frequencies.
    pub label: &'a str,
    /// Names of all channels.
    pub names: &'a [String],
    /// In increasing order.
    pub frequencies: Vec<f64>,
    /// Of the series, `[channel][frequency]`.
    pub truth: Vec<Vec<f64>>,
    /// Of the model.
    pub model: Vec<Vec<f64>>,
}

/// Power spectra of a series and of a model that runs on its own outputs.
pub fn spectrum(title: &str, spectra: &Spectra<'_>) -> Figure {
    let line = |label: Option<&str>, power: &[f64], mark| Line {
        label: label.map(str::to_owned),
        points: thin(spectra.frequencies.iter().copied().zip(power.iter().copied()).collect()),
        mark,
    };
    let panel = |c: usize| {
        let label = |words| (c == 0).then_some(words); // one legend says it for all panels
        let lines = vec![
            line(label("truth"), &spectra.truth[c], Mark::Wide),
            line(label(FREE_RUN), &spectra.model[c], Mark::Dashed),
        ];
        Panel {
            y_label: format!("power of {}", spectra.names[c]),
            lines,
            y_scale: Scale::Log,
            y_range: beside(&spectra.truth[c]),
            ..Panel::default()
        }
    };
    let shown = spectra.names.len().min(spectra.truth.len()).min(spectra.model.len()).min(MOST_CHANNELS);
    Figure {
        title: titled(title, spectra.names.len()),
        x_label: spectra.label.into(),
        panels: (0..shown).map(panel).collect(),
        panel_height: 180,
        ..Figure::default()
    }
}

/// What is shown: the range of the truth and a hundred times more or less. A model that has come to rest has no power to speak of, and
/// would flatten everything else.
fn beside(truth: &[f64]) -> Option<Range<f64>> {
    let powers = || truth.iter().copied().filter(|power| *power > 0.0 && power.is_finite());
    let (least, greatest) = (powers().fold(f64::INFINITY, f64::min), powers().fold(0.0, f64::max));
    (greatest > 0.0).then_some(least * 1e-2..greatest * 1e2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_maximum_follows_on_one_of_another_stretch() {
        let figure = return_map("map", "z", &[vec![1.0, 2.0, 3.0], vec![7.0]], &[vec![5.0, 4.0], vec![6.0, 8.0]]);
        let lines = &figure.panels[0].lines;
        assert_eq!(lines[0].points, [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(lines[1].points, [(5.0, 4.0), (6.0, 8.0)]);
        assert!(figure.to_svg().unwrap().contains("maximum of z"));
    }

    #[test]
    fn channels_have_a_panel_each_and_one_legend() {
        let names = ["x".to_owned(), "y".to_owned()];
        let power = vec![vec![1e-3, 1.0, 1e-6]; 2];
        let label = "cycles per second";
        let spectra =
            Spectra { label, names: &names, frequencies: vec![1.0, 2.0, 3.0], truth: power.clone(), model: power };
        let figure = spectrum("spectra", &spectra);
        assert_eq!(figure.panels.len(), 2);
        assert_eq!(figure.panels[1].lines[0].points[2], (3.0, 1e-6));
        let labels = figure.panels.iter().flat_map(|panel| &panel.lines).filter_map(|line| line.label.as_deref());
        assert_eq!(labels.collect::<Vec<_>>(), ["truth", FREE_RUN]);
        assert!(figure.to_svg().unwrap().contains("power of y"));
        // A model at rest does not stretch the axis.
        let at_rest = Spectra { model: vec![vec![1e-30; 3]; 2], ..spectra };
        assert_eq!(spectrum("spectra", &at_rest).panels[0].y_range, Some(1e-8..1e2));
    }
}
