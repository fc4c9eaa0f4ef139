//! Optimisers against BrainPy 2.2.4.0 (tests/data/adam_f64, see its README.md) and against formulas on plain numbers; `Bptt` on
//! a problem whose gradient is known.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Error, Inputs, Params, Shared};
use bd_models::{Linear, LinearConfig};
use bd_train::data::Examples;
use bd_train::optim::{EpsOn, Rule};
use bd_train::{Bptt, Loss, OptimConfig, Optimizer, OverTime, Penalty, Schedule};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn golden(name: &str) -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/{name}.safetensors"));
    load_tensors(&path).unwrap().into_iter().collect()
}

fn adam(eps: f64, eps_on: EpsOn) -> Rule {
    Rule::Adam { beta1: 0.9, beta2: 0.999, eps, eps_on }
}

fn one_param(start: &Tensor) -> Params {
    let mut params = Params::new(0, ON);
    let _ = params.at("p").param("w", |_| start.copy()).unwrap();
    params
}

/// The parameters after each of the given gradients.
fn path(config: &OptimConfig, start: &Tensor, gradients: &Tensor) -> Tensor {
    let params = one_param(start);
    let mut optimizer = Optimizer::new(config, &params).unwrap();
    let after = gradients.unbind(0).into_iter().map(|gradient| {
        optimizer.update(&[gradient]).unwrap();
        params.get("p.w").unwrap().detach().copy()
    });
    Tensor::stack(&after.collect::<Vec<_>>(), 0)
}

/// BrainPy's `MomentumNesterov` is Nesterov's method in the form of Sutskever et al. 2013, moved to the point where the gradient
/// is taken: at a constant rate the same as PyTorch's.
#[test]
fn rules_that_brainpy_has_too() {
    let golden = golden("adam_f64");
    let decay = Schedule::ExponentialDecay { rate: 0.99975, steps: 1.0 };
    for (name, lr, eps, schedule) in
        [("p_lr2e3", 2e-3, 1e-8, Schedule::Constant), ("p_eps01_expdecay", 0.025, 0.1, decay)]
    {
        let config = OptimConfig { lr, schedule, rule: adam(eps, EpsOn::Uncorrected) };
        assert_close(name, &path(&config, &golden["p0"], &golden["grads"]), &golden[name], 1e-14);
    }
    let rules = [Rule::Sgd, Rule::Momentum { momentum: 0.9 }, Rule::Nesterov { momentum: 0.9 }];
    for (rule, name) in rules.into_iter().zip(["p_sgd", "p_momentum", "p_nesterov"]) {
        let config = OptimConfig { lr: 1e-2, rule, ..OptimConfig::default() };
        assert_close(name, &path(&config, &golden["p0"], &golden["grads"]), &golden[name], 1e-14);
    }
}

/// PyTorch's `torch.optim`, as its documentation writes the algorithms down, on plain numbers, with a rate that changes.
#[test]
fn rules_are_their_formulas() {
    let (gradients, decay) = ([0.5f64, -2.0, 0.1, 0.7, -0.3], 0.8f64);
    let check = |rule: Rule, mut next: Box<dyn FnMut(i32, f64, f64, f64) -> f64>| {
        let mut x = 1.5f64;
        let expected: Vec<f64> = (1..)
            .zip(gradients)
            .map(|(t, g)| {
                x = next(t, 0.1 * decay.powi(t - 1), x, g);
                x
            })
            .collect();
        let config = OptimConfig { lr: 0.1, rule, schedule: Schedule::ExponentialDecay { rate: decay, steps: 1.0 } };
        let found = path(&config, &Tensor::from_slice(&[1.5f64]), &Tensor::from_slice(&gradients).reshape([5, 1]));
        assert_close(&format!("{rule:?}"), &found.flatten(0, -1), &Tensor::from_slice(&expected), 1e-14);
    };
    let mut v = 0.0f64;
    check(
        Rule::Momentum { momentum: 0.7 },
        Box::new(move |_, lr, x, g| {
            v = 0.7 * v + g;
            x - lr * v
        }),
    );
    let mut v = 0.0f64;
    check(
        Rule::Nesterov { momentum: 0.7 },
        Box::new(move |_, lr, x, g| {
            v = 0.7 * v + g;
            x - lr * (g + 0.7 * v)
        }),
    );
    let mut v = 0.0f64;
    check(
        Rule::RmsProp { decay: 0.9, eps: 0.2 },
        Box::new(move |_, lr, x, g| {
            v = 0.9 * v + 0.1 * g * g;
            x - lr * g / (v.sqrt() + 0.2)
        }),
    );
    let (mut m, mut v) = (0.0f64, 0.0f64);
    check(
        Rule::AdamW { beta1: 0.8, beta2: 0.95, eps: 0.3, weight_decay: 0.5 },
        Box::new(move |t, lr, mut x, g| {
            x -= lr * 0.5 * x;
            m = 0.8 * m + (1.0 - 0.8) * g;
            v = 0.95 * v + (1.0 - 0.95) * g * g;
            x - lr * (m / (1.0 - 0.8f64.powi(t))) / ((v / (1.0 - 0.95f64.powi(t))).sqrt() + 0.3)
        }),
    );
}

/// On a quadratic bowl, Nesterov's method as Nesterov wrote it (the gradient at the point that momentum leads to) walks through
/// points `y`; the rule holds their look-ahead points.
#[test]
fn nesterov_is_nesterovs() {
    let (lr, momentum, curvature) = (0.1, 0.9, 3.0);
    let params = one_param(&Tensor::from_slice(&[2.0f64]));
    let config = OptimConfig { lr, rule: Rule::Nesterov { momentum }, ..OptimConfig::default() };
    let mut optimizer = Optimizer::new(&config, &params).unwrap();
    let (mut before, mut y) = (2.0, 2.0);
    for _ in 0..20 {
        let ahead = y + momentum * (y - before);
        let here = params.get("p.w").unwrap().double_value(&[0]);
        assert!((here - ahead).abs() < 1e-14, "{here} and not {ahead}");
        (before, y) = (y, ahead - lr * curvature * ahead);
        optimizer.update(&[Tensor::from_slice(&[curvature * here])]).unwrap();
    }
}

#[test]
fn rules_that_cannot_be_are_refused() {
    for (rule, words) in [
        (Rule::Momentum { momentum: 1.0 }, "momentum is 1;"),
        (Rule::Nesterov { momentum: -0.1 }, "momentum is -0.1"),
        (Rule::RmsProp { decay: 0.9, eps: 0.0 }, "rms_prop.eps is 0;"),
        (Rule::AdamW { beta1: 0.9, beta2: 1.0, eps: 1e-8, weight_decay: 0.0 }, "adam_w.beta2 is 1;"),
        (Rule::AdamW { beta1: 0.9, beta2: 0.9, eps: 1e-8, weight_decay: -1.0 }, "weight_decay is -1"),
    ] {
        let error = OptimConfig { rule, ..OptimConfig::default() }.check().unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    Rule::all().into_iter().for_each(|rule| OptimConfig { rule, ..OptimConfig::default() }.check().unwrap());
}

/// The loops write past libtorch, which must learn of it all the same.
#[test]
fn an_older_graph_is_told_that_parameters_were_changed() {
    let params = one_param(&Tensor::from_slice(&[1.0f64]));
    let square = params.get("p.w").unwrap().square().sum(Kind::Double);
    let mut optimizer = Optimizer::new(&OptimConfig::default(), &params).unwrap();
    optimizer.update(&[Tensor::from_slice(&[1.0f64])]).unwrap();
    let error = Tensor::f_run_backward(&[square], &[params.get("p.w").unwrap()], false, false).unwrap_err();
    assert!(error.to_string().contains("modified by an inplace operation"), "{error}");
}

/// A gradient that is the parameter itself, and one that is a view in which one number stands for all.
#[test]
fn gradients_may_be_views() {
    for shared in [true, false] {
        let params = one_param(&Tensor::from_slice(&[1.0f64, -2.0]));
        let mut optimizer =
            Optimizer::new(&OptimConfig { lr: 0.5, rule: Rule::Sgd, ..OptimConfig::default() }, &params).unwrap();
        let param = params.get("p.w").unwrap();
        let gradient = if shared { param.detach() } else { Tensor::from_slice(&[1.0f64]).expand([2], false) };
        optimizer.update(&[gradient]).unwrap();
        let expected = if shared { [0.5, -1.0] } else { [0.5, -2.5] };
        assert_eq!(Vec::<f64>::try_from(param.detach()).unwrap(), expected);
    }
}

/// Kingma and Ba 2015, algorithm 1, on plain numbers.
#[test]
fn adam_in_the_textbooks_form() {
    let (lr, eps, gradients) = (0.1, 0.3, [0.5f64, -2.0, 0.1, 0.7]);
    let (mut x, mut m, mut v) = (1.5f64, 0.0, 0.0);
    let expected: Vec<f64> = gradients
        .iter()
        .enumerate()
        .map(|(i, g)| {
            let t = i as i32 + 1;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            x -= lr * (m / (1.0 - 0.9f64.powi(t))) / ((v / (1.0 - 0.999f64.powi(t))).sqrt() + eps);
            x
        })
        .collect();
    let config = OptimConfig { lr, rule: adam(eps, EpsOn::Corrected), ..OptimConfig::default() };
    let found = path(&config, &Tensor::from_slice(&[1.5f64]), &Tensor::from_slice(&gradients).reshape([4, 1]));
    assert_close("adam", &found.flatten(0, -1), &Tensor::from_slice(&expected), 1e-14);
}

/// Saved after three updates and loaded into a fresh object: the same as without a break, and not the same as a cold start.
#[test]
fn a_saved_optimiser_goes_on() {
    let start = Tensor::from_slice(&[1.0f64, -1.0]);
    let gradients = Tensor::from_slice(&[0.5f64, 1.0, -2.0, 0.3, 0.1, 0.9, 0.4, 0.4]).reshape([4, 2]);
    let config = OptimConfig { lr: 0.1, ..OptimConfig::default() };
    let whole = path(&config, &start, &gradients).get(3);

    let params = one_param(&start);
    let mut optimizer = Optimizer::new(&config, &params).unwrap();
    (0..3).for_each(|i| optimizer.update(&[gradients.get(i)]).unwrap());
    let saved: Vec<_> = optimizer.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
    let after = |load: bool| {
        let params = one_param(&params.get("p.w").unwrap().detach());
        let mut fresh = Optimizer::new(&config, &params).unwrap();
        if load {
            fresh.load(3, &saved).unwrap();
        }
        fresh.update(&[gradients.get(3)]).unwrap();
        params.get("p.w").unwrap().detach()
    };
    assert_eq!(saved.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["p.w.m", "p.w.v"]);
    assert!(after(true).equal(&whole) && !after(false).equal(&whole));

    let sgd = OptimConfig { rule: Rule::Sgd, ..config };
    let error = Optimizer::new(&sgd, &params).unwrap().load(3, &saved).unwrap_err().to_string();
    assert!(error.contains("p.w.m is unknown"), "{error}");
}

/// `y = x w` fitted to `y = 2 x`: the gradient of the mean square error is `2 mean((w - 2) x^2)`.
fn line() -> (Params, Linear, Examples) {
    let mut params = Params::new(0, ON);
    let model =
        Linear::new(&mut params.at("o"), 1, 1, &LinearConfig { bias: false, ..LinearConfig::default() }).unwrap();
    let x = Tensor::from_slice(&[1.0f64, -0.5, 2.0, 0.3, 1.1, -0.7]).reshape([3, 2, 1]);
    let examples = Examples::new(Inputs::batch_first(&x).unwrap(), &x * 2.0).unwrap();
    (params, model, examples)
}

#[test]
fn training_follows_the_gradient_and_penalties_and_clipping_count() {
    let mean_square = (1.0 + 0.25 + 4.0 + 0.09 + 1.21 + 0.49) / 6.0;
    let sgd = OptimConfig { lr: 0.1, rule: Rule::Sgd, ..OptimConfig::default() };
    let closure = |y: &Tensor, t: &Tensor| (y - t).square().mean(Kind::Double);
    for (l2, clip) in [(0.0, None), (0.25, None), (0.0, Some(0.5))] {
        let (params, model, examples) = line();
        let weight = || params.get("o.weight").unwrap().double_value(&[0, 0]);
        let mut bptt = Bptt::new(&model, &params, closure, &sgd, Shared::default()).unwrap();
        bptt = bptt.penalty(Penalty { l1: 0.0, l2 }).unwrap();
        if let Some(norm) = clip {
            bptt = bptt.clip(norm).unwrap();
        }
        for _ in 0..5 {
            let before = weight();
            let gradient = 2.0 * (before - 2.0) * mean_square + 2.0 * l2 * before;
            let update = bptt.update(&examples).unwrap();
            let loss = (before - 2.0).powi(2) * mean_square + l2 * before * before;
            assert!((update.loss - loss).abs() < 1e-14 && (update.gradient_norm - gradient.abs()).abs() < 1e-13);
            let used = clip.map_or(gradient, |norm| gradient.clamp(-norm, norm));
            assert!((weight() - (before - 0.1 * used)).abs() < 1e-14);
        }
    }
}

#[test]
fn fit_sees_every_batch_and_can_be_ended() {
    let (params, model, examples) = line();
    let mut bptt = Bptt::new(&model, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let losses = bptt.fit(2, |_| examples.batches(2, None), |_, _| Ok(ControlFlow::Continue(()))).unwrap();
    assert_eq!((losses.len(), bptt.optimizer().step()), (4, 4));
    let end = |bptt: &Bptt<_, _>, _| {
        Ok(if bptt.optimizer().step() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    assert_eq!(bptt.fit(9, |_| examples.batches(2, None), end).unwrap().len(), 1);
}

/// Nothing that is not finite reaches a parameter.
#[test]
fn what_is_not_finite_stops_before_the_update() {
    let (params, model, examples) = line();
    let before = params.get("o.weight").unwrap().detach().copy();
    let infinite = |y: &Tensor, _: &Tensor| y.sum(Kind::Double) / 0.0;
    let mut bptt = Bptt::new(&model, &params, infinite, &OptimConfig::default(), Shared::default()).unwrap();
    let error = bptt.update(&examples).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }) && error.to_string().contains("at update 1"), "{error}");
    // The loss is 0, its gradient 0 times infinity.
    let kinked = |y: &Tensor, _: &Tensor| (y * 0.0).sqrt().sum(Kind::Double);
    let mut bptt = Bptt::new(&model, &params, kinked, &OptimConfig::default(), Shared::default()).unwrap();
    let error = bptt.update(&examples).unwrap_err().to_string();
    assert!(error.contains("the gradient of o.weight") && error.contains("1 of its 1 numbers"), "{error}");
    assert_eq!((params.get("o.weight").unwrap(), bptt.optimizer().step()), (&before, 0));
}

/// A finite gradient can overflow a parameter, or only a moment of Adam, which would then freeze the parameter in silence.
#[test]
fn an_update_that_would_overflow_changes_nothing() {
    let sgd = OptimConfig { lr: 1e300, rule: Rule::Sgd, ..OptimConfig::default() };
    for (config, gradient, words) in [(sgd, 1e200, "p.w is not finite"), (OptimConfig::default(), 1e200, "v of p.w")] {
        let params = one_param(&Tensor::from_slice(&[1.0f64]));
        let mut optimizer = Optimizer::new(&config, &params).unwrap();
        let error = optimizer.update(&[Tensor::from_slice(&[gradient])]).unwrap_err();
        assert!(matches!(error, Error::NotFinite { .. }) && error.to_string().contains(words), "{error}");
        assert_eq!((params.get("p.w").unwrap().double_value(&[0]), optimizer.step()), (1.0, 0));
        assert!(optimizer.state().iter().all(|(_, slot)| slot.double_value(&[0]) == 0.0));
    }
}

/// Squares of a gradient of 1e30 overflow float32; the gradient does not.
#[test]
fn a_large_gradient_is_finite() {
    let on = (Kind::Float, Device::Cpu);
    let mut params = Params::new(0, on);
    let model =
        Linear::new(&mut params.at("o"), 1, 1, &LinearConfig { bias: false, ..LinearConfig::default() }).unwrap();
    let x = Inputs::batch_first(&Tensor::full([1, 1, 1], 1e30, on)).unwrap();
    let examples = Examples::new(x, Tensor::zeros([1, 1, 1], on)).unwrap();
    let sum = |y: &Tensor, _: &Tensor| y.sum(Kind::Float);
    let sgd = OptimConfig { lr: 1e-30, rule: Rule::Sgd, ..OptimConfig::default() };
    let norm =
        Bptt::new(&model, &params, sum, &sgd, Shared::default()).unwrap().update(&examples).unwrap().gradient_norm;
    assert!((norm / 1e30 - 1.0).abs() < 1e-6, "{norm}");
}

#[test]
fn a_checkpoint_is_not_changed_by_what_comes_after() {
    let (params, model, examples) = line();
    let mut bptt = Bptt::new(&model, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let checkpoint = bptt.checkpoint().unwrap();
    bptt.update(&examples).unwrap();
    assert_ne!(checkpoint.model[0].1, *params.get("o.weight").unwrap());
    assert_eq!(checkpoint.optim[0].1.double_value(&[0, 0]), 0.0);
}

#[test]
fn what_does_not_fit_names_both_sides() {
    let (params, model, examples) = line();
    let labels = Loss::CrossEntropy { over: OverTime::Max };
    let mut bptt = Bptt::new(&model, &params, labels, &OptimConfig::default(), Shared::default()).unwrap();
    assert!(bptt.update(&examples).unwrap_err().to_string().contains("labels are int64"));
    // Targets that libtorch would spread over the outputs, or promote.
    let mut mse = Bptt::new(&model, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
    let flat = Examples::new(examples.inputs().clone(), examples.targets().squeeze_dim(2)).unwrap();
    assert!(mse.update(&flat).unwrap_err().to_string().contains("expected [3, 2, 1], got [3, 2]"));
    let single = Examples::new(examples.inputs().clone(), examples.targets().to_kind(Kind::Float)).unwrap();
    assert!(mse.update(&single).unwrap_err().to_string().contains("expected float64"));
    let wide = Inputs::batch_first(&Tensor::zeros([3, 2, 4], ON)).unwrap();
    let wide = Examples::new(wide, examples.targets().shallow_clone()).unwrap();
    let error = bptt.update(&wide).unwrap_err().to_string();
    assert!(error.contains("[batch, time, 1]") && error.contains("[3, 2, 4]"), "{error}");
    let single = Inputs::batch_first(&Tensor::zeros([3, 2, 1], (Kind::Float, Device::Cpu))).unwrap();
    let single = Examples::new(single, examples.targets().shallow_clone()).unwrap();
    let error = bptt.update(&single).unwrap_err().to_string();
    assert!(error.contains("float64 on cpu") && error.contains("float32 on cpu"), "{error}");
}
