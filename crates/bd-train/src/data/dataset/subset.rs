//! [`Subset`]: one part of a data set, in the units of the data.

use bd_core::{DataTransform, Error, Inputs, Result, catch_torch, kind_name};
use tch::{Device, Kind, Tensor};

use crate::data::{Events, Examples};

/// Inputs of sequences, on the host.
#[derive(Debug)]
pub enum SubsetInputs {
    /// In steps: numbers in float64, or spikes.
    Steps(Inputs),
    /// Spikes with times, which have no steps yet, see [`Subset::binned`].
    Events(Events),
}

/// One part of a data set: sequences with their targets, in the units of the data, on the host.
#[derive(Debug)]
pub struct Subset {
    /// `training`, `validation` or `test`: what is drawn at random to encode numbers depends on it.
    pub name: &'static str,
    /// The sequences.
    pub inputs: SubsetInputs,
    /// Int64 labels or float64 numbers, one or more for each sequence, see [`Targets`](super::Targets).
    pub targets: Tensor,
    /// Int64 `[sample]`: the steps of each sequence that are no padding; `None` where there is no padding.
    pub lengths: Option<Tensor>,
    /// Events that have another one of the same channel and step before them and were counted as one with it.
    pub merged_events: usize,
    /// Events after the last step, which were left out.
    pub late_events: usize,
    /// Whether the inputs were spikes with times before they were put in steps.
    pub had_times: bool,
    /// The numbers of the sequences in their file, where that was divided.
    pub samples: Option<Vec<usize>>,
    /// The group of each sequence, where groups are not to be divided.
    pub groups: Option<Vec<i64>>,
}

/// What a step has of the events in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InSteps {
    /// At most one spike of each channel, see [`Events::bin`].
    Spikes,
    /// Their number in each channel, see [`Events::count_in_steps`].
    Counts,
}

/// The steps and channels that events are put in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binning {
    /// What a step has of them.
    pub as_: InSteps,
    /// Length of a step in milliseconds.
    pub dt_ms: f64,
    /// Number of steps.
    pub steps: usize,
    /// Number of channels.
    pub channels: usize,
}

impl Subset {
    /// A part of these sequences and targets, without padding.
    pub fn new(name: &'static str, inputs: SubsetInputs, targets: Tensor) -> Self {
        Self {
            name,
            inputs,
            targets,
            lengths: None,
            merged_events: 0,
            late_events: 0,
            had_times: false,
            samples: None,
            groups: None,
        }
    }

    /// Which sequences of their file these are: the group of each, or its number. `None` where neither is known.
    pub fn identities(&self) -> Option<Vec<i64>> {
        let numbers = || Some(self.samples.as_ref()?.iter().map(|sample| *sample as i64).collect());
        self.groups.clone().or_else(numbers)
    }

    /// Number of sequences.
    pub fn count(&self) -> usize {
        self.targets.size()[0] as usize
    }

    /// Channels of the data; of events as many as their units need.
    pub fn channels(&self) -> i64 {
        match &self.inputs {
            SubsetInputs::Steps(inputs) => inputs.shape()[2],
            SubsetInputs::Events(events) => events.channels(),
        }
    }

    /// Steps of the data; `None` for events.
    pub fn steps(&self) -> Option<usize> {
        match &self.inputs {
            SubsetInputs::Steps(inputs) => Some(inputs.shape()[1] as usize),
            SubsetInputs::Events(_) => None,
        }
    }

    /// `[sample, time, channel]`, of events `[sample, channel]`.
    pub fn shape(&self) -> Vec<i64> {
        let steps = self.steps().map(|steps| steps as i64);
        [Some(self.count() as i64), steps, Some(self.channels())].into_iter().flatten().collect()
    }

    /// The inputs if they are numbers, `[sample, time, channel]` in float64. Nothing is copied.
    pub fn numbers(&self) -> Option<Tensor> {
        match &self.inputs {
            SubsetInputs::Steps(Inputs::Dense(xs)) => Some(xs.transpose(0, 1)),
            _ => None,
        }
    }

    /// The inputs if they are events.
    pub fn events(&self) -> Option<&Events> {
        match &self.inputs {
            SubsetInputs::Events(events) => Some(events),
            SubsetInputs::Steps(_) => None,
        }
    }

    /// With events put in steps. What is in steps already stays as it is. Fails if a unit is no
    /// channel, or if there are targets for another number of steps.
    pub fn binned(self, Binning { as_, dt_ms, steps, channels }: Binning) -> Result<Self> {
        let SubsetInputs::Events(events) = &self.inputs else { return Ok(self) };
        if let Some(found) = self.steps_of_targets().filter(|found| *found != steps) {
            return Err(Error::Config(format!(
                "the {} part has targets for {found} steps, but its spikes are put in {steps}",
                self.name
            )));
        }
        let (inputs, merged_events, late_events) = catch_torch(|| match as_ {
            InSteps::Spikes => {
                let binned = events.bin(dt_ms, [steps, channels], (Kind::Float, Device::Cpu))?;
                Ok((Inputs::Spikes(binned.spikes), binned.merged, binned.late))
            }
            InSteps::Counts => {
                let (counts, late) = events.count_in_steps(dt_ms, [steps, channels])?;
                Ok((Inputs::Dense(counts.transpose(0, 1)), 0, late))
            }
        })?;
        Ok(Self { inputs: SubsetInputs::Steps(inputs), merged_events, late_events, had_times: true, ..self })
    }

    /// How many steps the targets are of, where there is one for each step.
    pub fn steps_of_targets(&self) -> Option<usize> {
        let size = self.targets.size();
        let of_steps = size.len() == 3 || size.len() == 2 && self.targets.kind() == Kind::Int64;
        of_steps.then(|| size[1] as usize)
    }

    /// Of `[sample, time, n]` the steps that are no padding, `[step, n]`.
    pub fn valid_steps(&self, of: &Tensor) -> Tensor {
        let steps = of.flatten(0, 1);
        match &self.lengths {
            Some(lengths) => {
                let valid = padding(lengths, of.size()[1]).logical_not().flatten(0, 1);
                steps.index_select(0, &valid.nonzero().squeeze_dim(1))
            }
            None => steps,
        }
    }

    /// Labels that are not in padding, int64 `[label]`, of sequences or of steps.
    pub(crate) fn valid_labels(&self) -> Tensor {
        match self.targets.dim() {
            1 => self.targets.shallow_clone(),
            _ => self.valid_steps(&self.targets.unsqueeze(2)).flatten(0, -1),
        }
    }

    /// Some of the sequences, in the given order, as a part of another name.
    pub fn select(&self, samples: &[usize], name: &'static str) -> Result<Self> {
        let numbers: Vec<i64> = samples.iter().map(|sample| *sample as i64).collect();
        let index = Tensor::from_slice(&numbers);
        let inputs = match &self.inputs {
            // Sample by sample in memory, as they were read.
            SubsetInputs::Steps(Inputs::Dense(xs)) => {
                SubsetInputs::Steps(Inputs::Dense(xs.transpose(0, 1).f_index_select(0, &index)?.transpose(0, 1)))
            }
            SubsetInputs::Steps(Inputs::Spikes(spikes)) => SubsetInputs::Steps(Inputs::Spikes(spikes.select(samples)?)),
            SubsetInputs::Events(events) => SubsetInputs::Events(events.select(samples)?),
        };
        let lengths = self.lengths.as_ref().map(|lengths| lengths.f_index_select(0, &index)).transpose()?;
        let part = Self::new(name, inputs, self.targets.f_index_select(0, &index)?);
        let groups = self.groups.as_ref().map(|groups| samples.iter().map(|sample| groups[*sample]).collect());
        let numbers = self.samples.as_ref().map(|known| samples.iter().map(|sample| known[*sample]).collect());
        Ok(Self { lengths, groups, samples: numbers, had_times: self.had_times, ..part })
    }

    /// The same sequences as a part of another name. Numbers and spikes are shared, not copied.
    pub fn named(&self, name: &'static str) -> Self {
        let inputs = match &self.inputs {
            SubsetInputs::Steps(inputs) => SubsetInputs::Steps(inputs.clone()),
            SubsetInputs::Events(events) => SubsetInputs::Events(events.shallow_clone()),
        };
        Self {
            lengths: self.lengths.as_ref().map(Tensor::shallow_clone),
            samples: self.samples.clone(),
            groups: self.groups.clone(),
            had_times: self.had_times,
            ..Self::new(name, inputs, self.targets.shallow_clone())
        }
    }

    /// Lets `transform` learn from the steps that are no padding: from inputs if they are numbers, and from targets if they are.
    pub fn fit(&self, transform: &impl DataTransform) -> Result<()> {
        catch_torch(|| {
            if let Some(x) = self.numbers() {
                transform.fit_inputs(&self.valid_steps(&x))?;
            }
            match self.targets.dim() {
                _ if self.targets.kind() == Kind::Int64 => Ok(()),
                3 => transform.fit_targets(&self.valid_steps(&self.targets)),
                _ => transform.fit_targets(&self.targets),
            }
        })
    }

    /// Examples as a model takes them. Fails for events, and for numbers that the model's dtype cannot hold.
    pub fn examples(&self, transform: &impl DataTransform) -> Result<Examples> {
        let (kind, device) = transform.on();
        catch_torch(|| {
            let inputs = match &self.inputs {
                SubsetInputs::Steps(Inputs::Dense(xs)) => {
                    transform.inputs(&xs.transpose(0, 1), self.lengths.as_ref(), self.name)?
                }
                SubsetInputs::Steps(Inputs::Spikes(spikes)) => {
                    Inputs::Spikes(spikes.clone().of_kind(kind).on_device(device))
                }
                SubsetInputs::Events(_) => return Err(not_in_steps()),
            };
            // Labels stay on the host: `Examples` moves them, and has checked them by then.
            let targets = transform.targets(&self.targets);
            if let Inputs::Dense(xs) = &inputs {
                check_finite("an input", &xs.transpose(0, 1))?;
            }
            check_finite("a target", &targets)?;
            let examples = Examples::new(inputs, targets)?;
            match transform.lengths(self.lengths.as_ref()) {
                Some(lengths) => examples.with_lengths(&lengths),
                None => Ok(examples),
            }
        })
    }
}

fn not_in_steps() -> Error {
    Error::Config("spikes with times must be put in steps first: their length and number must be known".into())
}

/// Refuses numbers `[sample, ..]` that are not finite, as large ones are in float32.
fn check_finite(what: &str, tensor: &Tensor) -> Result<()> {
    let wrong = tensor.isfinite().logical_not().nonzero();
    if wrong.size()[0] == 0 {
        return Ok(());
    }
    let sample = wrong.int64_value(&[0, 0]);
    let where_ = format!("sample {sample} (counted from 0), in {}", kind_name(tensor.kind()));
    Err(Error::NotFinite { what: what.into(), where_ })
}

/// Which steps of sequences of these lengths are padding, bool `[sample, time]`.
pub(crate) fn padding(lengths: &Tensor, time: i64) -> Tensor {
    Tensor::arange(time, (Kind::Int64, Device::Cpu)).unsqueeze(0).ge_tensor(&lengths.unsqueeze(1))
}
