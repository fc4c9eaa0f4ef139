//! [`Part`]: one part of a file of examples.

use bd_core::{Result, Spikes};
use bd_train::data::Events;
use tch::{Device, Kind, Tensor};

/// What sequences are made of, on the host.
#[derive(Debug)]
pub(crate) enum FileInputs {
    /// `[sample, time, channel]` in float64.
    Numbers(Tensor),
    /// Zeros and ones, as the list of the ones.
    Spikes(Spikes),
    /// Spikes with times, which are not in steps yet.
    Events(Events),
}

/// One part of a file: inputs, targets in int64 or float64, and the lengths of sequences that are padded.
#[derive(Debug)]
pub(crate) struct Part {
    /// `training`, `validation` or `test`: what is drawn to encode numbers depends on it.
    pub(crate) name: &'static str,
    pub(crate) x: FileInputs,
    pub(crate) y: Tensor,
    pub(crate) lengths: Option<Tensor>,
    /// Of events, how many count as one with another, and how many are later than the last step.
    pub(crate) merged: usize,
    pub(crate) late: usize,
}

/// The steps and channels that events are put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) dt_ms: f64,
    pub(crate) steps: usize,
    pub(crate) channels: usize,
}

impl Part {
    pub(crate) fn count(&self) -> usize {
        self.y.size()[0] as usize
    }

    /// Channels of the data, of events as many as there must be.
    pub(crate) fn channels(&self) -> i64 {
        match &self.x {
            FileInputs::Numbers(x) => x.size()[2],
            FileInputs::Spikes(spikes) => spikes.shape()[2] as i64,
            FileInputs::Events(events) => events.channels(),
        }
    }

    /// Steps of the data, if they are in steps.
    pub(crate) fn steps(&self) -> Option<usize> {
        match &self.x {
            FileInputs::Numbers(x) => Some(x.size()[1] as usize),
            FileInputs::Spikes(spikes) => Some(spikes.shape()[0]),
            FileInputs::Events(_) => None,
        }
    }

    /// `[sample, time, channel]`, of events without the time.
    pub(super) fn shape(&self) -> Vec<i64> {
        let steps = self.steps().map(|steps| steps as i64);
        [Some(self.count() as i64), steps, Some(self.channels())].into_iter().flatten().collect()
    }

    /// With events in steps.
    pub(super) fn binned(self, grid: Grid) -> Result<Self> {
        let FileInputs::Events(events) = &self.x else { return Ok(self) };
        let binned = events.bin(grid.dt_ms, [grid.steps, grid.channels], (Kind::Float, Device::Cpu))?;
        Ok(Self { x: FileInputs::Spikes(binned.spikes), merged: binned.merged, late: binned.late, ..self })
    }

    /// The inputs, if they are numbers.
    pub(crate) fn numbers(&self) -> Option<&Tensor> {
        match &self.x {
            FileInputs::Numbers(x) => Some(x),
            _ => None,
        }
    }

    /// Of `[sample, time, n]` the steps that are no padding, `[step, n]`.
    pub(super) fn valid_steps(&self, of: &Tensor) -> Tensor {
        let steps = of.flatten(0, 1);
        match &self.lengths {
            Some(lengths) => {
                let valid = padding(lengths, of.size()[1]).logical_not().flatten(0, 1);
                steps.index_select(0, &valid.nonzero().squeeze_dim(1))
            }
            None => steps,
        }
    }

    /// Some of the samples, as a part of another name.
    pub(super) fn select(&self, samples: &[i64], name: &'static str) -> Result<Self> {
        let index = Tensor::from_slice(samples);
        let pick = |t: &Tensor| t.index_select(0, &index);
        let x = match &self.x {
            FileInputs::Numbers(x) => FileInputs::Numbers(pick(x)),
            FileInputs::Spikes(spikes) => {
                let samples: Vec<usize> = samples.iter().map(|sample| *sample as usize).collect();
                FileInputs::Spikes(spikes.select(&samples)?)
            }
            FileInputs::Events(_) => unreachable!("events are put in steps before samples are selected"),
        };
        Ok(Self { name, x, y: pick(&self.y), lengths: self.lengths.as_ref().map(pick), merged: 0, late: 0 })
    }
}

/// What is padding of sequences of these lengths, `[sample, time]`.
pub(super) fn padding(lengths: &Tensor, time: i64) -> Tensor {
    Tensor::arange(time, (Kind::Int64, Device::Cpu)).unsqueeze(0).ge_tensor(&lengths.unsqueeze(1))
}
