//! Figures of a network of rates: its training, and its outputs over the targets.

use bd_core::Result;
use bd_plot::Figure;
use bd_plot::samples::{self, Sample};
use tch::Tensor;

use crate::examples::{Evaluated, Report, training_figure};
use crate::plan::RnnPlan;
use crate::plot::channels;

/// Every figure, with the name of its file.
pub(super) fn figures(
    plan: &RnnPlan,
    losses: &[f64],
    reports: &[Report],
    inputs: &Tensor,
    found: &Evaluated,
) -> Result<Vec<(String, Figure)>> {
    let what = plan.data.task.map_or("examples", |task| task.name());
    let title = format!("{what}: the first test samples");
    let count = inputs.size()[0].min(samples::MOST_SAMPLES as i64);
    let samples = (0..count).map(|i| sample(i, inputs, found)).collect::<Result<Vec<_>>>()?;
    let training = training_figure(losses, reports);
    Ok(vec![("training".into(), training), ("samples".into(), samples::figure(&title, plan.dt, &samples))])
}

/// Inputs of a test sample, with outputs and targets where those are series.
fn sample(i: i64, inputs: &Tensor, found: &Evaluated) -> Result<Sample> {
    let first = |t: &Tensor| channels(&t.get(i), samples::MOST_CHANNELS);
    let inputs = first(inputs)?;
    if found.outputs.dim() != 3 || !found.targets.is_floating_point() {
        return Ok(Sample { inputs, ..Sample::default() });
    }
    Ok(Sample { inputs, targets: first(&found.targets)?, outputs: first(&found.outputs)? })
}
