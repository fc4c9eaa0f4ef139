//! Ridge regression against independent formulas, on models of a user's own, and on input that cannot be.

use bd_core::testing::assert_close;
use bd_core::{Chain, Error, Params, Rng, Shared, System, Tap, state};
use bd_models::{Linear, LinearConfig, Ngrc, NgrcConfig, NvarConfig, Target};
use bd_train::{Ridge, RidgeFactor, Solver, free_run, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const SOLVERS: [Solver; 3] = [Solver::Qr, Solver::Svd, Solver::GramPinv];

fn normal(name: &str, shape: &[i64]) -> Tensor {
    Rng::new(11, name).tensor(shape, ON, Rng::normal)
}

fn factor(x: &Tensor, y: &Tensor, intercept: bool) -> RidgeFactor {
    let mut factor = RidgeFactor::new(x.size()[1], y.size()[1], intercept, Device::Cpu);
    factor.update(x, y).unwrap();
    factor
}

/// A free intercept is the same as taking the means off features and targets first.
#[test]
fn a_free_intercept_is_centring() {
    let (x, y) = (normal("x", &[60, 4]) + 3.0, normal("y", &[60, 2]) - 7.0);
    let mean = |t: &Tensor| t.mean_dim(0, true, Kind::Double);
    let (x0, y0) = (&x - mean(&x), &y - mean(&y));
    for solver in SOLVERS {
        for alpha in [0.0, 0.5, 50.0] {
            let ridge = Ridge { alpha, solver, penalise_intercept: false, ..Ridge::default() };
            let found = factor(&x, &y, true).solve(&ridge).unwrap();
            let gram = x0.transpose(0, 1).matmul(&x0) + Tensor::eye(4, ON) * alpha;
            let weight = Tensor::linalg_solve(&gram, &x0.transpose(0, 1).matmul(&y0), true);
            let bias = (mean(&y) - mean(&x).matmul(&weight)).squeeze_dim(0);
            assert_close("weight", &found.weight, &weight, 1e-12);
            assert_close("bias", &found.bias.unwrap(), &bias, 1e-12);
            assert_eq!(found.rank, 5);
        }
    }
}

/// At the minimum the gradient of `|A W - Y|^2 + alpha |W|^2` is zero: `A'(A W - Y) + alpha W = 0`.
#[test]
fn every_alpha_from_one_factorisation_is_a_minimum() {
    let (x, y) = (normal("x", &[40, 6]), normal("y", &[40, 3]));
    let factor = factor(&x, &y, false);
    for solver in SOLVERS {
        for alpha in [1e-9, 1e-3, 1.0, 1e3] {
            let w = factor.solve(&Ridge { alpha, solver, ..Ridge::default() }).unwrap().weight;
            let gradient = x.transpose(0, 1).matmul(&(x.matmul(&w) - &y)) + &w * alpha;
            let size = gradient.abs().max().double_value(&[]);
            assert!(size < 1e-11, "{solver:?}, alpha {alpha}: gradient {size:.1e}");
        }
    }
}

/// Singular values of a matrix that was made from them.
#[test]
fn the_condition_number() {
    let (u, _) = Tensor::linalg_qr(&normal("u", &[30, 3]), "reduced");
    let (v, _) = Tensor::linalg_qr(&normal("v", &[3, 3]), "reduced");
    let x = u.matmul(&Tensor::from_slice(&[1e4, 5.0, 1e-3]).diag(0)).matmul(&v);
    let factor = factor(&x, &normal("y", &[30, 1]), false);
    let ridge = Ridge { alpha: 1e-4, ..Ridge::default() };
    let report = factor.report(&ridge, &factor.solve(&ridge).unwrap()).unwrap();
    assert!((report.condition_number / 1e7 - 1.0).abs() < 1e-8, "{}", report.condition_number);
    let regularised = 1e4 / (1e-6f64 + 1e-4).sqrt();
    assert!((report.regularised_condition_number / regularised - 1.0).abs() < 1e-8);
}

#[test]
fn dependent_features_are_refused_or_get_the_smallest_solution() {
    let one = normal("x", &[20, 1]);
    let (x, y) = (Tensor::cat(&[&one, &one], 1), &one * 6.0);
    let factor = factor(&x, &y, false);
    let solve = |solver, alpha| factor.solve(&Ridge { alpha, solver, ..Ridge::default() });
    let error = solve(Solver::Qr, 0.0).unwrap_err().to_string();
    assert!(error.contains("of 2 columns of the design matrix only 1 are independent"), "{error}");
    let smallest = Tensor::from_slice(&[3.0f64, 3.0]).unsqueeze(1);
    for (solver, alpha) in [(Solver::Svd, 0.0), (Solver::GramPinv, 0.0), (Solver::Qr, 1e-9), (Solver::Svd, 1e-9)] {
        assert_close("weight", &solve(solver, alpha).unwrap().weight, &smallest, 1e-8);
    }
    assert_eq!(solve(Solver::Svd, 0.0).unwrap().rank, 1);
}

/// Columns that depend on others do so at any scale, in any number of chunks, and whatever alpha below round-off.
#[test]
fn rank_is_told_at_every_scale() {
    let (a, b) = (normal("a", &[3000, 1]), normal("b", &[3000, 1]));
    let factor_of = |x: &Tensor, rows: i64| {
        let y = &a + &b;
        let mut factor = RidgeFactor::new(x.size()[1], 1, true, Device::Cpu);
        for (x, y) in x.split(rows, 0).iter().zip(y.split(rows, 0)) {
            factor.update(x, &y).unwrap();
        }
        factor
    };
    for rows in [3000, 100] {
        for scale in [1e-9, 1.0, 1e9] {
            for x in [Tensor::cat(&[&a, &(&a * 3.0)], 1), Tensor::cat(&[&a, &b, &(&a + &b * 0.1)], 1)] {
                let factor = factor_of(&(x * scale), rows);
                for alpha in [0.0, 1e-300] {
                    let error = factor.solve(&Ridge { alpha, ..Ridge::default() }).unwrap_err().to_string();
                    assert!(error.contains("are independent"), "{error}");
                }
            }
            // Independent columns of very different size are no problem of rank: y = a + b is found exactly.
            let factor = factor_of(&Tensor::cat(&[&a, &(&b * scale)], 1), rows);
            let solution = factor.solve(&Ridge { alpha: 0.0, ..Ridge::default() }).unwrap();
            let expected = Tensor::from_slice(&[1.0, 1.0 / scale]);
            let ratio = solution.weight.squeeze_dim(1) / expected;
            assert_close("weights over the true ones", &ratio, &ratio.ones_like(), 1e-12);
            assert_eq!(solution.rank, 3);
        }
    }
}

/// Directions that are round-off are dropped by `svd`, not amplified.
#[test]
fn svd_does_not_invert_round_off() {
    let (a, b) = (normal("a", &[500, 1]), normal("b", &[500, 1]));
    let (x, y) = (Tensor::cat(&[&a, &b, &(&a + &b)], 1) * 1e7, &a - &b);
    let factor = factor(&x, &y, false);
    let solution = factor.solve(&Ridge { alpha: 1e-6, solver: Solver::Svd, ..Ridge::default() }).unwrap();
    assert_eq!(solution.rank, 2);
    assert_close("fit", &x.matmul(&solution.weight), &y, 1e-9);
}

#[test]
fn one_sample_with_a_free_intercept_is_its_own_mean() {
    let factor = factor(&normal("x", &[1, 3]), &Tensor::from_slice(&[5.0]).unsqueeze(1), true);
    for solver in SOLVERS {
        let ridge = Ridge { solver, penalise_intercept: false, ..Ridge::default() };
        let solution = factor.solve(&ridge).unwrap();
        assert_eq!(solution.weight.abs().max().double_value(&[]), 0.0);
        assert!((solution.bias.unwrap().double_value(&[0]) - 5.0).abs() < 1e-14);
    }
}

/// A factor is numbers and no graph, whatever the features hang on.
#[test]
fn the_factor_keeps_no_graph() {
    let x = normal("x", &[20, 2]).set_requires_grad(true);
    let factor = factor(&(&x * 2.0), &normal("y", &[20, 1]), true);
    assert!(!factor.solve(&Ridge::default()).unwrap().weight.requires_grad());
}

/// More features than samples: with a penalty there is one solution, `X' (X X' + alpha)^-1 Y`.
#[test]
fn fewer_samples_than_features() {
    let (x, y) = (normal("x", &[3, 8]), normal("y", &[3, 2]));
    let factor = factor(&x, &y, false);
    let gram = x.matmul(&x.transpose(0, 1)) + Tensor::eye(3, ON) * 0.1;
    let expected = x.transpose(0, 1).matmul(&Tensor::linalg_solve(&gram, &y, true));
    for solver in SOLVERS {
        let found = factor.solve(&Ridge { alpha: 0.1, solver, ..Ridge::default() }).unwrap();
        assert_close(&format!("{solver:?}"), &found.weight, &expected, 1e-12);
    }
    assert_eq!(factor.singular_values().unwrap().len(), 8);
}

state! {
    struct Trace { v: Tensor }
}

/// A user's own system: two leaky traces of its input.
#[derive(Debug)]
struct Traces;

impl System for Traces {
    type State = Trace;

    fn n_in(&self) -> i64 {
        1
    }

    fn n_out(&self) -> i64 {
        2
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Trace {
        Trace { v: Tensor::zeros([batch, 2], on) }
    }

    fn step(&self, _: &Shared, x: &Tensor, s: &Trace) -> (Tensor, Trace) {
        let v = &s.v * Tensor::from_slice(&[0.9, 0.5]).to_kind(x.kind()) + x;
        (v.shallow_clone(), Trace { v })
    }
}

fn own_model(params: &mut Params) -> Chain<Traces, Linear> {
    let readout = Linear::new(&mut params.at("o"), 2, 1, &LinearConfig::default()).unwrap();
    Chain::new(("r", Traces), ("o", readout)).unwrap()
}

/// Targets that are a known readout of a user's own system, over several sequences and in chunks: found again.
#[test]
fn any_model_with_a_linear_readout_can_be_fitted() {
    for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 1e-5)] {
        let on = (kind, Device::Cpu);
        let mut params = Params::new(0, on);
        let model = own_model(&mut params);
        let x = normal("x", &[3, 50, 1]).to_kind(kind);
        let start = || model.init_state(3, on);
        let truth = vec![
            ("o.weight".to_owned(), Tensor::from_slice(&[0.7, -1.3]).unsqueeze(1).to_kind(kind)),
            ("o.bias".to_owned(), Tensor::from_slice(&[0.25]).to_kind(kind)),
        ];
        params.load(&truth).unwrap();
        let (y, _) = predict(&model, &Shared::default(), &x, start(), &mut Tap::none()).unwrap();
        params.load(&truth.iter().map(|(name, t)| (name.clone(), t.zeros_like())).collect::<Vec<_>>()).unwrap();
        let ridge = Ridge { alpha: 1e-12, chunk_rows: 7, ..Ridge::default() };
        let (report, _) = ridge.fit(&model, &Shared::default(), &x, &y, start()).unwrap();
        assert_eq!((report.rows, report.features), (150, 2));
        for (name, value) in &truth {
            assert_close(name, params.get(name).unwrap(), value, tolerance);
        }
    }
}

/// What a model adds to its readout is taken from the targets, in a chain, too: increments of 2 are learned as 2.
#[test]
fn increments_are_fitted_as_increments() {
    let mut params = Params::new(0, ON);
    let nvar = NvarConfig { delay: 2, stride: 1, order: vec![1], constant: false };
    let config = NgrcConfig { nvar, target: Target::Increment, scale: false };
    let ngrc = Ngrc::new(&mut params, 1, 2, &config).unwrap();
    let identity = Linear::new(&mut params.at("i"), 1, 1, &LinearConfig::default()).unwrap();
    let model = Chain::new(("i", identity), ("r", ngrc)).unwrap();
    let _ = tch::no_grad(|| params.get("i.weight").unwrap().shallow_clone().fill_(1.0));
    let x = Tensor::arange(20, ON).reshape([1, 20, 1]) * 2.0;
    let y = Tensor::cat(&[&x + 2.0, &x + 6.0], 2);
    let ridge = Ridge { alpha: 1e3, penalise_intercept: false, ..Ridge::default() };
    ridge.fit(&model, &Shared::default(), &x, &y, model.init_state(1, ON)).unwrap();
    // Increments are the same everywhere, so that the intercept says all, and a penalty on the weights takes nothing away.
    assert_close("bias", params.get("o.bias").unwrap(), &Tensor::from_slice(&[2.0, 6.0]), 1e-10);
    assert!(params.get("o.weight").unwrap().abs().max().double_value(&[]) < 1e-10);
    let (found, _) = predict(&model, &Shared::default(), &x, model.init_state(1, ON), &mut Tap::none()).unwrap();
    assert_close("forecast", &found, &y, 1e-10);
}

/// Two stretches one after the other, with the state carried, are one.
#[test]
fn a_factor_can_be_extended() {
    let mut params = Params::new(0, ON);
    let model = own_model(&mut params);
    let (sha, ridge) = (Shared::default(), Ridge { alpha: 0.1, ..Ridge::default() });
    let (x, y) = (normal("x", &[1, 60, 1]), normal("y", &[1, 60, 1]));
    let part = |t: &Tensor, from: i64, length: i64| t.narrow(1, from, length);
    let whole = ridge.factor(&model, &sha, &x, &y, model.init_state(1, ON)).unwrap().0.solve(&ridge).unwrap();
    let start = model.init_state(1, ON);
    let (mut factor, state) = ridge.factor(&model, &sha, &part(&x, 0, 40), &part(&y, 0, 40), start).unwrap();
    ridge.extend(&mut factor, &model, &sha.ahead(40), &part(&x, 40, 20), &part(&y, 40, 20), state).unwrap();
    assert_close("weight", &factor.solve(&ridge).unwrap().weight, &whole.weight, 1e-12);
}

/// More weights than samples: by the rows' space what the normal equations say, and the penalty alone decides.
#[test]
fn many_features_and_few_samples() {
    let (x, y) = (normal("x", &[7, 40]), normal("y", &[7, 2]));
    let mut factor = RidgeFactor::new(40, 2, true, Device::Cpu);
    factor.update(&x, &y).unwrap();
    let a = Tensor::cat(&[Tensor::ones([7, 1], ON), x.shallow_clone()], 1);
    for alpha in [1e-6, 0.3, 100.0] {
        let gram = a.transpose(0, 1).matmul(&a) + Tensor::eye(41, ON) * alpha;
        let expected = Tensor::linalg_solve(&gram, &a.transpose(0, 1).matmul(&y), true);
        let found = factor.solve(&Ridge { alpha, ..Ridge::default() }).unwrap();
        assert_close("weight", &found.weight, &expected.narrow(0, 1, 40), if alpha < 1e-3 { 1e-6 } else { 1e-11 });
        assert_eq!(found.rank, 41);
        let by_svd = factor.solve(&Ridge { alpha, solver: Solver::Svd, ..Ridge::default() }).unwrap();
        assert_close("by svd", &found.weight, &by_svd.weight, 1e-11);
    }
    let error = factor.solve(&Ridge { alpha: 0.0, ..Ridge::default() }).unwrap_err().to_string();
    assert!(error.contains("only 7 are independent"), "{error}");
}

#[test]
fn the_best_of_several_penalties_is_chosen() {
    let mut params = Params::new(0, ON);
    let model = own_model(&mut params);
    let (x, y) = (normal("x", &[1, 60, 1]), normal("y", &[1, 60, 1]));
    let ridge = Ridge::default();
    let (factor, _) = ridge.factor(&model, &Shared::default(), &x, &y, model.init_state(1, ON)).unwrap();
    let weight = |alpha: f64| factor.solve(&Ridge { alpha, ..ridge.clone() }).unwrap().weight;
    let norm = |t: &Tensor| t.norm().double_value(&[]);
    let now = |_: &Chain<Traces, Linear>| params.get("o.weight").unwrap().norm().double_value(&[]);
    let alphas = [1e3, 1.0, 1e-3, 1e2];
    // The smaller the penalty, the greater the weights.
    let (best, scores) = factor.choose(&ridge, &alphas, &model, |model| Ok(now(model))).unwrap();
    assert_eq!((best, scores.len()), (1e-3, 4));
    assert!((now(&model) - norm(&weight(1e-3))).abs() < 1e-15, "the weights of the best are left in the model");
    let (best, _) = factor.choose(&ridge, &alphas, &model, |model| Ok(-now(model))).unwrap();
    assert_eq!(best, 1e3);
    let (best, _) = factor.choose(&ridge, &alphas, &model, |_| Ok(0.0)).unwrap();
    assert_eq!(best, 1e3, "of equal ones the greatest penalty");
    let error = factor.choose(&ridge, &alphas, &model, |_| Ok(f64::NAN)).unwrap_err().to_string();
    assert!(error.contains("none of the penalties"), "{error}");
}

/// Free running is teacher forcing with the model's own outputs.
#[test]
fn a_free_run_feeds_itself() {
    let mut params = Params::new(0, ON);
    let model = own_model(&mut params);
    let sha = Shared::default();
    let first = normal("first", &[2, 1]);
    let (ys, end) = free_run(&model, &sha, &first, model.init_state(2, ON), 10).unwrap();
    assert_eq!(ys.size(), [2, 10, 1]);
    let inputs = Tensor::cat(&[first.unsqueeze(1), ys.narrow(1, 0, 9)], 1);
    let (forced, forced_end) = predict(&model, &sha, &inputs, model.init_state(2, ON), &mut Tap::none()).unwrap();
    assert_close("outputs", &ys, &forced, 1e-13);
    assert_close("state", &end.first.v, &forced_end.first.v, 1e-13);
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let mut params = Params::new(0, ON);
    let model = own_model(&mut params);
    let start = || model.init_state(2, ON);
    let (sha, ridge) = (Shared::default(), Ridge::default());
    let x = || normal("x", &[2, 5, 1]);
    let fit = |ridge: &Ridge, x: Tensor, y: Tensor| ridge.fit(&model, &sha, &x, &y, start()).unwrap_err().to_string();
    let with = |value: f64| {
        let t = x();
        let _ = t.get(1).get(3).fill_(value);
        t
    };
    let wrong = |alpha| Ridge { alpha, ..Ridge::default() };
    for (error, words) in [
        (fit(&ridge, x(), normal("y", &[2, 4, 1])), "targets: expected [2, 5, 1]"),
        (fit(&ridge, normal("x", &[2, 5, 3]), x()), "inputs: expected [batch, time, 1]"),
        (fit(&ridge, normal("x", &[2, 0, 1]), normal("y", &[2, 0, 1])), "at least one sequence and one step"),
        (fit(&ridge, x(), with(f64::NAN)), "a target is not finite: sample 7, column 0"),
        (fit(&ridge, with(f64::INFINITY), x()), "an input is not finite: inf at [1, 3, 0], counted from 0"),
        (fit(&wrong(-1.0), x(), x()), "ridge.alpha is -1"),
        (fit(&wrong(f64::NAN), x(), x()), "ridge.alpha is NaN"),
    ] {
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    let single = predict(&model, &sha, &x().to_kind(Kind::Float), start(), &mut Tap::none()).unwrap_err().to_string();
    assert_eq!(single, "inputs: expected float64 on cpu, as the model's parameters are, got float32 on cpu");
    let mut factor = RidgeFactor::new(3, 1, true, Device::Cpu);
    for (features, targets) in [(vec![50, 5], vec![50, 1]), (vec![50, 3], vec![49, 1]), (vec![50, 3], vec![50])] {
        let error = factor.update(&normal("x", &features), &normal("y", &targets)).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    let wrong_batch = predict(&model, &sha, &normal("x", &[3, 5, 1]), start(), &mut Tap::none());
    let words = "the state given to a model of 3 sequences in float64 does not fit:\n  r.v: expected [3, 2] float64, got [2, 2] float64";
    assert_eq!(wrong_batch.unwrap_err().to_string(), words);
}
