//! The kernel against the steps, and gradients against differences.

use bd_core::testing::grad_check;
use bd_core::{Inputs, Params, Rng, Tap};

use super::*;

#[test]
fn scan_is_steps() {
    crate::cell::testing::assert_cells_scan_as_they_step(|path, n_in, n, train_initial_state| {
        Gru::new(path, n_in, n, &GruConfig { train_initial_state, ..GruConfig::default() })
    });
}

/// Central differences of a loss over outputs and last state, by every parameter and the input.
#[test]
fn gradients_are_those_of_differences() {
    let on = (Kind::Double, Device::Cpu);
    let config = GruConfig { train_initial_state: true, ..GruConfig::default() };
    let mut params = Params::new(5, on);
    Gru::new(&mut params.at("r"), 2, 4, &config).unwrap();
    bd_core::contract::vary_vectors(&params, 5);
    let mut inputs: Vec<Tensor> = params.trainable().into_iter().map(|(_, t)| t.detach().copy()).collect();
    inputs.push(Rng::new(2, "xs").tensor(&[6, 3, 2], on, Rng::normal));
    let loss = |inputs: &[Tensor]| {
        let of = |i: usize| inputs[i].shallow_clone();
        let cell = Gru { weights: Weights::of(of(0), of(1), of(2)), initial: Some(of(3)), config };
        let (ys, last) =
            cell.scan(&Shared::new(0.1), &Inputs::of_steps(of(4)), cell.init_state(3, on), &mut Tap::none());
        (&ys * &ys).sum(Kind::Double) + last.h.exp().sum(Kind::Double)
    };
    grad_check(loss, &inputs, 1e-8);
}
