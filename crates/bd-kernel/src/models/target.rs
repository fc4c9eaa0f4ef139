//! [`Target`]: what the readout of a forecast is fitted to.

use serde::{Deserialize, Serialize};

/// What the readout of a forecast is fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The value to come.
    #[default]
    Value,
    /// Its difference from the present one, which the model then adds.
    Increment,
}
