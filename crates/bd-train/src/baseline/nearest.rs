//! The nearest training sequence.

use bd_core::Result;
use tch::Tensor;

use super::sequences::Sequences;
use super::{Baseline, as_numbers};
use crate::data::{Subset, Targets};

/// Differences of two numbers, `training * test * features`, at most.
const MOST_DIFFERENCES: i64 = 2_000_000_000;
/// Distances that are in memory at once.
const AT_ONCE: i64 = 4_000_000;
/// How [`Tensor::cdist`] computes: by differences, not by products, which lose digits where distances are small.
const BY_DIFFERENCES: i64 = 2;

/// The target of the training sequence with the least Euclidean distance, of equal ones the first. `None` beyond the cap.
pub(super) fn baseline(
    sequences: &Sequences,
    train: &Subset,
    test: &Subset,
    targets: Targets,
) -> Result<Option<Baseline>> {
    let (a, b) = (sequences.train.flatten(1, 2), sequences.test.flatten(1, 2));
    let [count, features] = [0, 1].map(|dim| a.size()[dim]);
    if count.saturating_mul(b.size()[0]).saturating_mul(features) > MOST_DIFFERENCES {
        return Ok(None);
    }
    let nearest = nearest(&a, &b);
    let method = match sequences.windows {
        Some(windows) => format!("nearest neighbour by the spikes of each channel in {windows} windows"),
        None => "nearest neighbour".to_owned(),
    };
    Baseline::new("nearest", method, as_numbers(train, targets).index_select(0, &nearest), test)
}

/// The row of `a` that is nearest to each row of `b`.
fn nearest(a: &Tensor, b: &Tensor) -> Tensor {
    let of_some = |b: Tensor| Tensor::cdist(&b, a, 2.0, BY_DIFFERENCES).argmin(1, false);
    let rows = (AT_ONCE / a.size()[0]).max(1);
    Tensor::cat(&b.split(rows, 0).into_iter().map(of_some).collect::<Vec<_>>(), 0)
}
