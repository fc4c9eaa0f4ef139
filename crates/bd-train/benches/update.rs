//! What an update costs beside the model: loss, penalty, norms, checks and Adam, in microseconds. The model is as small as a
//! model can be and has the parameters of a rate network of 100 units; what its forward and backward passes take is taken off.
//! And what it costs to draw a batch.
//!
//!     cargo bench -p bd-train --bench update -- [--json FILE]

use std::time::Instant;

use bd_core::{Inputs, Params, Rng, Shared, System, Tap};
use bd_train::data::Examples;
use bd_train::{Bptt, Loss, OptimConfig, Optimizer, Penalty, Task};
use tch::{Device, Kind, Tensor};

use figures::Figures;

#[path = "../../../benches/shared/figures.rs"]
mod figures;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// `y = x` plus nothing times the sum of every parameter.
#[derive(Debug)]
struct Sums(Vec<Tensor>);

impl System for Sums {
    type State = ();

    fn n_in(&self) -> i64 {
        1
    }

    fn n_out(&self) -> i64 {
        1
    }

    fn init_state(&self, _batch: i64, _on: (Kind, Device)) {}

    fn step(&self, _sha: &Shared, x: &Tensor, (): &()) -> (Tensor, ()) {
        let sum = self.0.iter().map(|param| param.sum(Kind::Float)).reduce(|a, b| a + b);
        (x + sum.expect("there are parameters") * 1e-3, ())
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: (), _tap: &mut Tap) -> (Tensor, ()) {
        self.step(sha, &inputs.time_first(), &s)
    }
}

/// Median of many rounds, in microseconds.
fn median(figures: &mut Figures, name: &str, mut round: impl FnMut()) -> f64 {
    let times: Vec<f64> = (0..2000)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    1e6 * figures.add(name, &times).median
}

fn main() {
    bd_core::threads::set(1);
    let shapes: [(&str, &[i64]); 6] =
        [("wi", &[1, 100]), ("wh", &[100, 100]), ("b", &[100]), ("h0", &[100]), ("wo", &[100, 1]), ("bo", &[1])];
    let mut params = Params::new(0, ON);
    let tensors = shapes.map(|(name, shape)| {
        let draw = |rng: &mut Rng| rng.tensor(shape, ON, |rng| 0.1 * rng.normal());
        params.at("r").param(name, draw).expect("names differ")
    });
    let system = Sums(tensors.into());
    let gradients: Vec<Tensor> = system.0.iter().map(|param| param.detach() * 0.1).collect();

    let mut optimizer = Optimizer::new(&OptimConfig::default(), &params).expect("there are parameters");
    let mut figures = Figures::new("update", 1);
    let adam = median(&mut figures, "an update of Adam", || optimizer.update(&gradients).expect("it is finite"));
    println!("{adam:>8.1} us  an update of Adam");

    for task in Task::all() {
        let mut number = 0;
        let name = format!("a batch of 128 x {} of {}", task.steps(task.usual_dt()), task.name());
        let time = median(&mut figures, &name, || {
            number += 1;
            drop(task.batch(0, number, 128, task.usual_dt(), ON).expect("it can be"));
        });
        println!("{time:>8.1} us  {name}");
    }
    let x = Rng::new(0, "x").tensor(&[128, 25, 1], ON, Rng::normal);
    let batch = Examples::new(Inputs::batch_first(&x).expect("a shape"), x.copy()).expect("a count");
    let Inputs::Dense(xs) = batch.inputs() else { unreachable!("they are dense") };
    let passes = median(&mut figures, "forward and backward of the model", || {
        let ys = system.scan(&Shared::default(), &Inputs::of_steps(xs), (), &mut Tap::none()).0;
        let _ = Tensor::run_backward(&[ys.sum(Kind::Float)], &system.0, false, false);
    });
    println!("{passes:>8.1} us  forward and backward of the model");
    for l2 in [0.0, 2e-4] {
        let bptt = Bptt::new(&system, &params, Loss::Mse, &OptimConfig::default(), Shared::default());
        let penalty = Penalty { l1: 0.0, l2 };
        let mut bptt = bptt.and_then(|bptt| bptt.penalty(penalty)).expect("it can be");
        let name = format!("an update, L2 {l2}");
        let update = median(&mut figures, &name, || drop(bptt.update(&batch).expect("it is finite")));
        println!("{update:>8.1} us  {name}; without the model {:.1} us", update - passes);
    }
    figures.write();
}
