//! Plots of a network of rates: the course of training, what it sees and what it says.

use bd_core::Result;
use bd_train::Evaluation as Evaluated;
use tch::{Device, Kind, Tensor};

use crate::examples::{Report, training_figure};
use crate::plan::RnnPlan;
use crate::plot::{Figure, Line, Mark, Panel, thin};

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
    let mut figures = vec![("training".to_owned(), training_figure(losses, reports))];
    figures.push(("samples".to_owned(), samples(plan, inputs, found)?));
    Ok(figures)
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
