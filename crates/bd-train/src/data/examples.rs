//! [`Examples`]: inputs with their targets, as batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bd_core::device::move_to;
use bd_core::{Error, Inputs, Result, Rng, kind_name};
use tch::{Device, Kind, Tensor};

/// Samples of which some are taken: their numbers, on the host and where tensors are.
struct Picked<'a> {
    samples: &'a [usize],
    index: Tensor,
}

impl<'a> Picked<'a> {
    fn new(samples: &'a [usize], device: Device) -> Result<Self> {
        Ok(Self { samples, index: move_to(&index(samples), device)? })
    }

    fn of(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.f_index_select(0, &self.index)?)
    }
}

fn index(samples: &[usize]) -> Tensor {
    Tensor::from_slice(&samples.iter().map(|&sample| sample as i64).collect::<Vec<_>>())
}

/// Inputs and what is wanted of them: one target for each, along the first dimension. Inputs that are padded at their ends
/// carry their lengths.
///
/// Targets and lengths may be given on the host and inputs on a device: they are moved there then, once, and what there is to check of
/// them is read on the host.
#[derive(Debug)]
pub struct Examples {
    inputs: Inputs,
    targets: Tensor,
    lengths: Option<Lengths>,
    origin: Arc<Mutex<Origin>>,
}

/// Int64 `[batch]`, on the inputs' device and on the host.
#[derive(Debug)]
struct Lengths {
    there: Tensor,
    host: Tensor,
}

impl Lengths {
    fn map(&self, with: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let host = with(&self.host)?;
        let there = if self.there.device() == Device::Cpu { host.shallow_clone() } else { with(&self.there)? };
        Ok(Self { there, host })
    }
}

/// What examples were taken from, all of it, where it was given: so that targets are checked once for all that is taken.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) targets: Tensor,
    pub(crate) lengths: Option<Tensor>,
    /// Numbers of sequences and steps.
    pub(crate) shape: [i64; 2],
}

impl Clone for Examples {
    fn clone(&self) -> Self {
        let lengths = self
            .lengths
            .as_ref()
            .map(|lengths| Lengths { there: lengths.there.shallow_clone(), host: lengths.host.shallow_clone() });
        let (inputs, targets) = (self.inputs.clone(), self.targets.shallow_clone());
        Self { inputs, targets, lengths, origin: self.origin.clone() }
    }
}

impl Examples {
    /// Fails if there are not as many targets as sequences, or none.
    pub fn new(inputs: Inputs, targets: Tensor) -> Result<Self> {
        let [batch, time, _] = inputs.shape();
        let found = targets.size();
        if batch == 0 || found.first() != Some(&batch) {
            return Err(Error::Shape {
                what: "targets".into(),
                expected: format!("one for each of {batch} input sequences, of which there must be one at least"),
                found,
            });
        }
        let moved = move_to(&targets, inputs.on().1)?;
        let origin = Origin { targets, lengths: None, shape: [batch, time] };
        Ok(Self { inputs, targets: moved, lengths: None, origin: Arc::new(Mutex::new(origin)) })
    }

    /// The same with the length of each sequence, int64 `[batch]`, from 1 to the number of steps: what is behind it is padding,
    /// which no loss looks at.
    pub fn with_lengths(self, lengths: &Tensor) -> Result<Self> {
        let [batch, time, _] = self.inputs.shape();
        if lengths.kind() != Kind::Int64 || lengths.size() != [batch] {
            let found = format!("{} of shape {:?}", kind_name(lengths.kind()), lengths.size());
            return Err(Error::Config(format!("lengths are int64 of shape [{batch}], got {found}")));
        }
        let host = lengths.f_to_device(Device::Cpu)?;
        let values = Vec::<i64>::try_from(&host)?;
        if let Some(sample) = values.iter().position(|length| !(1..=time).contains(length)) {
            return Err(Error::Config(format!(
                "the length of sample {sample} is {}; lengths are from 1 to {time}, the number of steps",
                values[sample]
            )));
        }
        let there = move_to(lengths, self.inputs.on().1)?;
        let targets = self.lock().targets.shallow_clone();
        let origin = Origin { targets, lengths: Some(host.shallow_clone()), shape: [batch, time] };
        Ok(Self { lengths: Some(Lengths { there, host }), origin: Arc::new(Mutex::new(origin)), ..self })
    }

    /// The same with other inputs in place of its own, as many sequences of as many steps.
    pub fn with_inputs(self, inputs: Inputs) -> Result<Self> {
        let ([batch, time, _], found) = (self.inputs.shape(), inputs.shape());
        if found[..2] != [batch, time] || inputs.on().1 != self.targets.device() {
            let expected = format!("[{batch}, {time}, ..], as the inputs before them, on the device of the targets");
            return Err(Error::Shape { what: "inputs".into(), expected, found: found.to_vec() });
        }
        Ok(Self { inputs, ..self })
    }

    /// The sequences.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// `[batch, ..]`.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// The length of each sequence, `[batch]`, on the inputs' device; `None` where all are as long as there are steps.
    pub fn lengths(&self) -> Option<&Tensor> {
        self.lengths.as_ref().map(|lengths| &lengths.there)
    }

    /// The same, on the host.
    pub(crate) fn host_lengths(&self) -> Option<&Tensor> {
        self.lengths.as_ref().map(|lengths| &lengths.host)
    }

    /// What these were taken from.
    pub(crate) fn origin(&self) -> &Arc<Mutex<Origin>> {
        &self.origin
    }

    fn lock(&self) -> MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
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
        let left = |lengths: &Tensor| Ok((lengths - from as i64).f_clamp(0, len as i64)?);
        let lengths = self.lengths.as_ref().map(|lengths| lengths.map(left)).transpose()?;
        Ok(Self { inputs: self.inputs.steps(from, len)?, targets, lengths, origin: self.origin.clone() })
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.inputs.shape()[0] as usize
    }

    /// Some of them, in the given order. Nothing waits for a device.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        self.pick(&Picked::new(samples, self.targets.device())?)
    }

    fn pick(&self, picked: &Picked<'_>) -> Result<Self> {
        let lengths = self.lengths.as_ref().map(|Lengths { there, host }| {
            let host = host.f_index_select(0, &index(picked.samples))?;
            let there = if there.device() == Device::Cpu { host.shallow_clone() } else { picked.of(there)? };
            Ok::<_, Error>(Lengths { there, host })
        });
        Ok(Self {
            inputs: self.inputs.select_with(picked.samples, &picked.index)?,
            targets: picked.of(&self.targets)?,
            lengths: lengths.transpose()?,
            origin: self.origin.clone(),
        })
    }

    /// The batches of an epoch, the last one perhaps smaller: shuffled by `rng`, or in order without one. One batch of
    /// everything is handed out as it is: another order would change nothing but the last bits of sums.
    ///
    /// On a device the order is moved there once, and batches are picked there.
    pub fn batches<'a>(&'a self, size: usize, rng: Option<&mut Rng>) -> impl Iterator<Item = Result<Self>> + use<'a> {
        let size = size.max(1);
        let whole = size >= self.count();
        let mut order: Vec<usize> = (0..self.count()).collect();
        if let Some(rng) = rng.filter(|_| !whole) {
            shuffle(&mut order, rng);
        }
        let starts = (0..self.count()).step_by(size);
        let mut moved = None;
        starts.map(move |from| {
            if whole {
                return Ok(self.clone());
            }
            if moved.is_none() {
                moved = Some(move_to(&index(&order), self.targets.device())?);
            }
            let samples = &order[from..(from + size).min(order.len())];
            let index = moved.as_ref().expect("it was moved").f_narrow(0, from as i64, samples.len() as i64)?;
            self.pick(&Picked { samples, index })
        })
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
    use bd_core::Spikes;

    use super::*;

    fn examples() -> Examples {
        let x = Tensor::arange(2 * 5 * 3, (Kind::Float, Device::Cpu)).reshape([5, 2, 3]);
        Examples::new(Inputs::batch_first(&x).unwrap(), Tensor::arange(5, (Kind::Int64, Device::Cpu))).unwrap()
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
        let dense = Inputs::batch_first(&Inputs::Spikes(spikes.clone()).to_dense()).unwrap();
        let pick = |sequences: &Inputs| sequences.select(&[3, 1]).unwrap().to_dense();
        assert_eq!(pick(&dense), pick(&Inputs::Spikes(spikes)));
    }

    #[test]
    fn counts_that_disagree_name_both() {
        let inputs = examples().inputs().clone();
        let error = Examples::new(inputs, Tensor::zeros([4], (Kind::Int64, Device::Cpu))).unwrap_err().to_string();
        assert!(error.contains("5 input sequences") && error.contains("[4]"), "{error}");
        assert!(Inputs::batch_first(&Tensor::zeros([0, 2, 3], (Kind::Float, Device::Cpu))).is_err());
    }

    #[test]
    fn what_is_taken_of_examples_knows_where_it_is_from() {
        let all = examples().with_lengths(&Tensor::from_slice(&[1i64, 2, 2, 1, 2])).unwrap();
        let other = Inputs::batch_first(&Tensor::ones([5, 2, 7], (Kind::Float, Device::Cpu))).unwrap();
        let taken = [
            all.clone(),
            all.select(&[3, 1]).unwrap(),
            all.steps(1, 1).unwrap(),
            all.batches(2, Some(&mut Rng::new(0, "o"))).last().unwrap().unwrap(),
            all.clone().with_inputs(other.clone()).unwrap(),
        ];
        assert!(taken.iter().all(|taken| Arc::ptr_eq(taken.origin(), all.origin())));
        assert_eq!(all.lock().shape, [5, 2]);
        assert!(taken.iter().all(|taken| taken.lengths() == taken.host_lengths()));
        let longer = Tensor::from_slice(&[2i64, 2, 2, 2, 2]);
        assert!(!Arc::ptr_eq(examples().with_lengths(&longer).unwrap().origin(), all.origin()));
        let error = all.select(&[0]).unwrap().with_inputs(other).unwrap_err().to_string();
        assert!(error.contains("[1, 2, ..]") && error.contains("[5, 2, 7]"), "{error}");
    }
}
