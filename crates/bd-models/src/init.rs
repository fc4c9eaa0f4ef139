//! Initial values of weights.

use bd_core::Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// How a weight matrix `[fan_in, fan_out]` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// All zero.
    Zeros,
    /// Normal with variance `2 / (fan_in + fan_out)`, cut off at two standard deviations and widened so that the
    /// variance after the cut is that one (Glorot and Bengio 2010, as BrainPy 2.2.4 and JAX draw it).
    #[default]
    XavierNormal,
}

/// Standard deviation of a standard normal that is cut off at -2 and 2.
const STD_OF_CUT_NORMAL: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// Draws a `[fan_in, fan_out]` matrix, on the host in float64.
    pub fn draw(self, rng: &mut Rng, [fan_in, fan_out]: [i64; 2]) -> Tensor {
        let on = (Kind::Double, Device::Cpu);
        match self {
            Self::Zeros => Tensor::zeros([fan_in, fan_out], on),
            Self::XavierNormal => {
                let std = (2.0 / (fan_in + fan_out) as f64).sqrt();
                rng.tensor(&[fan_in, fan_out], on, |rng| std * cut_normal(rng) / STD_OF_CUT_NORMAL)
            }
        }
    }
}

/// Standard normal given that it lies in `[-2, 2]`, by rejection.
fn cut_normal(rng: &mut Rng) -> f64 {
    loop {
        let z = rng.normal();
        if z.abs() <= 2.0 {
            return z;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variance and bound against the formula, over 40,000 draws (standard error of the variance below 1 %).
    #[test]
    fn xavier_has_the_variance_it_promises_and_no_tail() {
        let w = Init::XavierNormal.draw(&mut Rng::new(0, "w"), [100, 400]);
        let variance = (&w * &w).mean(Kind::Double).double_value(&[]);
        assert!((variance / (2.0 / 500.0) - 1.0).abs() < 0.03, "{variance}");
        let bound = 2.0 * (2.0f64 / 500.0).sqrt() / STD_OF_CUT_NORMAL;
        assert!(w.abs().max().double_value(&[]) <= bound);
    }

    /// Var of a normal cut at +-2: 1 - 4 phi(2) / (2 Phi(2) - 1), with the error function's value from tables.
    #[test]
    fn the_constant_is_the_formula() {
        let density = (-2.0f64).exp() / std::f64::consts::TAU.sqrt();
        let inside = 0.954_499_736_103_641_6; // erf(2 / sqrt 2)
        assert!(((1.0 - 4.0 * density / inside).sqrt() - STD_OF_CUT_NORMAL).abs() < 1e-15);
    }
}
