//! What needs no recurrence: ridge regression on the mean and the standard deviation of each channel over time.

use bd_core::{Result, catch_torch};
use bd_train::loss::accuracy;
use bd_train::{Ridge, RidgeFactor};
use tch::{Device, Kind, Tensor};

use super::data::{Part, Targets};

/// Accuracy on the test part of a linear map from each channel's mean and standard deviation to the classes, fitted to the training
/// part with a penalty of 1 on standardised features. None where sequences have no label.
pub(super) fn linear_accuracy(train: &Part, test: &Part, targets: Targets) -> Result<Option<f64>> {
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
        Ok(Some(accuracy(&scores, &test.y)))
    })
}

/// Mean and standard deviation of each channel over the steps that are no padding, `[sample, 2 * channel]`.
fn features(part: &Part) -> Tensor {
    let time = part.x.size()[1];
    let valid = match &part.lengths {
        Some(lengths) => Tensor::arange(time, (Kind::Int64, Device::Cpu)).unsqueeze(0).lt_tensor(&lengths.unsqueeze(1)),
        None => Tensor::ones([part.count(), time], (Kind::Bool, Device::Cpu)),
    };
    let weights = valid.to_kind(Kind::Double).unsqueeze(2);
    let count = weights.sum_dim_intlist(1, false, Kind::Double);
    let mean = (&part.x * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    let square = ((&part.x - mean.unsqueeze(1)).square() * &weights).sum_dim_intlist(1, false, Kind::Double) / &count;
    Tensor::cat(&[mean, square.sqrt()], 1)
}
