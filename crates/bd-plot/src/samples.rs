//! What a network gets in a few samples, and what it makes of them.

use crate::words::shorten;
use crate::{Figure, Line, Mark, Panel, thin_to};

/// Samples that are drawn where only inputs are series: a small panel each.
pub const MOST_PANELS: usize = 12;
/// Samples that are drawn where outputs are series, too: two wide panels each.
pub const MOST_SAMPLES: usize = 3;
/// Lines of inputs that are drawn in a panel: more are a tangle.
pub const MOST_CHANNELS: usize = 12;
/// Channels that are named: more share colours.
const MOST_NAMED: usize = 6;
/// Outputs that are drawn in a panel, each with its target.
pub const MOST_OUTPUTS: usize = 6;
/// Rows of input spikes.
pub const MOST_ROWS: usize = 200;
/// Panels up to which there are two columns, and three beyond.
const FEW: usize = 4;
/// Stretches to which a line is thinned: there may be hundreds of them.
const STRETCHES: usize = 500;
/// Input spikes of a panel that are drawn.
const MOST_DOTS: usize = 3000;
/// Characters of a class at the vertical axis.
const MOST_CHARACTERS: usize = 16;

/// What is the same for all samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Common<'a> {
    /// Words of the time axis, with its unit.
    pub time_label: &'a str,
    /// Between two steps, in the unit of the axis.
    pub dt: f64,
    /// Channels of the data; of more than are drawn the samples need not have all.
    pub channels: usize,
    /// Outputs, likewise.
    pub outputs: usize,
    /// Names of the classes where targets and outputs are their numbers.
    pub classes: &'a [String],
}

/// What goes into a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// `[channel][step]`.
    Numbers(Vec<Vec<f64>>),
    /// Spikes.
    Spikes {
        /// Steps of the sample.
        steps: usize,
        /// Step and channel of each spike.
        spikes: Vec<(usize, usize)>,
    },
}

/// One sample, as long as it is: without padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Above its panel.
    pub title: String,
    /// Inputs of the network.
    pub inputs: Inputs,
    /// Targets, `[output][step]`; empty where targets are no series.
    pub targets: Vec<Vec<f64>>,
    /// Outputs of the network, `[output][step]`; empty where they are no series.
    pub outputs: Vec<Vec<f64>>,
}

impl Sample {
    fn has_series(&self) -> bool {
        !self.targets.is_empty() || !self.outputs.is_empty()
    }

    /// When it ends, in steps.
    fn last_step(&self) -> usize {
        match &self.inputs {
            Inputs::Numbers(channels) => channels.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1),
            Inputs::Spikes { steps, .. } => *steps,
        }
    }
}

/// The inputs of samples over the time from 0 on: those of the first [`MOST_PANELS`] side by side; or, where a sample has targets or
/// outputs that are series, of the first [`MOST_SAMPLES`], with outputs over targets below. The title says of how many channels and
/// outputs only the first are drawn.
pub fn figure(title: &str, common: &Common<'_>, samples: &[Sample]) -> Figure {
    let wide = samples.iter().any(Sample::has_series);
    let shown = &samples[..samples.len().min(if wide { MOST_SAMPLES } else { MOST_PANELS })];
    let spikes = shown.iter().any(|sample| matches!(sample.inputs, Inputs::Spikes { .. }));
    let drawer = Drawer { common, spikes, wide };
    let panels = shown.iter().enumerate().flat_map(|(i, sample)| drawer.panels(i == 0, sample)).collect();
    let held = usize::from(wide && !common.classes.is_empty());
    let end = (shown.iter().map(Sample::last_step).max().unwrap_or(0) + held) as f64 * common.dt;
    let columns = match shown.len() {
        _ if wide => 1,
        count @ ..2 => count.max(1),
        ..=FEW => 2,
        _ => 3,
    };
    Figure {
        title: format!("{title}{}", drawer.note()),
        x_label: common.time_label.into(),
        panels,
        panel_height: if wide || shown.len() > FEW { 150 } else { 220 },
        columns,
        key: drawer.key(),
        x_range: Some(0.0..end),
        ..Figure::default()
    }
}

struct Drawer<'a> {
    common: &'a Common<'a>,
    spikes: bool,
    wide: bool,
}

impl Drawer<'_> {
    /// What is left out, behind the title.
    fn note(&self) -> String {
        let Common { channels, outputs, .. } = *self.common;
        let channels = (channels, if self.spikes { MOST_ROWS } else { MOST_CHANNELS }, "channels");
        let outputs = (if self.wide { outputs } else { 0 }, MOST_OUTPUTS, "outputs");
        let cut = [channels, outputs].into_iter().filter(|(all, most, _)| all > most);
        cut.map(|(all, most, things)| format!("; first {most} of {all} {things}")).collect()
    }

    /// Names of the channels where each has a colour of its own.
    fn key(&self) -> Vec<String> {
        let channels = self.common.channels;
        let named = !self.wide && !self.spikes && (2..=MOST_NAMED).contains(&channels);
        (0..if named { channels } else { 0 }).map(|channel| format!("channel {channel}")).collect()
    }

    /// One legend serves all samples: that of the first.
    fn panels(&self, is_first: bool, sample: &Sample) -> Vec<Panel> {
        let legend = |words: &str| (is_first && self.wide).then(|| words.to_owned());
        let inputs = Panel { title: Some(sample.title.clone()), ..self.inputs(&sample.inputs, legend("input")) };
        if !self.wide {
            return vec![inputs];
        }
        let mut lines = self.lines(&sample.targets, MOST_OUTPUTS, legend("target"), Mark::Wide);
        lines.extend(self.lines(&sample.outputs, MOST_OUTPUTS, legend("output"), Mark::Dashed));
        let names = self.common.classes;
        if !names.is_empty() {
            lines.iter_mut().for_each(|line| line.points = held(&line.points, self.common.dt));
        }
        let range = (!names.is_empty()).then(|| -0.5..names.len() as f64 - 0.5);
        let ticks = (!names.is_empty()).then(|| ticks(names));
        let y_label = if names.is_empty() { "output" } else { "class" };
        vec![inputs, Panel { y_label: y_label.into(), lines, y_range: range, y_ticks: ticks, ..Panel::default() }]
    }

    fn inputs(&self, inputs: &Inputs, legend: Option<String>) -> Panel {
        match inputs {
            Inputs::Numbers(channels) => Panel {
                y_label: "input".into(),
                lines: self.lines(channels, MOST_CHANNELS, legend, Mark::Line),
                ..Panel::default()
            },
            Inputs::Spikes { spikes, .. } => {
                let rows = self.common.channels.min(MOST_ROWS);
                let every = spikes.len().div_ceil(MOST_DOTS).max(1);
                let shown = spikes.iter().filter(|(_, channel)| *channel < rows).step_by(every);
                let points = shown.map(|&(step, channel)| (step as f64 * self.common.dt, channel as f64)).collect();
                let radius = (150 / rows.max(1) as u32).clamp(2, 4); // within its row
                Panel {
                    y_label: "input channel".into(),
                    lines: vec![Line { label: None, points, mark: Mark::Dots(radius) }],
                    y_range: Some(-1.0..rows as f64),
                    ..Panel::default()
                }
            }
        }
    }

    fn lines(&self, rows: &[Vec<f64>], most: usize, legend: Option<String>, mark: Mark) -> Vec<Line> {
        let line = |(i, values): (usize, &Vec<f64>)| {
            let points = values.iter().enumerate().map(|(step, &value)| (step as f64 * self.common.dt, value));
            let points = thin_to(if self.wide { 4 * STRETCHES } else { STRETCHES }, points.collect());
            Line { label: legend.clone().filter(|_| i == 0), points, mark }
        };
        rows.iter().take(most).enumerate().map(line).collect()
    }
}

/// A line that is level during each step.
fn held(points: &[(f64, f64)], dt: f64) -> Vec<(f64, f64)> {
    points.iter().flat_map(|&(time, height)| [(time, height), (time + dt, height)]).collect()
}

/// A name at the height of each class, or of some where there are many.
fn ticks(names: &[String]) -> Vec<(f64, String)> {
    let every = names.len().div_ceil(MOST_PANELS).max(1);
    let name = |(class, name): (usize, &String)| (class as f64, shorten(name, MOST_CHARACTERS));
    names.iter().enumerate().step_by(every).map(name).collect()
}

#[cfg(test)]
mod tests;
