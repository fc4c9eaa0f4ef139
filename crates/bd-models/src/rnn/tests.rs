//! The kernel against the steps, gradients against differences, and what can be worked out by hand.

use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps, grad_check};
use bd_core::{Chain, Params, Rng, Tap, scan_by_step};

use super::*;
use crate::linear::{Linear, LinearConfig};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A network whose parameters are all random, the initial state and the bias too.
fn random(seed: u64, on: (Kind, Device), [n_in, n]: [i64; 2], config: &RnnConfig) -> (Params, Rnn) {
    let mut params = Params::new(seed, on);
    let rnn = Rnn::new(&mut params.at("r"), n_in, n, config).unwrap();
    crate::cell::testing::draw_vectors(&mut params, seed);
    (params, rnn)
}

#[test]
fn scan_is_steps() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-5)] {
        for (i, activation) in Activation::all().into_iter().enumerate() {
            for (j, tau_ms) in [None, Some(0.5)].into_iter().enumerate() {
                for seed in 0..3 {
                    let seed = seed + 10 * (i + 3 * j) as u64;
                    let on = (kind, Device::Cpu);
                    let n = [1, 5, 13, 12, 30, 41, 8, 24][seed as usize % 8];
                    let config =
                        RnnConfig { activation, tau_ms, train_initial_state: seed % 2 == 0, ..RnnConfig::default() };
                    let (params, rnn) = random(seed, on, [1 + seed as i64 % 4, n], &config);
                    assert_scan_is_steps(&rnn, &params, ScanCase::random(seed, on, tolerance));
                }
            }
        }
    }
}
