//! Forward and adjoint of the tutorial's spiking network: Linear, Expon, Lif, Delay, Linear, Expon, LeakyIntegrator; 2,000
//! steps, batch 256, 100-10-2, float32, 0.05 % of the inputs are spikes. `cargo bench`; set threads by the names.

use std::time::Duration;

use bd_core::{DynSystem, Params, Rng, Shared, Stack, System, Tap, device};
use bd_models::{
    Delay, Expon, ExponConfig, LeakyIntegrator, LeakyIntegratorConfig, Lif, LifConfig, Linear, LinearConfig,
};
use criterion::{Criterion, criterion_group, criterion_main};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

fn network(params: &mut Params) -> bd_core::Result<Stack> {
    let plain = LinearConfig { bias: false, ..LinearConfig::default() };
    Stack::new([
        ("w1", DynSystem::new(Linear::new(&mut params.at("w1"), 100, 10, &plain)?)),
        ("i2r", DynSystem::new(Expon::new(10, &ExponConfig::default())?)),
        ("r", DynSystem::new(Lif::new(10, &LifConfig::default())?)),
        ("delay", DynSystem::new(Delay::new(10)?)),
        ("w2", DynSystem::new(Linear::new(&mut params.at("w2"), 10, 2, &plain)?)),
        ("r2o", DynSystem::new(Expon::new(2, &ExponConfig::default())?)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default())?)),
    ])
}

fn spiking_network(criterion: &mut Criterion) {
    let mut params = Params::new(0, ON);
    let net = network(&mut params).expect("the tutorial's sizes meet");
    let spike = |rng: &mut Rng| if rng.uniform() < 5e-4 { 1.0 } else { 0.0 };
    let xs = Rng::new(0, "spikes").tensor(&[2000, 256, 100], ON, spike);
    let weights: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
    let mut group = criterion.benchmark_group("spiking_network");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for threads in [1, 2] {
        device::set_threads(threads);
        let pass = || {
            let (ys, _) = net.scan(&Shared::new(0.1), &xs, net.init_state(256, ON), &mut Tap::none());
            Tensor::run_backward(&[ys.sum(Kind::Float)], &weights, false, false)
        };
        group.bench_function(format!("cpu/threads_{threads}"), |bencher| bencher.iter(pass));
    }
    group.finish();
}

criterion_group!(benches, spiking_network);
criterion_main!(benches);
