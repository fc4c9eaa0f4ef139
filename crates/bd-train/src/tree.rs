//! [`TreeSum`]: a sum in an order that does not depend on who computes which part.

use tch::Tensor;

/// Sums gradients of parts as they come, in the order of a binary tree over their numbers: of `n` parts the first `2^k < n` (the greatest
/// such power) are one side and the rest the other, and so on within both. Any aligned group of `2^j` parts is a subtree, so that processes
/// that sum such groups and then their sums get the bytes of one process that sums all. It holds `log2 n` sums at most.
#[derive(Debug, Default)]
pub(crate) struct TreeSum {
    /// Sums of subtrees, of `2^level` parts each, in falling order of levels.
    open: Vec<(u32, Option<Vec<Tensor>>)>,
}

impl TreeSum {
    /// The next part: one tensor a parameter, or nothing, where a part has nothing to give but still its number.
    pub(crate) fn push(&mut self, part: Option<Vec<Tensor>>) {
        let (mut level, mut sum) = (0, part);
        while let Some((_, left)) = self.open.pop_if(|(open, _)| *open == level) {
            sum = added(left, sum);
            level += 1;
        }
        self.open.push((level, sum));
    }

    /// The sum of all parts; `None` if none has given anything.
    pub(crate) fn finish(mut self) -> Option<Vec<Tensor>> {
        let mut sum = None;
        while let Some((_, left)) = self.open.pop() {
            sum = added(left, sum);
        }
        sum
    }
}

fn added(left: Option<Vec<Tensor>>, right: Option<Vec<Tensor>>) -> Option<Vec<Tensor>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.iter().zip(&right).map(|(a, b)| a + b).collect()),
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(parts: &[Option<f64>]) -> Option<f64> {
        let mut tree = TreeSum::default();
        parts.iter().for_each(|part| tree.push(part.map(|x| vec![Tensor::from(x)])));
        tree.finish().map(|sum| sum[0].double_value(&[]))
    }

    /// By its definition, with numbers whose sum depends on the order: `1e16 + 1` is `1e16`.
    fn by_definition(parts: &[Option<f64>]) -> Option<f64> {
        if parts.len() < 2 {
            return parts.first().copied().flatten();
        }
        let (left, right) = parts.split_at(parts.len().next_power_of_two() / 2);
        match (by_definition(left), by_definition(right)) {
            (Some(left), Some(right)) => Some(left + right),
            (left, right) => left.or(right),
        }
    }

    fn parts(count: usize) -> Vec<Option<f64>> {
        let part = |i: usize| [1e16, 1.0, -1e16, 3.0, 1e8, -7.0, 0.1][i % 7] * (1.0 + i as f64 / 3.0);
        (0..count).map(|i| (i % 5 != 3).then(|| part(i))).collect()
    }

    #[test]
    fn the_sum_is_that_of_its_definition() {
        assert_eq!(sum(&[]), None);
        assert_eq!(sum(&[None, None, None]), None);
        for count in 1..40 {
            let parts = parts(count);
            assert_eq!(sum(&parts), by_definition(&parts), "{count} parts");
        }
        // Up to three parts it is the sum from the first to the last.
        assert_eq!(sum(&[Some(1e16), Some(1.0), Some(1.0)]), Some(1e16 + 1.0 + 1.0));
    }

    /// Ranks sum aligned groups of a power of two, of which the last ones may be short or empty.
    #[test]
    fn sums_of_shares_are_the_sum_of_all() {
        for count in 1..40 {
            let parts = parts(count);
            for each in [1, 2, 4, 8] {
                let shares: Vec<_> = parts.chunks(each).map(sum).chain([None]).collect();
                assert_eq!(sum(&shares), sum(&parts), "{count} parts, {each} a process");
            }
        }
    }
}
