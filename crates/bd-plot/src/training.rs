//! The course of a training.

use crate::{Figure, Line, Mark, Panel, Scale, thin};

/// What was seen at one report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Updates made so far.
    pub step: u64,
    /// Loss of the update.
    pub loss: f64,
    /// Loss on the validation part, if there is one.
    pub validation: Option<f64>,
    /// Fraction of samples that are classified correctly, if they have labels.
    pub accuracy: Option<f64>,
}

/// The loss of every update with that on the validation part, and below it the accuracy at the reports, if any has one.
pub fn figure(title: &str, losses: &[f64], reports: &[Report]) -> Figure {
    let validation = at_reports(reports, |report| report.validation);
    let accuracy = at_reports(reports, |report| report.accuracy.filter(|value| (0.0..=1.0).contains(value)));

    let two = !validation.is_empty();
    let label = |name: &str| two.then(|| name.to_owned());
    let all = losses.iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
    let mut lines = vec![Line { label: label("training"), points: thin(all), mark: Mark::Line }];
    if two {
        lines.push(Line { label: label("validation"), points: thin(validation), mark: Mark::LineAndDots });
    }
    // The last updates are orders below the first ones.
    let mut panels = vec![Panel { y_label: "loss".into(), y_scale: Scale::Log, lines, ..Panel::default() }];
    if !accuracy.is_empty() {
        let lines = vec![Line { label: None, points: thin(accuracy), mark: Mark::LineAndDots }];
        panels.push(Panel { y_label: "accuracy".into(), lines, y_range: Some(-0.05..1.05), ..Panel::default() });
    }
    let panel_height = if panels.len() == 1 { 260 } else { 200 };
    Figure { title: title.into(), x_label: "update".into(), panel_height, panels, ..Figure::default() }
}

/// What the reports have of one quantity.
fn at_reports(reports: &[Report], value: impl Fn(&Report) -> Option<f64>) -> Vec<(f64, f64)> {
    reports.iter().filter_map(|report| Some((report.step as f64, value(report)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: u64, validation: Option<f64>, accuracy: Option<f64>) -> Report {
        Report { step, loss: 0.5, validation, accuracy }
    }

    #[test]
    fn training_is_drawn_however_it_went() {
        let odd = [f64::NAN, f64::INFINITY, -1e308, 1e308, 0.0].map(Some);
        for losses in
            [vec![], vec![0.5], vec![f64::NAN; 30_000], vec![1.0, 1e308, f64::INFINITY, f64::NAN, -1e308, 0.0]]
        {
            for value in odd.into_iter().chain([None]) {
                let reports = [report(u64::MAX, value, value), report(1, value, Some(0.5))];
                figure("training", &losses, &reports).to_svg().unwrap();
                figure("training", &losses, &reports[..1]).to_png().unwrap();
            }
            figure("training", &losses, &[]).to_svg().unwrap();
        }
    }

    #[test]
    fn decades_of_the_loss_are_labelled_by_their_numbers() {
        let losses: Vec<f64> = (0..=300).map(|i| 10f64.powf(-f64::from(i) / 100.0)).collect();
        let svg = figure("training", &losses, &[]).to_svg().unwrap();
        for label in ["0.001", "0.01", "0.1", "1"] {
            assert!(svg.contains(&format!("\n{label}\n")), "{label}");
        }
    }

    #[test]
    fn accuracies_have_a_panel_where_there_are_any() {
        let reports = [report(1, None, Some(0.5)), report(2, None, None), report(3, None, Some(f64::NAN))];
        let figure_of = |reports| figure("training", &[0.5], reports);
        assert_eq!(figure_of(&reports).panels[1].lines[0].points, [(1.0, 0.5)]);
        assert_eq!(figure_of(&reports[1..]).panels.len(), 1);
    }

    #[test]
    fn a_validation_loss_has_a_line_and_a_legend() {
        let figure = figure("training", &[0.5, 0.25], &[report(2, Some(0.125), None)]);
        let labels: Vec<_> = figure.panels[0].lines.iter().map(|line| line.label.as_deref()).collect();
        assert_eq!(labels, [Some("training"), Some("validation")]);
        assert_eq!(figure.panels[0].lines[1].points[0].0, 2.0);
    }
}
