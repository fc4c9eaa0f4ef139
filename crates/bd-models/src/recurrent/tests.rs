use bd_core::kernel::{Tuning, scan_tuned};
use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{DynSystem, Inputs, Params, Rng, Stack, Tap};

use super::*;
use crate::lif::{Lif, LifConfig, LifTrained, Reset};
use crate::linear::{Linear, LinearConfig};
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

/// Two layers of spikes, and one of other numbers, whose outputs are kept as they are; what is kept is stored or calculated again, in
/// stretches of one step and of several. What is stored is used up by the first adjoint.
#[test]
fn stored_or_calculated_again_is_the_same() {
    for kind in [Kind::Double, Kind::Float] {
        let mut params = Params::new(1, on(kind));
        let rates = RnnConfig { activation: crate::Activation::Tanh, ..RnnConfig::default() };
        let rates = Rnn::new(&mut params.at("inner"), 40, 40, &rates).unwrap();
        let linear = Linear::new(&mut params.at("w"), 40, 40, &LinearConfig::default()).unwrap();
        let lif = || Lif::new(40, &lif(LifConfig { tau_ms: 0.2, ..LifConfig::default() })).unwrap();
        let layers = vec![
            ("r1".to_owned(), DynSystem::new(Recurrent::new(&mut params.at("r1"), lif(), Init::XavierNormal).unwrap())),
            ("w".to_owned(), DynSystem::new(linear)),
            ("r2".to_owned(), DynSystem::new(Recurrent::new(&mut params.at("r2"), lif(), Init::XavierNormal).unwrap())),
            ("r3".to_owned(), DynSystem::new(Recurrent::new(&mut params.at("r3"), rates, Init::XavierNormal).unwrap())),
        ];
        let net = Stack::new(layers).unwrap();
        let xs = Rng::new(1, "xs").tensor(&[23, 37, 40], on(kind), Rng::normal).set_requires_grad(true);
        let tensors: Vec<Tensor> = params.trainable().into_iter().map(|(_, t)| t).chain([xs.shallow_clone()]).collect();
        let gradients = |tuning: Tuning, times: usize| {
            let start = net.init_state(37, on(kind));
            let scanned = scan_tuned(&net, &Shared::new(0.1), &Inputs::of_steps(&xs), start, &mut Tap::none(), tuning);
            let (ys, _) = scanned.unwrap_or_else(|_| panic!("there is a kernel"));
            let loss = ys.square().sum(kind);
            let backward = || Tensor::run_backward(&[&loss], &tensors, true, false);
            (1..times).for_each(|_| drop(backward()));
            backward()
        };
        for (samples, min_steps) in [(8, 1), (16, 4), (37, 23)] {
            let tuning = Tuning { samples, bytes: 0, min_steps, threads: 2, ..Tuning::of(37, kind) };
            let again = gradients(Tuning { stored_bytes: 0, ..tuning }, 1);
            assert!(again.iter().all(|gradient| gradient.abs().max().double_value(&[]) > 0.0));
            for times in [1, 2] {
                for (stored, again) in gradients(tuning, times).iter().zip(&again) {
                    assert!(stored.equal(again), "{tuning:?}, adjoint {times}");
                }
            }
        }
    }
}

#[test]
fn what_cannot_come_back_is_refused() {
    let mut params = Params::new(1, on(Kind::Double));
    let inner = Rnn::new(&mut params.at("inner"), 3, 11, &RnnConfig::default()).unwrap();
    let error = Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal).unwrap_err().to_string();
    assert!(error.contains("3 and 11"), "{error}");
}
