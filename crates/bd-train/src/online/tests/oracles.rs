//! Weights in closed form, and gradients.

use bd_core::{Readout, Shared, System};
use tch::{Kind, Tensor};

use super::{ON, apart, drawn, linear};
use crate::Ridge;
use crate::online::{Lms, Online, OnlineRule, Rls};

/// Inputs `[batch, time, 6]` whose scales differ by 10^4, with a mean, and noisy linear targets `[batch, time, 2]`.
fn samples(batch: i64, time: i64) -> [Tensor; 2] {
    let scales = Tensor::from_slice(&[1.0, 100.0, 0.01, 1.0, 3.0, 1.0]);
    let x = (drawn(&[batch, time, 6], "x") + 0.5) * scales;
    let y = x.matmul(&drawn(&[6, 2], "w")) + drawn(&[batch, time, 2], "noise") + 3.0;
    [x, y]
}

fn rls(alpha: f64, forgetting: f64, penalise_intercept: bool) -> OnlineRule {
    OnlineRule::Rls(Rls { alpha, forgetting, penalise_intercept })
}

/// After any number of samples, with a penalised intercept, a free one and none.
#[test]
fn rls_is_ridge_regression() {
    for (bias, penalise_intercept) in [(true, true), (true, false), (false, true)] {
        for (batch, time) in [(1, 3), (1, 500), (4, 125)] {
            let [x, y] = samples(batch, time);
            let mut online = Online::new(linear(6, 2, bias), &rls(0.3, 1.0, penalise_intercept), 1.0, batch).unwrap();
            let _ = online.learn(&x, &y).unwrap();
            let known = linear(6, 2, bias);
            let ridge = Ridge { alpha: 0.3, penalise_intercept, ..Ridge::default() };
            ridge.fit(&known, &Shared::default(), &x, &y, ()).unwrap();
            let (found, known) = (online.model().readout(), known.readout());
            assert!(apart(found.0, known.0) < 1e-8, "{batch} x {time}: {}", apart(found.0, known.0));
            if let (Some(found), Some(known)) = (found.1, known.1) {
                assert!(apart(found, known) < 1e-8, "{batch} x {time}: {}", apart(found, known));
            }
        }
    }
}

/// The normal equations of `sum_i f^(n-i) (y_i - x_i w)^2 + f^n alpha |w - w_0|^2`, solved by libtorch.
#[test]
fn rls_that_forgets_is_weighted_ridge_regression() {
    let (forgetting, alpha, time) = (0.97, 2.0, 200);
    let [x, y] = samples(1, time);
    let rows = Tensor::cat(&[Tensor::ones([time, 1], ON), x.squeeze_dim(0)], 1);
    let ages = Tensor::arange(time, ON).flip([0]);
    let counts = (ages * f64::ln(forgetting)).exp().unsqueeze(1);
    let penalty = alpha * forgetting.powi(time as i32);
    for adapting in [false, true] {
        let model = linear(6, 2, true);
        let begin =
            Tensor::cat(&[model.readout().1.unwrap().unsqueeze(0), model.readout().0.shallow_clone()], 0).copy();
        let rule = rls(alpha, forgetting, true);
        let mut online = match adapting {
            true => Online::adapting(model, &rule, 1.0, 1).unwrap(),
            false => Online::new(model, &rule, 1.0, 1).unwrap(),
        };
        let _ = online.learn(&x, &y).unwrap();
        let gram = rows.tr().matmul(&(&rows * &counts)) + Tensor::eye(7, ON) * penalty;
        let mut right = rows.tr().matmul(&(y.squeeze_dim(0) * &counts));
        if adapting {
            right += begin * penalty;
        }
        let known = Tensor::linalg_solve(&gram, &right, true);
        let (weight, bias) = online.model().readout();
        assert!(apart(weight, &known.narrow(0, 1, 6)) < 1e-8, "{}", apart(weight, &known.narrow(0, 1, 6)));
        assert!(apart(bias.unwrap(), &known.get(0)) < 1e-8);
        assert_eq!(online.learner().unexcited(), 0);
    }
}

/// A step goes along the gradient of half of the squared error of the batch, as libtorch computes it.
#[test]
fn lms_descends_the_gradient() {
    let model = linear(4, 3, true);
    let rule = OnlineRule::Lms(Lms { rate: 0.05, normalised: false });
    let (x, y) = (drawn(&[5, 4], "x"), drawn(&[5, 3], "y"));
    let [weight, bias] =
        [model.readout().0, model.readout().1.unwrap()].map(|t| t.detach().copy().set_requires_grad(true));
    let output = x.matmul(&weight) + &bias;
    let loss = (&output - &y).square().sum(Kind::Double) * 0.5;
    loss.backward();
    let mut online = Online::adapting(model, &rule, 1.0, 5).unwrap();
    let before = online.step(&x, &y).unwrap();
    assert!(apart(&before, &output) < 1e-14);
    let (found_weight, found_bias) = online.model().readout();
    assert!(apart(found_weight, &(&weight - weight.grad() * 0.05)) < 1e-14);
    assert!(apart(found_bias.unwrap(), &(&bias - bias.grad() * 0.05)) < 1e-14);
}

/// One sample and a normalised rate of 1: the error after the step is 0.
#[test]
fn normalised_lms_reaches_its_target() {
    let rule = OnlineRule::Lms(Lms { rate: 1.0, normalised: true });
    let mut online = Online::new(linear(4, 2, true), &rule, 1.0, 1).unwrap();
    for i in 0..3 {
        let (x, y) = (drawn(&[1, 4], &format!("x{i}")) * 1e4, drawn(&[1, 2], &format!("y{i}")));
        let _ = online.step(&x, &y).unwrap();
        let after = online.model().step(&Shared::default(), &x, &()).0;
        assert!(apart(&after, &y) < 1e-12);
    }
    // Features of length 0 teach nothing.
    let mut online = Online::new(linear(4, 2, false), &rule, 1.0, 1).unwrap();
    let x = Tensor::zeros([1, 4], ON);
    assert_eq!(online.step(&x, &drawn(&[1, 2], "y")).unwrap().abs().max().double_value(&[]), 0.0);
    assert_eq!(online.model().readout().0.abs().max().double_value(&[]), 0.0);
}
