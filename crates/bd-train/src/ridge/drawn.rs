//! Matrices for tests of regressions.

use bd_core::Rng;
use tch::{Device, Kind, Tensor};

pub(super) const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Normal numbers, drawn by a name.
pub(super) fn drawn(size: &[i64], name: &str) -> Tensor {
    Rng::new(0, name).tensor(size, ON, Rng::normal)
}

/// `[rows, columns]`, mixed of columns whose scales fall from 1 to `10^-decades`: a ratio that a Gram matrix squares.
pub(super) fn ill_conditioned([rows, columns]: [i64; 2], decades: f64) -> Tensor {
    let scale = (Tensor::linspace(0.0, -decades, columns, ON) * std::f64::consts::LN_10).exp();
    drawn(&[rows, columns], "rows").matmul(&Tensor::diag(&scale, 0)).matmul(&drawn(&[columns, columns], "mix"))
}
