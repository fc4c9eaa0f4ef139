//! The figure of a training.

use bd_plot::Figure;

use super::learning::Report;
use crate::plot;

/// The loss of every update, and that of the validation part.
pub(crate) fn training(losses: &[f64], reports: &[Report]) -> Figure {
    let reports: Vec<_> = reports.iter().map(Into::into).collect();
    plot::training(losses, &reports)
}

impl From<&Report> for bd_plot::training::Report {
    fn from(report: &Report) -> Self {
        Self { step: report.step, loss: report.loss, validation: report.validation, accuracy: None }
    }
}
