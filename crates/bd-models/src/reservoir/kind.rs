//! [`ReservoirKind`]: what a unit of a reservoir makes of its old state and of what comes in.

use bd_core::{Error, Result, Rng, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// How the states of a reservoir are updated, with `a_t = u_t W_in + x_(t-1) W + b`.
///
/// | name | update | parameters |
/// |---|---|---|
/// | `leaky` | `x_t = (1 - leak) x_(t-1) + leak f(a_t)` | |
/// | `es2n` | `x_t = (1 - leak) x_(t-1) O + leak f(a_t)` with an orthogonal `O`, the fixed parameter `orthogonal_weight` `[units, units]`: at the edge of stability, with a memory of nearly as many steps as units (Ceni and Gallicchio, "Edge of stability echo state network", IEEE TNNLS 2024) | `mixing` `orthogonal` |
/// | `eusn` | `x_t = x_(t-1) + leak f(u_t W_in + x_(t-1) (W - W' - diffusion I) + b)`: Euler's method with steps of `leak` for an equation that neither grows nor decays but by `diffusion` (Gallicchio, "Euler state networks", Neurocomputing 2024) | `diffusion` 0.001, from 0 |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum ReservoirKind {
    #[default]
    Leaky,
    Es2n {
        mixing: Mixing,
    },
    Eusn {
        diffusion: f64,
    },
}

/// The orthogonal matrix of an [`es2n`](ReservoirKind::Es2n) reservoir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// Even over the orthogonal matrices. A step takes as many products as it has entries.
    #[default]
    Orthogonal,
    /// Each unit's state moves on to the next one, and the last one's to the first: a step takes no products.
    Ring,
}

impl ReservoirKind {
    /// Every kind, with its usual parameters.
    pub fn all() -> [Self; 3] {
        [Self::Leaky, Self::Es2n { mixing: Mixing::Orthogonal }, Self::Eusn { diffusion: 1e-3 }]
    }

    /// Its name, as in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaky => "leaky",
            Self::Es2n { .. } => "es2n",
            Self::Eusn { .. } => "eusn",
        }
    }

    /// Refuses parameters outside their range.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Eusn { diffusion } => setting::from_zero("reservoir.kind.diffusion", diffusion),
            Self::Leaky | Self::Es2n { .. } => Ok(()),
        }
    }
}

impl Mixing {
    /// The matrix `[units, units]`, on the host in float64.
    pub(super) fn draw(self, rng: &mut Rng, units: i64) -> Tensor {
        match self {
            Self::Orthogonal => crate::Init::Orthogonal { scale: 1.0 }.draw(rng, [units, units]),
            Self::Ring => Tensor::eye(units, (Kind::Double, Device::Cpu)).roll(1, 1),
        }
    }
}

/// Refuses what is not above 0 and at most 1.
pub(super) fn check_share(name: &str, value: f64) -> Result<()> {
    match value > 0.0 && value <= 1.0 {
        true => Ok(()),
        false => Err(Error::setting(name, value, "above 0, at most 1")),
    }
}
