//! What training keeps. A process of its own, so that nothing else moves the figure.

use bd_core::testing::resident_kib;
use bd_core::{Inputs, Params, Rng, Shared};
use bd_models::{Linear, LinearConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, Loss, OptimConfig, Penalty};
use tch::{Device, Kind};

/// An update that left its graph or its outputs behind, 0.2 MB, would leave 400 MB of them.
#[test]
fn updates_do_not_grow_memory() {
    let on = (Kind::Float, Device::Cpu);
    let mut params = Params::new(0, on);
    let model = Linear::new(&mut params.at("o"), 8, 8, &LinearConfig::default()).unwrap();
    let x = Rng::new(0, "x").tensor(&[64, 100, 8], on, Rng::normal);
    let examples = Examples::new(Inputs::batch_first(&x).unwrap(), x.copy()).unwrap();
    let bptt = Bptt::new(&model, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let mut bptt = bptt.penalty(Penalty { l1: 1e-4, l2: 1e-4 }).unwrap().truncate(50).unwrap().clip(1.0).unwrap();
    let mut updates = |count: usize| (0..count).for_each(|_| drop(bptt.update(&examples).unwrap()));
    updates(100);
    let before = resident_kib();
    updates(1000);
    let grown = resident_kib() - before;
    assert_eq!(bptt.optimizer().step(), 2200);
    assert!(grown < 10_000, "2,000 updates take {grown} KiB");
}
