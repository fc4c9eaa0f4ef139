//! What a state keeps alive. A process of its own, so that nothing else moves the figure.

use bd_core::testing::resident_kib;
use bd_core::{Inputs, Shared, System, Tap};
use bd_models::{Nvar, NvarConfig};
use tch::{Device, Kind, Tensor};

/// A history that were a view of the series would keep 48 MB alive each time (large enough that the allocator gives
/// freed memory back).
#[test]
fn a_history_does_not_keep_the_whole_series() {
    let nvar = Nvar::new(1, &NvarConfig { delay: 3, stride: 1, order: vec![], constant: false }).unwrap();
    let on = (Kind::Double, Device::Cpu);
    let xs = Tensor::arange(6_000_000, on).reshape([-1, 1, 1]);
    let scan = || nvar.scan(&Shared::default(), &Inputs::of_steps(&xs), nvar.init_state(1, on), &mut Tap::none()).1;
    let mut states = vec![scan()];
    let before = resident_kib();
    states.extend((0..10).map(|_| scan()));
    assert_eq!(Vec::<f64>::try_from(states[10].history.flatten(0, -1)).unwrap(), [5_999_998.0, 5_999_999.0]);
    let grown = (resident_kib() - before) / 1024;
    assert!(grown < 100, "10 states take {grown} MB");
}
