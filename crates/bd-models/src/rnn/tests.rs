//! The kernel against the steps, gradients against differences, and what can be worked out by hand.

use bd_core::kernel::{Tuning, scan_tuned};
use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps, grad_check};
use bd_core::{Chain, Inputs, Params, Rng, Tap, scan_by_step};

use super::*;
use crate::linear::{Linear, LinearConfig};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A network whose parameters are all random, the initial state and the bias too.
fn random(seed: u64, on: (Kind, Device), [n_in, n]: [i64; 2], config: &RnnConfig) -> (Params, Rnn) {
    let mut params = Params::new(seed, on);
    let rnn = Rnn::new(&mut params.at("r"), n_in, n, config).unwrap();
    bd_core::contract::vary_vectors(&params, seed);
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
                    let config = RnnConfig {
                        activation,
                        tau_ms,
                        train_initial_state: seed.is_multiple_of(2),
                        ..RnnConfig::default()
                    };
                    let (params, rnn) = random(seed, on, [1 + seed as i64 % 4, n], &config);
                    assert_scan_is_steps(&rnn, &params, ScanCase::random(seed, on, tolerance));
                }
            }
        }
    }
}

fn dale() -> RnnConfig {
    RnnConfig { excitatory: Some(0.6), density: 0.5, autapses: false, ..RnnConfig::default() }
}

#[test]
fn units_with_signs_scan_as_they_step() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-5)] {
        for (seed, n) in [(0, 2), (1, 5), (2, 13), (3, 30)] {
            let config = RnnConfig { tau_ms: (seed % 2 == 0).then_some(0.5), ..dale() };
            let (params, rnn) = random(seed, (kind, Device::Cpu), [2, n], &config);
            assert_scan_is_steps(&rnn, &params, ScanCase::random(seed, (kind, Device::Cpu), tolerance));
        }
    }
}

/// The kernel's gradients against libtorch's of `h = relu(x W_i + h (s |theta| M) + b)`, written out, with parameters that have left their signs.
#[test]
fn gradients_of_units_with_signs_are_those_of_the_definition() {
    let (params, rnn) = random(4, ON, [2, 7], &dale());
    let theta = params.get("r.recurrent_weight").unwrap();
    let moved = Rng::new(3, "moved").tensor(&[7, 7], ON, Rng::normal);
    tch::no_grad(|| theta.shallow_clone().copy_(&moved));
    let xs = Rng::new(2, "xs").tensor(&[6, 3, 2], ON, Rng::normal);
    let (ys, _) = rnn.scan(&Shared::new(0.1), &Inputs::of_steps(&xs), rnn.init_state(3, ON), &mut Tap::none());
    let signs = Tensor::from_slice(&[1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0]).reshape([7, 1]);
    let recurrent = theta.abs() * signs * params.get("r.recurrent_mask").unwrap();
    let [input, bias] = ["r.input_weight", "r.bias"].map(|name| params.get(name).unwrap());
    let mut h = Tensor::zeros([3, 7], ON);
    let mut loss = Tensor::zeros([], ON);
    for t in 0..6 {
        h = (xs.get(t).matmul(input) + h.matmul(&recurrent) + bias).relu();
        loss += h.square().sum(Kind::Double);
    }
    let gradients = |loss: &Tensor| Tensor::run_backward(&[loss], &[theta, input, bias], false, false);
    let (found, expected) = (gradients(&ys.square().sum(Kind::Double)), gradients(&loss));
    for (name, (found, expected)) in ["theta", "input", "bias"].into_iter().zip(found.iter().zip(&expected)) {
        assert_close(name, found, expected, 1e-12);
    }
    let absent = params.get("r.recurrent_mask").unwrap().eq(0.0);
    assert_eq!(found[0].masked_select(&absent).abs().max().double_value(&[]), 0.0);
}

/// Tiles of several widths, with the work stored and calculated again, in stretches of all lengths: together with a
/// readout, for a row stores what its parts store.
#[test]
fn stored_or_calculated_again_is_the_same() {
    for kind in [Kind::Double, Kind::Float] {
        let on = (kind, Device::Cpu);
        let (mut params, rnn) = random(3, on, [2, 19], &RnnConfig { tau_ms: Some(0.5), ..RnnConfig::default() });
        let readout = Linear::new(&mut params.at("o"), 19, 3, &LinearConfig::default()).unwrap();
        let net = Chain::new(("r", rnn), ("o", readout)).unwrap();
        let xs = Rng::new(1, "xs").tensor(&[23, 37, 2], on, Rng::normal).set_requires_grad(true);
        let tensors: Vec<Tensor> = params.trainable().into_iter().map(|(_, t)| t).chain([xs.shallow_clone()]).collect();
        let gradients = |tuning: Tuning, times: usize| {
            let scanned = scan_tuned(
                &net,
                &Shared::new(0.1),
                &Inputs::of_steps(&xs),
                net.init_state(37, on),
                &mut Tap::none(),
                tuning,
            );
            let (ys, last) = scanned.unwrap_or_else(|_| panic!("there is a kernel"));
            let loss = ys.square().sum(kind) + last.first.h.sum(kind);
            let backward = || Tensor::run_backward(&[&loss], &tensors, true, false);
            (1..times).for_each(|_| drop(backward()));
            backward()
        };
        for samples in [8, 16, 37] {
            for bytes in [0, 100_000] {
                let tuning = Tuning { samples, bytes, min_steps: 1, threads: 2, ..Tuning::of(37, kind) };
                let again = gradients(Tuning { stored_bytes: 0, ..tuning }, 1);
                // Twice: what is stored is used up by the first adjoint.
                for times in [1, 2] {
                    for (stored, again) in gradients(tuning, times).iter().zip(&again) {
                        assert!(stored.equal(again), "{tuning:?}, adjoint {times}");
                    }
                }
            }
        }
    }
}

/// Central differences of a loss over outputs and last state, by every parameter and the input.
#[test]
fn gradients_are_those_of_differences() {
    for (activation, tau_ms) in [(Activation::Tanh, None), (Activation::Tanh, Some(0.3)), (Activation::Identity, None)]
    {
        let config = RnnConfig { activation, tau_ms, train_initial_state: true, ..RnnConfig::default() };
        let (params, rnn) = random(5, ON, [2, 4], &config);
        let xs = Rng::new(2, "xs").tensor(&[6, 3, 2], ON, Rng::normal);
        let mut inputs: Vec<Tensor> = params.trainable().into_iter().map(|(_, t)| t.detach().copy()).collect();
        inputs.push(xs);
        let loss = |inputs: &[Tensor]| {
            let [input, recurrent, bias, initial, xs] = inputs else { panic!("five") };
            let weights = Weights::of(input.shallow_clone(), recurrent.shallow_clone(), bias.shallow_clone());
            let rnn = Rnn { weights, initial: Some(initial.shallow_clone()), config };
            let (ys, last) =
                rnn.scan(&Shared::new(0.1), &Inputs::of_steps(xs), rnn.init_state(3, ON), &mut Tap::none());
            (&ys * &ys).sum(Kind::Double) + last.h.exp().sum(Kind::Double)
        };
        assert_eq!(rnn.n_out(), 4);
        grad_check(loss, &inputs, 1e-8);
    }
}

/// A linear network without an input is a power of its matrix: `h_t = h_0 W^t`, and `((1 - a) I + a W)^t` with a leak.
#[test]
fn a_linear_network_is_a_power_of_its_matrix() {
    for tau_ms in [None, Some(0.4)] {
        let config =
            RnnConfig { activation: Activation::Identity, tau_ms, train_initial_state: true, ..RnnConfig::default() };
        let mut params = Params::new(7, ON);
        let rnn = Rnn::new(&mut params.at("r"), 1, 5, &config).unwrap();
        let mut values = params.named();
        values[3].1 = Tensor::from_slice(&[1.0, -2.0, 0.5, 3.0, 0.1]);
        params.load(&values).unwrap();
        let (_, last) = rnn.scan(
            &Shared::new(0.1),
            &Inputs::of_steps(Tensor::zeros([9, 1, 1], ON)),
            rnn.init_state(1, ON),
            &mut Tap::none(),
        );
        let gain = tau_ms.map_or(1.0, |tau_ms| 0.1 / tau_ms);
        let matrix = Tensor::eye(5, ON) * (1.0 - gain) + params.get("r.recurrent_weight").unwrap() * gain;
        let expected = values[3].1.reshape([1, 5]).matmul(&matrix.matrix_power(9));
        assert_close("h after 9 steps", &last.h, &expected, 1e-13);
    }
}

/// The initial state is in the graph, also step by step: with one step of a linear network its gradient is `sum over
/// the batch of g W^T`.
#[test]
fn a_trained_initial_state_has_a_gradient() {
    let config = RnnConfig { activation: Activation::Identity, train_initial_state: true, ..RnnConfig::default() };
    let (params, rnn) = random(1, ON, [1, 3], &config);
    let (initial, w) = (params.get("r.initial_state").unwrap(), params.get("r.recurrent_weight").unwrap());
    let start = rnn.init_state(4, ON);
    assert_eq!(start.h.size(), [4, 3]);
    for by_step in [false, true] {
        let (sha, xs) = (Shared::default(), Tensor::zeros([1, 4, 1], ON));
        let scan = |rnn: &Rnn, sha: &Shared, xs: &Tensor, s: RnnState, tap: &mut Tap| match by_step {
            true => scan_by_step(rnn, sha, xs, s, tap),
            false => rnn.scan(sha, &Inputs::of_steps(xs), s, tap),
        };
        let (ys, _) = scan(&rnn, &sha, &xs, rnn.init_state(4, ON), &mut Tap::none());
        let gradient = Tensor::run_backward(&[ys.sum(Kind::Double)], &[initial], false, false);
        let expected = w.detach().sum_dim_intlist([1i64].as_slice(), false, Kind::Double) * 4.0;
        assert_close("gradient of the initial state", &gradient[0], &expected, 1e-14);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let mut params = Params::new(0, ON);
    let mut refused = |n: i64, config: RnnConfig| Rnn::new(&mut params.at("r"), 1, n, &config).unwrap_err().to_string();
    assert_eq!(refused(0, RnnConfig::default()), "rnn.n is 0; it must be at least 1");
    let error = refused(3, RnnConfig { tau_ms: Some(0.0), ..RnnConfig::default() });
    assert_eq!(error, "rnn.tau_ms is 0; it must be a number above 0");
    assert_eq!(
        refused(3, RnnConfig { excitatory: Some(1.5), ..RnnConfig::default() }),
        "rnn.excitatory is 1.5; it must be above 0 and below 1"
    );
}
