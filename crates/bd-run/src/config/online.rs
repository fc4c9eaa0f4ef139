//! [`OnlineChoice`]: whether a readout is learned sample by sample, and how.

use bd_core::{Error, Result};
use bd_train::{Lms, OnlineRule, Rls};
use serde::{Deserialize, Serialize};

use super::choice::{NvarChoice, RidgeChoice};

/// How a series is learned: `off`, at once by ridge regression, or by a rule, sample by sample. The penalty of `rls` is that of the ridge
/// regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum OnlineChoice {
    /// At once.
    Off {},
    /// By recursive least squares.
    Rls {
        /// See [`Rls`].
        forgetting: f64,
    },
    /// By least mean squares.
    Lms {
        /// See [`Lms`].
        rate: f64,
        /// See [`Lms`].
        normalised: bool,
    },
}

impl OnlineChoice {
    /// Every alternative, with its usual settings.
    pub(super) fn all() -> [Self; 3] {
        let (Rls { forgetting, .. }, Lms { rate, normalised }) = (Rls::default(), Lms::default());
        [Self::Off {}, Self::Rls { forgetting }, Self::Lms { rate, normalised }]
    }

    /// Whether the series is learned at once.
    pub fn is_off(&self) -> bool {
        *self == Self::Off {}
    }

    /// The rule, with the penalty of `ridge`.
    pub fn rule(&self, ridge: &RidgeChoice) -> Option<OnlineRule> {
        match *self {
            Self::Off {} => None,
            Self::Rls { forgetting } => {
                let RidgeChoice { penalise_intercept, .. } = *ridge;
                Some(OnlineRule::Rls(Rls { alpha: ridge.alpha[0], forgetting, penalise_intercept }))
            }
            Self::Lms { rate, normalised } => Some(OnlineRule::Lms(Lms { rate, normalised })),
        }
    }

    /// Refuses settings that are not allowed, and a choice, for which a series would have to be learned several times.
    pub(super) fn check(&self, ridge: &RidgeChoice, nvar: &NvarChoice) -> Result<()> {
        let Some(rule) = self.rule(ridge) else { return Ok(()) };
        rule.check()?;
        if ridge.l1_ratio > 0.0 {
            return Err(Error::setting("ridge.l1_ratio", ridge.l1_ratio, "0 where a series is learned online"));
        }
        let several = match (ridge.alpha.len() > 1, nvar.is_open()) {
            (true, _) => format!("ridge.alpha is {:?}", ridge.alpha),
            (false, true) => format!("nvar.delay is {:?}", nvar.delay),
            (false, false) => return Ok(()),
        };
        Err(Error::Config(format!("{several}; a series is learned online once, with one value: name it")))
    }
}
