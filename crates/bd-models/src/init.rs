//! Initial values of weights.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// A matrix in float64 on the host, each entry of which is drawn with probability `density`, and else 0.
pub(crate) fn thinned(rng: &mut Rng, size: [i64; 2], density: f64, entry: impl Fn(&mut Rng) -> f64) -> Tensor {
    rng.tensor(&size, (Kind::Double, Device::Cpu), |rng| if rng.uniform() < density { entry(rng) } else { 0.0 })
}

/// How a weight matrix `[fan_in, fan_out]` begins.
///
/// | name | variance of an entry | distribution |
/// |---|---|---|
/// | `zeros` | 0 | |
/// | `xavier_normal` | `2 / (fan_in + fan_out)` | cut normal |
/// | `xavier_uniform` | `2 / (fan_in + fan_out)` | uniform |
/// | `kaiming_normal` | `scale / fan_in` | cut normal |
/// | `kaiming_uniform` | `scale / fan_in` | uniform |
/// | `orthogonal` | `scale^2 / max(fan_in, fan_out)` | even over the matrices whose rows or columns, whichever are fewer, are orthogonal and `scale` long |
///
/// A cut normal is cut off at two standard deviations and widened so that the variance after the cut is the one
/// promised, as BrainPy 2.2.4 and JAX draw it. Glorot and Bengio 2010; He, Zhang, Ren and Sun 2015, whose `scale` is 2.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub enum Init {
    Zeros,
    #[default]
    XavierNormal,
    XavierUniform,
    KaimingNormal {
        scale: f64,
    },
    KaimingUniform {
        scale: f64,
    },
    Orthogonal {
        scale: f64,
    },
}

/// Standard deviation of a standard normal that is cut off at -2 and 2.
const STD_OF_CUT_NORMAL: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// Every initialiser, with its usual scale.
    pub fn all() -> [Self; 6] {
        let scale = 2.0;
        [
            Self::Zeros,
            Self::XavierNormal,
            Self::XavierUniform,
            Self::KaimingNormal { scale },
            Self::KaimingUniform { scale },
            Self::Orthogonal { scale: 1.0 },
        ]
    }

    /// Refuses a scale that cannot be.
    pub fn check(self) -> Result<()> {
        match self {
            Self::KaimingNormal { scale } | Self::KaimingUniform { scale } | Self::Orthogonal { scale } => {
                setting::above_zero("the scale of an initial weight", scale)
            }
            _ => Ok(()),
        }
    }

    /// Draws a `[fan_in, fan_out]` matrix, on the host in float64.
    pub fn draw(self, rng: &mut Rng, [fan_in, fan_out]: [i64; 2]) -> Tensor {
        let on = (Kind::Double, Device::Cpu);
        let shape = [fan_in, fan_out];
        let glorot = (2.0 / (fan_in + fan_out) as f64).sqrt();
        let he = |scale: f64| (scale / fan_in as f64).sqrt();
        match self {
            Self::Zeros => Tensor::zeros(shape, on),
            Self::XavierNormal => rng.tensor(&shape, on, |rng| glorot * cut_normal(rng)),
            Self::XavierUniform => rng.tensor(&shape, on, |rng| glorot * even(rng)),
            Self::KaimingNormal { scale } => rng.tensor(&shape, on, |rng| he(scale) * cut_normal(rng)),
            Self::KaimingUniform { scale } => rng.tensor(&shape, on, |rng| he(scale) * even(rng)),
            Self::Orthogonal { scale } => orthogonal(rng, shape) * scale,
        }
    }
}

/// The Q of a QR decomposition of normal numbers, with the signs by which R's diagonal is positive: without them it
/// would not be even (Mezzadri 2007).
fn orthogonal(rng: &mut Rng, [rows, columns]: [i64; 2]) -> Tensor {
    let tall = [rows.max(columns), rows.min(columns)];
    let (q, r) = Tensor::linalg_qr(&rng.tensor(&tall, (Kind::Double, Device::Cpu), Rng::normal), "reduced");
    let q = q * r.diagonal(0, 0, 1).sign();
    if rows < columns { q.transpose(0, 1).contiguous() } else { q }
}

/// Standard normal cut off at -2 and 2, by rejection, and widened to a variance of 1.
fn cut_normal(rng: &mut Rng) -> f64 {
    loop {
        let z = rng.normal();
        if z.abs() <= 2.0 {
            return z / STD_OF_CUT_NORMAL;
        }
    }
}

/// Uniform with mean 0 and variance 1.
fn even(rng: &mut Rng) -> f64 {
    3f64.sqrt() * (2.0 * rng.uniform() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variance and bound against the formula, over 40,000 draws (standard error of the variance below 1 %).
    #[test]
    fn each_has_the_variance_it_promises_and_no_tail() {
        let (cut, even) = (2.0 / STD_OF_CUT_NORMAL, 3f64.sqrt());
        for (init, promised, most) in [
            (Init::XavierNormal, 2.0 / 500.0, cut),
            (Init::XavierUniform, 2.0 / 500.0, even),
            (Init::KaimingNormal { scale: 20.0 }, 20.0 / 100.0, cut),
            (Init::KaimingUniform { scale: 2.0 }, 2.0 / 100.0, even),
        ] {
            let w = init.draw(&mut Rng::new(0, "w"), [100, 400]);
            let variance = (&w * &w).mean(Kind::Double).double_value(&[]);
            assert!((variance / promised - 1.0f64).abs() < 0.03, "{init:?}: {variance}");
            assert!(w.abs().max().double_value(&[]) <= most * promised.sqrt(), "{init:?}");
        }
    }

    /// Orthogonal rows or columns of length `scale`, whichever are fewer.
    #[test]
    fn orthogonal_is_orthogonal() {
        for shape in [[5, 12], [12, 5], [7, 7], [1, 3]] {
            let w = Init::Orthogonal { scale: 3.0 }.draw(&mut Rng::new(2, "w"), shape);
            let few = if shape[0] < shape[1] { w.matmul(&w.transpose(0, 1)) } else { w.transpose(0, 1).matmul(&w) };
            let eye = Tensor::eye(shape[0].min(shape[1]), (Kind::Double, Device::Cpu));
            assert!((few - eye * 9.0).abs().max().double_value(&[]) < 1e-13, "{shape:?}");
        }
    }

    #[test]
    fn a_scale_is_above_zero() {
        assert!(Init::KaimingNormal { scale: 0.0 }.check().unwrap_err().to_string().contains("above 0"));
        assert!(Init::XavierNormal.check().is_ok());
    }

    /// Var of a normal cut at +-2: 1 - 4 phi(2) / (2 Phi(2) - 1), with the error function's value from tables.
    #[test]
    fn the_constant_is_the_formula() {
        let density = (-2.0f64).exp() / std::f64::consts::TAU.sqrt();
        let inside = 0.954_499_736_103_641_6; // erf(2 / sqrt 2)
        assert!(((1.0 - 4.0 * density / inside).sqrt() - STD_OF_CUT_NORMAL).abs() < 1e-15);
    }
}
