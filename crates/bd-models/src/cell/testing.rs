//! What the tests of all cells need.

use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{ParamPath, Params, Result, Rng, System};
use tch::{Device, Kind};

/// The contract for cells of many sizes, made by `new` from a path, inputs, units, and whether the initial state is trained.
pub(crate) fn assert_cells_scan_as_they_step<S: System>(new: impl Fn(&mut ParamPath<'_>, i64, i64, bool) -> Result<S>) {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-5)] {
        for (seed, n) in (0..).zip([1, 5, 13, 12, 30, 41, 8, 24]) {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(seed, on);
            let cell = new(&mut params.at("r"), 1 + seed as i64 % 4, n, seed.is_multiple_of(2)).unwrap();
            draw_vectors(&mut params, seed);
            assert_scan_is_steps(&cell, &params, ScanCase::random(seed, on, tolerance));
        }
    }
}

/// Draws what begins at zero, biases and initial states, so that no test passes for want of them.
pub(crate) fn draw_vectors(params: &mut Params, seed: u64) {
    let on = params.on();
    let mut rng = Rng::new(seed, "vectors");
    let mut values = params.named();
    for (_, value) in values.iter_mut().filter(|(_, value)| value.dim() == 1) {
        *value = rng.tensor(&value.size(), on, |rng| 0.5 * rng.normal());
    }
    params.load(&values).expect("names and shapes are theirs");
}
