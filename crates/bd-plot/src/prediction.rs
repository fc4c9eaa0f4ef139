//! Numbers that were predicted against the truth, one for each sample.

use crate::axis::extent;
use crate::{Figure, Line, Mark, Panel};

/// Outputs that are drawn, a panel each.
pub const MOST_OUTPUTS: usize = 4;
/// Dots of a panel: more are a blot.
const MOST_DOTS: usize = 3000;
/// Samples up to which dots are large.
const FEW: usize = 300;
/// Beyond the least and the greatest number, as a fraction of what is between them.
const MARGIN: f64 = 0.06;

/// For each of the first [`MOST_OUTPUTS`] outputs a square with a dot for each sample: the truth to the right, the prediction upwards,
/// both over the same range, and the diagonal, where they are equal. Both are `[output][sample]`.
pub fn figure(title: &str, truth: &[Vec<f64>], prediction: &[Vec<f64>]) -> Figure {
    let outputs = truth.len().min(prediction.len());
    let shown = outputs.min(MOST_OUTPUTS);
    let every = truth.iter().map(Vec::len).max().unwrap_or(0).div_ceil(MOST_DOTS).max(1);
    let mut notes = Vec::new();
    if shown < outputs {
        notes.push(format!("first {shown} of {outputs} outputs"));
    }
    if every > 1 {
        notes.push(format!("1 in {every} samples drawn"));
    }
    let title = std::iter::once(title.to_owned()).chain(notes).collect::<Vec<_>>().join("; ");
    let panel = |output: usize| Panel {
        title: (outputs > 1).then(|| format!("output {output}")),
        ..panel(&truth[output], &prediction[output], every)
    };
    Figure {
        title,
        x_label: "truth".into(),
        panels: (0..shown).map(panel).collect(),
        panel_height: if shown > 1 { 340 } else { 440 },
        columns: shown.clamp(1, 2),
        squares: true,
        ..Figure::default()
    }
}

fn panel(truth: &[f64], prediction: &[f64], every: usize) -> Panel {
    let range = extent(truth.iter().chain(prediction).copied(), MARGIN);
    let points: Vec<_> = truth.iter().copied().zip(prediction.iter().copied()).step_by(every).collect();
    let radius = if points.len() <= FEW { 6 } else { 3 };
    Panel {
        y_label: "prediction".into(),
        lines: vec![Line { label: None, points, mark: Mark::Dots(radius) }],
        diagonal: true,
        x_range: Some(range.clone()),
        y_range: Some(range),
        ..Panel::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_the_truth_to_the_right_and_the_prediction_upwards() {
        let figure = figure("rain", &[vec![0.0, 1.0]], &[vec![0.5, -1.0]]);
        let panel = &figure.panels[0];
        assert_eq!(panel.lines[0].points, [(0.0, 0.5), (1.0, -1.0)]);
        // Both axes are from -1 to 1, with 0.06 of 2 beyond.
        assert_eq!((panel.x_range.clone(), panel.y_range.clone()), (Some(-1.12..1.12), Some(-1.12..1.12)));
        assert!(panel.diagonal && panel.title.is_none());
        assert_eq!(figure.title, "rain");
    }

    /// A square of 440 pixels is 880 in the bitmap: its diagonal is as long to the right as upwards.
    #[test]
    fn the_diagonal_is_from_corner_to_corner() {
        let svg = figure("", &[vec![0.0, 1.0]], &[vec![0.0, 1.0]]).to_svg().unwrap();
        let ends = |line: &str| -> Option<[i32; 4]> {
            let points = line.split("points=\"").nth(1)?.split('"').next()?;
            points.split([' ', ',']).filter_map(|number| number.parse().ok()).collect::<Vec<_>>().try_into().ok()
        };
        let oblique = svg.lines().filter_map(ends).filter(|[x0, y0, x1, y1]| x0 != x1 && y0 != y1);
        let [[x0, y0, x1, y1]] = <[_; 1]>::try_from(oblique.collect::<Vec<_>>()).unwrap();
        assert_eq!((x1 - x0, y0 - y1), (879, 879));
    }

    #[test]
    fn what_is_left_out_is_said() {
        let rows = vec![vec![1.0; 7000]; 6];
        let figure = figure("all", &rows, &rows);
        assert_eq!(figure.panels.len(), MOST_OUTPUTS);
        assert_eq!(figure.panels[3].title.as_deref(), Some("output 3"));
        assert_eq!(figure.title, "all; first 4 of 6 outputs; 1 in 3 samples drawn");
        assert_eq!(figure.panels[0].lines[0].points.len(), 2334); // 7000 / 3, rounded up
    }

    #[test]
    fn numbers_of_any_kind_are_drawn() {
        for value in [0.0, f64::NAN, f64::INFINITY, 1e308, -1e-320] {
            for truth in [vec![], vec![vec![]], vec![vec![value, 1.0]]] {
                let figure = figure("", &truth, &vec![vec![1.0, value]; 2]);
                figure.to_svg().unwrap();
                figure.to_png().unwrap();
            }
        }
    }
}
