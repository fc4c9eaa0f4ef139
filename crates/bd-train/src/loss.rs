//! Losses by name, and [`Objective`]: what training makes small, a named loss or any closure.

use bd_core::kernel::max_over_time;
use bd_core::{Error, Result, kind_name};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// What training makes small: a scalar of outputs `[batch, time, n_out]` and targets. Any closure of the two is one.
pub trait Objective {
    /// Refuses targets that cannot be for outputs of this shape, `[batch, time, n_out]`, and dtype.
    fn check(&self, _outputs: [i64; 3], _kind: Kind, _targets: &Tensor) -> Result<()> {
        Ok(())
    }

    /// The loss.
    fn loss(&self, outputs: &Tensor, targets: &Tensor) -> Tensor;
}

impl<F: Fn(&Tensor, &Tensor) -> Tensor> Objective for F {
    fn loss(&self, outputs: &Tensor, targets: &Tensor) -> Tensor {
        self(outputs, targets)
    }
}

/// How outputs over time become one score for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverTime {
    /// The greatest. Steps that are tied for it share its gradient equally, as in JAX.
    #[default]
    Max,
    /// The mean.
    Mean,
    /// That of the last step.
    Last,
    /// The sum: of spikes their number.
    Sum,
}

impl OverTime {
    /// `[batch, time, n]` to `[batch, n]`.
    pub fn scores(self, outputs: &Tensor) -> Tensor {
        match self {
            Self::Max => max_over_time(&outputs.transpose(0, 1)),
            Self::Mean => outputs.mean_dim(1, false, outputs.kind()),
            Self::Last => outputs.select(1, -1),
            Self::Sum => outputs.sum_dim_intlist(1, false, outputs.kind()),
        }
    }
}

/// Losses by name.
///
/// | name | loss | targets |
/// |---|---|---|
/// | `cross_entropy` | mean over samples of `log sum_c e^(y_c) - y_label`, `y` as `over` says | `[batch]`, int64, from 0 to below `n_out` |
/// | `mse` | mean of `(output - target)^2` over everything | as the outputs |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Loss {
    CrossEntropy { over: OverTime },
    Mse,
}

impl Loss {
    /// Every loss, with its default parameters.
    pub fn all() -> [Self; 2] {
        [Self::CrossEntropy { over: OverTime::Max }, Self::Mse]
    }
}

impl Objective for Loss {
    fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor) -> Result<()> {
        let [batch, _, n_out] = outputs;
        let shape = |expected: &[i64]| {
            let found = targets.size();
            let what = || "targets".to_owned();
            if found == expected {
                Ok(())
            } else {
                Err(Error::Shape { what: what(), expected: format!("{expected:?}"), found })
            }
        };
        match self {
            Self::CrossEntropy { .. } => check_labels(targets, n_out).and_then(|()| shape(&[batch])),
            // Of another shape they would be spread over the outputs without a word, of another dtype promoted.
            Self::Mse if targets.kind() != kind => Err(Error::Place {
                what: "targets".into(),
                expected: format!("{}, as the outputs are", kind_name(kind)),
                found: kind_name(targets.kind()),
            }),
            Self::Mse => shape(&outputs),
        }
    }

    fn loss(&self, outputs: &Tensor, targets: &Tensor) -> Tensor {
        match self {
            Self::CrossEntropy { over } => {
                // Not tch's `cross_entropy_for_logits`: it computes in float32 whatever it is given.
                let log_p = over.scores(outputs).log_softmax(1, outputs.kind());
                -log_p.gather(1, &targets.unsqueeze(1), false).mean(outputs.kind())
            }
            Self::Mse => (outputs - targets).square().mean(outputs.kind()),
        }
    }
}

/// Refuses what are not labels of `classes` classes: the first wrong one is named.
pub fn check_labels(labels: &Tensor, classes: i64) -> Result<()> {
    if labels.kind() != Kind::Int64 || labels.dim() != 1 {
        let found = format!("{} of shape {:?}", kind_name(labels.kind()), labels.size());
        return Err(Error::Config(format!("labels are int64 of shape [batch], got {found}")));
    }
    let wrong = labels.lt(0).logical_or(&labels.ge(classes));
    if wrong.any().int64_value(&[]) == 0 {
        return Ok(());
    }
    let sample = wrong.nonzero().int64_value(&[0, 0]);
    let label = labels.int64_value(&[sample]);
    Err(Error::Config(format!(
        "the label of sample {sample} is {label}, but the model has {classes} outputs: labels go from 0 to {}",
        classes - 1
    )))
}

/// The fraction of samples whose greatest score `[batch, n]` is that of their label.
pub fn accuracy(scores: &Tensor, labels: &Tensor) -> f64 {
    assert_eq!(scores.size()[0], labels.size()[0], "a label for each sample");
    scores.argmax(1, false).eq_tensor(labels).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;
    use bd_core::testing::grad_check;
    use tch::Device;

    use super::*;

    fn outputs() -> Tensor {
        Rng::new(0, "outputs").tensor(&[3, 5, 4], (Kind::Double, Device::Cpu), Rng::normal)
    }

    /// By hand, from numbers, for each way over time.
    #[test]
    fn cross_entropy_is_its_formula() {
        let (ys, labels) = (outputs(), Tensor::from_slice(&[2i64, 0, 3]));
        for over in [OverTime::Max, OverTime::Mean, OverTime::Last, OverTime::Sum] {
            let mut expected = 0.0;
            for b in 0..3 {
                let series = |c: i64| (0..5).map(|t| ys.double_value(&[b, t, c])).collect::<Vec<_>>();
                let score = |c: i64| match over {
                    OverTime::Max => series(c).into_iter().fold(f64::NEG_INFINITY, f64::max),
                    OverTime::Mean => series(c).iter().sum::<f64>() / 5.0,
                    OverTime::Last => series(c)[4],
                    OverTime::Sum => series(c).iter().sum(),
                };
                let log_sum = (0..4).map(|c| score(c).exp()).sum::<f64>().ln();
                expected += (log_sum - score(labels.int64_value(&[b]))) / 3.0;
            }
            let loss = Loss::CrossEntropy { over };
            assert!((loss.loss(&ys, &labels).double_value(&[]) - expected).abs() < 1e-14, "{over:?}");
            grad_check(|v| loss.loss(&v[0], &labels), &[outputs()], 1e-8);
        }
    }

    /// Two steps tied for the maximum: half of the gradient each.
    #[test]
    fn tied_maxima_share_the_gradient() {
        let ys = Tensor::from_slice(&[1.0f64, 3.0, 3.0, 0.0]).reshape([1, 4, 1]).set_requires_grad(true);
        let gradient = Tensor::run_backward(&[OverTime::Max.scores(&ys).sum(Kind::Double)], &[&ys], false, false);
        assert_eq!(Vec::<f64>::try_from(gradient[0].flatten(0, -1)).unwrap(), [0.0, 0.5, 0.5, 0.0]);
    }

    #[test]
    fn mse_is_its_formula() {
        let targets = outputs() * 0.5;
        let expected = (outputs() * 0.5).square().mean(Kind::Double).double_value(&[]);
        assert!((Loss::Mse.loss(&outputs(), &targets).double_value(&[]) - expected).abs() < 1e-15);
    }

    #[test]
    fn labels_out_of_range_are_named() {
        let error = check_labels(&Tensor::from_slice(&[0i64, 1, 2]), 2).unwrap_err().to_string();
        assert!(error.contains("sample 2 is 2") && error.contains("from 0 to 1"), "{error}");
        assert!(check_labels(&Tensor::from_slice(&[-1i64]), 2).is_err());
        assert!(check_labels(&Tensor::from_slice(&[0.0f32]), 2).unwrap_err().to_string().contains("int64"));
    }

    #[test]
    fn accuracy_counts() {
        let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.8, 0.2, 0.4, 0.6]).reshape([3, 2]);
        assert!((accuracy(&scores, &Tensor::from_slice(&[1i64, 1, 1])) - 2.0 / 3.0).abs() < 1e-15);
    }
}
