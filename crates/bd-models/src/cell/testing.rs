//! What the tests of all cells need.

use bd_core::contract::vary_vectors;
use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{ParamPath, Params, Result, System};
use tch::{Device, Kind};

/// The contract for cells of many sizes, made by `new` from a path, inputs, units, and whether the initial state is trained.
pub(crate) fn assert_cells_scan_as_they_step<S: System>(new: impl Fn(&mut ParamPath<'_>, i64, i64, bool) -> Result<S>) {
    // The gradient of an initial state is a sum over all sequences, which may almost cancel.
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 5e-5)] {
        for (seed, n) in (0..).zip([1, 5, 13, 12, 30, 41, 8, 24]) {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(seed, on);
            let cell = new(&mut params.at("r"), 1 + seed as i64 % 4, n, seed.is_multiple_of(2)).unwrap();
            vary_vectors(&params, seed);
            assert_scan_is_steps(&cell, &params, ScanCase::random(seed, on, tolerance));
        }
    }
}
