//! A small problem of ridge regression.

use bd_core::contract::Named;
use bd_core::{Params, Result, Rng, Shared, System};
use bd_models::{Ngrc, NgrcConfig, NvarConfig};
use bd_train::Ridge;
use tch::{Device, Kind};

/// Weights of a readout fitted to random numbers. The penalty makes the problem one that float32 can hold.
pub(super) fn solution(seed: u64, on: (Kind, Device)) -> Result<Named> {
    let mut params = Params::new(seed, on);
    let nvar = NvarConfig { delay: 3, stride: 2, order: vec![2], constant: false };
    let ngrc = Ngrc::new(&mut params, 2, 2, &NgrcConfig { nvar, ..NgrcConfig::default() })?;
    let mut rng = Rng::new(seed, "ridge");
    let mut normal = |channels: i64| rng.tensor(&[3, 50, channels], on, Rng::normal);
    let (x, y) = (normal(ngrc.n_in()), normal(ngrc.n_out()));
    let ridge = Ridge { alpha: 0.1, ..Ridge::default() };
    ridge.fit(&ngrc, &Shared::default(), &x, &y, ngrc.init_state(3, on))?;
    Ok(params.named().into_iter().map(|(name, t)| (name, t.detach())).collect())
}
