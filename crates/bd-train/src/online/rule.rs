//! [`OnlineRule`]: how weights change after a sample.

use bd_core::{Result, setting};
use serde::{Deserialize, Serialize};

/// A rule by its name, `rls` or `lms`, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum OnlineRule {
    /// Recursive least squares.
    Rls(Rls),
    /// Least mean squares.
    Lms(Lms),
}

/// Recursive least squares: `n^2` operations a sample for `n` weights of an output.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `alpha` | 1 | 1e-50 to 1e50 | penalty, as that of [`Ridge`](crate::Ridge): `P = I / alpha` at first. BrainPy's `alpha` is its inverse |
/// | `forgetting` | 1 | 1e-6 to 1 | how much a sample still counts one sample later: 0.99 forgets over some 100 samples |
/// | `penalise_intercept` | `true` | | whether the intercept is penalised like a weight; if not, the first sample sets it |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct Rls {
    pub alpha: f64,
    pub forgetting: f64,
    pub penalise_intercept: bool,
}

impl Default for Rls {
    fn default() -> Self {
        Self { alpha: 1.0, forgetting: 1.0, penalise_intercept: true }
    }
}

/// Least mean squares, the descent along the gradient of `e^2 / 2` of each sample: `n` operations a sample. The samples of a batch are
/// summed. The intercept is a weight like any other.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `rate` | 0.5 | above 0, if normalised below 2 | how far a step goes. Without normalisation it must be below 2 over the mean of the squared length of features, or weights grow without bound |
/// | `normalised` | `true` | | whether a step is divided by the squared length of the features, so that the rate does not depend on their units |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct Lms {
    pub rate: f64,
    pub normalised: bool,
}

impl Default for Lms {
    fn default() -> Self {
        Self { rate: 0.5, normalised: true }
    }
}

impl Default for OnlineRule {
    fn default() -> Self {
        Self::Rls(Rls::default())
    }
}

impl OnlineRule {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rls(_) => "rls",
            Self::Lms(_) => "lms",
        }
    }

    /// Refuses settings that are not allowed.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Rls(Rls { alpha, forgetting, .. }) => {
                let is_in_range = (1e-50..=1e50).contains(&alpha);
                setting::check("online.alpha", alpha, is_in_range, "a number from 1e-50 to 1e50")?;
                let fits = (1e-6..=1.0).contains(&forgetting);
                setting::check("online.forgetting", forgetting, fits, "1e-6 to 1")
            }
            Self::Lms(Lms { rate, normalised: true }) => setting::check(
                "online.rate",
                rate,
                rate > 0.0 && rate < 2.0,
                "above 0 and below 2 where it is normalised",
            ),
            Self::Lms(Lms { rate, normalised: false }) => setting::above_zero("online.rate", rate),
        }
    }
}
