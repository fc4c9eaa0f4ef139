//! Series over time, forecasts of them, and the picture of an attractor.

use crate::{Figure, Line, Mark, Panel, thin};

/// Channels that are drawn, a panel each: more do not fit in one picture.
pub const MOST_CHANNELS: usize = 12;
/// Points of a line in the picture of an attractor: more are a blot.
pub const MOST_POINTS: usize = 20_000;

/// Channels over common times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series<'a> {
    /// Words of the time axis.
    pub time_label: &'a str,
    /// Names of all channels.
    pub names: &'a [String],
    /// Time of each step.
    pub times: Vec<f64>,
    /// `[channel][step]`; of more channels than [`MOST_CHANNELS`] the first ones suffice.
    pub values: Vec<Vec<f64>>,
}

/// A series over time, a panel for each channel.
pub fn series(title: &str, series: &Series<'_>) -> Figure {
    series.panels(title, |c| vec![series.line(None, &series.values[c], Mark::Line)])
}

/// A forecast, `[channel][step]`, over the truth, a panel for each channel.
pub fn forecast(title: &str, truth: &Series<'_>, prediction: &[Vec<f64>]) -> Figure {
    truth.compared(title, prediction, "prediction")
}

/// A model on its own outputs, `[channel][step]`, over the truth, a panel for each channel.
pub fn free_run(title: &str, truth: &Series<'_>, prediction: &[Vec<f64>]) -> Figure {
    truth.compared(title, prediction, "the model on its own outputs")
}

/// A curve in the plane of two channels, with its words in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Orbit {
    /// Words in the legend.
    pub label: String,
    /// Both channels, `[step]`. The first [`MOST_POINTS`] steps are drawn.
    pub values: [Vec<f64>; 2],
}

/// One channel against another, with their names: the series, and forecasts of it.
pub fn attractor(title: &str, names: [&str; 2], series: Orbit, forecasts: Vec<Orbit>) -> Figure {
    let line = |orbit: Orbit, mark| {
        let [x, y] = orbit.values;
        Line { label: Some(orbit.label), points: x.into_iter().zip(y).take(MOST_POINTS).collect(), mark }
    };
    let mut lines = vec![line(series, Mark::Wide)];
    lines.extend(forecasts.into_iter().map(|orbit| line(orbit, Mark::Dashed)));
    Figure {
        title: title.into(),
        x_label: names[0].into(),
        panels: vec![Panel { y_label: names[1].into(), lines, ..Panel::default() }],
        panel_height: 600,
        ..Figure::default()
    }
}

impl Series<'_> {
    /// A figure with a panel for each of the first channels.
    fn panels(&self, title: &str, lines: impl Fn(usize) -> Vec<Line>) -> Figure {
        let all = self.names.len();
        let note = match all > MOST_CHANNELS {
            true => format!(" (first {MOST_CHANNELS} of {all} channels)"),
            false => String::new(),
        };
        let shown = all.min(self.values.len()).min(MOST_CHANNELS);
        let panel = |c: usize| Panel { y_label: self.names[c].clone(), lines: lines(c), ..Panel::default() };
        Figure {
            title: format!("{title}{note}"),
            x_label: self.time_label.into(),
            panels: (0..shown).map(panel).collect(),
            panel_height: 140,
            ..Figure::default()
        }
    }

    fn compared(&self, title: &str, prediction: &[Vec<f64>], name: &str) -> Figure {
        self.panels(title, |c| {
            let label = |text| (c == 0).then_some(text); // one legend says it for all panels
            let mut lines = vec![self.line(label("truth"), &self.values[c], Mark::Wide)];
            lines.extend(prediction.get(c).map(|values| self.line(label(name), values, Mark::Dashed)));
            lines
        })
    }

    fn line(&self, label: Option<&str>, values: &[f64], mark: Mark) -> Line {
        let points = self.times.iter().copied().zip(values.iter().copied()).collect();
        Line { label: label.map(str::to_owned), points: thin(points), mark }
    }
}
