//! [`RlsMemory`]: recursive least squares.

use bd_kernel::{Instructions, InverseFactor};

use super::algebra::{add, dot};
use super::learner::{Samples, Weights};
use super::rule::Rls;

/// Samples whose gains are in memory at once; they do not depend on the targets.
const ROWS: usize = 64;

/// `P`, as factors.
#[derive(Debug, Clone)]
pub(super) struct RlsMemory {
    pub(super) factor: InverseFactor,
}

impl RlsMemory {
    pub(super) fn new(rule: &Rls, columns: usize) -> Self {
        Self { factor: InverseFactor::diagonal(vec![1.0 / rule.alpha; columns]) }
    }

    /// Where forgetting ends: beyond it a sample would add nothing that float64 can tell to what is left of `alpha`. Entries of `D` that
    /// are not excited would otherwise grow without bound.
    fn most(rule: &Rls) -> f64 {
        1.0 / (rule.alpha * f64::EPSILON)
    }

    /// Directions of which forgetting has ended.
    pub(super) fn unexcited(&self, rule: &Rls) -> usize {
        let most = Self::most(rule);
        self.factor.d().iter().filter(|d| **d >= most).count()
    }

    /// Learns samples that are numbers within bounds, and writes the predictions before each. `is_first` says whether there was none before.
    pub(super) fn learn(
        &mut self,
        rule: &Rls,
        weights: &mut Weights,
        samples: &Samples<'_>,
        is_first: bool,
        predictions: &mut [f64],
    ) {
        let columns = weights.columns();
        let mut gains = vec![0.0; ROWS.min(samples.rows()) * columns];
        let begins_free = is_first && weights.intercept && !rule.penalise_intercept;
        for first in (0..samples.rows()).step_by(ROWS) {
            let rows = first..samples.rows().min(first + ROWS);
            let xs = samples.columns_of(rows.clone());
            let gains = &mut gains[..xs.len()];
            self.gains(rule, xs, gains, begins_free && first == 0);
            for (row, gain) in rows.zip(gains.chunks_exact(columns)) {
                if row.is_multiple_of(samples.batch) {
                    samples.predict(weights, row..row + samples.batch, predictions);
                }
                let x = samples.columns_of(row..row + 1);
                for (w, y) in weights.numbers.chunks_exact_mut(columns).zip(samples.targets_of(row)) {
                    add(w, y - dot(x, w), gain);
                }
            }
        }
    }

    fn gains(&mut self, rule: &Rls, xs: &[f64], gains: &mut [f64], begins_free: bool) {
        let columns = self.factor.d().len();
        let first = if begins_free { columns } else { 0 };
        if begins_free {
            self.factor.begin_free(rule.forgetting, &xs[..columns]);
            gains[..columns].fill(0.0);
            gains[0] = 1.0;
        }
        let (xs, gains) = (&xs[first..], &mut gains[first..]);
        self.factor.update(Instructions::best(), rule.forgetting, Self::most(rule), xs, gains);
    }
}
