//! Misuses of the public interface, by group. Each ends in an error that says what was wrong: never in a panic, not even one that is
//! caught and leaves a trace on standard error, in a crash, or in a result that means nothing.

mod data;
mod models;
mod numbers;
mod running;
mod states;
mod training;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use bd_core::error::panic_message;
use bd_core::{Error, Inputs, Params, Result, Rng, Shared, Stack};
use bd_models::{Cell as RateCell, RateNetConfig, SnnConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, Objective, OptimConfig};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// How many panics this thread has seen, caught or not.
fn panics() -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with(|count| count.set(count.get() + 1));
            usual(info);
        }));
    });
    PANICS.with(Cell::get)
}

/// Runs a misuse, which must end in an error that has these words, is not long, and comes of no panic.
#[track_caller]
fn refused<T>(words: &str, misuse: impl FnOnce() -> Result<T>) -> Error {
    let before = panics();
    let ended = panic::catch_unwind(AssertUnwindSafe(misuse));
    let error = match ended {
        Err(payload) => panic!("it panics: {}", panic_message(payload.as_ref())),
        Ok(Ok(_)) => panic!("it is accepted, where {words:?} was to be said"),
        Ok(Err(error)) => error,
    };
    let said = error.to_string();
    assert!(said.contains(words), "{words:?} is not in: {said}");
    assert!(said.len() < 700, "{} bytes: {said}", said.len());
    assert_eq!(panics(), before, "a panic was caught on the way to: {said}");
    error
}

/// A spiking network of 3 inputs, 5 hidden neurons and 2 outputs.
fn snn() -> (Params, Stack) {
    let mut params = Params::new(1, ON);
    let config = SnnConfig { n_in: 3, hidden: vec![5], n_out: 2, ..SnnConfig::default() };
    let net = config.build(&mut params).unwrap();
    (params, net)
}

/// A network of rates of 3 inputs, 5 gated units and 3 outputs.
fn gru() -> (Params, Stack) {
    rates(RateCell::all()[1])
}

fn rates(cell: RateCell) -> (Params, Stack) {
    let mut params = Params::new(1, ON);
    let net = RateNetConfig { n_in: 3, hidden: vec![5], n_out: 3, cell, ..RateNetConfig::default() };
    let net = net.build(&mut params).unwrap();
    (params, net)
}

fn sha() -> Shared {
    Shared::new(0.1)
}

fn normal(shape: &[i64], on: (Kind, Device)) -> Tensor {
    Rng::new(0, "x").tensor(shape, on, Rng::normal)
}

/// Four sequences of six steps.
fn x() -> Tensor {
    normal(&[4, 6, 3], ON)
}

/// With one number that is not finite.
fn spoiled(value: f64) -> Tensor {
    let x = x();
    let _ = x.get(2).get(4).get(1).fill_(value);
    x
}

/// For the network of rates: its inputs as targets.
fn examples() -> Examples {
    Examples::new(Inputs::batch_first(&x()).unwrap(), x()).unwrap()
}

fn bptt<'a, O: Objective>(net: &'a Stack, params: &'a Params, loss: O) -> Result<Bptt<'a, Stack, O>> {
    Bptt::new(net, params, loss, &OptimConfig::default(), sha())
}
