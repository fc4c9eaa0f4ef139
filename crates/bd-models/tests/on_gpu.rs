//! Scans by kernels for GPUs against steps, on a GPU that the C++ compiler emulates: what the texts say, without a GPU.

use std::sync::Arc;

use bd_core::gpu::Gpu;
use bd_core::testing::{OnGpu, ScanCase, assert_scan_is_steps, emulated};
use bd_core::{Params, System};
use bd_models::{
    Activation, CubaLif, Delay, Expon, ExponConfig, Gru, GruConfig, Init, LeakyIntegrator, LeakyIntegratorConfig, Lif,
    LifConfig, LifTrained, Linear, LinearConfig, Lstm, LstmConfig, OneStep, Recurrent, Reset, Rnn, RnnConfig,
    SnnConfig, Surrogate, Synapse, SynapseConfig,
};
use tch::{Device, Kind};

const KINDS: [(Kind, f64); 2] = [(Kind::Double, 1e-12), (Kind::Float, 2e-5)];

/// As much as the oldest GPU that is served has for a block that does not ask for more, and blocks that never wait for others.
fn alone() -> Arc<Gpu> {
    emulated(48 << 10, 1)
}

fn on(kind: Kind) -> (Kind, Device) {
    (kind, Device::Cpu)
}

/// Few steps, a multiple of those that are read ahead, and others; batches that fill no block of threads. The largest is of one dtype:
/// what is emulated takes a microsecond for an access.
fn cases(kind: Kind, tolerance: f64) -> Vec<ScanCase> {
    let sizes = [(1, 3), (32, 5), (37, 70)];
    let count = if kind == Kind::Double { 3 } else { 2 };
    let case = |&(time, batch): &(i64, i64)| ScanCase { time, batch, on: on(kind), tolerance, seed: time as u64 };
    sizes[..count].iter().map(case).collect()
}

fn assert_on<S: System>(gpu: &Arc<Gpu>, new: impl Fn(&mut Params) -> S, kind: Kind, tolerance: f64) {
    for case in cases(kind, tolerance) {
        let mut params = Params::new(case.seed, case.on);
        let system = OnGpu(new(&mut params), Arc::clone(gpu));
        assert_scan_is_steps(&system, &params, case);
    }
}

#[test]
fn units_scan_as_they_step() {
    let gpu = alone();
    for (kind, tolerance) in KINDS {
        assert_on(&gpu, |_| Expon::new(3, &ExponConfig::default()).unwrap(), kind, tolerance);
        assert_on(&gpu, |_| LeakyIntegrator::new(4, &LeakyIntegratorConfig::default()).unwrap(), kind, tolerance);
        assert_on(&gpu, |_| Delay::new(2, &OneStep).unwrap(), kind, tolerance);
    }
}

/// A wide surrogate, so that gradients are not all but zero, and a current that makes spikes.
fn lif() -> LifConfig {
    LifConfig { surrogate: Surrogate::Sigmoid { alpha: 4.0 }, resistance: 5.0, ..LifConfig::default() }
}

#[test]
fn neurons_scan_as_they_step() {
    let gpu = alone();
    let all = LifTrained { tau: true, threshold: true, reset: true };
    for reset in [Reset::Value, Reset::Subtract, Reset::None] {
        for detach_reset in [true, false] {
            for refractory_ms in [0.0, 0.3] {
                let config = LifConfig { reset, detach_reset, refractory_ms, ..lif() };
                let (kind, tolerance) = KINDS[0];
                assert_on(&gpu, |_| Lif::new(3, &config).unwrap(), kind, tolerance);
                let trained = LifTrained { reset: reset != Reset::None, ..all };
                let config = LifConfig { trained, ..config };
                assert_on(&gpu, |params| Lif::trained(&mut params.at("r"), 3, &config).unwrap(), kind, tolerance);
            }
        }
    }
    let (kind, tolerance) = KINDS[1];
    assert_on(&gpu, |_| Lif::new(5, &lif()).unwrap(), kind, tolerance);
}

#[test]
fn every_surrogate_has_its_gradient() {
    let gpu = alone();
    for surrogate in Surrogate::all() {
        let config = LifConfig { surrogate, ..lif() };
        let case = ScanCase { time: 12, batch: 6, on: on(Kind::Double), tolerance: 1e-12, seed: 3 };
        let system = OnGpu(Lif::new(4, &config).unwrap(), Arc::clone(&gpu));
        assert_scan_is_steps(&system, &Params::new(0, case.on), case);
    }
}

#[test]
fn linear_maps_and_synapses_scan_as_they_step() {
    let gpu = alone();
    for (kind, tolerance) in KINDS {
        for bias in [false, true] {
            let config = LinearConfig { bias, ..LinearConfig::default() };
            assert_on(&gpu, |params| Linear::new(&mut params.at("a"), 5, 3, &config).unwrap(), kind, tolerance);
        }
        // With the delay three parts, of which two are one on a GPU.
        for delayed in [false, true] {
            let config = SynapseConfig { delayed, ..SynapseConfig::default() };
            assert_on(&gpu, |params| Synapse::new(&mut params.at("s"), 6, 4, &config).unwrap(), kind, tolerance);
        }
    }
}

#[test]
fn a_network_scans_as_it_steps() {
    let gpu = alone();
    for hidden in [vec![7], vec![7, 4]] {
        for (kind, tolerance) in KINDS {
            let config = SnnConfig { n_in: 6, hidden: hidden.clone(), lif: lif(), ..SnnConfig::default() };
            assert_on(&gpu, |params| config.build(params).unwrap(), kind, tolerance);
        }
    }
}

#[test]
fn recurrent_neurons_scan_as_they_step() {
    let trained = LifTrained { tau: true, threshold: true, reset: true };
    let ways = [
        lif(),
        LifConfig { reset: Reset::Subtract, detach_reset: false, refractory_ms: 0.3, ..lif() },
        LifConfig { trained, ..lif() },
    ];
    let (kind, tolerance) = KINDS[0];
    let recurrent = |params: &mut Params, n: i64, config: &LifConfig| {
        let neurons = Lif::trained(&mut params.at("r"), n, config).unwrap();
        Recurrent::new(&mut params.at("r"), neurons, Init::XavierNormal).unwrap()
    };
    let gpu = alone();
    for config in &ways {
        // Fewer and more than vote together.
        for n in [3, 40] {
            assert_on(&gpu, |params| recurrent(params, n, config), kind, tolerance);
        }
    }
    // No room for the list of spikes; neurons that hold numbers.
    let mut params = Params::new(1, on(kind));
    let layer = recurrent(&mut params, 60, &ways[2]);
    let case = ScanCase { time: 5, batch: 7, on: on(kind), tolerance, seed: 1 };
    assert_scan_is_steps(&OnGpu(layer, emulated(700, 6)), &params, case);
}

#[test]
fn a_recurrent_network_scans_as_it_steps() {
    let gpu = alone();
    let config = SnnConfig { n_in: 6, hidden: vec![9, 5], lif: lif(), recurrent: true, ..SnnConfig::default() };
    for (kind, tolerance) in KINDS {
        assert_on(&gpu, |params| config.build(params).unwrap(), kind, tolerance);
    }
    let layer = CubaLif::new(3, &ExponConfig::default(), &lif()).unwrap();
    assert_on(&gpu, |_| layer.clone(), Kind::Double, 1e-12);
    // Two units that the CPU has no loops for as one.
    let trained = LifTrained { tau: true, threshold: true, reset: true };
    let config = SnnConfig { lif: LifConfig { trained, detach_reset: false, ..lif() }, hidden: vec![5], ..config };
    assert_on(&gpu, |params| config.build(params).unwrap(), Kind::Double, 1e-12);
}

/// More units than a block has threads.
#[test]
fn a_thread_has_several_units() {
    let case = ScanCase { time: 3, batch: 2, on: on(Kind::Double), tolerance: 1e-11, seed: 1 };
    let mut params = Params::new(1, case.on);
    let neurons = Lif::new(1030, &lif()).unwrap();
    let layer = Recurrent::new(&mut params.at("r"), neurons, Init::XavierNormal).unwrap();
    assert_scan_is_steps(&OnGpu(layer, alone()), &params, case);
}

#[test]
fn rates_scan_as_they_step() {
    let gpu = alone();
    for (i, activation) in Activation::all().into_iter().enumerate() {
        for tau_ms in [None, Some(0.4)] {
            let (kind, tolerance) = KINDS[i % 2];
            let config = RnnConfig { activation, tau_ms, train_initial_state: true, ..RnnConfig::default() };
            assert_on(&gpu, |params| Rnn::new(&mut params.at("r"), 2, 13, &config).unwrap(), kind, tolerance);
            let dale = RnnConfig { excitatory: Some(0.8), density: 0.5, ..config };
            assert_on(&gpu, |params| Rnn::new(&mut params.at("r"), 2, 13, &dale).unwrap(), kind, tolerance);
        }
    }
}

#[test]
fn gated_cells_scan_as_they_step() {
    let gpu = alone();
    let gru = GruConfig { train_initial_state: true, ..GruConfig::default() };
    let lstm = LstmConfig { train_initial_state: true, ..LstmConfig::default() };
    for (kind, tolerance) in KINDS {
        assert_on(&gpu, |params| Gru::new(&mut params.at("r"), 2, 13, &gru).unwrap(), kind, tolerance);
        assert_on(&gpu, |params| Lstm::new(&mut params.at("r"), 2, 13, &lstm).unwrap(), kind, tolerance);
    }
}
