//! [`Inputs`]: a batch of sequences, as numbers or as the list of their spikes.

use std::borrow::Borrow;

use tch::{Device, Kind, Tensor};

use crate::device::move_to;
use crate::error::{Error, Result};
use crate::finite::check_finite;
use crate::spikes::Spikes;

/// A batch of sequences of the same length: what a [`System`](crate::System) is driven by, in either form.
///
/// Time comes first, since scans run along it; [`Inputs::batch_first`] takes `[batch, time, n]`, as users have it.
#[derive(Debug)]
pub enum Inputs {
    /// Numbers, `[time, batch, n]`.
    Dense(Tensor),
    /// Zeros and ones, as the list of the ones.
    Spikes(Spikes),
}

impl Clone for Inputs {
    /// Shares the numbers.
    fn clone(&self) -> Self {
        match self {
            Self::Dense(xs) => Self::Dense(xs.shallow_clone()),
            Self::Spikes(spikes) => Self::Spikes(spikes.clone()),
        }
    }
}

/// Numbers `[batch, time, n]`, as [`Inputs::batch_first`] takes them.
impl TryFrom<&Tensor> for Inputs {
    type Error = Error;

    fn try_from(x: &Tensor) -> Result<Self> {
        Self::batch_first(x)
    }
}

/// The same inputs: the numbers are shared.
impl From<&Inputs> for Inputs {
    fn from(inputs: &Inputs) -> Self {
        inputs.clone()
    }
}

impl From<Spikes> for Inputs {
    fn from(spikes: Spikes) -> Self {
        Self::Spikes(spikes)
    }
}

impl From<&Spikes> for Inputs {
    /// Shares the list.
    fn from(spikes: &Spikes) -> Self {
        Self::Spikes(spikes.clone())
    }
}

impl Inputs {
    /// From numbers `[batch, time, n]`, transposed once. Fails unless there is at least one of each.
    pub fn batch_first(x: &Tensor) -> Result<Self> {
        let size = x.size();
        if size.len() != 3 || size.contains(&0) {
            let expected = "[batch, time, n] with at least one of each".into();
            return Err(Error::Shape { what: "inputs".into(), expected, found: size });
        }
        Ok(Self::Dense(x.transpose(0, 1).contiguous()))
    }

    /// From numbers `[time, batch, n]`, as scans go along them; they are shared.
    pub fn of_steps(xs: impl Borrow<Tensor>) -> Self {
        Self::Dense(xs.borrow().shallow_clone())
    }

    /// As numbers `[time, batch, n]`. A list of spikes is written out.
    pub fn time_first(&self) -> Tensor {
        match self {
            Self::Dense(xs) => xs.shallow_clone(),
            Self::Spikes(spikes) => spikes.to_dense(),
        }
    }

    /// Numbers of sequences, steps and channels: 0 in place of those that a tensor of too few dimensions does not have.
    pub fn shape(&self) -> [i64; 3] {
        match self {
            Self::Dense(xs) => {
                let size = xs.size();
                let at = |dim: usize| if size.len() == 3 { size[dim] } else { 0 };
                [at(1), at(0), at(2)]
            }
            Self::Spikes(spikes) => {
                let [time, batch, n] = spikes.shape().map(|n| n as i64);
                [batch, time, n]
            }
        }
    }

    /// Dtype and device.
    pub fn on(&self) -> (Kind, Device) {
        match self {
            Self::Dense(xs) => (xs.kind(), xs.device()),
            Self::Spikes(spikes) => spikes.on(),
        }
    }

    /// Refuses numbers that are not finite, with the place of the first. Spikes are not looked at.
    pub fn check_finite(&self) -> Result<()> {
        const WHAT: &str = "an input";
        match self {
            // In the order of memory; what is wrong is named in the order of axes that users have.
            Self::Dense(xs) => check_finite(WHAT, xs).or_else(|found| match xs.f_transpose(0, 1) {
                Ok(x) => check_finite(WHAT, &x),
                Err(_) => Err(found),
            }),
            Self::Spikes(_) => Ok(()),
        }
    }

    /// As numbers `[batch, time, n]`. A list of spikes is written out.
    pub fn to_dense(&self) -> Tensor {
        self.time_first().transpose(0, 1)
    }

    /// The steps `from` to before `from + len` of all sequences.
    pub fn steps(&self, from: usize, len: usize) -> Result<Self> {
        Ok(match self {
            Self::Dense(xs) => Self::Dense(xs.f_narrow(0, from as i64, len as i64)?),
            Self::Spikes(spikes) => Self::Spikes(spikes.steps(from, len)?),
        })
    }

    /// Some of the sequences, in the given order. Nothing waits for a device.
    pub fn select(&self, samples: &[usize]) -> Result<Self> {
        let index: Vec<i64> = samples.iter().map(|&sample| sample as i64).collect();
        self.select_with(samples, &move_to(&Tensor::from_slice(&index), self.on().1)?)
    }

    /// [`select`](Self::select) by numbers that are on the device already: `index` is `samples`, int64, where the inputs are.
    pub fn select_with(&self, samples: &[usize], index: &Tensor) -> Result<Self> {
        Ok(match self {
            Self::Dense(xs) => Self::Dense(xs.f_index_select(1, index)?),
            Self::Spikes(spikes) => Self::Spikes(spikes.select(samples)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn spikes_are_selected_and_cut_as_numbers_are() {
        let spikes = Inputs::Spikes(Spikes::draw([6, 4, 3], ON, 0.3, &mut Rng::new(0, "s")).unwrap());
        let dense = Inputs::batch_first(&spikes.to_dense()).unwrap();
        for pick in [|inputs: &Inputs| inputs.select(&[3, 1]).unwrap(), |inputs: &Inputs| inputs.steps(2, 3).unwrap()] {
            let (a, b) = (pick(&dense), pick(&spikes));
            assert_eq!(a.shape(), b.shape());
            assert_eq!(a.to_dense(), b.to_dense());
        }
    }

    #[test]
    fn sizes_of_zero_and_other_ranks_are_refused() {
        for size in [&[0, 2, 3][..], &[2, 0, 3], &[2, 3, 0], &[2, 3]] {
            let error = Inputs::batch_first(&Tensor::zeros(size, ON)).unwrap_err().to_string();
            assert!(error.contains("[batch, time, n]"), "{error}");
        }
    }
}
