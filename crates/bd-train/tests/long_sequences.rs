//! Long sequences: memory does not grow with the time, and the gradient is the same. The tests take turns, since they look at the
//! memory of the process.

use std::sync::Mutex;
use std::time::Instant;

use bd_core::kernel::{Tuning, scan_tuned};
use bd_core::testing::{relative_to_scale, resident_kib};
use bd_core::{Chain, Inputs, Params, Rng, Shared, System, Tap, scan_by_step};
use bd_models::{Activation, Linear, LinearConfig, Rnn, RnnConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, Loss, Objective, OptimConfig};
use tch::{Device, Kind, Tensor};

static TURN: Mutex<()> = Mutex::new(());

/// The most memory that the process has had, in KiB.
fn peak_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One input, `n` units, one output.
fn network(n: i64, on: (Kind, Device)) -> (Params, Chain<Rnn, Linear>) {
    let mut params = Params::new(0, on);
    let config = RnnConfig { activation: Activation::Tanh, train_initial_state: true, ..RnnConfig::default() };
    let rnn = Rnn::new(&mut params.at("r"), 1, n, &config).unwrap();
    let readout = Linear::new(&mut params.at("o"), n, 1, &LinearConfig::default()).unwrap();
    let net = Chain::new(("r", rnn), ("o", readout)).unwrap();
    (params, net)
}

/// One update of so many steps, batch 32, 100 units: KiB more than before at most, and seconds.
fn update_of(steps: i64) -> (i64, f64) {
    let on = (Kind::Float, Device::Cpu);
    let (params, net) = network(100, on);
    let x = Rng::new(0, "x").tensor(&[32, 100, 1], on, Rng::normal).repeat([1, steps / 100, 1]);
    let examples = Examples::new(Inputs::batch_first(&x).unwrap(), x.copy()).unwrap();
    let mut bptt = Bptt::new(&net, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let (before, began) = (resident_kib(), Instant::now());
    let update = bptt.update(&examples).unwrap();
    assert!(update.loss.is_finite() && update.gradient_norm > 0.0);
    (peak_kib() - before, began.elapsed().as_secs_f64())
}

/// The rates alone would be 1.28 GB, and several times that in a graph of steps. Inputs, targets and outputs are 12.8 MB each.
#[test]
fn a_hundred_thousand_steps_take_at_most_200_megabytes() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    update_of(500);
    let (kib, seconds) = update_of(100_000);
    println!("100,000 steps: {kib} KiB, {seconds:.2} s");
    assert!(kib < 200_000, "{kib} KiB");
}

/// What is calculated again has the gradient of what is stored, and of libtorch's graph of steps.
#[test]
fn gradients_of_long_sequences_are_those_of_the_plain_path() {
    const STEPS: i64 = 3000;
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let on = (Kind::Double, Device::Cpu);
    let (params, net) = network(12, on);
    let xs = Rng::new(1, "xs").tensor(&[STEPS, 5, 1], on, Rng::normal).set_requires_grad(true);
    let targets = Rng::new(1, "targets").tensor(&[5, STEPS, 1], on, Rng::normal);
    let tensors: Vec<Tensor> = params.trainable().into_iter().map(|(_, t)| t).chain([xs.shallow_clone()]).collect();
    let gradients = |stored: Option<usize>| {
        let (sha, start, tap) = (Shared::default(), net.init_state(5, on), &mut Tap::none());
        let ys = match stored {
            Some(stored_bytes) => {
                let tuning = Tuning { stored_bytes, ..Tuning::of(5, on.0) };
                let scanned = scan_tuned(&net, &sha, &Inputs::of_steps(&xs), start, tap, tuning);
                scanned.unwrap_or_else(|_| panic!("there is a kernel")).0
            }
            None => scan_by_step(&net, &sha, &xs, start, tap).0,
        };
        let loss = Loss::Mse.loss(&ys.transpose(0, 1), &targets, None);
        Tensor::run_backward(&[loss], &tensors, false, false)
    };
    let plain = gradients(None);
    for stored in [0, 1 << 30] {
        for (i, (found, expected)) in gradients(Some(stored)).iter().zip(&plain).enumerate() {
            let error = relative_to_scale(found, expected);
            assert!(error < 1e-11, "gradient {i} with {stored} bytes: {error:e}");
        }
    }
}

/// A graph, or outputs, left behind by every update would be 60 MB in all.
#[test]
fn many_updates_of_a_tiny_network_do_not_grow_memory() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let on = (Kind::Float, Device::Cpu);
    let (params, net) = network(4, on);
    let x = Rng::new(0, "x").tensor(&[16, 100, 1], on, Rng::normal);
    let examples = Examples::new(Inputs::batch_first(&x).unwrap(), x.cumsum(1, Kind::Float)).unwrap();
    let mut bptt = Bptt::new(&net, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let mut updates = |count: usize| (0..count).for_each(|_| drop(bptt.update(&examples).unwrap()));
    updates(200);
    let before = resident_kib();
    updates(2000);
    let grown = resident_kib() - before;
    assert!(grown < 4000, "2,000 updates take {grown} KiB");
}
