//! [`RecurrentMatrix`]: what the recurrent weights of a reservoir look like.

use bd_core::kernel::Memo;
use bd_core::{Error, Result, Rng, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::spectral_radius::spectral_radius;
use crate::init::thinned;

/// How the recurrent matrix `[units, units]` of a reservoir is drawn. It is then scaled to its spectral radius.
///
/// | name | entries | parameters |
/// |---|---|---|
/// | `random` | each is drawn with probability `density`, else 0 | `entries` normal, `density` 0.1 |
/// | `orthogonal` | even over the orthogonal matrices: all eigenvalues have the same absolute value | |
/// | `ring` | unit `i` drives unit `i + 1`, and the last one the first: a cycle of equal weights (Rodan and Tino 2011) | |
/// | `ring_with_jumps` | a ring, and every `jump`-th unit drives and is driven by the one `jump` units ahead, by `weight` of the ring's weights (Rodan and Tino, "Simple deterministically constructed cycle reservoirs with regular jumps", Neural Computation 24, 2012) | `jump` 10, from 2 to half of the units; `weight` 0.5, above 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum RecurrentMatrix {
    Random { entries: Entries, density: f64 },
    Orthogonal,
    Ring,
    RingWithJumps { jump: i64, weight: f64 },
}

/// What an entry of a random matrix is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    pub fn all() -> [Self; 4] {
        [Self::default(), Self::Orthogonal, Self::Ring, Self::RingWithJumps { jump: 10, weight: 0.5 }]
    }

    /// Its name, as in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random { .. } => "random",
            Self::Orthogonal => "orthogonal",
            Self::Ring => "ring",
            Self::RingWithJumps { .. } => "ring_with_jumps",
        }
    }

    /// Refuses parameters outside their range, which may depend on the number of units.
    pub(super) fn check(self, units: i64) -> Result<()> {
        match self {
            Self::RingWithJumps { jump, .. } if !(2..=units / 2).contains(&jump) => Err(Error::setting(
                "reservoir.matrix.jump",
                jump,
                format!("from 2 to half of reservoir.units, which are {units}"),
            )),
            Self::RingWithJumps { weight, .. } => setting::above_zero("reservoir.matrix.weight", weight),
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
                let which = format!("{rng:?} {units} {density:?} {entries:?}");
                let drawn = thinned(rng, [units, units], density, |rng| entries.draw(rng));
                let own = if radius == 0.0 { 1.0 } else { known_radius(which, &drawn)? };
                (drawn, own)
            }
            Self::Orthogonal => (crate::Init::Orthogonal { scale: 1.0 }.draw(rng, [units, units]), 1.0),
            Self::Ring => (Tensor::eye(units, (Kind::Double, Device::Cpu)).roll(1, 1), 1.0),
            Self::RingWithJumps { jump, weight } => {
                let drawn = ring_with_jumps(units as usize, jump as usize, weight);
                let own = spectral_radius(&drawn)?;
                (drawn, own)
            }
        };
        // What round-off leaves of a matrix whose powers vanish is no eigenvalue.
        let size = drawn.norm().double_value(&[]);
        if radius > 0.0 && own <= 1e-6 * size {
            return Err(Error::Config(format!(
                "the recurrent matrix of {units} units has a spectral radius of 0, which nothing scales to {radius}; \
                 give it a greater density or more units"
            )));
        }
        // In place: of 10,000 units it takes 800 MB.
        let mut scaled = drawn;
        Ok(scaled.g_mul_scalar_(radius / own))
    }
}

/// The spectral radius of what a stream of random numbers has drawn. A search tries many settings of one matrix, whose radius takes a second to
/// work out for 500 units.
fn known_radius(which: String, drawn: &Tensor) -> Result<f64> {
    static KNOWN: Memo<String, Option<f64>> = Memo::new();
    KNOWN.get(which, || spectral_radius(drawn).ok()).map_or_else(|| spectral_radius(drawn), Ok)
}

/// A ring of weights 1, with jumps both ways between every `jump`-th unit and the next such; the last one comes back to the first unit if
/// the units divide by `jump`.
fn ring_with_jumps(units: usize, jump: usize, weight: f64) -> Tensor {
    let mut entries = vec![0.0; units * units];
    (0..units).for_each(|from| entries[from * units + (from + 1) % units] = 1.0);
    for from in (0..units).step_by(jump).filter(|from| from + jump <= units) {
        let to = (from + jump) % units;
        entries[from * units + to] = weight;
        entries[to * units + from] = weight;
    }
    Tensor::from_slice(&entries).reshape([units as i64; 2])
}

impl Entries {
    pub(super) fn draw(self, rng: &mut Rng) -> f64 {
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
