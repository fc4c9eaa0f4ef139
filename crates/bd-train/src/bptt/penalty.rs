//! [`Penalty`]: what large parameters cost.

use bd_core::{Result, setting};
use serde::{Deserialize, Serialize};

/// What is added to the loss: `l1` times the sum of the absolute values of all trainable parameters, and `l2` times the sum of
/// their squares.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `l1` | 0 | from 0 | its gradient is `l1 sign(x)`, 0 at 0 |
/// | `l2` | 0 | from 0 | its gradient is `2 l2 x`; BrainPy's tutorial of training a rate network has 2e-4 |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct Penalty {
    pub l1: f64,
    pub l2: f64,
}

impl Penalty {
    /// Whether it is nothing.
    pub fn is_none(&self) -> bool {
        self.l1 == 0.0 && self.l2 == 0.0
    }

    /// Refuses factors that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::from_zero("penalty.l1", self.l1)?;
        setting::from_zero("penalty.l2", self.l2)
    }
}
