//! Numbers that are infinite or not a number.

use bd_core::{Spikes, Stepper, System, Tap};
use bd_models::{Cell, Linear, LinearConfig, SnnConfig};
use bd_train::{EachStep, Loss, Ridge, activity, free_run, predict};

use super::*;

const WRONG: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// A potential that is not a number never spikes: outputs would be zeros, and sound.
#[test]
fn inputs_of_a_spiking_network() {
    let (_p, snn) = snn();
    for value in WRONG {
        let words = &format!("an input is not finite: {value} at [2, 4, 1]");
        refused(words, || predict(&snn, &sha(), &spoiled(value), None, &mut Tap::none()));
        let inputs = || Inputs::batch_first(&spoiled(value));
        refused(words, || predict(&snn, &sha(), inputs()?, None, &mut Tap::none()));
        refused(words, || activity(&snn, &sha(), &inputs()?, None, &["r".into()]));
        refused(words, || Examples::new(inputs()?, x()));
        refused(words, || examples().with_inputs(inputs()?));
        let x = spoiled(value).select(1, 4);
        refused("an input is not finite", || snn.try_step(&sha(), &x, &snn.init_state(4, ON)));
    }
}

#[test]
fn inputs_of_other_models() {
    let (_p, gru) = gru();
    let x = spoiled(f64::NAN).select(1, 4);
    refused("at [2, 1]", || free_run(&gru, &sha(), &x, gru.init_state(4, ON), 3));
    let mut params = Params::new(0, ON);
    let linear = Linear::new(&mut params.at("o"), 3, 3, &LinearConfig::default()).unwrap();
    refused("at [2, 4, 1]", || Ridge::default().fit(&linear, &sha(), &spoiled(f64::NAN), &super::x(), ()).map(drop));
}

/// A step that was refused leaves a stepper as it was.
#[test]
fn a_stepper_goes_on_after_a_refusal() {
    let build = || {
        let mut params = Params::new(1, ON);
        let config = SnnConfig { n_in: 3, hidden: vec![5], n_out: 2, ..SnnConfig::default() };
        Stepper::new(config.build(&mut params).unwrap(), 0.1, 1, ON).unwrap()
    };
    let (mut one, mut other) = (build(), build());
    for i in 0..20 {
        let x = normal(&[1, 3], ON) * 30.0;
        if i == 7 {
            refused("an input is not finite: NaN at [0, 0]", || one.step(&(&x * f64::NAN)));
            // Finite, and too large to be added up: the currents would be infinite.
            refused("is not finite", || one.step(&x.full_like(f64::from(f32::MAX))));
        }
        assert_eq!(one.step(&x).unwrap(), other.step(&x).unwrap());
        assert_eq!(one.now(), other.now());
    }
}

/// Finite inputs that overflow on the way.
#[test]
fn what_overflows_inside() {
    let (_p, snn) = snn();
    let huge = Tensor::full([4, 6, 3], f64::from(f32::MAX), ON);
    refused("the state i2r.g is not finite", || predict(&snn, &sha(), &huge, None, &mut Tap::none()));
    let (params, gru) = gru();
    let examples = Examples::new(Inputs::batch_first(&x()).unwrap(), Tensor::full([4, 6, 3], 1e30, ON)).unwrap();
    refused("the loss is not finite: it is inf at update 1", || bptt(&gru, &params, Loss::Mse)?.update(&examples));
}

#[test]
fn losses() {
    let (params, gru) = rates(Cell::all()[1]);
    for value in WRONG {
        let loss = EachStep(move |y: &Tensor, _: &Tensor| y.sum(Kind::Float) * value);
        refused("is not finite", || bptt(&gru, &params, loss)?.update(&examples()));
        let targets = Examples::new(Inputs::batch_first(&x()).unwrap(), spoiled(value)).unwrap();
        refused("the loss is not finite", || bptt(&gru, &params, Loss::Mse)?.update(&targets));
        refused("the loss is not finite", || bptt(&gru, &params, Loss::Mse)?.evaluate([Ok(targets)]));
    }
    let spikes = Spikes::from_dense(&(x() * f64::NAN));
    refused("spikes are 0 or 1", || spikes);
}
