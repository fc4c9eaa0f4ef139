//! Arrays of zeros and ones as lists of spikes, and where an array holds anything else.

use std::fmt;

use bd_core::{Result, Spike, Spikes};
use tch::{Device, Kind, Tensor};

/// A number of an array `[sample, step, channel]` with its place, which is counted from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberAt {
    /// The number.
    pub value: f64,
    /// Sample, step and channel.
    pub place: [i64; 3],
}

impl fmt::Display for NumberAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sample, step, channel] = self.place;
        write!(f, "{} at sample {sample}, step {step}, channel {channel} (counted from 0)", self.value)
    }
}

/// The steps of a sample that are no padding, `[step, channel]`.
fn valid_steps(x: &Tensor, sample: i64, lengths: Option<&Tensor>) -> Tensor {
    let steps = lengths.map_or(x.size()[1], |lengths| lengths.int64_value(&[sample]));
    x.get(sample).narrow(0, 0, steps)
}

/// The first number of `[sample, step, channel]` that is neither 0 nor 1, padding aside; `lengths` are int64 `[sample]`. `None` means
/// that the array is one of spikes.
///
/// Goes sample by sample, so that large arrays are not copied.
pub fn first_not_spike(x: &Tensor, lengths: Option<&Tensor>) -> Option<NumberAt> {
    let samples = if x.kind() == Kind::Bool { 0 } else { x.size()[0] };
    (0..samples).find_map(|sample| {
        let steps = valid_steps(x, sample, lengths);
        let other = steps.ne(0.0).logical_and(&steps.ne(1.0));
        if other.any().int64_value(&[]) == 0 {
            return None;
        }
        let found = other.nonzero();
        let place = [sample, found.int64_value(&[0, 0]), found.int64_value(&[0, 1])];
        Some(NumberAt { value: x.double_value(&place), place })
    })
}

/// The spikes of an array `[sample, step, channel]` of zeros and ones: whatever is not 0 outside of padding. On the host, standing for
/// float32.
pub fn spikes_of(x: &Tensor, lengths: Option<&Tensor>) -> Result<Spikes> {
    let size = x.size();
    let samples = (0..size[0]).map(|sample| {
        let places = Vec::<i64>::try_from(valid_steps(x, sample, lengths).nonzero().flatten(0, -1))?;
        Ok(places.chunks_exact(2).map(|at| Spike { step: at[0] as u32, channel: at[1] as u32 }).collect())
    });
    let samples = samples.collect::<Result<Vec<Vec<Spike>>>>()?;
    Spikes::from_samples([size[1] as usize, size[2] as usize], (Kind::Float, Device::Cpu), samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(numbers: &[f32]) -> Tensor {
        Tensor::from_slice(numbers).reshape([2, 2, 2])
    }

    #[test]
    fn the_first_number_that_is_no_spike_has_its_place() {
        let found = first_not_spike(&array(&[0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.5]), None).unwrap();
        assert_eq!(found, NumberAt { value: 0.5, place: [1, 1, 1] });
        assert_eq!(found.to_string(), "0.5 at sample 1, step 1, channel 1 (counted from 0)");
        assert_eq!(first_not_spike(&array(&[0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]), None), None);
    }

    #[test]
    fn what_stands_in_padding_does_not_matter() {
        let (x, lengths) = (array(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 7.0, f32::NAN]), Tensor::from_slice(&[2i64, 1]));
        assert_eq!(first_not_spike(&x, Some(&lengths)), None);
        assert!(first_not_spike(&x, None).is_some());
        let spikes = spikes_of(&x, Some(&lengths)).unwrap();
        assert_eq!(spikes.sample(0), [Spike { step: 0, channel: 0 }, Spike { step: 1, channel: 1 }]);
        assert_eq!(spikes.sample(1), [Spike { step: 0, channel: 1 }]);
    }

    #[test]
    fn bools_are_spikes() {
        let x = array(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]).to_kind(Kind::Bool);
        assert_eq!(first_not_spike(&x, None), None);
        let spikes = spikes_of(&x, None).unwrap();
        assert_eq!((spikes.count(), spikes.shape()), (3, [2, 2, 2]));
        assert_eq!(spikes.to_dense().transpose(0, 1), x.to_kind(Kind::Float));
    }
}
