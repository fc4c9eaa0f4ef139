//! Gauthier, Bollt, Griffith, Barbosa, "Next generation reservoir computing", Nat. Commun. 12 (2021), by their own protocol, over 100
//! starts instead of their 10. Expected figures are those of their program (`quantinfo/ng-rc-paper-code`), run with SciPy 1.17.1: median
//! 1.34e-3 of ten forecasts of Lorenz, mean 2.7e-2 of z from x and y.

use bd_core::{Chain, Forecaster as _, Params, Shared, System, Tap};
use bd_models::{Linear, LinearConfig, Ngrc, NgrcConfig, Nvar, NvarConfig, Target};
use bd_train::data::{Flow, Method};
use bd_train::{Ridge, free_run, lyapunov_of_model, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// SciPy's default tolerances.
const RK23: Method = Method::BogackiShampine { relative: 1e-3, absolute: 1e-6 };

const TRIALS: usize = 100;

/// Their Lyapunov time.
const LYAPUNOV_TIME: f64 = 1.104;

/// Their solution, `[1, time, 3]`, with the start as its first point.
fn lorenz(method: Method, dt: f64, time: f64) -> Tensor {
    let flow = Flow::named("lorenz").unwrap();
    let start = [17.677_158_162_766_79, 12.931_379_185_960_404, 43.914_043_342_482_68];
    let series = flow.series_by(method, &flow.usual_params(), &start, dt, (time / dt).round() as usize).unwrap();
    Tensor::cat(&[Tensor::from_slice(&start).unsqueeze(0), series], 0).unsqueeze(0)
}

fn stretch(series: &Tensor, from: usize, count: usize) -> Tensor {
    series.narrow(1, from as i64, count as i64)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

/// Increments from a constant, two points and their products, fitted to the 400 points from `start` on; the state at the last one.
fn fitted(series: &Tensor, start: usize, points: usize) -> (Ngrc, <Ngrc as System>::State) {
    let nvar = NvarConfig { delay: 2, stride: 1, order: vec![2], constant: false };
    let config = NgrcConfig { nvar, target: Target::Increment, scale: false };
    let model = Ngrc::new(&mut Params::new(0, ON), 3, 1, &config).unwrap();
    let ridge = Ridge { alpha: 2.5e-6, penalise_intercept: true, ..Ridge::default() };
    let sha = Shared::new(0.025);
    // Their inputs begin one point before the stretch.
    let before = predict(&model, &sha, &stretch(series, start - 2, 1), None, &mut Tap::none()).unwrap().1;
    let (x, y) = (stretch(series, start - 1, points), stretch(series, start, points));
    let (_, state) = ridge.fit(&model, &sha, &x, &y, before).unwrap();
    (model, state)
}

/// NRMSE of each trial over a Lyapunov time: the root mean square error over the root of the variances' sum, the known point first.
fn forecasts(method: Method) -> Vec<f64> {
    let (dt, train, test) = (0.025, 400, (LYAPUNOV_TIME / 0.025f64).round() as usize);
    let series = lorenz(method, dt, 5.0 + 10.0 * (TRIALS + 1) as f64 + LYAPUNOV_TIME);
    let variance = series.var_dim(1, false, false).sum(Kind::Double).double_value(&[]);
    let trial = |trial: usize| {
        let start = 200 + 400 * trial;
        let (model, state) = fitted(&series, start, train);
        let last = start + train - 1;
        let first = stretch(&series, last, 1).squeeze_dim(1);
        let run = free_run(&model, &Shared::new(dt), &first, state, test - 1).unwrap().0;
        let square = (run - stretch(&series, last + 1, test - 1)).square().sum(Kind::Double).double_value(&[]);
        (square / (3 * test) as f64 / variance).sqrt()
    };
    (0..TRIALS).map(trial).collect()
}

#[test]
fn forecasts_of_lorenz_over_a_lyapunov_time() {
    let found = median(forecasts(RK23));
    let exact = median(forecasts(Method::REFERENCE));
    println!("median NRMSE over {TRIALS} starts: RK23 {found:.3e}, of the exact solution {exact:.3e}");
    assert!(found <= 1.4e-3, "{found}");
    assert!(exact <= 1.4e-3, "{exact}");
}

/// Theirs: points 0.05 apart, features of four points with five steps between them, alpha 0.05, 400 points, tested on 900.
#[test]
fn z_from_x_and_y() {
    let (dt, train, test) = (0.05, 400, 900);
    let series = lorenz(RK23, dt, 5.0 + 20.0 * TRIALS as f64 + 45.0);
    let deviation = series.select(2, 2).std(false).double_value(&[]);
    let trial = |trial: usize| {
        let start = 100 + 400 * trial;
        let nvar = NvarConfig { delay: 4, stride: 5, order: vec![2], constant: false };
        let mut params = Params::new(0, ON);
        let features = Nvar::new(2, &nvar).unwrap();
        let readout = Linear::new(&mut params.at("o"), features.n_out(), 1, &LinearConfig::default()).unwrap();
        let model = Chain::new(("r", features), ("o", readout)).unwrap();
        let of_xy = |from, count| stretch(&series, from, count).narrow(2, 0, 2).contiguous();
        let of_z = |from, count| stretch(&series, from, count).narrow(2, 2, 1).contiguous();
        let sha = Shared::new(dt);
        let before = predict(&model, &sha, &of_xy(start - 15, 15), None, &mut Tap::none()).unwrap().1;
        let ridge = Ridge { alpha: 0.05, penalise_intercept: true, ..Ridge::default() };
        let (_, state) = ridge.fit(&model, &sha, &of_xy(start, train), &of_z(start, train), before).unwrap();
        let found = predict(&model, &sha, &of_xy(start + train, test), state, &mut Tap::none()).unwrap().0;
        (found - of_z(start + train, test)).square().mean(Kind::Double).sqrt().double_value(&[]) / deviation
    };
    let all: Vec<f64> = (0..TRIALS).map(trial).collect();
    let mean = all.iter().sum::<f64>() / TRIALS as f64;
    let found = median(all);
    println!("NRMSE of z over {TRIALS} starts: median {found:.3e}, mean {mean:.3e}");
    assert!(found <= 2.7e-2, "{found}");
}

/// Their model on its own outputs, fitted to 4000 points of the exact solution, beside Lorenz: 0.9056, 0, -14.57.
#[test]
fn the_model_has_the_exponents_of_lorenz() {
    let series = lorenz(Method::REFERENCE, 0.025, 120.0);
    let (model, state) = fitted(&series, 200, 4000);
    assert_eq!(model.memory(), 1);
    let first = stretch(&series, 4199, 1).squeeze_dim(1);
    let found = lyapunov_of_model(&model, &Shared::new(0.025), &first, &state, 3, [400, 20_000]).unwrap();
    println!("exponents {:?}, standard errors {:?}", found.exponents, found.errors);
    for (found, (expected, tolerance)) in found.exponents.iter().zip([(0.9056, 0.03), (0.0, 0.01), (-14.57, 1.0)]) {
        assert!((found - expected).abs() < tolerance, "{found} and not {expected}");
    }
}
