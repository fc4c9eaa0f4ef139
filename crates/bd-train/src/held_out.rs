//! [`HeldOut`]: how good a model is on samples that it has not learned from, and how surely that is known.

use bd_core::{Error, Result};
use serde_json::{Map, Value, json};
use tch::{Kind, Tensor};

use crate::data::dataset::padding;
use crate::evaluate::Evaluation;

/// What a model reaches on samples that were held out, perhaps in several parts with a model for each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeldOut {
    /// Of labels the share of each sample that is right; of numbers the square error of each over the variance of its part, the mean over
    /// the outputs that vary.
    values: Vec<f64>,
    are_labels: bool,
}

impl HeldOut {
    /// Takes in the evaluation of a part, of whose sequences `lengths` `[sample]` has the steps that are no padding.
    pub fn add(&mut self, found: &Evaluation, lengths: Option<&Tensor>) -> Result<()> {
        let are_labels = found.targets.kind() == Kind::Int64;
        let of_each = match are_labels {
            true => found.outputs.argmax(-1, false).eq_tensor(&found.targets).to_kind(Kind::Double),
            false => relative_error(found, lengths),
        };
        let of_samples = match (of_each.dim(), lengths) {
            (1, _) => of_each,
            (_, None) => of_each.mean_dim(1, false, Kind::Double),
            (_, Some(lengths)) => {
                let valid = padding(lengths, of_each.size()[1]).logical_not().to_kind(Kind::Double);
                (of_each * &valid).sum_dim_intlist(1, false, Kind::Double)
                    / valid.sum_dim_intlist(1, false, Kind::Double)
            }
        };
        if self.values.is_empty() {
            self.are_labels = are_labels;
        } else if self.are_labels != are_labels {
            return Err(Error::Config("labels and numbers cannot be judged together".into()));
        }
        self.values.extend(Vec::<f64>::try_from(of_samples)?);
        Ok(())
    }

    /// Number of samples; one that was held out twice counts twice.
    pub fn samples(&self) -> usize {
        self.values.len()
    }

    /// Whether the targets are labels.
    pub fn are_labels(&self) -> bool {
        self.are_labels
    }

    /// The mean over samples: accuracy of labels, error over variance of numbers. Not a number without samples.
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// The standard error of the mean.
    pub fn standard_error(&self) -> f64 {
        let (mean, count) = (self.mean(), self.values.len() as f64);
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (count - 1.0).max(1.0) / count).sqrt()
    }

    /// How much better this is than another of the same targets.
    pub fn gain_over(&self, other: &Self) -> f64 {
        if self.are_labels { self.mean() - other.mean() } else { other.mean() - self.mean() }
    }

    /// `validation_accuracy` or `validation_nmse`, and `validation_standard_error`; nothing without samples, and no number that is not
    /// finite.
    pub fn metrics(&self) -> Map<String, Value> {
        let name = if self.are_labels { "validation_accuracy" } else { "validation_nmse" };
        let all = [(name, self.mean()), ("validation_standard_error", self.standard_error())];
        all.into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect()
    }
}

/// Square errors over variances, `[sample]` or `[sample, time]`: the mean over outputs.
fn relative_error(found: &Evaluation, lengths: Option<&Tensor>) -> Tensor {
    let targets = found.targets.to_kind(Kind::Double);
    let rows = match (targets.dim(), lengths) {
        (3, Some(lengths)) => {
            let valid = padding(lengths, targets.size()[1]).logical_not().flatten(0, 1);
            targets.flatten(0, 1).index_select(0, &valid.nonzero().squeeze_dim(1))
        }
        (3, None) => targets.flatten(0, 1),
        _ => targets.shallow_clone(),
    };
    let variance = rows.var_dim(0, false, false);
    let varied = variance.gt(0.0).nonzero().squeeze_dim(1);
    let error = (&found.outputs - &targets).square() / variance;
    error.index_select(-1, &varied).mean_dim(-1, false, Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(outputs: Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Evaluation {
        Evaluation::new(0.0, outputs, targets, lengths).unwrap()
    }

    /// Three of four labels in one part and one of one in another: 0.8, and sqrt(0.8 * 0.2 / 4) as the standard error.
    #[test]
    fn accuracies_are_of_all_samples() {
        let scores = Tensor::from_slice(&[2.0, 1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 9.0]).reshape([4, 2]);
        let mut held = HeldOut::default();
        held.add(&evaluation(scores, &Tensor::from_slice(&[0i64, 1, 1, 1]), None), None).unwrap();
        held.add(
            &evaluation(Tensor::from_slice(&[1.0, 0.0]).reshape([1, 2]), &Tensor::from_slice(&[0i64]), None),
            None,
        )
        .unwrap();
        assert_eq!((held.samples(), held.mean()), (5, 0.8));
        assert!((held.standard_error() - 0.2).abs() < 1e-15);
        assert_eq!(json!(held.metrics()), json!({"validation_accuracy": 0.8, "validation_standard_error": 0.2}));
    }

    /// The mean is the NMSE of the evaluation, by another way, where samples are equally long.
    #[test]
    fn errors_of_numbers_are_over_the_variance() {
        let y = Tensor::from_slice(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 0.0, 4.0]).reshape([2, 2, 2]);
        let found = evaluation(&y * 0.5 + 1.0, &y, None);
        let mut held = HeldOut::default();
        held.add(&found, None).unwrap();
        assert!((held.mean() - found.nmse.unwrap()).abs() < 1e-14);
        let better = {
            let mut better = HeldOut::default();
            better.add(&evaluation(&y * 0.9, &y, None), None).unwrap();
            better
        };
        assert!(better.gain_over(&held) > 0.0 && held.gain_over(&better) < 0.0);
    }

    #[test]
    fn padding_does_not_count() {
        let y = Tensor::from_slice(&[1.0, 2.0, 3.0, 7.0, 8.0, 9.0]).reshape([2, 3, 1]);
        let lengths = Tensor::from_slice(&[3i64, 2]);
        let held = |outputs: Tensor| {
            let mut held = HeldOut::default();
            held.add(&evaluation(outputs, &y, Some(&lengths)), Some(&lengths)).unwrap();
            held
        };
        let off = Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, 1e9]).reshape([2, 3, 1]);
        assert_eq!(held(&y + &off), held(y.shallow_clone()));
        assert_eq!(held(&y + off).mean(), 0.0);
        let labels = Tensor::from_slice(&[0i64, 1, 0, 1, 0, 0]).reshape([2, 3]);
        let scores = Tensor::from_slice(&[1.0, 0.0]).expand([2, 3, 2], false).contiguous();
        let mut held = HeldOut::default();
        held.add(&evaluation(scores, &labels, Some(&lengths)), Some(&lengths)).unwrap();
        assert!((held.mean() - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15);
    }
}
