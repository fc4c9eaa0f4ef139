//! Losses, parameters, batches and optimisers of a training.

use std::ops::ControlFlow;

use bd_core::Params;
use bd_models::{Linear, LinearConfig};
use bd_train::optim::{Current, Next, Rule, UpdateRule};
use bd_train::{EachStep, Loss, OfSequence, Optimizer, OverTime, Penalty, Schedule, WithRecords};

use super::*;

const GO_ON: Result<ControlFlow<()>> = Ok(ControlFlow::Continue(()));
const OUTSIDE: &str = "the loss does not depend on any of the parameters";

/// Each of these ended the process.
#[test]
fn losses_outside_the_graph() {
    let (params, gru) = gru();
    let update = |loss: &dyn Fn(&Tensor, &Tensor) -> Tensor| bptt(&gru, &params, loss)?.update(&examples()).map(drop);
    refused(OUTSIDE, || update(&|y, t| (y.detach() - t).square().mean(Kind::Float)));
    refused(OUTSIDE, || update(&|_, t| t.square().mean(Kind::Float)));
    refused(OUTSIDE, || update(&|y, _| y.argmax(-1, false).to_kind(Kind::Float).mean(Kind::Float)));
    refused(OUTSIDE, || update(&|y, _| tch::no_grad(|| y.mean(Kind::Float))));
    refused(OUTSIDE, || update(&|_, _| Tensor::from(1.0f32)));
    // In the graph of something else.
    let own = Tensor::ones([], ON).set_requires_grad(true);
    refused("were they made together with the model?", || update(&|_, _| &own * 2.0));
    // On a device, and of several batches.
    let detached = |y: &Tensor, _: &Tensor| y.detach().mean(Kind::Float);
    refused(OUTSIDE, || bptt(&gru, &params, detached)?.as_on_a_device().update(&examples()));
    refused(OUTSIDE, || {
        bptt(&gru, &params, EachStep(detached))?.accumulate(2)?.truncate(2)?.fit(1, |_| examples_twice(), |_, _| GO_ON)
    });
    let term = |_: &bd_train::Records, _: Option<&Tensor>| Tensor::from(1.0f32);
    refused("no state is called r.v; there are: r.h", || {
        bptt(&gru, &params, WithRecords::new(Loss::Mse, ["r.v"], term))
    });
}

fn examples_twice() -> [Result<Examples>; 2] {
    [Ok(examples()), Ok(examples())]
}

#[test]
fn losses_that_are_no_number() {
    let (params, gru) = gru();
    let each = |y: &Tensor, t: &Tensor| (y - t).square();
    refused("the loss: expected one number, got [4, 6, 3]", || bptt(&gru, &params, each)?.update(&examples()));
    refused("the loss: expected one number", || bptt(&gru, &params, each)?.evaluate([Ok(examples())]));
    let undefined = |_: &Tensor, _: &Tensor| Tensor::new();
    refused("the loss is an undefined tensor", || bptt(&gru, &params, undefined)?.update(&examples()));
    let lengths = examples().with_lengths(&Tensor::from_slice(&[6i64, 5, 4, 3])).unwrap();
    let mean = |y: &Tensor, _: &Tensor| y.mean(Kind::Float);
    refused("a closure of outputs and targets does not see them", || bptt(&gru, &params, mean)?.update(&lengths));
}

/// A control loop that holds a guard, and trains all the same: the same weights as without, and the guard holds afterwards.
#[test]
fn under_the_callers_guard() {
    let train = |guarded: bool| {
        let _guard = guarded.then(tch::no_grad_guard);
        let (params, gru) = gru();
        bptt(&gru, &params, Loss::Mse).unwrap().fit(3, |_| [Ok(examples())], |_, _| GO_ON).unwrap();
        assert_eq!((params.get("o.weight").unwrap() * 2.0).requires_grad(), !guarded);
        params.named()
    };
    let (with, without) = (train(true), train(false));
    assert!(with.iter().zip(&without).all(|((_, a), (_, b))| a.equal(b)));
    // Also where a loss panics, which is its own affair.
    let (params, gru) = gru();
    let _guard = tch::no_grad_guard();
    let panicking = |_: &Tensor, _: &Tensor| -> Tensor { panic!("a bug of the loss") };
    let ended = panic::catch_unwind(AssertUnwindSafe(|| bptt(&gru, &params, panicking).unwrap().update(&examples())));
    assert!(ended.is_err() && !(params.get("o.weight").unwrap() * 2.0).requires_grad());
}

#[test]
fn parameters_of_another_model() {
    let ((params, net), (others, _other)) = (gru(), gru());
    let words =
        "(r.input_weight, r.recurrent_weight, r.bias, r.initial_state, o.weight, o.bias); were they made together";
    let before = others.named().into_iter().map(|(_, t)| t.detach().copy()).collect::<Vec<_>>();
    refused(words, || bptt(&net, &others, Loss::Mse)?.update(&examples()));
    assert!(others.named().iter().zip(&before).all(|((_, t), before)| t.equal(before)));
    let mut fixed = Params::new(0, ON);
    let _ = fixed.at("r").fixed("w", |_| Tensor::ones([1], F64)).unwrap();
    refused("there is no trainable parameter", || bptt(&net, &fixed, Loss::Mse));
    let none = Params::new(0, ON);
    refused("there is no trainable parameter", || bptt(&net, &none, Loss::Mse));
    let mut double = Params::new(0, F64);
    let _ = Linear::new(&mut double.at("o"), 3, 3, &LinearConfig::default()).unwrap();
    refused("the model: expected float64", || bptt(&net, &double, Loss::Mse));
    let optimizer = || Optimizer::new(&OptimConfig::default(), &others).unwrap();
    refused("of another model", || Bptt::with_optimizer(&net, &params, Loss::Mse, optimizer(), sha()));
    refused("o.weight is missing", || {
        let optimizer = Optimizer::new(&OptimConfig::default(), &snn().0)?;
        Bptt::with_optimizer(&net, &params, Loss::Mse, optimizer, sha())
    });
}

#[test]
fn batches() {
    let (params, gru) = gru();
    let new = || bptt(&gru, &params, Loss::Mse).unwrap();
    refused("an epoch has no batch", || new().fit(3, |_| [], |_, _| GO_ON));
    refused("an epoch has no batch", || new().epoch([], |_, _| GO_ON));
    let mut all = examples_twice().into_iter();
    refused("an epoch has no batch", || new().fit(3, |_| all.next(), |_, _| GO_ON));
    refused("no batch was given", || new().evaluate([]));
    refused("there is no update to look at", || new().look());
    let narrow = || Examples::new(Inputs::batch_first(&normal(&[4, 6, 2], ON)).unwrap(), x());
    refused("expected [batch, time, 3]", || new().update(&narrow()?));
    let double = || Examples::new(Inputs::batch_first(&normal(&[4, 6, 3], F64)).unwrap(), x());
    refused("inputs: expected float32 on cpu, as the parameters are", || new().update(&double()?));
    refused("expected float32 on cpu", || new().evaluate([double()]));
    refused("a file that ends", || {
        new().fit(1, |_| [Err(bd_core::Error::Config("a file that ends".into()))], |_, _| GO_ON)
    });
    refused("stop", || new().fit(1, |_| [Ok(examples())], |_, _| Err(bd_core::Error::Config("stop".into()))));
}

#[test]
fn settings() {
    let (params, gru) = gru();
    let new = || bptt(&gru, &params, Loss::Mse).unwrap();
    for norm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(&format!("clip is {norm}; it must be a number above 0"), || new().clip(norm));
    }
    refused("accumulate is 0", || new().accumulate(0));
    refused("truncate is 0", || new().truncate(0));
    refused("penalty.l1 is -1", || new().penalty(Penalty { l1: -1.0, l2: 0.0 }));
    refused("penalty.l2 is NaN", || new().penalty(Penalty { l1: 0.0, l2: f64::NAN }));
    let of_sequence = OfSequence { loss: Loss::Mse, over: OverTime::Last };
    refused("needs all steps of a sequence", || bptt(&gru, &params, of_sequence)?.truncate(2));
    let with = |config: OptimConfig| Optimizer::new(&config, &params).map(drop);
    for lr in [0.0, -1.0, f64::NAN] {
        refused(&format!("lr is {lr}"), || with(OptimConfig { lr, ..OptimConfig::default() }));
    }
    let rule = Rule::Momentum { momentum: 1.0 };
    refused("momentum is 1", || with(OptimConfig { rule, ..OptimConfig::default() }));
    let schedule = Schedule::Cosine { steps: 0, floor: 0.0 };
    refused("cosine.steps is 0", || with(OptimConfig { schedule, ..OptimConfig::default() }));
}

#[test]
fn gradients_for_an_optimizer() {
    let (params, _net) = gru();
    let given = || params.trainable().into_iter().map(|(_, t)| t.zeros_like()).collect::<Vec<_>>();
    let with = |change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut gradients = given();
        change(&mut gradients);
        Optimizer::new(&OptimConfig::default(), &params)?.update(&gradients)
    };
    refused("there are 5 gradients for 6 parameters", || with(&|all| drop(all.pop())));
    refused("there are 0 gradients", || with(&|all| all.clear()));
    refused("the gradient of o.bias: expected [3], as the parameter", || with(&|all| all[5] = Tensor::zeros([1], ON)));
    refused("the gradient of o.bias: expected float32", || with(&|all| all[5] = Tensor::zeros([3], F64)));
    refused("the gradient of o.bias is an undefined tensor", || with(&|all| all[5] = Tensor::new()));
    refused("o.bias", || with(&|all| all[5] = Tensor::full([3], f64::NAN, ON)));
}

/// An update rule that answers with what it was made with.
#[derive(Debug)]
struct Wrong(fn(&Current) -> Next, usize);

impl UpdateRule for Wrong {
    fn slots(&self) -> Vec<String> {
        vec!["m".into()]
    }

    fn next(&self, _step: u64, _lr: f64, params: &[Current]) -> Result<Vec<Next>> {
        Ok(params.iter().skip(self.1).map(self.0).collect())
    }
}

#[test]
fn update_rules() {
    let (params, gru) = gru();
    let update = |next: fn(&Current) -> Next, left_out: usize| {
        let optimizer = Optimizer::with_rule(Wrong(next, left_out), 0.1, &Schedule::Constant, &params)?;
        Bptt::with_optimizer(&gru, &params, Loss::Mse, optimizer, sha())?.update(&examples()).map(drop)
    };
    let before = params.named().into_iter().map(|(_, t)| t.detach().copy()).collect::<Vec<_>>();
    let good = |at: &Current| Next { value: at.value + 1.0, slots: vec![&at.slots[0] + 1.0] };
    refused("the update rule gave 5 values for 6 parameters", || update(good, 1));
    refused("gave 0 slots for r.input_weight, of 1", || update(|at| Next { value: at.value + 1.0, slots: vec![] }, 0));
    refused("as the parameter, got []", || {
        update(|at| Next { value: at.value.sum(Kind::Float), slots: vec![at.slots[0].copy()] }, 0)
    });
    refused("expected float32", || {
        update(|at| Next { value: at.value.to_kind(Kind::Double), slots: vec![at.slots[0].copy()] }, 0)
    });
    let not_finite = |at: &Current| Next { value: at.value * f64::NAN, slots: vec![at.slots[0].copy()] };
    refused("r.input_weight, as update 1 would make it, is not finite", || update(not_finite, 0));
    refused("r.input_weight.m, as update 1 would make it, is not finite", || {
        update(|at| Next { value: at.value + 1.0, slots: vec![&at.slots[0] / 0.0] }, 0)
    });
    assert!(params.named().iter().zip(&before).all(|((_, t), before)| t.equal(before)), "nothing was changed");
    refused("lr is -1", || Optimizer::with_rule(Wrong(good, 0), -1.0, &Schedule::Constant, &params));
}

#[test]
fn checkpoints_of_something_else() {
    let ((params, gru), (others, snn)) = (gru(), snn());
    let of_snn = bptt(&snn, &others, Loss::CrossEntropy { over: OverTime::Max }).unwrap().checkpoint().unwrap();
    let mut bptt = bptt(&gru, &params, Loss::Mse).unwrap();
    refused("i2r.weight is unknown", || bptt.resume(&of_snn));
    let (mut no_step, mut no_moments) = (bptt.checkpoint().unwrap(), bptt.checkpoint().unwrap());
    no_step.meta = serde_json::json!({});
    no_moments.optim.clear();
    refused("names no step", || bptt.resume(&no_step));
    refused("r.bias.m is missing", || bptt.resume(&no_moments));
}
