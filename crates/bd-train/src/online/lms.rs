//! [`LmsMemory`]: least mean squares, and how it is seen that it diverges.

use bd_core::{Error, Result};

use super::algebra::{add, dot};
use super::learner::{Samples, Weights};
use super::rule::Lms;

/// An error so many times the greatest target, or the first error, is that of weights that grow without bound.
const DIVERGED: f64 = 1e6;

/// What is known of the samples so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LmsMemory {
    /// Sum of the squared lengths of the features.
    pub(super) squares: f64,
    /// The greatest absolute target, or the first error if that is greater: that of weights which were learned elsewhere.
    pub(super) greatest: f64,
}

impl LmsMemory {
    /// Learns samples that are numbers within bounds, and writes the predictions before each. Samples of a batch are one step.
    ///
    /// Fails where the error shows that the rate is too great; weights and memory are then no longer of use. `before` counts the samples
    /// before these.
    pub(super) fn learn(
        &mut self,
        rule: &Lms,
        weights: &mut Weights,
        samples: &Samples<'_>,
        before: u64,
        predictions: &mut [f64],
    ) -> Result<()> {
        let columns = weights.columns();
        for first in (0..samples.rows()).step_by(samples.batch) {
            let rows = first..first + samples.batch;
            samples.predict(weights, rows.clone(), predictions);
            for row in rows {
                let x = samples.columns_of(row..row + 1);
                let square = dot(x, x);
                self.squares += square;
                let step = if rule.normalised { rule.rate / square } else { rule.rate };
                if square == 0.0 {
                    continue;
                }
                let outputs = weights.outputs();
                let predicted = &predictions[row * outputs..(row + 1) * outputs];
                let targets = samples.targets_of(row);
                for ((w, y), predicted) in weights.numbers.chunks_exact_mut(columns).zip(targets).zip(predicted) {
                    let error = y - predicted;
                    let first = if before == 0 && row < samples.batch { error.abs() } else { 0.0 };
                    self.greatest = self.greatest.max(y.abs()).max(first);
                    if error.abs() > DIVERGED * self.greatest || error.is_nan() {
                        return Err(self.diverged(rule, before + row as u64, error));
                    }
                    add(w, step * error, x);
                }
            }
        }
        Ok(())
    }

    fn diverged(&self, rule: &Lms, sample: u64, error: f64) -> Error {
        let Lms { rate, normalised } = *rule;
        let stable = match normalised {
            true => "lower it, or the number of samples in a batch".to_owned(),
            false => {
                let mean = self.squares / (sample + 1) as f64;
                format!(
                    "features have a squared length of {mean:.1e} in the mean, so that it has to be below {:.1e}",
                    2.0 / mean
                )
            }
        };
        Error::NotFinite {
            what: "the descent of lms".into(),
            where_: format!(
                "at sample {sample} the error is {error:.1e}, where targets and the first error are at most {:.1e}; online.rate {rate} is too great: {stable}",
                self.greatest
            ),
        }
    }
}
