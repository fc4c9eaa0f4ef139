//! [`Padded`]: which targets of steps stand where a sequence has ended.

use tch::{Kind, Tensor};

use super::subset::padding;

/// Sequences with the lengths that are no padding.
#[derive(Clone, Copy)]
pub(super) struct Padded<'a> {
    /// Int64 `[sample]`, of at most `time` steps.
    pub(super) lengths: &'a Tensor,
    pub(super) time: i64,
}

impl Padded<'_> {
    /// Which elements of an array of targets stand in padding, bool, in a shape that goes with `[sample, time]` or `[sample, time, n]`.
    /// `None` of targets of sequences.
    pub(super) fn of(&self, shape: &[i64]) -> Option<Tensor> {
        if shape.first() != self.lengths.size().first() || shape.get(1) != Some(&self.time) {
            return None;
        }
        let padding = padding(self.lengths, self.time);
        match shape.len() {
            2 => Some(padding),
            3 => Some(padding.unsqueeze(2)),
            _ => None,
        }
    }

    /// Whether each of the elements of an array of targets `[sample, time]` counts, in its order; all do where it is of sequences.
    pub(super) fn valid(&self, shape: &[i64]) -> Vec<bool> {
        let valid =
            self.of(shape).filter(|_| shape.len() == 2).map(|padding| padding.logical_not().to_kind(Kind::Uint8));
        let valid = valid.and_then(|valid| Vec::<u8>::try_from(valid.flatten(0, -1)).ok());
        valid.map_or_else(
            || vec![true; shape.iter().product::<i64>().max(0) as usize],
            |valid| valid.into_iter().map(|valid| valid == 1).collect(),
        )
    }
}
