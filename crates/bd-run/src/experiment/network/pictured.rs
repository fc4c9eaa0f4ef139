//! What is shown of the samples that a network is tested on.

use bd_core::{DataTransform, Result};
use bd_train::data::dataset::Shown;

use super::{Data, NetworkExperiment, TEST_BATCH};
use crate::experiment::report::Pictured;

/// The length of a step of a file that has no unit of its own, see [`NetworkConfig`](crate::NetworkConfig).
const USUAL_DT: f64 = 1.0;

impl NetworkExperiment {
    /// The samples of the test part in the units of the data. Of a task without scaled inputs these are what the network takes;
    /// otherwise the batch is drawn again.
    pub(super) fn pictured(&self) -> Result<Option<Pictured>> {
        let (config, pipeline) = (&self.config, &self.pipeline);
        Ok(match &self.data {
            Data::Random(_) => None,
            Data::Task(task, set) => {
                let shown = match pipeline.preparation() {
                    None => Shown::new(set.examples.inputs(), set.examples.lengths())?,
                    Some(_) => {
                        let samples = config.data.test_samples;
                        let batch = task.batch(config.seed, TEST_BATCH, samples, config.dt, pipeline.on())?;
                        Shown::new(batch.inputs(), batch.lengths())?
                    }
                };
                Some(Pictured { shown, dt: config.dt, time_label: format!("time (dt = {})", config.dt) })
            }
            Data::File(data) => data.shown.clone().map(|shown| {
                let (dt, time_label) = axis(config.dt, pipeline.substeps(), data.had_times);
                Pictured { shown, dt, time_label: time_label.into() }
            }),
        })
    }
}

/// Length of a step of a file and the words of the axis: in milliseconds where spikes came with times or the length of a step was set,
/// and otherwise the number of the step. A step of the file is `substeps` steps of the network, of `dt_ms` each.
fn axis(dt_ms: f64, substeps: usize, had_times: bool) -> (f64, &'static str) {
    let has_unit = had_times || dt_ms != USUAL_DT;
    if has_unit { (dt_ms * substeps as f64, "time (ms)") } else { (1.0, "step") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_in_milliseconds_where_they_mean_something() {
        assert_eq!(axis(1.0, 1, false), (1.0, "step"));
        assert_eq!(axis(1.0, 10, false), (1.0, "step"), "steps of the data, not of the network");
        assert_eq!(axis(2.5, 10, false), (25.0, "time (ms)"));
        assert_eq!(axis(1.0, 1, true), (1.0, "time (ms)"));
        assert_eq!(axis(4.0, 1, true), (4.0, "time (ms)"));
    }
}
