//! Online learning against what it must equal.

use bd_core::{Params, Rng};
use bd_models::{Linear, LinearConfig};
use tch::{Device, Kind, Tensor};

mod force;
mod long;
mod oracles;
mod series;
mod state;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Normal numbers.
fn drawn(size: &[i64], name: &str) -> Tensor {
    Rng::new(7, name).tensor(size, ON, Rng::normal)
}

/// A readout of its own input.
fn linear(n_in: i64, n_out: i64, bias: bool) -> Linear {
    let config = LinearConfig { bias, ..LinearConfig::default() };
    Linear::new(&mut Params::new(3, ON).at("o"), n_in, n_out, &config).unwrap()
}

/// The greatest difference, in units of the greatest known number.
fn apart(found: &Tensor, known: &Tensor) -> f64 {
    assert_eq!(found.size(), known.size());
    ((found - known).abs().max() / known.abs().max()).double_value(&[])
}
