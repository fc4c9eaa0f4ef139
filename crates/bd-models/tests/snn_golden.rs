//! The tutorial's spiking network as a stack of its parts, against BrainPy 2.2.4.0 (tests/data/snn_small, see its README.md):
//! 100 inputs, 10 LIF neurons, 2 leaky integrators, exponential synapses, 200 steps of 0.1 ms, 4 samples. The output synapse
//! sees the spikes of the step before, which is the delay.

use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
use bd_core::{DynSystem, Params, Shared, Stack, System, Tap, scan_by_step};
use bd_models::{
    Delay, Expon, ExponConfig, LeakyIntegrator, LeakyIntegratorConfig, Lif, LifConfig, Linear, LinearConfig, OneStep,
    Reset, Surrogate,
};
use tch::{Device, Kind, Tensor};

fn tutorial(params: &mut Params, lif: &LifConfig) -> Stack {
    let plain = LinearConfig { bias: false, ..LinearConfig::default() };
    let expon = |n| DynSystem::new(Expon::new(n, &ExponConfig::default()).unwrap());
    Stack::new([
        ("w1", DynSystem::new(Linear::new(&mut params.at("w1"), 100, 10, &plain).unwrap())),
        ("i2r", expon(10)),
        ("r", DynSystem::new(Lif::new(10, lif).unwrap())),
        ("delay", DynSystem::new(Delay::new(10, &OneStep).unwrap())),
        ("w2", DynSystem::new(Linear::new(&mut params.at("w2"), 10, 2, &plain).unwrap())),
        ("r2o", expon(2)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default()).unwrap())),
    ])
    .unwrap()
}

/// Tolerances of scale: traces, and gradients of the two matrices. In float32 the first is the most sensitive number of
/// all, for the surrogate is narrow.
fn parity(suffix: &str, kind: Kind, traces: f64, gradients: f64) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/snn_small_{suffix}.safetensors"));
    let golden = load_tensors(&data).unwrap();
    let get = |name: &str| &golden.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}")).1;
    let on = (kind, Device::Cpu);
    let mut params = Params::new(0, on);
    let net = tutorial(&mut params, &LifConfig::default());
    let weights = [("w1.weight".to_owned(), get("W1").copy()), ("w2.weight".to_owned(), get("W2").copy())];
    params.load(&weights).unwrap();

    let rows = Vec::<i64>::try_from(get("spike_idx").to_kind(Kind::Int64).flatten(0, -1)).unwrap();
    let xs = Tensor::zeros([200, 4, 100], on);
    for row in rows.chunks(3) {
        let _ = xs.get(row[1]).get(row[0]).get(row[2]).fill_(1.0);
    }
    let names = ["i2r.g", "r.v", "r.spike", "r2o.g", "o.v"];
    let mut tap = Tap::new(names);
    let (ys, _) = scan_by_step(&net, &Shared::new(0.1), &xs, net.init_state(4, on), &mut tap);
    let records = tap.finish().unwrap();
    for (name, brainpy) in names.iter().zip(["i2r.g", "r.V", "r.spike", "r2o.g", "o.V"]) {
        let expected = get(&format!("trace_{brainpy}")).transpose(0, 1);
        let tolerance = if *name == "r.spike" { 0.0 } else { traces };
        assert_close(&format!("{name} in {suffix}"), &records[*name].detach(), &expected, tolerance);
    }

    // The same by the fused kernel of the whole stack, which scans when nothing is recorded.
    let (fused, _) = net.scan(&Shared::new(0.1), &xs, net.init_state(4, on), &mut Tap::none());
    for (how, ys) in [("by steps", ys), ("fused", fused)] {
        check_loss_and_gradients(&format!("{suffix} {how}"), &ys, &params, &get, traces, gradients);
    }
}

fn check_loss_and_gradients<'a>(
    what: &str,
    ys: &Tensor,
    params: &Params,
    get: &impl Fn(&str) -> &'a Tensor,
    traces: f64,
    gradients: f64,
) {
    let kind = ys.kind();
    assert_close(&format!("output, {what}"), &ys.detach(), &get("trace_o.V").transpose(0, 1), traces);
    // Cross entropy of the maximum over time; `amax` shares the gradient of tied maxima equally, as BrainPy does.
    let labels = get("labels").to_kind(Kind::Int64);
    let most = ys.amax(0, false);
    assert_close("maximum over time", &most.detach(), get("out_max"), traces);
    // Not tch's `cross_entropy_for_logits`: it computes in float32 whatever it is given.
    let loss = -most.log_softmax(1, kind).gather(1, &labels.unsqueeze(1), false).mean(kind);
    assert_close("loss", &loss.detach(), get("loss"), traces);
    let found = Tensor::run_backward(
        &[loss],
        &[params.get("w1.weight").unwrap(), params.get("w2.weight").unwrap()],
        false,
        false,
    );
    for (found, name) in found.iter().zip(["grad_W1", "grad_W2"]) {
        assert_close(&format!("{name}, {what}"), found, get(name), gradients);
    }
}

#[test]
fn the_tutorials_network_in_float64() {
    parity("f64", Kind::Double, 1e-11, 1e-11);
}

#[test]
fn the_tutorials_network_in_float32() {
    parity("f32", Kind::Float, 1e-6, 5e-5);
}

/// A stack scans as it steps: every reset, with and without a refractory period, at random sizes.
#[test]
fn scan_is_steps() {
    let resets = [Reset::Value, Reset::Subtract, Reset::None];
    for (seed, (reset, refractory_ms)) in resets.into_iter().flat_map(|reset| [(reset, 0.0), (reset, 0.3)]).enumerate()
    {
        let on = (Kind::Double, Device::Cpu);
        let mut params = Params::new(1, on);
        // A wide surrogate, so that gradients are not all but zero, and a current that makes spikes.
        let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
        let lif = LifConfig { reset, refractory_ms, surrogate, resistance: 5.0, ..LifConfig::default() };
        let net = tutorial(&mut params, &lif);
        assert_scan_is_steps(&net, &params, ScanCase::random(seed as u64, on, 1e-12));
    }
}
