//! Folds of whole sequences, for the choice of a penalty.

use std::collections::BTreeMap;

use bd_core::Rng;
use tch::{Device, Kind, Tensor};

use crate::data::Subset;

/// Which fold of `folds` each row belongs to, int64 `[row]`, by the number of its sequence, `sample_of_row`: whole sequences, or stretches
/// of rows where there are fewer sequences than folds.
pub(super) fn folds_of_rows(part: &Subset, sample_of_row: &Tensor, folds: usize) -> Tensor {
    if part.count() >= folds {
        let classes = match part.targets.dim() {
            1 => Vec::try_from(part.targets.to_kind(Kind::Int64)).expect("labels [sample]"),
            _ => vec![0; part.count()],
        };
        return Tensor::from_slice(&deal(&classes, part.groups.as_deref(), folds)).index_select(0, sample_of_row);
    }
    let rows = sample_of_row.size()[0];
    let numbers = Tensor::arange(rows, (Kind::Int64, Device::Cpu)) * folds as i64;
    numbers.divide_scalar_mode(rows, "floor").to_kind(Kind::Int64)
}

/// The fold of each sample. Samples are dealt in an order that is drawn, class by class, so that neither the order of a file nor the
/// shares of classes tell folds apart; the seed is fixed. Of two groups or more all samples of one are in the same fold.
fn deal(classes: &[i64], groups: Option<&[i64]>, folds: usize) -> Vec<i64> {
    let mut hands: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for sample in 0..classes.len() {
        hands.entry(groups.map_or(sample as i64, |groups| groups[sample])).or_default().push(sample);
    }
    if hands.len() < 2 {
        hands = (0..classes.len()).map(|sample| (sample as i64, vec![sample])).collect();
    }
    let mut rng = Rng::new(0, "folds");
    let mut hands: Vec<(i64, f64, Vec<usize>)> =
        hands.into_values().map(|samples| (classes[samples[0]], rng.uniform(), samples)).collect();
    hands.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut sizes, mut found) = (vec![0; folds], vec![0; classes.len()]);
    for (.., samples) in hands {
        let smallest = (0..folds).min_by_key(|fold| sizes[*fold]).unwrap_or(0);
        sizes[smallest] += samples.len();
        samples.into_iter().for_each(|sample| found[sample] = smallest as i64);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(folds: &[i64], fold: i64) -> Vec<usize> {
        (0..folds.len()).filter(|sample| folds[*sample] == fold).collect()
    }

    /// Five classes in turn, ten samples of each: two of each in every fold, as in any order.
    #[test]
    fn folds_have_the_shares_of_classes() {
        for classes in [(0..50).map(|i| i % 5).collect::<Vec<i64>>(), (0..50).map(|i| i / 10).collect()] {
            let folds = deal(&classes, None, 5);
            for fold in 0..5 {
                let held = members(&folds, fold);
                let count = |class| held.iter().filter(|sample| classes[**sample] == class).count();
                assert_eq!([0, 1, 2, 3, 4].map(count), [2; 5], "{folds:?}");
            }
        }
    }

    /// Without classes, designs of any period up to ten have every phase of theirs outside of each fold.
    #[test]
    fn folds_are_no_design_that_rotates() {
        let folds = deal(&[0; 50], None, 5);
        for period in 2..=10 {
            for fold in 0..5 {
                let kept = (0..50).filter(|sample| folds[*sample] != fold).map(|sample| sample % period);
                assert_eq!(kept.collect::<std::collections::BTreeSet<_>>().len(), period, "{folds:?}");
            }
        }
        assert_eq!([0, 1, 2, 3, 4].map(|fold| members(&folds, fold).len()), [10; 5]);
    }

    /// Twelve subjects of five samples: each in one fold, and twelve samples in a fold but for a subject more or less. A single subject
    /// is no group to be kept together, and of two each is a fold.
    #[test]
    fn a_group_is_in_one_fold() {
        let subjects: Vec<i64> = (0..60).map(|sample| 7 * (sample % 12)).collect();
        let folds = deal(&[0; 60], Some(&subjects), 5);
        assert!((0..60).all(|sample| folds[sample] == folds[sample % 12]));
        assert!((0..5).all(|fold| [10, 15].contains(&members(&folds, fold).len())), "{folds:?}");
        assert_eq!(members(&deal(&[0; 10], Some(&[3; 10]), 5), 4).len(), 2);
        assert_eq!(deal(&[0; 6], Some(&[1, 1, 1, 2, 2, 2]), 5).into_iter().sum::<i64>(), 3);
    }

    /// Those that `tests/baselines.py` has for its 12 samples, without classes and with the labels there.
    #[test]
    fn folds_are_the_same_on_every_machine() {
        assert_eq!(deal(&[0; 12], None, 5), [0, 1, 0, 2, 3, 1, 2, 4, 3, 4, 0, 1]);
        let labels = [1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 2, 0];
        assert_eq!(deal(&labels, None, 5), [0, 0, 1, 3, 4, 2, 1, 4, 2, 3, 1, 0]);
    }
}
