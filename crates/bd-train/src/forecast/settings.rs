//! [`ForecastConfig`]: what is to be fitted, and how a penalty is chosen; [`ShortPart`]: what a series can be too short for.

use std::fmt;
use std::ops::Range;

use bd_core::text::plural;
use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::data::Split;
use crate::free_runs::{FreeRunConfig, runs_in};
use crate::ridge::Ridge;

/// What makes one of several penalties the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// The error of the nearest horizon on the validation part.
    #[default]
    OneStep,
    /// How long the model runs freely on the validation part.
    FreeRun,
}

/// Settings of a [`fit`](super::fit()).
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastConfig {
    /// Points ahead of the last input, in the order of the model's outputs; each at least 1.
    pub horizons: Vec<usize>,
    /// The regression. Its `alpha` is replaced by each of `alphas`.
    pub ridge: Ridge,
    /// Penalties: one, or several to choose from on the validation part.
    pub alphas: Vec<f64>,
    /// What makes one of them the best.
    pub select: Select,
    /// Whether the targets of the last points of a part lie in the part after it, as in BrainPy's tutorial. Otherwise a part ends with
    /// its last target.
    pub targets_beyond: bool,
    /// How free runs are made.
    pub free_run: FreeRunConfig,
}

impl Default for ForecastConfig {
    fn default() -> Self {
        let ridge = Ridge::default();
        Self {
            horizons: vec![1],
            alphas: vec![ridge.alpha],
            ridge,
            select: Select::default(),
            targets_beyond: false,
            free_run: FreeRunConfig::default(),
        }
    }
}

impl ForecastConfig {
    /// Refuses settings that are not allowed.
    pub fn check(&self) -> Result<()> {
        let Self { horizons, alphas, .. } = self;
        if horizons.is_empty() || horizons.contains(&0) {
            return Err(Error::Config(format!("horizons are {horizons:?}; there is one at least, each at least 1")));
        }
        if alphas.is_empty() {
            return Err(Error::Config("there is no penalty; name one, or several to choose from".into()));
        }
        alphas.iter().try_for_each(|&alpha| self.ridge_with(alpha).check())?;
        if alphas.len() > 1 && self.select == Select::FreeRun && !horizons.contains(&1) {
            return Err(Error::Config(format!(
                "a model runs freely by its forecasts one step ahead: horizons must have 1, they are {horizons:?}"
            )));
        }
        self.free_run.check()
    }

    /// The regression with this penalty.
    pub fn ridge_with(&self, alpha: f64) -> Ridge {
        Ridge { alpha, ..self.ridge.clone() }
    }

    /// The farthest horizon.
    pub fn farthest(&self) -> usize {
        self.horizons.iter().copied().max().unwrap_or(0)
    }

    /// The inputs of a part that have their targets where they may be.
    pub(super) fn rows(&self, part: &Range<usize>) -> Range<usize> {
        let end = if self.targets_beyond { part.end } else { part.end.saturating_sub(self.farthest()) };
        part.start..end.max(part.start)
    }

    /// The first part of a series, for training, validation or test, that is too short for these settings and a model that remembers
    /// `memory` points.
    pub fn short_part(&self, split: &Split, memory: usize) -> Option<ShortPart> {
        let farthest = self.farthest();
        if self.rows(&split.train).is_empty() {
            return Some(ShortPart::Training { points: split.train.len(), farthest });
        }
        let points = split.test.len();
        let test = (points <= farthest).then_some(ShortPart::Test { points, farthest });
        if self.alphas.len() > 1 { self.short_for_choice(split, memory).or(test) } else { test }
    }

    /// What the validation part is too short for, if something is to be chosen by it.
    pub fn short_for_choice(&self, split: &Split, memory: usize) -> Option<ShortPart> {
        let (points, farthest) = (split.validation.len(), self.farthest());
        if points <= farthest {
            return Some(ShortPart::Choice { points, farthest });
        }
        let is_short = self.select == Select::FreeRun && runs_in(&split.validation, memory, &self.free_run).is_none();
        is_short.then_some(ShortPart::FreeRuns { points })
    }
}

/// A part of a series that is too short for what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortPart {
    /// No point of the training part has the target of the farthest horizon.
    Training {
        /// Points of the part.
        points: usize,
        /// The farthest horizon.
        farthest: usize,
    },
    /// No point of the validation part has a target within it, by which penalties could be compared.
    Choice {
        /// Points of the part.
        points: usize,
        /// The farthest horizon.
        farthest: usize,
    },
    /// The validation part is too short for a single step of a free run.
    FreeRuns {
        /// Points of the part.
        points: usize,
    },
    /// No point of the test part has a target within it.
    Test {
        /// Points of the part.
        points: usize,
        /// The farthest horizon.
        farthest: usize,
    },
}

impl fmt::Display for ShortPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, points, what) = match *self {
            Self::Training { points, farthest } => {
                ("training", points, format!("learn a forecast {farthest} steps ahead"))
            }
            Self::Choice { points, farthest } => {
                ("validation", points, format!("choose by a forecast {farthest} steps ahead"))
            }
            Self::FreeRuns { points } => ("validation", points, "run freely on".into()),
            Self::Test { points, farthest } => ("test", points, format!("test a forecast {farthest} steps ahead")),
        };
        write!(f, "the {part} part has {}, too few to {what}", plural(points, "point"))
    }
}

impl From<ShortPart> for Error {
    fn from(part: ShortPart) -> Self {
        Self::Config(part.to_string())
    }
}
