//! What it costs to learn a sample, in microseconds: recursive least squares by its factors over a series and step by step, the update of
//! the matrix `P` itself by libtorch, and least mean squares.
//!
//!     cargo bench -p bd-train --bench online -- [--json FILE]

use std::time::Instant;

use bd_core::{Params, Rng};
use bd_models::{Esn, EsnConfig, Linear, LinearConfig, ReservoirConfig};
use bd_train::online::{Lms, Online, OnlineRule, Rls};
use tch::{Device, Kind, Tensor};

use figures::Figures;

#[path = "../../../benches/shared/figures.rs"]
mod figures;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Microseconds of one of `count` in the fastest of five rounds.
fn fastest(figures: &mut Figures, name: &str, count: i64, mut round: impl FnMut()) -> f64 {
    let timed = (0..5).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64() / count as f64
    });
    1e6 * figures.add(name, &timed.collect::<Vec<_>>()).least
}

fn drawn(size: &[i64], name: &str) -> Tensor {
    Rng::new(0, name).tensor(size, ON, Rng::normal)
}

fn linear(features: i64) -> Linear {
    Linear::new(&mut Params::new(0, ON).at("o"), features, 1, &LinearConfig::default()).expect("a readout")
}

/// The textbook's update of a whole matrix.
fn plain(p: &mut Tensor, w: &mut Tensor, x: &Tensor, y: f64) {
    let k = p.mv(x);
    let c = 1.0 / (1.0 + x.dot(&k).double_value(&[]));
    let error = y - x.dot(w).double_value(&[]);
    let scaled = &k * c;
    *p -= scaled.outer(&k);
    *w += scaled * error;
}

fn main() {
    bd_core::threads::set(1);
    let mut figures = Figures::new("online", 1);
    println!("microseconds a sample, float64, one thread");
    println!(
        "{:>9}  {:>12} {:>10} {:>12} {:>10}",
        "features", "rls, series", "rls, steps", "rls, libtorch", "lms, series"
    );
    for features in [10, 100, 300, 1000, 2000] {
        let samples = if features > 500 { 256 } else { 2048 };
        let (x, y) = (drawn(&[1, samples, features], "x"), drawn(&[1, samples, 1], "y"));
        let online = |rule: OnlineRule| Online::new(linear(features), &rule, 1.0, 1).expect("a rule");
        let mut rls = online(OnlineRule::Rls(Rls::default()));
        let series = fastest(&mut figures, &format!("rls, series, {features} features"), samples, || {
            drop(rls.learn(&x, &y).expect("it learns"))
        });
        let steps = fastest(&mut figures, &format!("rls, steps, {features} features"), samples, || {
            for i in 0..samples {
                let _ = rls.step(&x.select(1, i), &y.select(1, i)).expect("it learns");
            }
        });
        let (mut p, mut w) = (Tensor::eye(features, ON), Tensor::zeros([features], ON));
        let rows: Vec<_> = (0..samples).map(|i| (x.get(0).get(i), y.double_value(&[0, i, 0]))).collect();
        let matrix = fastest(&mut figures, &format!("rls, libtorch, {features} features"), samples, || {
            rows.iter().for_each(|(x, y)| plain(&mut p, &mut w, x, *y))
        });
        let mut lms = online(OnlineRule::Lms(Lms::default()));
        let descent = fastest(&mut figures, &format!("lms, series, {features} features"), samples, || {
            drop(lms.learn(&x, &y).expect("it learns"))
        });
        println!("{features:>9}  {series:>12.2} {steps:>10.2} {matrix:>12.2} {descent:>10.2}");
    }
    for units in [100, 500] {
        let reservoir = ReservoirConfig { units, ..ReservoirConfig::default() };
        let esn =
            Esn::new(&mut Params::new(0, ON), 3, 1, &EsnConfig { reservoir, ..EsnConfig::default() }).expect("an esn");
        let mut online = Online::new(esn, &OnlineRule::Rls(Rls::default()), 1.0, 1).expect("a rule");
        let (x, y) = (drawn(&[1, 1024, 3], "x"), drawn(&[1, 1024, 3], "y"));
        let series = fastest(&mut figures, &format!("esn of {units} units, series"), 1024, || {
            drop(online.learn(&x, &y).expect("it learns"))
        });
        let steps = fastest(&mut figures, &format!("esn of {units} units, steps"), 1024, || {
            for i in 0..1024 {
                let _ = online.step(&x.select(1, i), &y.select(1, i)).expect("it learns");
            }
        });
        let predicted = fastest(&mut figures, &format!("esn of {units} units, steps without learning"), 1024, || {
            for i in 0..1024 {
                let _ = online.predict(&x.select(1, i)).expect("it runs");
            }
        });
        println!("esn of {units} units: series {series:.1}, steps {steps:.1}, steps without learning {predicted:.1}");
    }
    figures.write();
}
