//! Predictions that do not look at the inputs.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::{Baseline, Score};
use crate::data::dataset::padding;
use crate::data::{Subset, Targets};

/// Always the label that is most frequent in training, or the mean target.
pub(super) fn baseline(train: &Subset, test: &Subset, targets: Targets) -> Result<Option<Baseline>> {
    match targets {
        Targets::Labels { classes } | Targets::LabelsOfSteps { classes } => Ok(Some(majority(train, test, classes))),
        Targets::Vectors { .. } => {
            let mean = train.targets.mean_dim(0, false, Kind::Double).expand(test.targets.size(), false);
            Baseline::new("mean", "the mean of the training targets".into(), mean, test)
        }
        Targets::Series { .. } => {
            let numbers = train.targets.to_kind(Kind::Double);
            let mean = train.valid_steps(&numbers).mean_dim(0, false, Kind::Double);
            let size = test.targets.size();
            let by_step = mean_of_steps(train, &numbers, &mean, size[1]).expand(size, false);
            Baseline::new("mean", "the mean of the training targets at each step".into(), by_step, test)
        }
    }
}

/// Counts labels, so that no number is made for each class of each label; of equally frequent labels the least.
fn majority(train: &Subset, test: &Subset, classes: i64) -> Baseline {
    let label = train.valid_labels().bincount::<Tensor>(None, classes).argmax(0, false).int64_value(&[]);
    let accuracy = test.valid_labels().eq(label).mean(Kind::Double).double_value(&[]);
    Baseline { name: "majority", method: format!("always label {label}"), score: Score::Accuracy(accuracy) }
}

/// The mean over samples at each of `steps` steps, `[step, n]`: padding aside, and `otherwise` where no sequence is so long.
fn mean_of_steps(train: &Subset, targets: &Tensor, otherwise: &Tensor, steps: i64) -> Tensor {
    let [samples, time, n] = [0, 1, 2].map(|dim| targets.size()[dim]);
    let valid = match &train.lengths {
        Some(lengths) => padding(lengths, time).logical_not(),
        None => Tensor::ones([samples, time], (Kind::Bool, targets.device())),
    };
    let weights = valid.to_kind(Kind::Double).unsqueeze(2);
    let count = weights.sum_dim_intlist(0, false, Kind::Double);
    let mean = (targets * &weights).sum_dim_intlist(0, false, Kind::Double) / count.clamp_min(1.0);
    let mean = mean.where_self(&count.gt(0.0), otherwise);
    match time < steps {
        true => Tensor::cat(&[mean, otherwise.expand([steps - time, n], false)], 0),
        false => mean.narrow(0, 0, steps),
    }
}
