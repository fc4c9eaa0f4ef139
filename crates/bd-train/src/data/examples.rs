//! [`Examples`]: inputs with their targets, as batches.

use bd_core::{Error, Result, Rng, Spikes, kind_name};
use tch::{Device, Kind, Tensor};

use crate::layout::{batch_first, time_first};

/// A set of sequences of the same length.
#[derive(Debug, Clone)]
pub enum Sequences {
    /// `[time, batch, n]`, contiguous. See [`Sequences::dense`].
    Dense(TimeFirst),
    /// Zeros and ones, as the list of the ones.
    Spikes(Spikes),
}

/// A tensor that is known to be `[time, batch, n]`.
#[derive(Debug)]
pub struct TimeFirst(Tensor);

impl Clone for TimeFirst {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl TimeFirst {
    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

impl Sequences {
    /// From `[batch, time, n]`.
    pub fn dense(x: &Tensor) -> Result<Self> {
        let size = x.size();
        if size.len() != 3 || size.contains(&0) {
            let expected = "[batch, time, n] with at least one of each".into();
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        Ok(Self::Dense(TimeFirst(time_first(x))))
    }

    /// Numbers of sequences, steps and channels.
    pub fn shape(&self) -> [i64; 3] {
        match self {
            Self::Dense(TimeFirst(xs)) => {
                let size = xs.size();
                [size[1], size[0], size[2]]
            }
            Self::Spikes(spikes) => {
                let [time, batch, n] = spikes.shape().map(|n| n as i64);
                [batch, time, n]
            }
        }
    }

    /// Dtype and device.
    pub fn on(&self) -> (Kind, tch::Device) {
        match self {
            Self::Dense(TimeFirst(xs)) => (xs.kind(), xs.device()),
            Self::Spikes(spikes) => spikes.on(),
        }
    }

    /// As `[batch, time, n]`.
    pub fn to_dense(&self) -> Tensor {
        match self {
            Self::Dense(TimeFirst(xs)) => batch_first(xs),
            Self::Spikes(spikes) => batch_first(&spikes.to_dense()),
        }
    }

    /// The steps `from` to before `from + len` of all of them.
    pub fn steps(&self, from: usize, len: usize) -> Result<Self> {
        Ok(match self {
            Self::Dense(TimeFirst(xs)) => Self::Dense(TimeFirst(xs.f_narrow(0, from as i64, len as i64)?)),
            Self::Spikes(spikes) => Self::Spikes(spikes.steps(from, len)?),
        })
    }

    /// Some of the sequences, in the given order.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        Ok(match self {
            Self::Dense(TimeFirst(xs)) => Self::Dense(TimeFirst(xs.f_index_select(1, &index(samples, xs.device()))?)),
            Self::Spikes(spikes) => Self::Spikes(spikes.select(samples)?),
        })
    }
}

fn index(samples: &[usize], device: tch::Device) -> Tensor {
    Tensor::from_slice(&samples.iter().map(|&sample| sample as i64).collect::<Vec<_>>()).to_device(device)
}

/// Sequences and what is wanted of them: one target for each, along the first dimension. Sequences that are padded at their ends
/// carry their lengths.
#[derive(Debug)]
pub struct Examples {
    inputs: Sequences,
    targets: Tensor,
    lengths: Option<Tensor>,
}

impl Clone for Examples {
    fn clone(&self) -> Self {
        let lengths = self.lengths.as_ref().map(Tensor::shallow_clone);
        Self { inputs: self.inputs.clone(), targets: self.targets.shallow_clone(), lengths }
    }
}

impl Examples {
    /// Fails if there are not as many targets as sequences, or none.
    pub fn new(inputs: Sequences, targets: Tensor) -> Result<Self> {
        let [batch, ..] = inputs.shape();
        let found = targets.size();
        if batch == 0 || found.first() != Some(&batch) {
            return Err(Error::Shape {
                what: "targets".into(),
                expected: format!("one for each of {batch} input sequences, of which there must be one at least"),
                found,
            });
        }
        Ok(Self { inputs, targets, lengths: None })
    }

    /// The same with the length of each sequence, int64 `[batch]`, from 1 to the number of steps: what is behind it is padding,
    /// which no loss looks at.
    pub fn with_lengths(self, lengths: &Tensor) -> Result<Self> {
        let [batch, time, _] = self.inputs.shape();
        if lengths.kind() != Kind::Int64 || lengths.size() != [batch] {
            let found = format!("{} of shape {:?}", kind_name(lengths.kind()), lengths.size());
            return Err(Error::Config(format!("lengths are int64 of shape [{batch}], got {found}")));
        }
        let values = Vec::<i64>::try_from(lengths.to_device(Device::Cpu))?;
        if let Some(sample) = values.iter().position(|length| !(1..=time).contains(length)) {
            return Err(Error::Config(format!(
                "the length of sample {sample} is {}; lengths are from 1 to {time}, the number of steps",
                values[sample]
            )));
        }
        Ok(Self { lengths: Some(lengths.to_device(self.inputs.on().1)), ..self })
    }

    /// The sequences.
    pub fn inputs(&self) -> &Sequences {
        &self.inputs
    }

    /// `[batch, ..]`.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// The length of each sequence, `[batch]`, on the inputs' device; `None` where all are as long as there are steps.
    pub fn lengths(&self) -> Option<&Tensor> {
        self.lengths.as_ref()
    }

    /// The steps `from` to before `from + len` of all of them, with those of their targets, `[batch, time, ..]`; targets `[batch]`
    /// are for all steps. What has ended before has length 0.
    pub fn steps(&self, from: usize, len: usize) -> Result<Self> {
        let (time, found) = (self.inputs.shape()[1], self.targets.size());
        let targets = match found.get(1) {
            None => self.targets.shallow_clone(),
            Some(steps) if *steps == time => self.targets.f_narrow(1, from as i64, len as i64)?,
            Some(_) => {
                let expected = format!("[{}, {time}, ..] or [{}], to be cut in steps", self.count(), self.count());
                return Err(Error::Shape { what: "targets".into(), expected, found });
            }
        };
        let lengths = self.lengths.as_ref().map(|lengths| (lengths - from as i64).clamp(0, len as i64));
        Ok(Self { inputs: self.inputs.steps(from, len)?, targets, lengths })
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.inputs.shape()[0] as usize
    }

    /// Some of them, in the given order.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        let targets = self.targets.f_index_select(0, &index(samples, self.targets.device()))?;
        let lengths = self.lengths.as_ref().map(|lengths| lengths.f_index_select(0, &index(samples, lengths.device())));
        Ok(Self { inputs: self.inputs.select(samples)?, targets, lengths: lengths.transpose()? })
    }

    /// The batches of an epoch, the last one perhaps smaller: shuffled by `rng`, or in order without one. One batch of
    /// everything is handed out as it is: another order would change nothing but the last bits of sums.
    pub fn batches<'a>(&'a self, size: usize, rng: Option<&mut Rng>) -> impl Iterator<Item = Result<Self>> + use<'a> {
        let size = size.max(1);
        let whole = size >= self.count();
        let mut order: Vec<usize> = (0..self.count()).collect();
        if let Some(rng) = rng.filter(|_| !whole) {
            shuffle(&mut order, rng);
        }
        let starts = (0..self.count()).step_by(size);
        starts.map(
            move |from| {
                if whole { Ok(self.clone()) } else { self.select(&order[from..(from + size).min(order.len())]) }
            },
        )
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], rng: &mut Rng) {
    for i in (1..order.len()).rev() {
        order.swap(i, (rng.uniform() * (i + 1) as f64) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Examples {
        let x = Tensor::arange(2 * 5 * 3, (Kind::Float, Device::Cpu)).reshape([5, 2, 3]);
        Examples::new(Sequences::dense(&x).unwrap(), Tensor::arange(5, (Kind::Int64, Device::Cpu))).unwrap()
    }

    #[test]
    fn an_epoch_hands_out_everything_once_with_its_target() {
        for rng in [None, Some(&mut Rng::new(3, "order"))] {
            let shuffled = rng.is_some();
            let all: Vec<Examples> = examples().batches(2, rng).collect::<Result<_>>().unwrap();
            assert_eq!(all.iter().map(Examples::count).collect::<Vec<_>>(), [2, 2, 1]);
            let targets = Tensor::cat(&all.iter().map(|batch| batch.targets()).collect::<Vec<_>>(), 0);
            let inputs = Tensor::cat(&all.iter().map(|batch| batch.inputs().to_dense()).collect::<Vec<_>>(), 0);
            assert_eq!(inputs, examples().inputs().to_dense().index_select(0, &targets));
            assert_eq!(targets.sort(0, false).0, *examples().targets());
            assert_eq!(targets != *examples().targets(), shuffled);
        }
    }

    #[test]
    fn lengths_go_along() {
        let padded = examples().with_lengths(&Tensor::from_slice(&[1i64, 2, 2, 1, 2])).unwrap();
        let numbers = |examples: &Examples| Vec::<i64>::try_from(examples.lengths().unwrap()).unwrap();
        assert_eq!(numbers(&padded.select(&[1, 0]).unwrap()), [2, 1]);
        assert_eq!(numbers(&padded.steps(1, 1).unwrap()), [0, 1, 1, 0, 1]);
        let of_other_steps =
            Examples::new(examples().inputs().clone(), Tensor::zeros([5, 3], (Kind::Float, Device::Cpu)));
        let error = of_other_steps.unwrap().steps(0, 1).unwrap_err().to_string();
        assert!(error.contains("[5, 2, ..]") && error.contains("[5, 3]"), "{error}");
        assert_eq!(padded.batches(2, None).map(|batch| numbers(&batch.unwrap()).len()).collect::<Vec<_>>(), [2, 2, 1]);
        for (lengths, words) in
            [(vec![1i64, 2, 3, 1, 2], "sample 2 is 3"), (vec![0, 1, 1, 1, 1], "sample 0 is 0"), (vec![1], "[1]")]
        {
            let error = examples().with_lengths(&Tensor::from_slice(&lengths)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn spikes_are_selected_as_tensors_are() {
        let spikes = Spikes::draw([6, 4, 3], (Kind::Float, Device::Cpu), 0.3, &mut Rng::new(0, "s")).unwrap();
        let dense = Sequences::dense(&Sequences::Spikes(spikes.clone()).to_dense()).unwrap();
        let pick = |sequences: &Sequences| sequences.select(&[3, 1]).unwrap().to_dense();
        assert_eq!(pick(&dense), pick(&Sequences::Spikes(spikes)));
    }

    #[test]
    fn counts_that_disagree_name_both() {
        let inputs = examples().inputs().clone();
        let error = Examples::new(inputs, Tensor::zeros([4], (Kind::Int64, Device::Cpu))).unwrap_err().to_string();
        assert!(error.contains("5 input sequences") && error.contains("[4]"), "{error}");
        assert!(Sequences::dense(&Tensor::zeros([0, 2, 3], (Kind::Float, Device::Cpu))).is_err());
    }
}
