//! [`SplitConfig`]: which stretch of a series is for what.

use std::ops::Range;

use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a series is divided, in order of time: warm-up, training, validation, test.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `warmup` | 0.2 | points that only fill the model's memory: a count from 1, or a fraction below 1 |
/// | `split` | `[0.75, 0, 0.25]` | training, validation and test as fractions of the rest; they sum to 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// Points before training.
    pub warmup: f64,
    /// Training, validation, test.
    pub split: [f64; 3],
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self { warmup: 0.2, split: [0.75, 0.0, 0.25] }
    }
}

/// The stretches of a series, as ranges of points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Fills the model's memory.
    pub warmup: Range<usize>,
    /// Fits the parameters.
    pub train: Range<usize>,
    /// Chooses among models.
    pub validation: Range<usize>,
    /// Measures the result.
    pub test: Range<usize>,
}

impl SplitConfig {
    /// Divides a series of `points` points.
    pub fn divide(&self, points: usize) -> Result<Split> {
        let Self { warmup, split } = self;
        let count = warmup.is_finite() && *warmup >= 0.0 && (*warmup < 1.0 || warmup.fract() == 0.0);
        if !count {
            return Err(Error::setting("warmup", warmup, "a fraction below 1 or a whole number of points"));
        }
        let fractions = split.iter().all(|f| (0.0..=1.0).contains(f)) && (split.iter().sum::<f64>() - 1.0).abs() < 1e-9;
        if !fractions {
            let allowed = "three fractions (train, validation, test) that sum to 1";
            return Err(Error::setting("split", format!("{split:?}"), allowed));
        }
        let start = if *warmup < 1.0 { (warmup * points as f64).round() as usize } else { *warmup as usize };
        if start >= points {
            return Err(Error::Config(format!("warmup takes {start} points, but the series has {points}")));
        }
        let rest = (points - start) as f64;
        let train_end = start + (split[0] * rest).round() as usize;
        let validation_end = (start + ((split[0] + split[1]) * rest).round() as usize).min(points);
        Ok(Split {
            warmup: 0..start,
            train: start..train_end,
            validation: train_end..validation_end,
            test: validation_end..points,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorial_is_20_60_20() {
        let split = SplitConfig::default().divide(10_000).unwrap();
        assert_eq!(split, Split { warmup: 0..2000, train: 2000..8000, validation: 8000..8000, test: 8000..10_000 });
    }

    #[test]
    fn every_point_has_one_use() {
        for points in [10, 11, 97, 309] {
            for (warmup, split) in [(0.0, [0.7, 0.1, 0.2]), (3.0, [1.0 / 3.0; 3]), (0.25, [0.0, 0.5, 0.5])] {
                let s = SplitConfig { warmup, split }.divide(points).unwrap();
                assert_eq!((s.warmup.start, s.test.end), (0, points));
                assert!(s.warmup.end == s.train.start && s.train.end == s.validation.start);
                assert_eq!(s.validation.end, s.test.start);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (warmup, split, words) in [
            (10.0, [0.5, 0.0, 0.5], "warmup takes 10 points"),
            (1.5, [0.5, 0.0, 0.5], "warmup is 1.5"),
            (-1.0, [0.5, 0.0, 0.5], "warmup is -1"),
            (f64::NAN, [0.5, 0.0, 0.5], "warmup is NaN"),
            (0.0, [0.5, 0.0, 0.4], "sum to 1"),
            (0.0, [1.5, 0.0, -0.5], "sum to 1"),
        ] {
            let error = SplitConfig { warmup, split }.divide(10).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
