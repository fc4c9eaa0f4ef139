//! Back-propagation through time on a small rate network whose initial state is trained: against finite differences, and each way
//! to cut a batch or a sequence against doing it by hand.

use std::ops::ControlFlow;

use bd_core::testing::{assert_close, grad_check};
use bd_core::{Inputs, Params, Rng, Shared, System, Tap, scan_by_step, state};
use bd_train::data::Examples;
use bd_train::optim::Rule;
use bd_train::{Bptt, EachStep, EarlyStopping, Loss, Objective, OptimConfig, OverTime, Penalty, Verdict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// `h' = tanh(x wi + h wh)`, `y = h' wo + t / 10`, from `h = h0`, a parameter. With `noise`, a normal number of the step's key is
/// added to `y`.
#[derive(Debug)]
struct Elman {
    wi: Tensor,
    wh: Tensor,
    wo: Tensor,
    h0: Tensor,
    noise: f64,
}

state! {
    /// Rates.
    struct ElmanState { h: Tensor }
}

impl Elman {
    const SHAPES: [(&'static str, &'static [i64]); 4] =
        [("wi", &[2, 4]), ("wh", &[4, 4]), ("wo", &[4, 3]), ("h0", &[4])];

    fn new(params: &mut Params) -> Self {
        let draw = |shape: &'static [i64]| move |rng: &mut Rng| rng.tensor(shape, ON, |rng| 0.7 * rng.normal());
        Self::of(Self::SHAPES.map(|(name, shape)| params.at("r").param(name, draw(shape)).unwrap()))
    }

    fn of([wi, wh, wo, h0]: [Tensor; 4]) -> Self {
        Self { wi, wh, wo, h0, noise: 0.0 }
    }
}

impl System for Elman {
    type State = ElmanState;

    fn n_in(&self) -> i64 {
        2
    }

    fn n_out(&self) -> i64 {
        3
    }

    fn init_state(&self, batch: i64, _on: (Kind, Device)) -> ElmanState {
        ElmanState { h: self.h0.unsqueeze(0).expand([batch, 4], false) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &ElmanState) -> (Tensor, ElmanState) {
        let h = (x.matmul(&self.wi) + s.h.matmul(&self.wh)).tanh();
        let noise = Rng::new(sha.key, &sha.i.to_string()).normal() * self.noise;
        (h.matmul(&self.wo) + 0.1 * sha.t + noise, ElmanState { h })
    }
}

fn draw(name: &str, shape: &[i64]) -> Tensor {
    Rng::new(3, name).tensor(shape, ON, Rng::normal)
}

/// Five sequences of seven steps.
fn examples() -> Examples {
    Examples::new(Inputs::batch_first(&draw("x", &[5, 7, 2])).unwrap(), draw("y", &[5, 7, 3])).unwrap()
}

fn padded() -> Examples {
    examples().with_lengths(&Tensor::from_slice(&[7i64, 2, 5, 1, 4])).unwrap()
}

fn sgd(lr: f64) -> OptimConfig {
    OptimConfig { lr, rule: Rule::Sgd, ..OptimConfig::default() }
}

fn trained(change: impl Fn(Bptt<'_, Elman, Loss>)) -> Vec<(String, Tensor)> {
    let mut params = Params::new(0, ON);
    let model = Elman::new(&mut params);
    change(Bptt::new(&model, &params, Loss::Mse, &sgd(0.3), Shared::default()).unwrap());
    params.named()
}

#[track_caller]
fn assert_same(found: &[(String, Tensor)], expected: &[(String, Tensor)]) {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_close(name, &found.detach(), &expected.detach(), 1e-13);
    }
}

/// What an update by SGD moves a parameter by is its gradient: of the whole loss, by the initial state too.
#[test]
fn an_update_follows_the_gradient_by_every_parameter() {
    let mut params = Params::new(0, ON);
    let before: Vec<Tensor> = {
        let _ = Elman::new(&mut params);
        params.named().into_iter().map(|(_, tensor)| tensor.detach().copy()).collect()
    };
    let xs = draw("x", &[5, 7, 2]).transpose(0, 1);
    let loss = |v: &[Tensor]| {
        let model = Elman::of([0, 1, 2, 3].map(|i| v[i].shallow_clone()));
        let state = model.init_state(5, ON);
        let ys = scan_by_step(&model, &Shared::default(), &xs, state, &mut Tap::none()).0.transpose(0, 1);
        let squares = v.iter().map(|v| v.square().sum(Kind::Double)).reduce(|a, b| a + b).unwrap();
        (ys - draw("y", &[5, 7, 3])).square().mean(Kind::Double) + squares * 0.01
    };
    grad_check(loss, &before, 1e-8);
    let leaves: Vec<Tensor> = before.iter().map(|t| t.copy().set_requires_grad(true)).collect();
    let gradients = Tensor::run_backward(&[loss(&leaves)], &leaves, false, false);
    let after = trained(|bptt| {
        let mut bptt = bptt.penalty(Penalty { l1: 0.0, l2: 0.01 }).unwrap();
        let found = bptt.update(&examples()).unwrap().loss;
        assert!((found - loss(&before).double_value(&[])).abs() < 1e-14);
    });
    for (((name, after), before), gradient) in after.iter().zip(&before).zip(&gradients) {
        assert!(gradient.abs().max().double_value(&[]) > 1e-3, "{name}");
        assert_close(name, &((before - after.detach()) / 0.3), gradient, 1e-12);
    }
}

/// Batches of two sequences, the last of one, with and without padding.
#[test]
fn accumulated_batches_are_one_batch() {
    for whole in [examples(), padded()] {
        let at_once = trained(|mut bptt| assert!(bptt.update(&whole).unwrap().loss > 0.0));
        let in_parts = trained(|bptt| {
            let mut bptt = bptt.accumulate(3).unwrap();
            let losses = bptt.fit(1, |_| whole.batches(2, None), |_, _| Ok(ControlFlow::Continue(()))).unwrap();
            assert_eq!((losses.len(), bptt.optimizer().step()), (1, 1));
        });
        assert_same(&in_parts, &at_once);
        let _ = trained(|mut bptt| {
            let before = bptt.evaluate(whole.batches(2, None)).unwrap();
            let update = bptt.update(&whole).unwrap();
            assert!((before - update.loss).abs() < 1e-14, "an evaluation is the loss over everything");
        });
    }
}

/// Pieces of three, three and one step: an update each, from the state where the piece before ended.
#[test]
fn truncation_is_an_update_for_each_piece() {
    let found = trained(|bptt| {
        let mut bptt = bptt.truncate(3).unwrap();
        let losses = bptt.fit(1, |_| [Ok(examples())], |_, _| Ok(ControlFlow::Continue(()))).unwrap();
        assert_eq!((losses.len(), bptt.optimizer().step()), (3, 3));
    });
    // By hand.
    let mut params = Params::new(0, ON);
    let model = Elman::new(&mut params);
    let (xs, targets) = (draw("x", &[5, 7, 2]).transpose(0, 1), draw("y", &[5, 7, 3]).transpose(0, 1));
    let mut state = model.init_state(5, ON);
    for (from, len) in [(0, 3), (3, 3), (6, 1)] {
        let (ys, end) = scan_by_step(
            &model,
            &Shared::default().ahead(from as usize),
            &xs.narrow(0, from, len),
            state,
            &mut Tap::none(),
        );
        let loss = (ys - targets.narrow(0, from, len)).square().mean(Kind::Double);
        let tensors: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::run_backward(&[loss], &tensors, false, false);
        let _guard = tch::no_grad_guard();
        for (param, gradient) in tensors.iter().zip(gradients).filter(|(_, gradient)| gradient.defined()) {
            let _ = param.shallow_clone().g_sub_(&(gradient * 0.3));
        }
        state = ElmanState { h: end.h.detach() };
    }
    assert_same(&found, &params.named());
}

/// A piece in which a sequence has ended goes on without it; one in which all have ended is left out.
#[test]
fn padded_sequences_are_cut_too() {
    let lengths = Tensor::from_slice(&[4i64, 2, 5, 1, 4]);
    let cut = |steps: i64| {
        let inputs = Inputs::batch_first(&draw("x", &[5, 7, 2]).narrow(1, 0, steps)).unwrap();
        let targets = draw("y", &[5, 7, 3]).narrow(1, 0, steps).contiguous();
        Examples::new(inputs, targets).unwrap().with_lengths(&lengths).unwrap()
    };
    let updates = |examples: Examples| {
        trained(move |bptt| {
            let mut bptt = bptt.truncate(3).unwrap();
            assert!(bptt.update(&examples).unwrap().loss > 0.0);
            assert_eq!(bptt.optimizer().step(), 2);
        })
    };
    assert_same(&updates(cut(7)), &updates(cut(5)));
    // Nothing but padding.
    let _ = trained(|mut bptt| {
        let error = bptt.update(&cut(7).steps(5, 2).unwrap()).unwrap_err().to_string();
        assert!(error.contains("all of it is padding") && bptt.optimizer().step() == 0, "{error}");
    });
}

#[test]
fn what_needs_whole_sequences_is_not_cut() {
    let mut params = Params::new(0, ON);
    let model = Elman::new(&mut params);
    fn refused<O: Objective>(model: &Elman, params: &Params, objective: O) -> Option<String> {
        let bptt = Bptt::new(model, params, objective, &sgd(0.1), Shared::default()).unwrap();
        bptt.truncate(4).err().map(|error| error.to_string())
    }
    let square = |y: &Tensor, t: &Tensor| (y - t).square().mean(Kind::Double);
    for over in [OverTime::Last, OverTime::Sum] {
        let error = refused(&model, &params, Loss::CrossEntropy { over }).unwrap();
        assert!(error.contains("pieces of 4 steps") && error.contains("all steps"), "{error}");
    }
    assert!(refused(&model, &params, square).is_some());
    assert!(refused(&model, &params, EachStep(square)).is_none());
    assert!(refused(&model, &params, Loss::CrossEntropy { over: OverTime::Every }).is_none());
    // A closure would count padding.
    let mut bptt = Bptt::new(&model, &params, square, &sgd(0.1), Shared::default()).unwrap();
    assert!(bptt.update(&padded()).unwrap_err().to_string().contains("would count padding"));
    assert!(bptt.truncate(0).is_err());
}

/// A label over the maximum or the mean of time is that of each piece by itself: the first piece makes the update that its steps alone
/// would make.
#[test]
fn a_label_of_a_sequence_judges_each_of_its_pieces() {
    let x = Rng::new(3, "x").tensor(&[5, 8, 2], ON, Rng::normal);
    let labels = Tensor::from_slice(&[0i64, 1, 1, 0, 1]);
    let batch = Examples::new(Inputs::batch_first(&x).unwrap(), labels).unwrap();
    for over in [OverTime::Max, OverTime::Mean] {
        let after = |cut: bool| {
            let mut params = Params::new(0, ON);
            let model = Elman::new(&mut params);
            let mut bptt =
                Bptt::new(&model, &params, Loss::CrossEntropy { over }, &sgd(0.1), Shared::default()).unwrap();
            if cut {
                bptt = bptt.truncate(4).unwrap();
                let losses = bptt.fit(1, |_| [Ok(batch.clone())], |_, _| Ok(ControlFlow::Break(()))).unwrap();
                assert_eq!(losses.len(), 1);
            } else {
                bptt.update(&batch.steps(0, 4).unwrap()).unwrap();
            }
            bptt.parameters()
        };
        assert_eq!(after(true), after(false), "{over:?}");
        // Of padding alone there is nothing to judge.
        let mut params = Params::new(0, ON);
        let model = Elman::new(&mut params);
        let loss = Loss::CrossEntropy { over };
        let mut bptt = Bptt::new(&model, &params, loss, &sgd(0.1), Shared::default()).unwrap().truncate(4).unwrap();
        let padded = batch.clone().with_lengths(&Tensor::from_slice(&[2i64, 8, 8, 8, 8])).unwrap();
        assert!(bptt.update(&padded).unwrap_err().to_string().contains("cannot be cut in pieces"));
    }
}

/// Steps that draw random numbers draw others in every update and in every batch of it, and the same in a run like it.
#[test]
fn batches_of_an_update_have_noise_of_their_own() {
    let run = || {
        let mut params = Params::new(0, ON);
        let model = Elman { noise: 1.0, ..Elman::new(&mut params) };
        let mut bptt =
            Bptt::new(&model, &params, Loss::Mse, &sgd(1e-300), Shared::default()).unwrap().accumulate(2).unwrap();
        let mut losses = Vec::new();
        for batches in [1, 2, 2] {
            let batches = || (0..batches).map(|_| Ok(examples()));
            losses.extend(bptt.fit(1, |_| batches(), |_, _| Ok(ControlFlow::Continue(()))).unwrap());
        }
        losses
    };
    let losses = run();
    assert_eq!(losses, run());
    assert!(losses[0] != losses[1] && losses[1] != losses[2]);
    let mut params = Params::new(0, ON);
    let model = Elman { noise: 1.0, ..Elman::new(&mut params) };
    let single = |which: usize| {
        let mut bptt = Bptt::new(&model, &params, Loss::Mse, &sgd(1e-300), Shared::default()).unwrap();
        (0..which).fold(0.0, |_, _| bptt.update(&examples()).unwrap().loss)
    };
    assert_eq!(single(1), losses[0]);
    assert_ne!(single(2), losses[1], "the second batch of an update is not its first again");
}

/// Trains on one set, watches another, and ends with the parameters of the best step.
#[test]
fn the_best_parameters_come_back() {
    let mut params = Params::new(0, ON);
    let model = Elman::new(&mut params);
    let optim = OptimConfig { lr: 0.05, ..OptimConfig::default() };
    let mut bptt = Bptt::new(&model, &params, Loss::Mse, &optim, Shared::default()).unwrap();
    let held_out = || examples().batches(5, None).collect::<Vec<_>>();
    let train = examples().select(&[0]).unwrap();
    let (mut watch, mut best) = (EarlyStopping { patience: 5, min_delta: 0.0 }.watch(), Vec::new());
    let (mut seen, updates) = (Vec::new(), 500);
    let losses = bptt.fit(
        updates,
        |_| [Ok(train.clone())],
        |bptt, step| {
            let loss = bptt.evaluate(held_out())?;
            seen.push(loss);
            match watch.see(step, loss) {
                Verdict::Better => best = bptt.parameters(),
                Verdict::Worse => {}
                Verdict::Stop => return Ok(ControlFlow::Break(())),
            }
            Ok(ControlFlow::Continue(()))
        },
    );
    let (step, loss) = watch.best().unwrap();
    assert_eq!(losses.unwrap().len(), seen.len());
    assert!(seen.len() < updates && step + 5 == seen.len() as u64, "{step} of {}", seen.len());
    assert_ne!(bptt.evaluate(held_out()).unwrap(), loss);
    params.load(&best).unwrap();
    assert_eq!(bptt.evaluate(held_out()).unwrap(), loss);
    assert!(seen.iter().all(|other| *other >= loss));
}

#[test]
fn a_resumed_training_is_an_unbroken_one() {
    let run = |break_at: Option<usize>| {
        let mut params = Params::new(0, ON);
        let model = Elman { noise: 0.1, ..Elman::new(&mut params) };
        let new = || Bptt::new(&model, &params, Loss::Mse, &OptimConfig::default(), Shared::default()).unwrap();
        let mut bptt = new();
        let mut losses = Vec::new();
        for step in 0..6 {
            if break_at == Some(step) {
                let checkpoint = bptt.checkpoint().unwrap();
                params
                    .load(&params.named().into_iter().map(|(name, t)| (name, t.zeros_like())).collect::<Vec<_>>())
                    .unwrap();
                bptt = new();
                bptt.resume(&checkpoint).unwrap();
            }
            losses.push(bptt.update(&examples()).unwrap().loss);
        }
        losses
    };
    assert_eq!(run(Some(3)), run(None));
}

#[test]
fn an_evaluation_needs_data_and_finite_outputs() {
    let mut params = Params::new(0, ON);
    let model = Elman::new(&mut params);
    let bptt = Bptt::new(&model, &params, Loss::Mse, &sgd(0.1), Shared::default()).unwrap();
    assert!(bptt.evaluate([]).unwrap_err().to_string().contains("no batch was given"));
    let infinite = Examples::new(examples().inputs().clone(), examples().targets() * f64::INFINITY).unwrap();
    let error = bptt.evaluate([Ok(infinite)]).unwrap_err().to_string();
    assert!(error.contains("the loss is not finite: it is inf in an evaluation after update 0"), "{error}");
}
