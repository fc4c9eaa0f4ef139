//! [`Baselines`]: what simple methods reach on the sequences of a data set, to compare a trained model with.
//!
//! | name | targets | method |
//! |---|---|---|
//! | `majority` | labels | always the label that is most frequent in training |
//! | `mean` | numbers | the mean target of the training part; of targets at each step the mean at that step |
//! | `moments` | of sequences | ridge regression with a penalty of 1 on mean and standard deviation of each channel |
//! | `ridge` | all | ridge regression on the sequence as one vector; of targets at each step on the last 10 steps |
//! | `nearest` | of sequences | the target of the nearest training sequence by the Euclidean distance |
//!
//! Channels are standardised by the steps of the training part that are no padding, and padding is zero after that. Of spikes,
//! `ridge` and `nearest` of sequences take the counts of each channel in 10 equal windows of time. The penalty of `ridge` is one of
//! 1e-3 to 1e3 in decades, the best in 5 folds of whole training sequences, which are dealt by class, or by group, at random with a fixed
//! seed.
//!
//! A method is left out where it would take long or much memory: all but `majority` and `mean` beyond 2e7 numbers in a part, be they
//! features of all samples or steps, of which `ridge` makes 10 of each where it goes by steps, or a number for each class of each label;
//! `ridge` where features and training rows are both more than 1,000, `nearest` beyond 2e9 differences of two numbers.

mod constant;
mod folds;
mod moments;
mod nearest;
mod regression;
mod sequences;

use bd_core::{Result, catch_torch};
use serde_json::{Map, Value, json};
use tch::{Kind, Tensor};

use self::sequences::{MOST_NUMBERS, Sequences};
use crate::data::{Subset, Targets};
use crate::evaluate::Evaluation;

/// What simple methods reach on the test part, in the order of the [table](self).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baselines {
    /// Those that apply.
    pub all: Vec<Baseline>,
}

/// A simple method and what it reaches on the test part.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Its name in metrics, see the [table](self).
    pub name: &'static str,
    /// What it does, in words such as `ridge regression on the last 10 steps`.
    pub method: String,
    /// How good it is on the test part.
    pub score: Score,
}

/// How good predictions are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// Of labels the fraction that is right, from 0 to 1.
    Accuracy(f64),
    /// Of numbers.
    Error {
        /// The mean square error.
        mse: f64,
        /// The mean over outputs of error over variance; not a number where the targets of the test part are constant.
        nmse: f64,
    },
}

impl Score {
    /// That of an evaluation; `None` if it has none.
    pub fn of(evaluation: &Evaluation) -> Option<Self> {
        match (evaluation.accuracy, evaluation.mse, evaluation.nmse) {
            (Some(accuracy), ..) => Some(Self::Accuracy(accuracy)),
            (None, Some(mse), Some(nmse)) => Some(Self::Error { mse, nmse }),
            _ => None,
        }
    }

    /// How much better this score is than another of the same targets: the difference in accuracy, or in error over variance, or in
    /// the mean square error where there is no variance. Negative if it is worse.
    pub fn gain_over(self, other: Self) -> f64 {
        match (self, other) {
            (Self::Accuracy(a), Self::Accuracy(b)) => a - b,
            (Self::Error { nmse: a, .. }, Self::Error { nmse: b, .. }) if a.is_finite() && b.is_finite() => b - a,
            (Self::Error { mse: a, .. }, Self::Error { mse: b, .. }) => b - a,
            _ => f64::NAN,
        }
    }
}

impl Baselines {
    /// Fits every method that applies to the training part, and scores it on the test part. There are none for spikes with times,
    /// which have no steps yet.
    pub fn of(train: &Subset, test: &Subset, targets: Targets) -> Result<Self> {
        if train.events().is_some() || test.events().is_some() {
            return Ok(Self::default());
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let mut all = Vec::from_iter(constant::baseline(train, test, targets)?);
            if ![train, test].into_iter().all(|part| numbers_of(part, targets) <= MOST_NUMBERS) {
                return Ok(Self { all });
            }
            if !targets.of_steps() {
                all.extend(moments::baseline(train, test, targets)?);
            }
            if let Some(sequences) = Sequences::of(train, test, targets.of_steps())? {
                all.extend(regression::baseline(&sequences, train, test, targets)?);
                if !targets.of_steps() {
                    all.extend(nearest::baseline(&sequences, train, test, targets)?);
                }
            }
            Ok(Self { all })
        })
    }

    /// The one with the best score; the first of equal ones.
    pub fn best(&self) -> Option<&Baseline> {
        self.all.iter().reduce(|best, other| if other.score.gain_over(best.score) > 0.0 { other } else { best })
    }

    /// Scores by names such as `baseline_ridge_accuracy`, `baseline_mean_mse` and `baseline_mean_nmse`.
    pub fn metrics(&self) -> Map<String, Value> {
        let named = |baseline: &Baseline| match baseline.score {
            Score::Accuracy(accuracy) => vec![("accuracy", accuracy)],
            Score::Error { mse, nmse } => vec![("mse", mse), ("nmse", nmse)],
        };
        let entries = |baseline: &Baseline| {
            let name = baseline.name;
            named(baseline)
                .into_iter()
                .filter(|(_, value)| value.is_finite())
                .map(move |(measure, value)| (format!("baseline_{name}_{measure}"), json!(value)))
        };
        self.all.iter().flat_map(entries).collect()
    }
}

impl Baseline {
    /// Of predictions of the test part: scores of classes or numbers, `[sample, n]` or `[sample, time, n]`.
    fn new(name: &'static str, method: String, predicted: Tensor, test: &Subset) -> Result<Option<Self>> {
        if predicted.isfinite().all().int64_value(&[]) == 0 {
            return Ok(None); // numbers so large that their squares are not finite
        }
        let found = Evaluation::new(0.0, predicted, &test.targets, test.lengths.as_ref())?;
        Ok(Score::of(&found).map(|score| Self { name, method, score }))
    }
}

/// How many numbers [`as_numbers`] makes.
fn numbers_of(part: &Subset, targets: Targets) -> i64 {
    let of_each = if targets.are_labels() { targets.n_out() } else { 1 };
    (part.targets.numel() as i64).saturating_mul(of_each)
}

/// Targets as regression takes them, float64: of labels a 1 for the class and 0 for the others. `[sample, n]`, or
/// `[sample, time, n]`.
fn as_numbers(part: &Subset, targets: Targets) -> Tensor {
    match targets.are_labels() {
        true => part.targets.one_hot(targets.n_out()).to_kind(Kind::Double),
        false => part.targets.to_kind(Kind::Double),
    }
}
