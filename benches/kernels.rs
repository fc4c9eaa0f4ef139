//! Forward and adjoint of the tutorial's spiking network: Linear, Expon, Lif, Delay, Linear, Expon, LeakyIntegrator; 2,000
//! steps, batch 256, 100-10-2, float32, 0.05 % of the inputs are spikes. `cargo bench`; set threads by the names.

use std::time::Duration;

use bd_core::{DynSystem, Params, Rng, Shared, Spikes, Stack, System, Tap, threads};
use bd_models::{
    Delay, Expon, ExponConfig, LeakyIntegrator, LeakyIntegratorConfig, Lif, LifConfig, Linear, LinearConfig, OneStep,
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
        ("delay", DynSystem::new(Delay::new(10, &OneStep)?)),
        ("w2", DynSystem::new(Linear::new(&mut params.at("w2"), 10, 2, &plain)?)),
        ("r2o", DynSystem::new(Expon::new(2, &ExponConfig::default())?)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default())?)),
    ])
}

fn spiking_network(criterion: &mut Criterion) {
    let mut params = Params::new(0, ON);
    let net = network(&mut params).expect("the tutorial's sizes meet");
    let spikes = Spikes::draw([2000, 256, 100], ON, 5e-4, &mut Rng::new(0, "spikes")).expect("a probability");
    let xs = spikes.to_dense();
    let weights: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
    let mut group = criterion.benchmark_group("spiking_network");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for n in [1, 2] {
        threads::set(n);
        let (sha, start) = (Shared::new(0.1), || net.init_state(256, ON));
        let adjoint = |ys: Tensor| Tensor::run_backward(&[ys.sum(Kind::Float)], &weights, false, false);
        group.bench_function(format!("spikes/threads_{n}"), |bencher| {
            bencher.iter(|| adjoint(net.scan_spikes(&sha, &spikes, start(), &mut Tap::none()).0));
        });
        group.bench_function(format!("dense/threads_{n}"), |bencher| {
            bencher.iter(|| adjoint(net.scan(&sha, &xs, start(), &mut Tap::none()).0));
        });
    }
    group.finish();
}

criterion_group!(benches, spiking_network);
criterion_main!(benches);
