//! The kernel against the steps.

use bd_core::Params;
use bd_core::testing::{ScanCase, assert_scan_is_steps};

use super::*;

#[test]
fn scan_is_steps() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-5)] {
        for seed in 0..8 {
            let on = (kind, Device::Cpu);
            let n = [1, 5, 13, 12, 30, 41, 8, 24][seed as usize];
            let mut params = Params::new(seed, on);
            let config = LstmConfig { train_initial_state: seed % 2 == 0, ..LstmConfig::default() };
            let cell = Lstm::new(&mut params.at("r"), 1 + seed as i64 % 4, n, &config).unwrap();
            crate::cell::testing::draw_vectors(&mut params, seed);
            assert_scan_is_steps(&cell, &params, ScanCase::random(seed, on, tolerance));
        }
    }
}
