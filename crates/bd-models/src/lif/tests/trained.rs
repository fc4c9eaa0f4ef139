//! Neurons with numbers of their own.

use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps, grad_check};
use bd_core::{Inputs, Params, Rng, StateTree, Tap};

use super::*;

const ALL: LifTrained = LifTrained { tau: true, threshold: true, reset: true };

/// Every way to train something.
fn ways() -> impl Iterator<Item = LifTrained> {
    (1..8).map(|bits| LifTrained { tau: bits & 1 != 0, threshold: bits & 2 != 0, reset: bits & 4 != 0 })
}

/// Neurons, with values that an update might have left, different in each.
fn neurons(n: i64, config: &LifConfig, on: (Kind, Device)) -> (Lif, Params) {
    let mut params = Params::new(0, on);
    let lif = Lif::trained(&mut params.at("r"), n, config).unwrap();
    let _guard = tch::no_grad_guard();
    for (name, mut param) in params.named() {
        param += Rng::new(7, &name).tensor(&[n], on, |rng| 0.3 * rng.normal());
    }
    (lif, params)
}

/// Outputs and last potential.
fn scan(lif: &Lif, dt_ms: f64, xs: &Tensor) -> (Tensor, LifState) {
    lif.scan(&Shared::new(dt_ms), &Inputs::of_steps(xs), lif.init_state(xs.size()[1], ON), &mut Tap::none())
}

#[test]
fn trained_neurons_scan_as_they_step() {
    let mut seed = 0;
    for reset in [Reset::Value, Reset::Subtract, Reset::None] {
        for trained in ways().filter(|trained| !(trained.reset && reset == Reset::None)) {
            for refractory_ms in [0.0, 0.4] {
                seed += 1;
                let config = LifConfig {
                    reset,
                    trained,
                    refractory_ms,
                    detach_reset: seed % 3 != 0,
                    surrogate: Surrogate::Sigmoid { alpha: 4.0 },
                    v_reset: -0.2,
                    v_rest: 0.1,
                    resistance: 30.0,
                    ..LifConfig::default()
                };
                for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-4)] {
                    let on = (kind, Device::Cpu);
                    let (lif, params) = neurons(1 + seed as i64 % 7, &config, on);
                    assert_scan_is_steps(&lif, &params, ScanCase::random(seed, on, tolerance));
                }
            }
        }
    }
}

/// Before the first update they do what untrained ones do, and their states have the same names.
#[test]
fn trained_neurons_begin_as_untrained_ones() {
    let xs = Rng::new(1, "x").tensor(&[200, 9, 5], ON, |rng| 1.0 + 2.0 * rng.normal());
    for (trained, refractory_ms) in ways().flat_map(|trained| [(trained, 0.0), (trained, 1.0)]) {
        let untrained = LifConfig { refractory_ms, v_rest: -60.0, v_th: -59.0, v_reset: -62.0, ..LifConfig::default() };
        let plain = Lif::new(5, &untrained).unwrap();
        let mut params = Params::new(0, ON);
        let lif = Lif::trained(&mut params.at("r"), 5, &LifConfig { trained, ..untrained }).unwrap();
        let ((ys, s), (expected, last)) = (scan(&lif, 1.0, &xs), scan(&plain, 1.0, &xs));
        assert!(expected.sum(Kind::Double).double_value(&[]) > 10.0, "the neurons spike");
        assert_close("spikes", &ys.detach(), &expected, 1e-12);
        for ((name, found), (known, expected)) in s.named().iter().zip(last.named()) {
            assert_eq!(*name, known);
            assert_close(name, &found.detach(), &expected, 1e-12);
        }
    }
}

#[test]
fn what_is_trained_has_a_parameter() {
    for (trained, names) in ways().zip([
        vec!["r.log_tau_ms"],
        vec!["r.log_gap"],
        vec!["r.log_tau_ms", "r.log_gap"],
        vec!["r.log_gap"],
        vec!["r.log_tau_ms", "r.log_gap"],
        vec!["r.v_reset", "r.log_gap"],
        vec!["r.log_tau_ms", "r.v_reset", "r.log_gap"],
    ]) {
        let (_, params) = neurons(3, &LifConfig { trained, ..LifConfig::default() }, ON);
        let found: Vec<String> = params.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, names, "{trained:?}");
    }
    let mut params = Params::new(0, ON);
    Lif::trained(&mut params.at("r"), 3, &LifConfig::default()).unwrap();
    assert!(params.named().is_empty(), "nothing is trained");
    let error = Lif::new(3, &LifConfig { trained: ALL, ..LifConfig::default() }).unwrap_err().to_string();
    assert!(error.contains("Lif::trained"), "{error}");
    let none = LifConfig { trained: ALL, reset: Reset::None, ..LifConfig::default() };
    let error = Lif::trained(&mut params.at("r"), 3, &none).unwrap_err().to_string();
    assert!(error.contains("v_reset has no effect"), "{error}");
}

/// Without spikes `v = I (1 - e^(-t/tau))` and `dv/dlog tau = -I t/tau e^(-t/tau)`.
#[test]
fn the_gradient_of_tau_is_the_exact_one() {
    let config =
        LifConfig { v_th: 1e3, trained: LifTrained { tau: true, ..LifTrained::default() }, ..LifConfig::default() };
    let (lif, params) = neurons(4, &config, ON);
    let log_tau_ms = params.get("r.log_tau_ms").unwrap();
    let (time, batch, current, dt_ms) = (50, 11, 1.7, 0.2);
    let (_, s) = scan(&lif, dt_ms, &Tensor::full([time, batch, 4], current, ON));
    let found = Tensor::run_backward(&[s.v.sum(Kind::Double)], &[log_tau_ms], false, false);
    let taus = log_tau_ms.detach().exp().reciprocal() * (time as f64 * dt_ms);
    let decay = (-&taus).exp();
    assert_close("v", &s.v.detach().get(0), &(current * (1.0 - &decay)), 1e-13);
    assert_close("gradient of log_tau_ms", &found[0], &(-(batch as f64) * current * taus * decay), 1e-13);
}

/// Where the reset is outside the gradient, the potential depends on all parameters as it seems to: until a spike comes or goes.
#[test]
fn gradients_are_those_of_difference_quotients() {
    let xs = Rng::new(3, "x").tensor(&[60, 3, 4], ON, |rng| 1.5 + rng.uniform());
    let weights = Rng::new(3, "w").tensor(&[3, 4], ON, Rng::normal);
    for (reset, refractory_ms) in
        [(Reset::Value, 0.0), (Reset::Subtract, 0.0), (Reset::Value, 3.0), (Reset::Subtract, 3.0)]
    {
        let config = LifConfig { reset, refractory_ms, v_reset: 0.2, trained: ALL, ..LifConfig::default() };
        let (_, params) = neurons(4, &config, ON);
        let values: Vec<Tensor> = params.named().into_iter().map(|(_, t)| t.detach()).collect();
        let loss = |values: &[Tensor]| {
            let handle = |i: usize| Some(values[i].shallow_clone());
            let (log_tau_ms, v_reset, log_gap) = (handle(0), handle(1), handle(2));
            let zeros = Tensor::zeros([4], ON);
            let parameters = Some(Parameters { log_tau_ms, v_reset, log_gap, zeros });
            let (ys, s) = scan(&Lif { n: 4, config, parameters }, 1.0, &xs);
            assert!(ys.sum(Kind::Double).double_value(&[]) > 10.0, "the neurons spike");
            // Subtraction knows only the gap: of `v_reset` something else is asked too, or both gradients would be rounding.
            (s.v * &weights).sum(Kind::Double) + values[1].square().sum(Kind::Double)
        };
        grad_check(loss, &values, 1e-7);
    }
}

/// A state that is carried over an update goes on with the new `tau`: `v = I + (v_0 - I) e^(-t/tau)`.
#[test]
fn a_carried_state_goes_on_with_the_new_tau() {
    let config =
        LifConfig { v_th: 1e3, trained: LifTrained { tau: true, ..LifTrained::default() }, ..LifConfig::default() };
    let (lif, params) = neurons(2, &config, ON);
    let xs = Tensor::full([20, 3, 2], 1.7, ON);
    let (_, s) = scan(&lif, 0.5, &xs);
    let mut log_tau_ms = params.get("r.log_tau_ms").unwrap().shallow_clone();
    tch::no_grad(|| log_tau_ms += 1.0);
    let before = s.v.detach().copy();
    let (_, s) = lif.scan(&Shared::new(0.5), &Inputs::of_steps(&xs), s.detach(), &mut Tap::none());
    let expected = 1.7 + (before - 1.7) * (log_tau_ms.detach().exp().reciprocal() * -10.0).exp();
    assert_close("v", &s.v.detach(), &expected, 1e-13);
}

/// Potentials of neurons with `tau` 20 ms are learned by neurons that begin with 10 ms.
#[test]
fn a_time_constant_is_learned() {
    let plain = LifConfig { v_th: 1e3, ..LifConfig::default() };
    let config = LifConfig { trained: LifTrained { tau: true, ..LifTrained::default() }, ..plain };
    let mut params = Params::new(0, ON);
    let lif = Lif::trained(&mut params.at("r"), 3, &config).unwrap();
    let target = Lif::new(3, &LifConfig { tau_ms: 20.0, ..plain }).unwrap();
    let xs = Rng::new(5, "x").tensor(&[30, 8, 3], ON, |rng| 1.0 + 0.2 * rng.normal());
    let wanted = scan(&target, 1.0, &xs).1.v;
    let mut log_tau_ms = params.get("r.log_tau_ms").unwrap().shallow_clone();
    for _ in 0..60 {
        let loss = (scan(&lif, 1.0, &xs).1.v - &wanted).square().mean(Kind::Double);
        let gradient = Tensor::run_backward(&[loss], &[&log_tau_ms], false, false);
        tch::no_grad(|| log_tau_ms -= 10.0 * &gradient[0]);
    }
    assert_close("tau_ms", &log_tau_ms.detach().exp(), &Tensor::full([3], 20.0, ON), 1e-3);
}
