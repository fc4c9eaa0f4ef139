//! States of other models, of other sizes, dtypes and values.

use bd_core::{Error, Params, StateTree, Stepper, System, Tap};
use bd_models::{Cell, Ngrc, NgrcConfig};
use bd_train::{Ridge, free_run, predict};
use tch::Device;

use super::*;

#[test]
fn of_another_model() {
    let ((_p, snn), (_q, gru)) = (snn(), gru());
    let of_snn = || snn.init_state(4, ON);
    let error =
        refused("i2r.g is unknown: got [4, 5] float32", || predict(&gru, &sha(), &x(), of_snn(), &mut Tap::none()));
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    refused("r.v is missing", || predict(&snn, &sha(), &x(), gru.init_state(4, ON), &mut Tap::none()));
    refused("r.h is missing", || free_run(&gru, &sha(), &normal(&[4, 3], ON), of_snn(), 3));
    refused("r.h is missing", || gru.try_step(&sha(), &normal(&[4, 3], ON), &of_snn()));
    refused("r.h is missing", || {
        let state = of_snn();
        Stepper::new(rates(Cell::all()[1]).1, 0.1, 4, ON)?.set_state(&state, 0)
    });
}

/// Of other names in the same shapes: what used to pass.
#[test]
fn of_the_same_shapes_and_other_names() {
    let ([_, gru, lstm], one) = (Cell::all(), |cell| rates(cell).1);
    refused("r.c is unknown", || predict(&one(gru), &sha(), &x(), one(lstm).init_state(4, ON), &mut Tap::none()));
    refused("r.c is missing", || predict(&one(lstm), &sha(), &x(), one(gru).init_state(4, ON), &mut Tap::none()));
}

/// A state is its named tensors: that of another Rust type with the same ones is taken as it is.
#[test]
fn of_another_type_with_the_same_tensors() {
    let [rnn, gru, _] = Cell::all();
    let (from, to) = (rates(rnn).1, rates(gru).1);
    let ones = || from.init_state(4, ON).map(&mut |t| t.ones_like());
    let own = to.init_state(4, ON).map(&mut |t| t.ones_like());
    let found = predict(&to, &sha(), &x(), ones(), &mut Tap::none()).unwrap().0;
    assert_eq!(found, predict(&to, &sha(), &x(), own, &mut Tap::none()).unwrap().0);
}

#[test]
fn of_other_sizes_dtypes_and_devices() {
    let (_p, gru) = gru();
    let words = "r.h: expected [4, 5] float32, got [1, 5] float32";
    refused(words, || predict(&gru, &sha(), &x(), gru.init_state(1, ON), &mut Tap::none()));
    refused(words, || gru.try_step(&sha(), &normal(&[4, 3], ON), &gru.init_state(1, ON)));
    refused(words, || free_run(&gru, &sha(), &normal(&[4, 3], ON), gru.init_state(1, ON), 3));
    refused("got [4, 5] float64", || predict(&gru, &sha(), &x(), gru.init_state(4, F64), &mut Tap::none()));
    let mut params = Params::new(0, F64);
    let ngrc = Ngrc::new(&mut params, 3, 1, &NgrcConfig::default()).unwrap();
    let (x, y) = (normal(&[4, 60, 3], F64), normal(&[4, 60, 3], F64));
    refused("got [15, 3, 3] float64", || Ridge::default().fit(&ngrc, &sha(), &x, &y, ngrc.init_state(3, F64)));
    refused("batch is 0; it must be at least 1", || Stepper::new(rates(Cell::all()[0]).1, 0.1, 0, ON));
    refused("", || Stepper::new(rates(Cell::all()[0]).1, 0.1, 1, (Kind::Float, Device::Cuda(0))));
}

#[test]
fn that_are_not_finite() {
    let (_p, snn) = snn();
    for value in [f64::NAN, f64::INFINITY] {
        let state = || snn.init_state(4, ON).map(&mut |t| t.full_like(value));
        refused("the state i2r.g is not finite", || predict(&snn, &sha(), &x(), state(), &mut Tap::none()));
        refused("the state i2r.g is not finite", || snn.try_step(&sha(), &normal(&[4, 3], ON), &state()));
    }
}

#[test]
fn saved_from_something_else() {
    let ((_p, snn), (_q, gru)) = (snn(), gru());
    refused("r.h is missing", || gru.init_state(4, ON).load(&snn.init_state(4, ON).named()));
    let mut twice = gru.init_state(4, ON).named();
    twice.push(("r.h".into(), twice[0].1.shallow_clone()));
    refused("r.h is there twice", || gru.init_state(4, ON).load(&twice));
}
