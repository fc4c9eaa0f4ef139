use bd_core::Params;
use bd_core::testing::{ScanCase, assert_scan_is_steps};

use super::*;
use crate::lif::{Lif, LifConfig, LifTrained, Reset};
use crate::rnn::{Rnn, RnnConfig};
use crate::surrogate::Surrogate;

/// Neurons that spike in the tests' inputs, with a surrogate so wide that gradients are not all but zero.
fn lif(config: LifConfig) -> LifConfig {
    LifConfig { surrogate: Surrogate::Sigmoid { alpha: 4.0 }, resistance: 3.0, ..config }
}

fn on(kind: Kind) -> (Kind, Device) {
    (kind, Device::Cpu)
}

#[test]
fn recurrent_neurons_scan_as_they_step() {
    let resets = [Reset::Value, Reset::Subtract, Reset::None];
    let ways = resets.into_iter().flat_map(|reset| [(reset, 0.0, true), (reset, 0.3, false), (reset, 0.0, false)]);
    for (seed, (reset, refractory_ms, detach_reset)) in ways.enumerate() {
        for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-4)] {
            let config = lif(LifConfig { reset, refractory_ms, detach_reset, ..LifConfig::default() });
            let n = 1 + 5 * seed as i64; // fewer and more than vectors hold
            let mut params = Params::new(1, on(kind));
            let inner = Lif::new(n, &config).unwrap();
            let layer = Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal).unwrap();
            assert_scan_is_steps(&layer, &params, ScanCase::random(seed as u64, on(kind), tolerance));
        }
    }
}

/// Parameters of the neurons beside the weights.
#[test]
fn recurrent_trained_neurons_scan_as_they_step() {
    let trained = LifTrained { tau: true, threshold: true, reset: true };
    for (seed, refractory_ms) in [0.0, 0.3].into_iter().enumerate() {
        let config = lif(LifConfig { refractory_ms, trained, detach_reset: seed == 0, ..LifConfig::default() });
        let mut params = Params::new(1, on(Kind::Double));
        let inner = Lif::trained(&mut params.at("r"), 9, &config).unwrap();
        let layer = Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal).unwrap();
        assert_scan_is_steps(&layer, &params, ScanCase::random(seed as u64, on(Kind::Double), 1e-12));
    }
}

/// Outputs that are never zero, and a system with parameters of its own.
#[test]
fn a_recurrent_network_of_rates_scans_as_it_steps() {
    for seed in 0..4 {
        let mut params = Params::new(1, on(Kind::Double));
        let config = RnnConfig { activation: crate::Activation::Tanh, ..RnnConfig::default() };
        let inner = Rnn::new(&mut params.at("inner"), 11, 11, &config).unwrap();
        let layer = Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal).unwrap();
        assert_scan_is_steps(&layer, &params, ScanCase::random(seed, on(Kind::Double), 1e-12));
    }
}

#[test]
fn what_cannot_come_back_is_refused() {
    let mut params = Params::new(1, on(Kind::Double));
    let inner = Rnn::new(&mut params.at("inner"), 3, 11, &RnnConfig::default()).unwrap();
    let error = Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal).unwrap_err().to_string();
    assert!(error.contains("3 and 11"), "{error}");
}
