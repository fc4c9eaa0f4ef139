//! Models over data: shapes, dtypes, devices, step sizes, records.

use bd_core::{Inputs, Spikes, Stepper, System, Tap, state};
use bd_models::Encoder;
use bd_models::{Cell, Linear, LinearConfig};
use bd_train::data::Flow;
use bd_train::task::Integration;
use bd_train::{FreeRunConfig, Loss, Ridge, RidgeFactor, Task, Units, activity, free_run, free_runs, predict};
use tch::Device;

use super::*;

fn run(x: &Tensor) -> Result<()> {
    let (_p, gru) = gru();
    predict(&gru, &sha(), x, None, &mut Tap::none()).map(drop)
}

fn step(x: &Tensor) -> Result<()> {
    let (_p, gru) = gru();
    gru.try_step(&sha(), x, &gru.init_state(4, ON)).map(drop)
}

#[test]
fn shapes_of_sequences() {
    refused("expected [batch, time, 3], the model's inputs", || run(&normal(&[4, 6, 2], ON)));
    refused("got [6, 3]", || run(&normal(&[6, 3], ON)));
    refused("got [1, 4, 6, 3]", || run(&normal(&[1, 4, 6, 3], ON)));
    refused("got [0, 6, 3]", || run(&normal(&[0, 6, 3], ON)));
    refused("got [4, 0, 3]", || run(&normal(&[4, 0, 3], ON)));
    let (_p, gru) = gru();
    for xs in [normal(&[6, 3], ON), normal(&[], ON), normal(&[1, 1, 1, 3], ON)] {
        refused("the model's inputs", || predict(&gru, &sha(), Inputs::Dense(xs), None, &mut Tap::none()));
    }
    let spikes = Spikes::draw([6, 4, 7], ON, 0.1, &mut Rng::new(0, "s")).unwrap();
    refused("got [4, 6, 7]", || predict(&gru, &sha(), &spikes, None, &mut Tap::none()));
    refused("got [4, 6, 7]", || activity(&gru, &sha(), &spikes.into(), None, &["r".into()]));
}

#[test]
fn shapes_of_steps() {
    refused("expected [batch, 3]", || step(&normal(&[4, 2], ON)));
    refused("got [3]", || step(&normal(&[3], ON)));
    refused("got [4, 1, 3]", || step(&normal(&[4, 1, 3], ON)));
    refused("got [0, 3]", || step(&normal(&[0, 3], ON)));
    // One state would be spread over four inputs.
    let mut stepper = Stepper::new(rates(Cell::all()[1]).1, 0.1, 1, ON).unwrap();
    refused("expected [1, 3], as many sequences as states", || stepper.step(&normal(&[4, 3], ON)));
    let (_p, gru) = gru();
    let start = || gru.init_state(4, ON);
    refused("expected [batch, 3]", || free_run(&gru, &sha(), &normal(&[4, 1, 3], ON), start(), 3));
    refused("a free run has 0 steps", || free_run(&gru, &sha(), &normal(&[4, 3], ON), start(), 0));
    refused("at most", || free_run(&gru, &sha(), &normal(&[4, 3], ON), start(), usize::MAX));
    let (_p, snn) = snn();
    let state = snn.init_state(4, ON);
    refused("3 inputs and 2 outputs cannot run on its own", || free_run(&snn, &sha(), &normal(&[4, 3], ON), state, 3));
}

#[test]
fn dtypes() {
    let words = "expected float32 on cpu, as the model's parameters are, got float64 on cpu";
    refused(words, || run(&normal(&[4, 6, 3], F64)));
    refused(words, || step(&normal(&[4, 3], F64)));
    refused("got int64 on cpu", || run(&Tensor::ones([4, 6, 3], (Kind::Int64, Device::Cpu))));
    refused("got bool on cpu", || run(&Tensor::ones([4, 6, 3], (Kind::Bool, Device::Cpu))));
    let mut stepper = Stepper::new(rates(Cell::all()[1]).1, 0.1, 4, ON).unwrap();
    refused(words, || stepper.step(&normal(&[4, 3], F64)));
    let (_p, snn) = snn();
    let spikes = Spikes::draw([6, 4, 3], F64, 0.1, &mut Rng::new(0, "s")).unwrap();
    refused(words, || predict(&snn, &sha(), &spikes, None, &mut Tap::none()));
    let (x, y) = (normal(&[4, 60, 3], ON), normal(&[4, 60, 2], F64));
    let mut params = Params::new(0, ON);
    let linear = Linear::new(&mut params.at("o"), 3, 2, &LinearConfig::default()).unwrap();
    refused("targets: expected float32", || Ridge::default().fit(&linear, &sha(), &x, &y, ()));
    let [x, y] = [&x, &y].map(|t| t.to_kind(Kind::Double));
    refused("weight: expected float64", || Ridge::default().fit(&linear, &sha(), &x, &y, ()));
}

/// A device that this libtorch has not, named without being asked for, or asked for by libtorch's own words in short.
#[test]
fn devices() {
    let (_p, snn) = snn();
    let cuda = Device::Cuda(0);
    let spikes = Spikes::draw([6, 4, 3], ON, 0.1, &mut Rng::new(0, "s")).unwrap().on_device(cuda);
    refused("got float32 on cuda:0", || predict(&snn, &sha(), &spikes, None, &mut Tap::none()));
    if tch::Cuda::is_available() {
        return eprintln!("left out: what asks for a device that is not there");
    }
    refused("", || Examples::new(Inputs::Spikes(spikes), Tensor::zeros([4], (Kind::Int64, Device::Cpu))));
    refused("", || SnnConfig::default().build(&mut Params::new(0, (Kind::Float, cuda))));
    refused("", || Task::Integration(Integration::default()).batch(0, 0, 1, 0.1, (Kind::Float, cuda)));
}

#[test]
fn step_sizes() {
    let ((gru_params, gru), (_q, snn)) = (gru(), snn());
    for dt in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let (sha, words) = (Shared::new(dt), format!("dt is {dt}; it must be a number above 0"));
        refused(&words, || predict(&gru, &sha, &x(), None, &mut Tap::none()));
        refused(&words, || free_run(&gru, &sha, &normal(&[4, 3], ON), gru.init_state(4, ON), 3));
        refused(&words, || gru.try_step(&sha, &normal(&[4, 3], ON), &gru.init_state(4, ON)));
        refused(&words, || Stepper::new(rates(Cell::all()[0]).1, dt, 1, ON));
        refused(&words, || Bptt::new(&gru, &gru_params, Loss::Mse, &OptimConfig::default(), sha));
        refused(&words, || activity(&snn, &sha, &Inputs::batch_first(&x()).unwrap(), None, &["r".into()]));
        let mut params = Params::new(0, ON);
        let linear = Linear::new(&mut params.at("o"), 3, 3, &LinearConfig::default()).unwrap();
        refused(&words, || Ridge::default().fit(&linear, &sha, &x(), &x(), ()));
        let units = Units { mean: Tensor::zeros([3], F64), std: Tensor::ones([3], F64) };
        let (series, config) = (normal(&[40, 3], F64), FreeRunConfig::default());
        refused(&words, || free_runs(&linear, &sha, ON, &series, 0..40, 1, &units, &config));
        refused(&words, || Task::Integration(Integration::default()).batch(0, 0, 1, dt, ON));
        let lorenz = Flow::named("lorenz").unwrap();
        refused(&words, || lorenz.series(&[10.0, 28.0, 2.0], &[1.0; 3], dt, 10));
    }
    let sha = Shared { t: f64::NAN, ..sha() };
    refused("t is NaN", || predict(&gru, &sha, &x(), None, &mut Tap::none()));
}

/// A system that must not be run.
#[derive(Debug)]
struct Untouched;

state! {
    struct Nothing { v: Tensor }
}

impl System for Untouched {
    type State = Nothing;

    fn n_in(&self) -> i64 {
        3
    }

    fn n_out(&self) -> i64 {
        3
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Nothing {
        Nothing { v: Tensor::zeros([batch, 1], on) }
    }

    fn step(&self, _: &Shared, _: &Tensor, _: &Nothing) -> (Tensor, Nothing) {
        panic!("nothing is computed before names are checked")
    }
}

#[test]
fn records() {
    let mut tap = Tap::new(["v", "u"]);
    refused("no state is called u; there are: v", || predict(&Untouched, &sha(), &x(), None, &mut tap));
    let words = "no state is called q.spike; there are: i2r.g";
    let (_p, snn) = snn();
    refused(words, || activity(&snn, &sha(), &Inputs::batch_first(&x()).unwrap(), None, &["q".into()]));
    refused("no state is called r.v; there is none", || Tap::new(["r.v"]).finish());
}

#[test]
fn closed_form() {
    let mut params = Params::new(0, ON);
    let linear = Linear::new(&mut params.at("o"), 3, 3, &LinearConfig::default()).unwrap();
    let fit = |x: &Tensor, y: &Tensor| Ridge::default().fit(&linear, &sha(), x, y, ()).map(drop);
    refused("targets: expected [4, 6, 3], the inputs' batch and time", || fit(&x(), &normal(&[4, 5, 3], ON)));
    refused("targets: expected [batch, time, 3]", || fit(&x(), &normal(&[4, 6, 2], ON)));
    refused("inputs: expected [batch, time, 3]", || fit(&normal(&[4, 6], ON), &x()));
    let mut factor = RidgeFactor::new(3, 1, true, Device::Cpu);
    refused("at least one sample", || factor.solve(&Ridge::default()));
    refused("[rows, 1]", || factor.update(&normal(&[9, 3], F64), &normal(&[9], F64)));
    refused("[rows, 1]", || factor.update(&normal(&[9, 3], F64), &normal(&[8, 1], F64)));
    for alpha in [-1.0, f64::NAN] {
        refused("ridge.alpha is", || Ridge { alpha, ..Ridge::default() }.check());
    }
    let (series, config) = (normal(&[40], F64), FreeRunConfig::default());
    let units = || Units { mean: Tensor::zeros([3], F64), std: Tensor::ones([3], F64) };
    refused("the series: expected [time, 3]", || free_runs(&linear, &sha(), ON, &series, 0..40, 1, &units(), &config));
    let series = normal(&[40, 3], F64);
    refused("at least the 50 points", || free_runs(&linear, &sha(), ON, &series, 0..50, 1, &units(), &config));
    refused("encode.current.substeps is 0", || Ok(Encoder::Current { substeps: 0 }.check()?));
}
