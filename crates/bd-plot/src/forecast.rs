//! Series over time, forecasts of them, and the picture of an attractor.

use std::ops::Range;

use crate::axis::{contains, extent};
use crate::ticks::between;
use crate::{Figure, Line, Mark, Panel, thin};

/// Channels that are drawn, a panel each: more do not fit in one picture.
pub const MOST_CHANNELS: usize = 12;
/// Points of a line in the picture of an attractor: more are a blot.
pub const MOST_POINTS: usize = 20_000;

/// What the lines of a model are called that runs freely.
pub(crate) const FREE_RUN: &str = "the model on its own outputs";

/// What is shown beyond the range of the truth, as a fraction of that.
const BEYOND: f64 = 0.25;
/// How far beyond it a run does not come back from, likewise.
const AWAY: f64 = 2.0;

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
///
/// Where it leaves the range of the truth by more than a quarter of that, the panel ends there and says when: a model that runs away
/// would flatten everything else. A line that goes beyond twice that range, or to what is no number, ends where it leaves.
pub fn free_run(title: &str, truth: &Series<'_>, prediction: &[Vec<f64>]) -> Figure {
    let exits: Vec<_> = truth.values.iter().zip(prediction).map(|(truth, run)| Exit::of(truth, run)).collect();
    let end = |exit: &Option<Exit>| exit.as_ref().and_then(|exit| exit.is_final.then_some(exit.step + 1));
    let cut = |(run, exit): (&Vec<f64>, _)| run[..end(exit).unwrap_or(run.len())].to_vec();
    let drawn: Vec<Vec<f64>> = prediction.iter().zip(&exits).map(cut).collect();
    let mut figure = truth.compared(title, &drawn, FREE_RUN);
    let steps = truth.times.len().min(prediction.first().map_or(0, Vec::len));
    let times = extent(truth.times[..steps].iter().copied(), 0.0);
    for (panel, exit) in figure.panels.iter_mut().zip(exits) {
        let Some(exit) = exit else { continue };
        let Some(&time) = truth.times.get(exit.step) else { continue };
        let cut = if exit.is_final { " and is cut there" } else { "" };
        panel.events = vec![(time, format!("leaves the range of the truth at {}{cut}", between(time, &times)))];
        panel.y_range = Some(exit.range);
    }
    figure
}

/// Where a run leaves the range of the truth.
struct Exit {
    /// The first step outside.
    step: usize,
    /// What is shown: the range of the truth and something beyond it.
    range: Range<f64>,
    /// Whether it runs away then.
    is_final: bool,
}

impl Exit {
    /// Of a channel; `None` if the run stays.
    fn of(truth: &[f64], run: &[f64]) -> Option<Self> {
        let within = |margin| extent(truth.iter().copied(), margin);
        let range = within(BEYOND);
        let step = run.iter().position(|value| !contains(&range, *value))?;
        let far = within(AWAY);
        Some(Self { step, range, is_final: run[step..].iter().any(|value| !contains(&far, *value)) })
    }
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

/// A title that says if there are more channels than are shown.
pub(crate) fn titled(title: &str, channels: usize) -> String {
    match channels > MOST_CHANNELS {
        true => format!("{title} (first {MOST_CHANNELS} of {channels} channels)"),
        false => title.to_owned(),
    }
}

impl Series<'_> {
    /// A figure with a panel for each of the first channels.
    fn panels(&self, title: &str, lines: impl Fn(usize) -> Vec<Line>) -> Figure {
        let shown = self.names.len().min(self.values.len()).min(MOST_CHANNELS);
        let panel = |c: usize| Panel { y_label: self.names[c].clone(), lines: lines(c), ..Panel::default() };
        Figure {
            title: titled(title, self.names.len()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(names: &[String]) -> Series<'_> {
        let times = (0..5).map(|step| 10.0 + f64::from(step)).collect();
        Series { time_label: "time", names, times, values: vec![vec![0.0, 2.0, 4.0, 2.0, 0.0]; names.len()] }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|c| format!("c{c}")).collect()
    }

    fn run(values: [f64; 5]) -> Figure {
        free_run("run", &truth(&names(1)), &[values.to_vec()])
    }

    #[test]
    fn points_are_at_their_times_and_the_legend_stands_once() {
        let figure = forecast("ahead", &truth(&names(2)), &vec![vec![1.0; 5]; 2]);
        assert_eq!(figure.panels.len(), 2);
        assert_eq!(figure.panels[1].lines[0].points[2], (12.0, 4.0));
        assert_eq!(figure.panels[1].lines[1].points[4], (14.0, 1.0));
        let labels = figure.panels.iter().flat_map(|panel| &panel.lines).filter_map(|line| line.label.as_deref());
        assert_eq!(labels.collect::<Vec<_>>(), ["truth", "prediction"]);
    }

    #[test]
    fn a_run_that_leaves_and_returns_is_clipped_to_the_truth_with_a_margin_and_says_when() {
        for beyond in [5.5, -1.5, -8.0, 12.0] {
            let figure = run([0.0, 2.0, beyond, 2.0, 1.0]);
            let panel = &figure.panels[0];
            assert_eq!(panel.y_range, Some(-1.0..5.0), "{beyond}");
            assert_eq!(panel.events, [(12.0, "leaves the range of the truth at 12".to_owned())]);
            assert_eq!(panel.lines[1].points.len(), 5);
        }
    }

    /// The truth is from 0 to 4: twice that beyond it is from -8 to 12.
    #[test]
    fn a_run_that_runs_away_ends_where_it_leaves() {
        for (run_away, end) in [
            ([0.0, 2.0, 4e275, 2.0, 2.0], 12.0),
            ([0.0, 2.0, 5.5, 12.1, 2.0], 12.0),
            ([0.0, 2.0, 2.0, f64::NAN, 2.0], 13.0),
            ([0.0, 2.0, 2.0, 2.0, f64::NEG_INFINITY], 14.0),
        ] {
            let figure = run(run_away);
            let panel = &figure.panels[0];
            assert_eq!(panel.lines[1].points.last().unwrap().0, end, "{run_away:?}");
            let words = format!("leaves the range of the truth at {end} and is cut there");
            assert_eq!(panel.events, [(end, words.clone())]);
            assert_eq!((&panel.y_range, panel.lines[0].points.len()), (&Some(-1.0..5.0), 5), "the truth is whole");
            assert!(figure.to_svg().unwrap().contains(&words));
        }
    }

    #[test]
    fn a_run_that_stays_is_shown_whole() {
        let figure = run([0.0, 2.0, 5.0, 2.0, -1.0]);
        assert_eq!((&figure.panels[0].y_range, figure.panels[0].events.len()), (&None, 0));
    }

    #[test]
    fn no_more_channels_are_drawn_than_fit_and_the_title_says_so() {
        let names = names(15);
        let figure = series("all", &truth(&names));
        assert_eq!(figure.panels.len(), MOST_CHANNELS);
        assert_eq!(figure.title, "all (first 12 of 15 channels)");
    }

    #[test]
    fn an_orbit_is_one_channel_against_another() {
        let orbit = |label: &str| Orbit { label: label.into(), values: [vec![1.0, 2.0], vec![3.0, 4.0]] };
        let figure = attractor("attractor", ["x", "z"], orbit("series"), vec![orbit("forecast")]);
        let panel = &figure.panels[0];
        assert_eq!((figure.x_label.as_str(), panel.y_label.as_str()), ("x", "z"));
        assert_eq!(panel.lines[1].points, [(1.0, 3.0), (2.0, 4.0)]);
    }

    #[test]
    fn series_of_any_kind_are_drawn() {
        let names = names(3);
        for value in [0.0, f64::NAN, f64::INFINITY, 1e308, -1e-320] {
            for times in [vec![], vec![value; 4], vec![1.7e9, 1.7e9 + 2.4e-7, 1.7e9, f64::NAN]] {
                for values in [vec![], vec![vec![]; 3], vec![vec![value; 4]; 2], vec![vec![value, 1.0, -value, 2.0]; 3]]
                {
                    let truth = Series { time_label: "", names: &names, times: times.clone(), values: values.clone() };
                    for prediction in [vec![], vec![vec![]; 3], vec![vec![value; 4], vec![1.0; 9]]] {
                        let figures =
                            [series("", &truth), forecast("", &truth, &prediction), free_run("", &truth, &prediction)];
                        figures.iter().for_each(|figure| assert!(figure.to_svg().is_ok()));
                    }
                }
            }
            let orbit = || Orbit { label: String::new(), values: [vec![value; 3], vec![value, 1.0]] };
            attractor("", ["", ""], orbit(), vec![orbit()]).to_png().unwrap();
        }
    }
}
