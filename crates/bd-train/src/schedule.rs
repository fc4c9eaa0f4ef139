//! [`Schedule`]: learning rates as pure functions of the number of updates done.

use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a learning rate is multiplied by, before the update of number `step` (from 0).
///
/// | name | factor | parameters |
/// |---|---|---|
/// | `constant` | 1 | |
/// | `exponential_decay` | `rate^(step / steps)` | `rate` 0.999 per `steps` 1 updates; both above 0 |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Schedule {
    #[default]
    Constant,
    ExponentialDecay {
        rate: f64,
        steps: f64,
    },
}

impl Schedule {
    /// Every schedule, with its default parameters.
    pub fn all() -> [Self; 2] {
        [Self::Constant, Self::ExponentialDecay { rate: 0.999, steps: 1.0 }]
    }

    /// The factor before the update of number `step`.
    pub fn factor(self, step: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::ExponentialDecay { rate, steps } => rate.powf(step as f64 / steps),
        }
    }

    /// Refuses parameters that cannot be.
    pub fn check(self) -> Result<()> {
        match self {
            Self::ExponentialDecay { rate, steps }
                if !(rate > 0.0 && rate.is_finite() && steps > 0.0 && steps.is_finite()) =>
            {
                Err(Error::Config(format!(
                    "exponential_decay has rate {rate} and steps {steps}; both must be numbers above 0"
                )))
            }
            _ => Ok(()),
        }
    }
}
