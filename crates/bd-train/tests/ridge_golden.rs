//! Ridge regression against BrainPy 2.2.4.0 and against exact arithmetic (tests/data, see its README.md).

use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Params, Shared, StateTree, System, Tap};
use bd_models::{Ngrc, NgrcConfig};
use bd_train::metrics::forecast_error;
use bd_train::{Ridge, RidgeFactor, Solver, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const SOLVERS: [Solver; 3] = [Solver::Qr, Solver::Svd, Solver::GramPinv];
const HORIZONS: [i64; 3] = [1, 10, 100];

struct Golden(Vec<(String, Tensor)>);

impl Golden {
    fn open(name: &str) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
        Self(load_tensors(&data.join(name)).unwrap())
    }

    fn get(&self, name: &str) -> &Tensor {
        &self.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no tensor {name}")).1
    }
}

fn ridge(alpha: f64, solver: Solver) -> Ridge {
    Ridge { alpha, solver, ..Ridge::default() }
}

/// BrainPy's own closed forms on 50 samples of 5 features, well conditioned: every solver agrees.
#[test]
fn small_closed_forms() {
    let golden = Golden::open("ridge_f64.safetensors");
    let (x, y) = (golden.get("X"), golden.get("Y"));
    let factor = |intercept| {
        let mut factor = RidgeFactor::new(5, 2, intercept, Device::Cpu);
        for (x, y) in x.split(17, 0).iter().zip(y.split(17, 0)) {
            factor.update(x, &y).unwrap();
        }
        factor
    };
    for solver in SOLVERS {
        let plain = factor(false);
        for (alpha, name) in [(0.0, "0"), (1e-6, "1e-06"), (0.1, "0.1"), (10.0, "10")] {
            let solution = plain.solve(&ridge(alpha, solver)).unwrap();
            let what = format!("{solver:?}, alpha {alpha}");
            assert_close(&what, &solution.weight, golden.get(&format!("W_small_alpha{name}")), 1e-13);
            assert!(solution.bias.is_none() && solution.rank == 5);
        }
        let with_intercept = factor(true);
        for (alpha, name) in [(1e-6, "1e-06"), (10.0, "10")] {
            let solution = with_intercept.solve(&ridge(alpha, solver)).unwrap();
            let what = format!("{solver:?} with intercept, alpha {alpha}");
            assert_close(&what, &solution.weight, golden.get(&format!("trainer_W_alpha{name}")), 1e-13);
            assert_close(&what, &solution.bias.unwrap(), golden.get(&format!("trainer_b_alpha{name}")), 1e-13);
        }
    }
}

/// The tutorial's job on the tutorial's series: warm-up 2,000 points, training 6,000, test the rest, one model with the
/// targets of all horizons side by side. Returns, for each horizon, weights (intercept first) and test predictions.
fn tutorial(solver: Solver, chunk_rows: usize) -> Vec<(Tensor, Tensor, Tensor)> {
    let lorenz = Golden::open("lorenz_f64.safetensors");
    let series = lorenz.get("series").unsqueeze(0);
    let stretch = |from: i64, to: i64| series.narrow(1, from, to - from);
    let mut params = Params::new(0, ON);
    let ngrc = Ngrc::new(&mut params, 3, 3, &NgrcConfig::default()).unwrap();
    let sha = Shared::default();
    let (_, state) = predict(&ngrc, &sha, &stretch(0, 2000), ngrc.init_state(1, ON), &mut Tap::none()).unwrap();
    let targets: Vec<_> = HORIZONS.iter().map(|h| stretch(2000 + h, 8000 + h)).collect();
    let trainer = Ridge { chunk_rows, ..ridge(1e-6, solver) };
    let (report, state) = trainer.fit(&ngrc, &sha, &stretch(2000, 8000), &Tensor::cat(&targets, 2), state).unwrap();
    assert_eq!((report.rows, report.features), (6000, 90));
    let (all, _) = predict(&ngrc, &sha, &stretch(8000, 10_000), state, &mut Tap::none()).unwrap();
    let weights = Tensor::cat(&[&params.get("o.bias").unwrap().unsqueeze(0), params.get("o.weight").unwrap()], 0);
    let of_horizon = |(i, h): (usize, &i64)| {
        let columns = 3 * i as i64;
        let prediction = all.narrow(1, 0, 2000 - h).narrow(2, columns, 3).squeeze_dim(0);
        (weights.narrow(1, columns, 3).detach(), prediction, stretch(8000 + h, 10_000).squeeze_dim(0))
    };
    HORIZONS.iter().enumerate().map(of_horizon).collect()
}

/// To three digits: test MSE in 50-digit arithmetic.
#[test]
fn the_tutorial_is_solved_exactly() {
    let exact = Golden::open("ridge_exact_f64.safetensors");
    for chunk_rows in [6000, 1024] {
        for solver in [Solver::Qr, Solver::Svd] {
            let found = tutorial(solver, chunk_rows);
            for (((weights, prediction, target), h), mse) in
                found.iter().zip(HORIZONS).zip([5.066021548016649e-12, 0.011371357725641724, 38.77185609931609])
            {
                let error = forecast_error(prediction, target).unwrap();
                assert!((error.mse / mse - 1.0).abs() < 1e-4, "{solver:?}, {h} ahead: {} and not {mse}", error.mse);
                assert_close(&format!("weights, {h} ahead"), weights, exact.get(&format!("A_{h}")), 1e-6);
            }
        }
    }
}

/// BrainPy's cut-off pseudo-inverse: its predictions to 2e-3 absolute, its 10- and 100-ahead MSE to three digits. Its
/// weights and its 1-ahead MSE are round-off of its solver and cannot be reproduced by any other.
#[test]
fn brainpys_solver_gives_brainpys_predictions() {
    let golden = Golden::open("ridge_f64.safetensors");
    let found = tutorial(Solver::GramPinv, 6000);
    for (((_, prediction, target), h), mse) in
        found.iter().zip(HORIZONS).zip([None, Some(0.04217450149853083), Some(41.230435306465395)])
    {
        let expected = golden.get(&format!("lorenz_pred_{h}"));
        let difference = (prediction - expected).abs().max().double_value(&[]);
        assert!(difference < 2e-3, "{h} ahead: predictions differ by {difference:.1e}");
        if let Some(mse) = mse {
            let error = forecast_error(prediction, target).unwrap();
            assert!((error.mse / mse - 1.0).abs() < 5e-4, "{h} ahead: {} and not {mse}", error.mse);
        }
    }
}

/// The state that predicting and fitting hand on is that of one uninterrupted run.
#[test]
fn history_is_carried_from_warm_up_to_training_to_test_and_reset_clears_it() {
    let lorenz = Golden::open("lorenz_f64.safetensors");
    let series = lorenz.get("series").narrow(0, 0, 300).unsqueeze(0);
    let stretch = |from: i64, to: i64| series.narrow(1, from, to - from);
    let mut params = Params::new(0, ON);
    let ngrc = Ngrc::new(&mut params, 3, 1, &NgrcConfig::default()).unwrap();
    let sha = Shared::default();
    let start = || ngrc.init_state(1, ON);

    let (_, warm) = predict(&ngrc, &sha, &stretch(0, 100), start(), &mut Tap::none()).unwrap();
    let fit = |state| Ridge::default().fit(&ngrc, &sha, &stretch(100, 200), &stretch(101, 201), state).unwrap().1;
    let trained = fit(warm.share());
    let weights = params.get("o.weight").unwrap().copy();
    let (carried, _) = predict(&ngrc, &sha, &stretch(200, 300), trained, &mut Tap::none()).unwrap();
    let (whole, _) = predict(&ngrc, &sha, &series, start(), &mut Tap::none()).unwrap();
    assert_close("carried history", &carried, &whole.narrow(1, 200, 100), 1e-14);

    // Both differ from a cold start, in the features of the first 15 steps and through them in the weights.
    let (cold, _) = predict(&ngrc, &sha, &stretch(200, 300), start(), &mut Tap::none()).unwrap();
    let differs = |from, to| (&cold - &carried).narrow(1, from, to - from).abs().max().double_value(&[]);
    assert!(differs(0, 15) > 1.0 && differs(15, 100) < 1e-9, "{} {}", differs(0, 15), differs(15, 100));
    fit(start());
    assert!(!weights.allclose(params.get("o.weight").unwrap(), 1e-6, 0.0, false));
}
