//! Arrays of zeros and ones as lists of spikes, and what is none.

use bd_core::{Result, Spike, Spikes};
use tch::{Device, Kind, Tensor};

/// The steps of a sample that are no padding, `[step, channel]`.
fn of_sample(x: &Tensor, sample: i64, lengths: Option<&Tensor>) -> Tensor {
    let steps = lengths.map_or(x.size()[1], |lengths| lengths.int64_value(&[sample]));
    x.get(sample).narrow(0, 0, steps)
}

/// Where `[sample, step, channel]` is neither 0 nor 1, if anywhere but in padding. Sample by sample: of large files no copy is made.
pub(crate) fn first_other(x: &Tensor, lengths: Option<&Tensor>) -> Option<[i64; 3]> {
    let samples = if x.kind() == Kind::Bool { 0 } else { x.size()[0] };
    (0..samples).find_map(|sample| {
        let of_sample = of_sample(x, sample, lengths);
        let other = of_sample.ne(0.0).logical_and(&of_sample.ne(1.0));
        if other.any().int64_value(&[]) == 0 {
            return None;
        }
        let place = other.nonzero();
        Some([sample, place.int64_value(&[0, 0]), place.int64_value(&[0, 1])])
    })
}

/// The value at a place, with the place.
pub(crate) fn said(x: &Tensor, place: &[i64; 3]) -> String {
    let [sample, step, channel] = place;
    format!("{} at sample {sample}, step {step}, channel {channel} (counted from 0)", x.double_value(place))
}

/// Of zeros and ones the ones.
pub(crate) fn ones(x: &Tensor, lengths: Option<&Tensor>) -> Result<Spikes> {
    let size = x.size();
    let samples = (0..size[0]).map(|sample| {
        let places = Vec::<i64>::try_from(of_sample(x, sample, lengths).nonzero().flatten(0, -1))?;
        Ok(places.chunks_exact(2).map(|at| Spike { step: at[0] as u32, channel: at[1] as u32 }).collect())
    });
    let samples = samples.collect::<Result<Vec<Vec<Spike>>>>()?;
    Spikes::from_samples([size[1] as usize, size[2] as usize], (Kind::Float, Device::Cpu), samples)
}
