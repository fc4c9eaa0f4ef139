//! What needs no recurrence: ridge regression on the mean and the standard deviation of each channel over time.

use bd_core::{Result, Spikes, catch_torch};
use bd_train::loss::accuracy;
use bd_train::{Ridge, RidgeFactor};
use tch::{Device, Kind, Tensor};

use super::part::{FileInputs, Part, padding};
use super::targets::Targets;

/// Accuracy on the test part of a linear map from each channel's mean and standard deviation to the classes, fitted to the training
/// part with a penalty of 1 on standardised features. None where sequences have no label.
pub(crate) fn linear_accuracy(train: &Part, test: &Part, targets: Targets) -> Result<Option<f64>> {
    let Targets::Labels { classes } = targets else { return Ok(None) };
    catch_torch(|| {
        let (a, b) = (features(train), features(test));
        let (mean, std) = (a.mean_dim(0, false, Kind::Double), a.std_dim(0, false, false).clamp_min(1e-12));
        let scaled = |features: &Tensor| (features - &mean) / &std;
        let targets = train.y.one_hot(classes).to_kind(Kind::Double);
        let mut factor = RidgeFactor::new(a.size()[1], classes, true, Device::Cpu);
        factor.update(&scaled(&a), &targets)?;
        let solution = factor.solve(&Ridge { alpha: 1.0, penalise_intercept: false, ..Ridge::default() })?;
        let scores = scaled(&b).matmul(&solution.weight)
            + solution.bias.unwrap_or_else(|| Tensor::zeros([1], (Kind::Double, Device::Cpu)));
        Ok(Some(accuracy(&scores, &test.y)?))
    })
}

/// Mean and standard deviation of each channel over the steps that are no padding, `[sample, 2 * channel]`.
fn features(part: &Part) -> Tensor {
    let [mean, square] = match &part.x {
        FileInputs::Numbers(x) => moments(x, part.lengths.as_ref()),
        FileInputs::Spikes(spikes) => moments_of_spikes(spikes, part.lengths.as_ref()),
        FileInputs::Events(_) => unreachable!("events are put in steps when a plan is known"),
    };
    Tensor::cat(&[mean, square.sqrt()], 1)
}

/// Mean and variance of numbers.
fn moments(x: &Tensor, lengths: Option<&Tensor>) -> [Tensor; 2] {
    let time = x.size()[1];
    let valid = match lengths {
        Some(lengths) => padding(lengths, time).logical_not(),
        None => Tensor::ones([x.size()[0], time], (Kind::Bool, Device::Cpu)),
    };
    let weights = valid.to_kind(Kind::Double).unsqueeze(2);
    let count = weights.sum_dim_intlist(1, false, Kind::Double);
    let mean = (x * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    let square = ((x - mean.unsqueeze(1)).square() * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    [mean, square]
}

/// Of zeros and ones, of which the list has the ones: the mean is their share `p`, the variance `p (1 - p)`.
fn moments_of_spikes(spikes: &Spikes, lengths: Option<&Tensor>) -> [Tensor; 2] {
    let [time, batch, n] = spikes.shape();
    let mut counts = vec![0f64; batch * n];
    for sample in 0..batch {
        for spike in spikes.sample(sample) {
            counts[sample * n + spike.channel as usize] += 1.0;
        }
    }
    let steps = match lengths {
        Some(lengths) => lengths.to_kind(Kind::Double).unsqueeze(1),
        None => Tensor::full([batch as i64, 1], time as f64, (Kind::Double, Device::Cpu)),
    };
    let mean = Tensor::from_slice(&counts).reshape([batch as i64, n as i64]) / steps;
    let square = &mean * (1.0 - &mean);
    [mean, square]
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;

    use super::*;

    #[test]
    fn spikes_have_the_moments_of_the_numbers_that_they_stand_for() {
        let spikes = Spikes::draw([30, 4, 5], (Kind::Double, Device::Cpu), 0.2, &mut Rng::new(0, "s")).unwrap();
        let dense = spikes.to_dense().transpose(0, 1);
        let pairs = moments(&dense, None).into_iter().zip(moments_of_spikes(&spikes, None));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs().max().double_value(&[]) < 1e-14));
    }
}
