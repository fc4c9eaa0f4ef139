//! [`Shown`]: samples as they are in the data, to be shown beside what a model makes of them.

use bd_core::{Inputs, Result};
use tch::{Device, Kind, Tensor};

use super::Subset;
use super::subset::SubsetInputs;

/// Numbers that are kept: 64 MiB in float64.
const MOST_NUMBERS: usize = 1 << 23;

/// Samples in the units of the data, to be shown beside what a model makes of them: all of a part, or of a large one some, spread evenly.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which samples of the part these are, in rising order.
    pub samples: Vec<usize>,
    /// Their inputs, on the host: spikes, or numbers in float64.
    pub inputs: Inputs,
    /// How many steps of each are no padding.
    pub lengths: Vec<usize>,
}

impl Shown {
    /// Of inputs in the units of the data, with the steps of each that are no padding, int64 `[sample]`.
    pub fn new(inputs: &Inputs, lengths: Option<&Tensor>) -> Result<Self> {
        Self::at_most(MOST_NUMBERS, inputs, lengths)
    }

    /// Of a part of a data set; `None` of spikes that are not in steps.
    pub fn of(part: &Subset) -> Result<Option<Self>> {
        let SubsetInputs::Steps(inputs) = &part.inputs else { return Ok(None) };
        Self::new(inputs, part.lengths.as_ref()).map(Some)
    }

    fn at_most(most: usize, inputs: &Inputs, lengths: Option<&Tensor>) -> Result<Self> {
        let [count, steps, channels] = inputs.shape().map(|n| n as usize);
        let numbers = match inputs {
            Inputs::Dense(_) => count.saturating_mul(steps).saturating_mul(channels),
            Inputs::Spikes(_) => 0, // of which a part takes no less memory
        };
        let every = numbers.div_ceil(most).max(1);
        let samples: Vec<usize> = (0..count).step_by(every).collect();
        let inputs = if every == 1 { inputs.clone() } else { inputs.select(&samples)? };
        let inputs = match inputs {
            Inputs::Dense(xs) => Inputs::Dense(xs.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?),
            spikes @ Inputs::Spikes(_) => spikes,
        };
        let lengths = match lengths {
            Some(lengths) => Vec::<i64>::try_from(lengths.f_to_device(Device::Cpu)?)?,
            None => vec![steps as i64; count],
        };
        let lengths = samples.iter().map(|sample| lengths[*sample] as usize).collect();
        Ok(Self { samples, inputs, lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five samples of two steps and one channel are ten numbers: of at most four every third, which are samples 0 and 3.
    #[test]
    fn of_a_large_part_samples_are_spread_evenly() {
        let x = Tensor::arange(10, (Kind::Double, Device::Cpu)).reshape([5, 2, 1]);
        let lengths = Tensor::from_slice(&[2i64, 1, 1, 1, 2]);
        let inputs = Inputs::batch_first(&x).unwrap();
        let all = Shown::at_most(10, &inputs, Some(&lengths)).unwrap();
        assert_eq!((all.samples, all.lengths), (vec![0, 1, 2, 3, 4], vec![2, 1, 1, 1, 2]));
        let some = Shown::at_most(4, &inputs, Some(&lengths)).unwrap();
        assert_eq!((some.samples, some.lengths), (vec![0, 3], vec![2, 1]));
        assert_eq!(some.inputs.to_dense().flatten(0, -1), Tensor::from_slice(&[0.0f64, 1.0, 6.0, 7.0]));
    }

    #[test]
    fn without_padding_all_steps_count() {
        let inputs = Inputs::batch_first(&Tensor::zeros([2, 3, 1], (Kind::Float, Device::Cpu))).unwrap();
        let shown = Shown::new(&inputs, None).unwrap();
        assert_eq!((shown.lengths, shown.inputs.on().0), (vec![3, 3], Kind::Double));
    }
}
