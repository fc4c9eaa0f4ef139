//! The plot of a training.

use super::learning::Report;
use crate::plot::{Figure, Line, Mark, Panel, thin};
use crate::text::{plural, short};

/// The loss of every update, and that of the validation part.
pub(crate) fn training(losses: &[f64], reports: &[Report]) -> Figure {
    let line =
        |label: Option<&str>, points: Vec<(f64, f64)>, mark| Line { label: label.map(str::to_owned), points, mark };
    let validation: Vec<(f64, f64)> =
        reports.iter().filter_map(|report| Some((report.step as f64, report.validation?))).collect();
    // The last updates are orders below the first ones.
    let log = |points: Vec<(f64, f64)>| points.into_iter().map(|(x, y)| (x, y.log10())).collect::<Vec<_>>();
    let label = (!validation.is_empty()).then_some("training");
    let all = losses.iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
    let mut lines = vec![line(label, thin(log(all)), Mark::Line)];
    if !validation.is_empty() {
        lines.push(line(Some("validation"), thin(log(validation)), Mark::LineAndDots));
    }
    let last =
        reports.last().map_or(String::new(), |report| format!("; at the last report loss {}", short(report.loss)));
    Figure {
        title: format!("training, {}{last}", plural(losses.len(), "update")),
        x_label: "update".into(),
        panels: vec![Panel { y_label: "log10 loss".into(), lines, ..Panel::default() }],
        panel_height: 260,
        ..Figure::default()
    }
}
