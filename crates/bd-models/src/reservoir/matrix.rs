//! [`RecurrentMatrix`]: what the recurrent weights of a reservoir look like.

use bd_core::{Error, Result, Rng};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::spectral_radius::spectral_radius;

/// How the recurrent matrix `[units, units]` of a reservoir is drawn. It is then scaled to its spectral radius.
///
/// | name | entries | parameters |
/// |---|---|---|
/// | `random` | each is drawn with probability `density`, else 0 | `entries` normal, `density` 0.1 |
/// | `orthogonal` | even over the orthogonal matrices: all eigenvalues have the same absolute value | |
/// | `ring` | unit `i` drives unit `i + 1`, and the last one the first: a cycle of equal weights (Rodan and Tino 2011) | |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum RecurrentMatrix {
    Random { entries: Entries, density: f64 },
    Orthogonal,
    Ring,
}

/// What an entry of a random matrix is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entries {
    /// Normal, with mean 0.
    Normal,
    /// Uniform between -1 and 1.
    Uniform,
    /// -1 or 1.
    Bernoulli,
}

impl Default for RecurrentMatrix {
    fn default() -> Self {
        Self::Random { entries: Entries::Normal, density: 0.1 }
    }
}

impl RecurrentMatrix {
    /// Every kind, with its usual parameters.
    pub fn all() -> [Self; 3] {
        [Self::default(), Self::Orthogonal, Self::Ring]
    }

    /// Its name, as in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random { .. } => "random",
            Self::Orthogonal => "orthogonal",
            Self::Ring => "ring",
        }
    }

    /// Refuses a density that cannot be.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Random { density, .. } if !(density > 0.0 && density <= 1.0) => {
                Err(Error::setting("reservoir.matrix.density", density, "above 0, at most 1"))
            }
            _ => Ok(()),
        }
    }

    /// Draws it with a spectral radius, on the host in float64. Fails if all eigenvalues of what was drawn are 0, as of a matrix with too
    /// few entries, unless that is the radius.
    pub(super) fn draw(self, rng: &mut Rng, units: i64, radius: f64) -> Result<Tensor> {
        let (drawn, own) = match self {
            Self::Random { entries, density } => {
                let drawn =
                    rng.tensor(&[units, units], (Kind::Double, Device::Cpu), |rng| match rng.uniform() < density {
                        true => entries.draw(rng),
                        false => 0.0,
                    });
                let own = if radius == 0.0 { 1.0 } else { spectral_radius(&drawn)? };
                (drawn, own)
            }
            Self::Orthogonal => (crate::Init::Orthogonal { scale: 1.0 }.draw(rng, [units, units]), 1.0),
            Self::Ring => (Tensor::eye(units, (Kind::Double, Device::Cpu)).roll(1, 1), 1.0),
        };
        // What round-off leaves of a matrix whose powers vanish is no eigenvalue.
        let size = drawn.square().sum(Kind::Double).sqrt().double_value(&[]);
        if radius > 0.0 && own <= 1e-6 * size {
            return Err(Error::Config(format!(
                "the recurrent matrix of {units} units has a spectral radius of 0, which nothing scales to {radius}; \
                 give it a greater density or more units"
            )));
        }
        Ok(drawn * (radius / own))
    }
}

impl Entries {
    fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Normal => rng.normal(),
            Self::Uniform => 2.0 * rng.uniform() - 1.0,
            Self::Bernoulli => {
                if rng.uniform() < 0.5 {
                    -1.0
                } else {
                    1.0
                }
            }
        }
    }
}
