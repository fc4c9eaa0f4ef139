//! Inputs of a network in a few samples, and its outputs over the targets.

use crate::{Figure, Line, Mark, Panel, thin};

/// Samples that are drawn.
pub const MOST_SAMPLES: usize = 3;
/// Lines of one kind that are drawn in a panel: more are a tangle.
pub const MOST_CHANNELS: usize = 6;

/// One sample. All arrays are `[channel][step]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Inputs of the network.
    pub inputs: Vec<Vec<f64>>,
    /// Targets; empty where targets are no series.
    pub targets: Vec<Vec<f64>>,
    /// Outputs of the network; empty where they are no series.
    pub outputs: Vec<Vec<f64>>,
}

/// For the first [`MOST_SAMPLES`] samples the inputs, and below them outputs over targets where those are series, over the time
/// from 0 in steps of `dt`. Of each array the first [`MOST_CHANNELS`] channels are drawn.
pub fn figure(title: &str, dt: f64, samples: &[Sample]) -> Figure {
    let panels = samples.iter().take(MOST_SAMPLES).enumerate().flat_map(|(i, sample)| panels(i, sample, dt)).collect();
    Figure { title: title.into(), x_label: format!("time (dt = {dt})"), panels, panel_height: 150, ..Figure::default() }
}

fn panels(number: usize, sample: &Sample, dt: f64) -> Vec<Panel> {
    let lines = |channels: &[Vec<f64>], label: &str, mark| -> Vec<Line> {
        let line = |(c, values): (usize, &Vec<f64>)| {
            let points = values.iter().enumerate().map(|(i, &value)| (i as f64 * dt, value)).collect();
            // One legend serves all channels and samples.
            Line { label: (c == 0 && number == 0).then(|| label.to_owned()), points: thin(points), mark }
        };
        channels.iter().take(MOST_CHANNELS).enumerate().map(line).collect()
    };
    let inputs = Panel {
        title: Some(format!("test sample {number}")),
        y_label: "input".into(),
        lines: lines(&sample.inputs, "input", Mark::Line),
        ..Panel::default()
    };
    if sample.targets.is_empty() && sample.outputs.is_empty() {
        return vec![inputs];
    }
    let mut outputs = lines(&sample.targets, "target", Mark::Wide);
    outputs.extend(lines(&sample.outputs, "output", Mark::Dashed));
    vec![inputs, Panel { y_label: "output".into(), lines: outputs, ..Panel::default() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(channels: usize) -> Sample {
        let rows = |value: f64| vec![vec![value, -value]; channels];
        Sample { inputs: rows(1.0), targets: rows(2.0), outputs: rows(3.0) }
    }

    #[test]
    fn points_are_steps_apart_and_the_legend_stands_once() {
        let figure = figure("task", 0.5, &vec![sample(2); 2]);
        assert_eq!((figure.title.as_str(), figure.x_label.as_str()), ("task", "time (dt = 0.5)"));
        assert_eq!(figure.panels.len(), 4);
        assert_eq!(figure.panels[2].title.as_deref(), Some("test sample 1"));
        assert_eq!(figure.panels[0].lines[1].points, [(0.0, 1.0), (0.5, -1.0)]);
        assert_eq!(figure.panels[1].lines[2].points, [(0.0, 3.0), (0.5, -3.0)]);
        let labels = figure.panels.iter().flat_map(|panel| &panel.lines).filter_map(|line| line.label.as_deref());
        assert_eq!(labels.collect::<Vec<_>>(), ["input", "target", "output"]);
    }

    #[test]
    fn no_more_is_drawn_than_can_be_told_apart() {
        let figure = figure("task", 0.5, &vec![sample(9); 5]);
        assert_eq!(figure.panels.len(), 2 * MOST_SAMPLES);
        assert_eq!(figure.panels[1].lines.len(), 2 * MOST_CHANNELS);
    }

    #[test]
    fn without_series_to_compare_there_are_only_inputs() {
        let labelled = Sample { targets: Vec::new(), outputs: Vec::new(), ..sample(1) };
        assert_eq!(figure("task", 0.5, &[labelled]).panels.len(), 1);
        assert!(figure("task", 0.5, &[]).panels.is_empty());
    }
}
