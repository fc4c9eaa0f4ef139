//! Losses and their gradients against BrainPy 2.2.4.0 (tests/data/losses_f64, see its README.md).

use std::collections::HashMap;
use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_train::{Loss, Objective, OverTime};
use tch::{Kind, Tensor};

const TOLERANCE: f64 = 1e-12;

fn golden() -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/losses_f64.safetensors");
    load_tensors(&path).unwrap().into_iter().collect()
}

/// A loss, and its gradient by the outputs.
fn check(name: &str, loss: Loss, outputs: &Tensor, targets: &Tensor) {
    let golden = golden();
    let outputs = outputs.copy().set_requires_grad(true);
    let found = loss.loss(&outputs, targets, None);
    assert_close(name, &found.detach(), &golden[name], TOLERANCE);
    let gradient = Tensor::run_backward(&[found], &[&outputs], false, false).remove(0);
    let expected = &golden[&format!("{name}_grad")];
    assert_close(&format!("gradient of {name}"), &gradient.reshape(expected.size()), expected, TOLERANCE);
}

#[test]
fn losses_are_brainpys() {
    let golden = golden();
    check("mse", Loss::Mse, &golden["a"], &golden["b"]);
    let labels = golden["labels"].to_kind(Kind::Int64);
    let one_step = golden["logits"].unsqueeze(1);
    for over in [OverTime::Max, OverTime::Mean, OverTime::Last, OverTime::Sum, OverTime::Every] {
        check("ce", Loss::CrossEntropy { over }, &one_step, &labels);
    }
    // Two steps are tied for a maximum.
    check("maxce", Loss::CrossEntropy { over: OverTime::Max }, &golden["V"], &Tensor::from_slice(&[0i64, 1]));
}
