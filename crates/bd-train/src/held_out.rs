//! [`HeldOut`]: how good a model is on samples that it has not learned from, and how surely that is known.

use std::collections::BTreeMap;

use bd_core::{Error, Result};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::data::dataset::padding;
use crate::evaluate::Evaluation;

/// What models reach on samples that were held out, perhaps in several parts with a model for each. A sample that is in several parts
/// counts once, with the mean of what is said of it; so do the samples of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeldOut {
    /// Of each sample or group, in the order of their numbers.
    units: BTreeMap<i64, Unit>,
    /// Targets that are numbers, `[row][output]`: by their variance errors are measured.
    truth: Vec<Vec<f64>>,
    are_labels: bool,
}

/// Sums over what was said of a sample or group.
#[derive(Debug, Clone, PartialEq, Default)]
struct Unit {
    /// Of labels whether they are right, of numbers the square error of each output.
    sums: Vec<f64>,
    count: f64,
}

impl HeldOut {
    /// Takes in the evaluation of a part. `identities` are the numbers of its samples, or of their groups; without them each is one of its
    /// own. `lengths` `[sample]` has the steps of each that are no padding.
    pub fn add(&mut self, found: &Evaluation, identities: Option<&[i64]>, lengths: Option<&Tensor>) -> Result<()> {
        let are_labels = found.targets.kind() == Kind::Int64;
        if !self.units.is_empty() && self.are_labels != are_labels {
            return Err(Error::Config("labels and numbers cannot be judged together".into()));
        }
        self.are_labels = are_labels;
        let lengths = lengths.map(|lengths| lengths.to_device(Device::Cpu));
        let of_each = match are_labels {
            true => found.outputs.argmax(-1, false).eq_tensor(&found.targets).to_kind(Kind::Double).unsqueeze(-1),
            false => (&found.outputs - &found.targets).square(),
        };
        let of_samples = over_steps(&of_each, lengths.as_ref());
        let rows = Vec::<Vec<f64>>::try_from(of_samples)?;
        let first = self.units.last_key_value().map_or(0, |(last, _)| last + 1);
        for (i, row) in rows.into_iter().enumerate() {
            let identity = identities.map_or(first + i as i64, |identities| identities[i]);
            let unit = self.units.entry(identity).or_default();
            unit.sums.resize(row.len(), 0.0);
            unit.sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            unit.count += 1.0;
        }
        if !are_labels {
            self.truth.extend(Vec::<Vec<f64>>::try_from(valid_rows(&found.targets, lengths.as_ref()))?);
        }
        Ok(())
    }

    /// Number of samples, or of groups.
    pub fn samples(&self) -> usize {
        self.units.len()
    }

    /// Whether the targets are labels.
    pub fn are_labels(&self) -> bool {
        self.are_labels
    }

    /// Of each sample or group: the share that is right, or the square error over the variance, its mean over the outputs that vary. Of
    /// outputs that do not vary at all the square error itself.
    fn values(&self) -> BTreeMap<i64, f64> {
        let scales = if self.are_labels { vec![1.0] } else { self.scales() };
        let weight = scales.iter().filter(|scale| **scale > 0.0).count() as f64;
        let of = |unit: &Unit| {
            unit.sums.iter().zip(&scales).map(|(sum, scale)| sum / unit.count * scale).sum::<f64>() / weight
        };
        self.units.iter().map(|(identity, unit)| (*identity, of(unit))).collect()
    }

    /// One over the variance of each output; 0 of one that does not vary, and 1 if none does.
    fn scales(&self) -> Vec<f64> {
        let outputs = self.truth.first().map_or(0, Vec::len);
        let count = self.truth.len() as f64;
        let scale = |output: usize| {
            let mean = self.truth.iter().map(|row| row[output]).sum::<f64>() / count;
            let variance = self.truth.iter().map(|row| (row[output] - mean).powi(2)).sum::<f64>() / count;
            if variance > 0.0 { 1.0 / variance } else { 0.0 }
        };
        let scales: Vec<f64> = (0..outputs).map(scale).collect();
        if scales.iter().all(|scale| *scale == 0.0) { vec![1.0; outputs] } else { scales }
    }

    /// The mean over samples or groups: accuracy of labels, error over variance of numbers. Not a number without samples.
    pub fn mean(&self) -> f64 {
        let values = self.values();
        values.values().sum::<f64>() / values.len() as f64
    }

    /// The standard error of the mean. Of labels it is at least what it would be with one more right and one more wrong, so that ten of ten
    /// are not taken for certain.
    pub fn standard_error(&self) -> f64 {
        let of_values = standard_error(&self.values().into_values().collect::<Vec<_>>());
        if !self.are_labels {
            return of_values;
        }
        let count = self.units.len() as f64 + 2.0;
        let share = (self.mean() * self.units.len() as f64 + 1.0) / count;
        of_values.max((share * (1.0 - share) / count).sqrt())
    }

    /// How much better this is than another of the same samples, and the standard error of that: by pairs of what both reach on each sample
    /// or group that both have. Not numbers if there is none.
    pub fn gain_over(&self, other: &Self) -> (f64, f64) {
        let (own, others) = (self.values(), other.values());
        let sign = if self.are_labels { 1.0 } else { -1.0 };
        let pairs: Vec<f64> = own.iter().filter_map(|(i, value)| Some(sign * (value - others.get(i)?))).collect();
        (pairs.iter().sum::<f64>() / pairs.len() as f64, standard_error(&pairs))
    }

    /// `validation_accuracy` or `validation_nmse`, and `validation_standard_error`; nothing without samples, and no number that is not
    /// finite.
    pub fn metrics(&self) -> Map<String, Value> {
        let name = if self.are_labels { "validation_accuracy" } else { "validation_nmse" };
        let all = [(name, self.mean()), ("validation_standard_error", self.standard_error())];
        let finite = all.into_iter().filter(|(_, value)| value.is_finite());
        finite.map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }
}

/// Of the mean; 0 of a single value.
fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0).max(1.0) / count).sqrt()
}

/// The mean over the steps that are no padding, `[sample, n]`, of `[sample, time, n]`; `[sample, n]` as it is.
fn over_steps(of_each: &Tensor, lengths: Option<&Tensor>) -> Tensor {
    match (of_each.dim(), lengths) {
        (2, _) => of_each.shallow_clone(),
        (_, None) => of_each.mean_dim(1, false, Kind::Double),
        (_, Some(lengths)) => {
            let valid = padding(lengths, of_each.size()[1]).logical_not().unsqueeze(-1);
            let of_valid = of_each.where_self(&valid, &of_each.zeros_like());
            let counts = valid.to_kind(Kind::Double).sum_dim_intlist(1, false, Kind::Double);
            of_valid.sum_dim_intlist(1, false, Kind::Double) / counts
        }
    }
}

/// Rows of targets `[sample, n]` or `[sample, time, n]` that are no padding, `[row, n]`.
fn valid_rows(targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
    let targets = targets.to_kind(Kind::Double);
    match (targets.dim(), lengths) {
        (3, Some(lengths)) => {
            let valid = padding(lengths, targets.size()[1]).logical_not().flatten(0, 1);
            targets.flatten(0, 1).index_select(0, &valid.nonzero().squeeze_dim(1))
        }
        (3, None) => targets.flatten(0, 1),
        _ => targets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(outputs: Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Evaluation {
        Evaluation::new(0.0, outputs, targets, lengths).unwrap()
    }

    /// Whether each of some samples of two classes is told right.
    fn told(right: &[bool], identities: Option<&[i64]>) -> HeldOut {
        let labels: Vec<i64> = right.iter().map(|right| i64::from(!right)).collect();
        let scores = Tensor::from_slice(&[1.0, 0.0]).expand([right.len() as i64, 2], false).contiguous();
        let mut held = HeldOut::default();
        held.add(&evaluation(scores, &Tensor::from_slice(&labels), None), identities, None).unwrap();
        held
    }

    /// Three of four labels in one part and one of one in another: 0.8. By 5 of 7 the standard error is sqrt(5/7 2/7 / 7) = 0.171, below
    /// that of the values, sqrt(0.8 / 4 / 5) = 0.2.
    #[test]
    fn accuracies_are_of_all_samples() {
        let mut held = told(&[true, true, true, false], None);
        let scores = Tensor::from_slice(&[1.0, 0.0]).reshape([1, 2]);
        held.add(&evaluation(scores, &Tensor::from_slice(&[0i64]), None), None, None).unwrap();
        assert_eq!((held.samples(), held.mean()), (5, 0.8));
        assert!((held.standard_error() - 0.2).abs() < 1e-15);
        assert_eq!(held.metrics()["validation_accuracy"], 0.8);
        // Ten of ten: 11 of 12.
        assert!((told(&[true; 10], None).standard_error() - (11.0f64 / 12.0 / 12.0 / 12.0).sqrt()).abs() < 1e-15);
    }

    /// Sample 7 is in two parts, once right and once wrong; a group is as one sample.
    #[test]
    fn a_sample_that_is_held_out_twice_counts_once() {
        let mut held = told(&[true, true, false], Some(&[4, 7, 9]));
        let again = evaluation(Tensor::from_slice(&[0.0, 1.0]).reshape([1, 2]), &Tensor::from_slice(&[0i64]), None);
        held.add(&again, Some(&[7]), None).unwrap();
        assert_eq!((held.samples(), held.mean()), (3, 0.5));
        let grouped = told(&[true, true, true, false], Some(&[1, 1, 1, 2]));
        assert_eq!((grouped.samples(), grouped.mean()), (2, 0.5));
    }

    /// Both are right on the same samples but for one: 0.1 better, with a standard error of 0.1, however hard the others are.
    #[test]
    fn models_are_compared_sample_by_sample() {
        let right = [true, false, true, false, true, false, true, true, false, true];
        let mut less = right;
        less[0] = false;
        let (gain, error) = told(&right, None).gain_over(&told(&less, None));
        assert!((gain - 0.1).abs() < 1e-15 && (error - 0.1).abs() < 1e-15, "{gain} {error}");
        assert_eq!(told(&right, None).gain_over(&told(&right, None)), (0.0, 0.0));
        assert!(HeldOut::default().gain_over(&told(&right, None)).0.is_nan());
    }

    /// The mean is the NMSE of the evaluation, by another way, where samples are equally long.
    #[test]
    fn errors_of_numbers_are_over_the_variance() {
        let y = Tensor::from_slice(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 0.0, 4.0]).reshape([2, 2, 2]);
        let held = |outputs: Tensor, y: &Tensor| {
            let mut held = HeldOut::default();
            held.add(&evaluation(outputs, y, None), None, None).unwrap();
            held
        };
        let found = held(&y * 0.5 + 1.0, &y);
        assert!((found.mean() - evaluation(&y * 0.5 + 1.0, &y, None).nmse.unwrap()).abs() < 1e-14);
        let better = held(&y * 0.9, &y);
        assert!(better.gain_over(&found).0 > 0.0 && found.gain_over(&better).0 < 0.0);
        // Targets that do not vary leave the square error.
        let constant = y.ones_like();
        assert_eq!(held(&constant * 3.0, &constant).mean(), 4.0);
    }

    #[test]
    fn padding_does_not_count() {
        let y = Tensor::from_slice(&[1.0, 2.0, 3.0, 7.0, 8.0, 9.0]).reshape([2, 3, 1]);
        let lengths = Tensor::from_slice(&[3i64, 2]);
        let held = |outputs: Tensor| {
            let mut held = HeldOut::default();
            held.add(&evaluation(outputs, &y, Some(&lengths)), None, Some(&lengths)).unwrap();
            held
        };
        let off = Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, f64::NAN]).reshape([2, 3, 1]);
        assert_eq!(held(&y + off), held(y.shallow_clone()));
        assert_eq!(held(y.shallow_clone()).mean(), 0.0);
        let labels = Tensor::from_slice(&[0i64, 1, 0, 1, 0, 0]).reshape([2, 3]);
        let scores = Tensor::from_slice(&[1.0, 0.0]).expand([2, 3, 2], false).contiguous();
        let mut held = HeldOut::default();
        held.add(&evaluation(scores, &labels, Some(&lengths)), None, Some(&lengths)).unwrap();
        assert!((held.mean() - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15);
    }
}
