//! Memory over many passes through hand-written backwards. A process of its own, so that nothing else moves the figure.

use bd_core::attach;
use bd_core::testing::resident_kib;
use tch::{Device, Kind, Tensor};

/// One attached operation that holds 80 KB, kept alive a thousand times: 80 MB.
fn pass(a: &Tensor, backward: bool) {
    let x = a.detach().copy();
    let y = x.sin();
    let seen = y.detach();
    attach(&[a], &[&y], move |grads| {
        let _ = &seen;
        Ok(vec![grads[0].as_ref().map(|g| g * x.cos())])
    })
    .unwrap();
    if backward {
        let _ = Tensor::run_backward(&[y.sum(Kind::Double)], &[a], false, false);
    }
}

#[test]
fn a_thousand_passes_with_a_backward_and_a_thousand_without_leave_memory_flat() {
    let a = Tensor::ones([5000], (Kind::Double, Device::Cpu)).set_requires_grad(true);
    for backward in [true, false] {
        (0..100).for_each(|_| pass(&a, backward));
        let before = resident_kib();
        (0..1000).for_each(|_| pass(&a, backward));
        let grown = resident_kib() - before;
        assert!(grown < 2000, "with backward {backward}: grown by {grown} KiB");
    }
}
