//! Ridge regression on the mean and the standard deviation of each channel over time.

use bd_core::{Inputs, Result, Spikes};
use tch::{Device, Kind, Tensor};

use super::regression::{apply, solutions};
use super::sequences::{MOST_NUMBERS, Scale};
use super::{Baseline, as_numbers};
use crate::data::dataset::padding;
use crate::data::{Subset, SubsetInputs, Targets};

const PENALTY: f64 = 1.0;

/// On standardised features. `None` beyond the cap.
pub(super) fn baseline(train: &Subset, test: &Subset, targets: Targets) -> Result<Option<Baseline>> {
    // Steps of numbers are in memory anyway, spikes of channels are not.
    let numbers = |part: &Subset| (part.count() as i64).saturating_mul(part.channels()).saturating_mul(2);
    if [train, test].into_iter().any(|part| numbers(part) > MOST_NUMBERS) {
        return Ok(None);
    }
    let (of_train, of_test) = (features(train), features(test));
    let scale = Scale::of(&of_train);
    let (x, test_x) = (scale.apply(&of_train), scale.apply(&of_test));
    if x.isfinite().all().int64_value(&[]) == 0 {
        return Ok(None);
    }
    let solution = solutions(&x, &as_numbers(train, targets), &[PENALTY])?.remove(0);
    let method = "ridge regression on each channel's mean and deviation".to_owned();
    Baseline::new("moments", method, apply(&solution, &test_x), test)
}

/// Mean and standard deviation of each channel over the steps that are no padding, `[sample, 2 channel]`.
fn features(part: &Subset) -> Tensor {
    let lengths = part.lengths.as_ref();
    let [mean, variance] = match &part.inputs {
        SubsetInputs::Steps(Inputs::Dense(xs)) => moments(&xs.transpose(0, 1), lengths),
        SubsetInputs::Steps(Inputs::Spikes(spikes)) => moments_of_spikes(spikes, lengths),
        SubsetInputs::Events(_) => unreachable!("there is no baseline of events"),
    };
    Tensor::cat(&[mean, variance.sqrt()], 1)
}

/// Mean and variance (of the population) over time of numbers `[sample, time, channel]`, each `[sample, channel]`.
fn moments(x: &Tensor, lengths: Option<&Tensor>) -> [Tensor; 2] {
    let time = x.size()[1];
    let valid = match lengths {
        Some(lengths) => padding(lengths, time).logical_not(),
        None => Tensor::ones([x.size()[0], time], (Kind::Bool, Device::Cpu)),
    };
    let weights = valid.to_kind(Kind::Double).unsqueeze(2);
    let count = weights.sum_dim_intlist(1, false, Kind::Double);
    let mean = (x * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    let variance = ((x - mean.unsqueeze(1)).square() * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    [mean, variance]
}

/// The same of zeros and ones: the mean is their share `p`, the variance `p (1 - p)`.
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
    let variance = &mean * (1.0 - &mean);
    [mean, variance]
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;
    use bd_core::testing::assert_close;

    use super::super::Score;
    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn labelled(x: &Tensor, labels: &[i64]) -> Subset {
        let inputs = SubsetInputs::Steps(Inputs::batch_first(x).unwrap());
        Subset::new("training", inputs, Tensor::from_slice(labels))
    }

    #[test]
    fn spikes_have_the_moments_of_the_numbers_that_they_stand_for() {
        let spikes = Spikes::draw([30, 4, 5], ON, 0.2, &mut Rng::new(0, "s")).unwrap();
        let dense = spikes.to_dense().transpose(0, 1);
        let pairs = moments(&dense, None).into_iter().zip(moments_of_spikes(&spikes, None));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs().max().double_value(&[]) < 1e-14));
    }

    /// By hand: 1, 2, 6 have mean 3 and variance (4 + 1 + 9) / 3; of 5, 7 and a number in padding they are 6 and 1.
    #[test]
    fn moments_leave_padding_out() {
        let x = Tensor::from_slice(&[1.0, 2.0, 6.0, 5.0, 7.0, 99.0]).reshape([2, 3, 1]);
        let [mean, variance] = moments(&x, Some(&Tensor::from_slice(&[3i64, 2])));
        assert_close("mean", &mean, &Tensor::from_slice(&[3.0, 6.0]).reshape([2, 1]), 1e-15);
        assert_close("variance", &variance, &Tensor::from_slice(&[14.0 / 3.0, 1.0]).reshape([2, 1]), 1e-15);
    }

    /// Without padding they are libtorch's own mean and deviation of the population.
    #[test]
    fn moments_are_mean_and_deviation() {
        let x = Rng::new(2, "x").tensor(&[4, 20, 3], ON, Rng::normal) * 3.0 + 5.0;
        let [mean, variance] = moments(&x, None);
        let dim: &[i64] = &[1];
        assert_close("mean", &mean, &x.mean_dim(dim, false, Kind::Double), 1e-14);
        assert_close("deviation", &variance.sqrt(), &x.std_dim(dim, false, false), 1e-13);
    }

    /// Two spikes in 4 valid steps: 1/2 and 1/4. One in 2 steps of the other sample: the same.
    #[test]
    fn moments_of_spikes_count_valid_steps_only() {
        let x = Tensor::from_slice(&[1.0f32, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).reshape([2, 4, 1]);
        let spikes = crate::data::dataset::spikes_of(&x, None).unwrap();
        let [mean, variance] = moments_of_spikes(&spikes, Some(&Tensor::from_slice(&[4i64, 2])));
        assert_eq!(mean, Tensor::from_slice(&[0.5, 0.5]).reshape([2, 1]));
        assert_eq!(variance, Tensor::from_slice(&[0.25, 0.25]).reshape([2, 1]));
    }

    /// Classes whose means are 10 deviations apart are separated by a linear map of the mean; classes that differ in nothing but the order
    /// of their steps are not, for then both have the same features and all sequences get the same class.
    #[test]
    fn means_separate_classes_and_order_does_not() {
        let labels = [0, 1, 0, 1, 0, 1];
        let noise = Rng::new(1, "noise").tensor(&[6, 8, 1], ON, Rng::normal) * 0.1;
        let apart = noise + Tensor::from_slice(&labels).to_kind(Kind::Double).reshape([6, 1, 1]);
        let part = labelled(&apart, &labels);
        let targets = Targets::Labels { classes: 2 };
        assert_eq!(baseline(&part, &part, targets).unwrap().unwrap().score, Score::Accuracy(1.0));
        let (up, down) = ([0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]);
        let order = Tensor::from_slice(&[up, down, up, down].concat()).reshape([4, 4, 1]);
        let part = labelled(&order, &[0, 1, 0, 1]);
        assert_eq!(baseline(&part, &part, targets).unwrap().unwrap().score, Score::Accuracy(0.5));
    }
}
