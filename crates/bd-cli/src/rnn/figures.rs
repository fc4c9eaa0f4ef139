//! Plots of a network of rates: what it sees and what it says, and the course of training.

use bd_core::Result;
use tch::{Device, Kind, Tensor};

use super::Report;
use super::evaluation::Evaluated;
use crate::plan::RnnPlan;
use crate::plot::{Figure, Line, Mark, Panel, thin};
use crate::text::{plural, short};

/// More lines than this in a panel, or panels in a figure, nobody looks at.
const MOST: i64 = 6;

/// Every figure, with the name of its file.
pub(super) fn figures(
    plan: &RnnPlan,
    losses: &[f64],
    reports: &[Report],
    inputs: &Tensor,
    found: &Evaluated,
) -> Result<Vec<(String, Figure)>> {
    let mut figures = vec![("training".to_owned(), training(losses, reports))];
    figures.push(("samples".to_owned(), samples(plan, inputs, found)?));
    Ok(figures)
}

/// The loss of every update, and that of the validation part.
fn training(losses: &[f64], reports: &[Report]) -> Figure {
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

/// For the first test samples the inputs, and the outputs over the targets where those are series.
fn samples(plan: &RnnPlan, inputs: &Tensor, found: &Evaluated) -> Result<Figure> {
    let host = |t: &Tensor| -> Result<Tensor> { Ok(t.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?) };
    let (inputs, count) = (host(inputs)?, inputs.size()[0].min(3));
    let series = |t: &Tensor, sample: i64, label: &str, mark: Mark| -> Result<Vec<Line>> {
        let of_sample = t.get(sample);
        (0..of_sample.size()[1].min(MOST))
            .map(|c| {
                let values = Vec::<f64>::try_from(of_sample.select(1, c).contiguous())?;
                let points = values.into_iter().enumerate().map(|(i, value)| (i as f64 * plan.dt, value)).collect();
                Ok(Line { label: (c == 0 && sample == 0).then(|| label.to_owned()), points: thin(points), mark })
            })
            .collect()
    };
    let mut panels = Vec::new();
    for sample in 0..count {
        let title = Some(format!("test sample {sample}"));
        let lines = series(&inputs, sample, "input", Mark::Line)?;
        panels.push(Panel { title, y_label: "input".into(), lines, ..Panel::default() });
        if found.outputs.dim() == 3 && found.targets.is_floating_point() {
            let mut lines = series(&host(&found.targets)?, sample, "target", Mark::Wide)?;
            lines.extend(series(&found.outputs, sample, "output", Mark::Line)?);
            panels.push(Panel { y_label: "output".into(), lines, ..Panel::default() });
        }
    }
    let what = plan.data.task.map_or("examples", |task| task.name());
    Ok(Figure {
        title: format!("{what}: the first test samples"),
        x_label: format!("time (dt = {})", plan.dt),
        panels,
        panel_height: 150,
        ..Figure::default()
    })
}
