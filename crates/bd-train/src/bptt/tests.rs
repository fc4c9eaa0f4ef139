//! Updates as on a device, against those of the host: the same weights and losses, the same words where something is not finite, and
//! few looks.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use bd_core::gpu::Gpu;
use bd_core::testing::{assert_close, emulated};
use bd_core::{Inputs, Params, Rng, Shared, System, state};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::loss::{EachStep, Loss, OverTime};
use crate::optim::{OptimConfig, Rule};

/// `h' = tanh(x wi + h wh)`, `y = h' wo`, from 0.
#[derive(Debug)]
struct Small([Tensor; 3]);

state! {
    /// Rates.
    struct SmallState { h: Tensor }
}

impl Small {
    fn new(kind: Kind) -> (Params, Self) {
        let mut params = Params::new(0, (kind, Device::Cpu));
        let shapes: [(&str, &[i64]); 3] = [("wi", &[2, 4]), ("wh", &[4, 4]), ("wo", &[4, 3])];
        let tensors = shapes.map(|(name, shape)| {
            let draw = |rng: &mut Rng| rng.tensor(shape, (kind, Device::Cpu), |rng| 0.7 * rng.normal());
            params.at("s").param(name, draw).unwrap()
        });
        (params, Self(tensors))
    }
}

impl System for Small {
    type State = SmallState;

    fn n_in(&self) -> i64 {
        2
    }

    fn n_out(&self) -> i64 {
        3
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> SmallState {
        SmallState { h: Tensor::zeros([batch, 4], on) }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &SmallState) -> (Tensor, SmallState) {
        let h = (x.matmul(&self.0[0]) + s.h.matmul(&self.0[1])).tanh();
        (h.matmul(&self.0[2]), SmallState { h })
    }
}

fn draw(name: &str, shape: &[i64], kind: Kind) -> Tensor {
    Rng::new(3, name).tensor(shape, (kind, Device::Cpu), Rng::normal)
}

/// Five padded sequences of seven steps.
fn examples(kind: Kind) -> Examples {
    let inputs = Inputs::batch_first(&draw("x", &[5, 7, 2], kind)).unwrap();
    let lengths = Tensor::from_slice(&[7i64, 2, 5, 6, 4]);
    Examples::new(inputs, draw("y", &[5, 7, 3], kind)).unwrap().with_lengths(&lengths).unwrap()
}

type Named = Vec<(String, Tensor)>;

/// What a training leaves behind: losses or the words of its error, parameters, and the optimiser with its counter.
struct Left {
    losses: Result<Vec<f64>, String>,
    params: Named,
    optim: Named,
    step: u64,
    looks: u64,
}

/// How updates are made.
#[derive(Debug, Clone, Copy)]
enum Way {
    Host,
    /// As on a device, by operations of libtorch.
    Operations,
    /// As on a device, by kernels of an emulated GPU.
    Kernels,
}

/// As on a device.
const UNWAITED: [Way; 2] = [Way::Operations, Way::Kernels];

/// One for all tests, so that each text is compiled once.
fn gpu() -> &'static Gpu {
    static GPU: LazyLock<Arc<Gpu>> = LazyLock::new(|| emulated(48 << 10, 4));
    &GPU
}

#[derive(Clone, Copy)]
struct Course {
    kind: Kind,
    rule: Rule,
    lr: f64,
    penalty: Penalty,
    clip: Option<f64>,
    accumulate: usize,
    truncate: Option<usize>,
    epochs: usize,
}

impl Default for Course {
    fn default() -> Self {
        let (kind, penalty) = (Kind::Double, Penalty::default());
        Self { kind, rule: Rule::default(), lr: 0.01, penalty, clip: None, accumulate: 1, truncate: None, epochs: 4 }
    }
}

impl Course {
    fn bptt<'a, O: Objective>(&self, model: &'a Small, params: &'a Params, loss: O, way: Way) -> Bptt<'a, Small, O> {
        let config = OptimConfig { lr: self.lr, rule: self.rule, ..OptimConfig::default() };
        let mut bptt = Bptt::new(model, params, loss, &config, Shared::default()).unwrap();
        bptt = bptt.penalty(self.penalty).unwrap().accumulate(self.accumulate).unwrap();
        if let Some(norm) = self.clip {
            bptt = bptt.clip(norm).unwrap();
        }
        if let Some(steps) = self.truncate {
            bptt = bptt.truncate(steps).unwrap();
        }
        match way {
            Way::Host => bptt,
            Way::Operations => bptt.as_on_a_device(),
            Way::Kernels => bptt.as_on_gpu(gpu()).unwrap(),
        }
    }

    fn run<O: Objective>(&self, loss: O, examples: &Examples, way: Way) -> Left {
        let (params, model) = Small::new(self.kind);
        let mut bptt = self.bptt(&model, &params, loss, way);
        let losses = bptt.fit(self.epochs, |_| examples.batches(2, None), |_, _| Ok(ControlFlow::Continue(())));
        let Checkpoint { model, optim, .. } = bptt.checkpoint().unwrap();
        let losses = losses.map_err(|error| error.to_string());
        Left { losses, params: model, optim, step: bptt.optimizer().step(), looks: bptt.looks() }
    }
}

#[track_caller]
fn assert_same(what: &str, found: &Named, expected: &Named, tolerance: f64) {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_close(&format!("{name} of {what}"), found, expected, tolerance);
    }
}

/// To the last bit, but where the norm or the penalty enters, whose sums are in another order, and roots.
#[test]
fn updates_on_a_device_are_those_of_the_host() {
    let penalties = [Penalty::default(), Penalty { l1: 1e-3, l2: 2e-3 }];
    let rules = Rule::all().into_iter().flat_map(|rule| penalties.map(|penalty| (rule, penalty)));
    for (kind, close) in [(Kind::Float, 1e-6), (Kind::Double, 1e-14)] {
        for (rule, penalty) in rules.clone() {
            for clip in [None, Some(0.05), Some(1e6)] {
                let course = Course { kind, rule, penalty, clip, ..Course::default() };
                let host = course.run(Loss::Mse, &examples(kind), Way::Host);
                let host_losses = host.losses.unwrap();
                for way in UNWAITED {
                    let what = format!("{rule:?} in {kind:?} with {penalty:?}, clipped to {clip:?}, {way:?}");
                    let device = course.run(Loss::Mse, &examples(kind), way);
                    assert_eq!((host.step, host.looks, device.step, device.looks), (12, 0, 12, 1), "{what}");
                    let tolerance = if clip == Some(0.05) { close } else { rule.round_off(kind) };
                    assert_same(&what, &device.params, &host.params, tolerance);
                    assert_same(&what, &device.optim, &host.optim, tolerance);
                    let pairs = device.losses.unwrap().into_iter().zip(&host_losses);
                    let tolerance = if penalty.is_none() { tolerance } else { close };
                    pairs.for_each(|(a, b)| assert!((a - b).abs() <= tolerance * b.abs(), "{what}: {a} and {b}"));
                }
            }
        }
    }
}

#[test]
fn several_batches_and_pieces_are_those_of_the_host() {
    for (accumulate, truncate) in [(2, None), (1, Some(3)), (3, Some(2))] {
        let course = Course { accumulate, truncate, ..Course::default() };
        let host = course.run(Loss::Mse, &examples(course.kind), Way::Host);
        let host_losses = host.losses.unwrap();
        for way in UNWAITED {
            let device = course.run(Loss::Mse, &examples(course.kind), way);
            let losses = device.losses.unwrap();
            assert_eq!((device.step, losses.len()), (host.step, host_losses.len()));
            let pairs = losses.into_iter().zip(&host_losses);
            pairs.for_each(|(a, b)| assert!((a - b).abs() <= 1e-14 * b.abs(), "{a} and {b}, {way:?}"));
            assert_same("parts", &device.params, &host.params, 1e-14);
            assert_eq!(device.looks, 1);
        }
    }
}

/// One batch has more pieces than updates may wait.
#[test]
fn pieces_are_looked_at_before_there_are_too_many() {
    let inputs = Inputs::batch_first(&draw("x", &[1, 1100, 2], Kind::Double)).unwrap();
    let long = Examples::new(inputs, draw("y", &[1, 1100, 3], Kind::Double)).unwrap();
    let course = Course { truncate: Some(1), epochs: 1, ..Course::default() };
    let host = course.run(Loss::Mse, &long, Way::Host);
    for way in UNWAITED {
        let device = course.run(Loss::Mse, &long, way);
        assert_eq!((device.step, device.losses.unwrap().len(), device.looks), (1100, 1100, 2), "{way:?}");
        assert_same("pieces", &device.params, &host.params, 1e-10);
    }
}

/// A closure may calculate in another dtype than the parameters have.
#[test]
fn a_loss_of_another_dtype_is_read_as_what_it_is() {
    let loss = || EachStep(|y: &Tensor, t: &Tensor| (y - t).square().mean(Kind::Float));
    let course = Course::default();
    let whole = Examples::new(examples(course.kind).inputs().clone(), draw("y", &[5, 7, 3], course.kind)).unwrap();
    let host = course.run(loss(), &whole, Way::Host).losses.unwrap();
    for way in UNWAITED {
        let losses = course.run(loss(), &whole, way).losses.unwrap();
        losses.iter().zip(&host).for_each(|(a, b)| assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} and {b}, {way:?}"));
    }
}

/// Mean square error of which one, the seventh that is calculated, is multiplied.
fn spoiled(usual: f64, at_seven: f64, kink: bool) -> impl Objective {
    let calls = Cell::new(0);
    EachStep(move |y: &Tensor, t: &Tensor| {
        calls.set(calls.get() + 1);
        let factor = if calls.get() == 7 { at_seven } else { usual };
        let loss = (y - t).square().mean(y.kind()) * factor;
        // 0, of a gradient of 0 times infinity.
        if kink && calls.get() == 7 { loss + (y * 0.0).sqrt().sum(y.kind()) } else { loss }
    })
}

/// Whatever is not finite: the same words, and everything as it was before, though many updates came after.
#[test]
fn what_is_not_finite_is_told_as_on_the_host_and_changes_nothing() {
    let float = Course { kind: Kind::Float, ..Course::default() };
    let sgd = Course { rule: Rule::Sgd, lr: 1e3, ..float };
    let l2 = |l2: f64| Penalty { l1: 0.0, l2 };
    let cases = [
        (float, [1.0, f64::INFINITY], false, "the loss is not finite: it is inf at update 7"),
        (float, [1.0, f64::NAN], false, "the loss is not finite: it is NaN at update 7"),
        (float, [1.0, 1.0], true, "the gradient of s.wi is not finite: 8 of its 8 numbers at update 7"),
        (float, [1.0, 1e30], false, "the optimiser's v of s.wi is not finite: it would overflow in update 7"),
        (sgd, [1e-4, 1e37], false, "s.wi is not finite: it would overflow in update 7"),
        (Course { clip: Some(1.0), ..sgd }, [1e-4, f64::NAN], false, "it is NaN at update 7"),
        (Course { accumulate: 3, ..float }, [1.0, f64::NEG_INFINITY], false, "it is -inf at update 3"),
        (Course { truncate: Some(4), ..float }, [1.0, f64::NAN], false, "it is NaN at update 7"),
        (
            Course { kind: Kind::Double, penalty: l2(1e308), ..float },
            [1.0, 1.0],
            false,
            "the gradient of s.wi is not finite",
        ),
        (Course { kind: Kind::Double, rule: Rule::Sgd, lr: 1e80, ..float }, [1.0, 1.0], false, "is not finite"),
    ];
    for (course, [usual, at_seven], kink, words) in cases {
        let whole = Examples::new(examples(course.kind).inputs().clone(), draw("y", &[5, 7, 3], course.kind)).unwrap();
        let host = course.run(spoiled(usual, at_seven, kink), &whole, Way::Host);
        let expected = host.losses.unwrap_err();
        assert!(expected.contains(words), "{words} is not in: {expected}");
        for way in UNWAITED {
            let device = course.run(spoiled(usual, at_seven, kink), &whole, way);
            assert_eq!((device.losses.unwrap_err(), device.step), (expected.clone(), host.step), "{way:?}");
            let tolerance = if course.clip.is_some() { 1e-6 } else { course.rule.round_off(course.kind) };
            assert_same(words, &device.params, &host.params, tolerance);
            assert_same(words, &device.optim, &host.optim, tolerance);
        }
    }
}

/// A part that is infinite and one that is infinite the other way: the host stops at the first.
#[test]
fn the_first_sum_of_losses_that_is_not_finite_is_told() {
    let calls = Cell::new(0);
    let objective = || {
        EachStep(|y: &Tensor, _: &Tensor| {
            calls.set(calls.get() + 1);
            y.sum(y.kind()) * 0.0 + [0.0, f64::INFINITY, f64::NEG_INFINITY][calls.get() % 3]
        })
    };
    let course = Course { accumulate: 3, ..Course::default() };
    let whole = Examples::new(examples(course.kind).inputs().clone(), draw("y", &[5, 7, 3], course.kind)).unwrap();
    for way in [Way::Host, Way::Operations, Way::Kernels] {
        calls.set(0);
        let error = course.run(objective(), &whole, way).losses.unwrap_err();
        assert_eq!(error, "the loss is not finite: it is inf at update 1", "{way:?}");
    }
}

#[test]
fn the_host_looks_when_it_asks() {
    let (params, model) = Small::new(Kind::Double);
    let whole = examples(Kind::Double);
    let mut bptt = Course::default().bptt(&model, &params, Loss::Mse, Way::Operations);
    let (mut told, mut most) = (Vec::new(), 0);
    let losses = bptt.fit(
        20,
        |_| [Ok(whole.clone())],
        |bptt, step| {
            most = most.max(bptt.unseen());
            if step % 8 == 0 {
                told.push((step, bptt.look()?));
            }
            Ok(ControlFlow::Continue(()))
        },
    );
    let losses = losses.unwrap();
    assert_eq!((losses.len(), bptt.looks(), most, bptt.unseen()), (20, 3, 8, 0));
    for (step, update) in told {
        assert_eq!((update.step, update.loss, update.outputs.size()), (step, losses[step as usize - 1], vec![5, 7, 3]));
        assert!(update.gradient_norm > 0.0);
    }
    assert_eq!(bptt.last_loss(), Some((20, losses[19])));
    assert!(bptt.look().is_err(), "there is no update in the making");
    // One update is looked at, and so is what would wait too long.
    bptt.update(&whole).unwrap();
    assert_eq!(bptt.looks(), 4);
    let many = bptt.fit(1100, |_| [Ok(whole.clone())], |_, _| Ok(ControlFlow::Continue(()))).unwrap();
    assert_eq!((many.len(), bptt.looks()), (1100, 6));
}

/// A checkpoint after a refused update is that before it; the look after it tells, and training can go on.
#[test]
fn a_checkpoint_holds_what_was_good() {
    UNWAITED.into_iter().for_each(a_checkpoint_holds_what_was_good_by);
}

fn a_checkpoint_holds_what_was_good_by(way: Way) {
    let (params, model) = Small::new(Kind::Double);
    let course = Course::default();
    let whole = Examples::new(examples(course.kind).inputs().clone(), draw("y", &[5, 7, 3], course.kind)).unwrap();
    let good = Course { epochs: 2, ..course }.run(spoiled(1.0, 1.0, false), &whole, Way::Host);
    let mut bptt = course.bptt(&model, &params, spoiled(1.0, f64::NAN, false), way);
    let mut saved = None;
    let error = bptt.fit(
        4,
        |_| whole.batches(2, None),
        |bptt, step| {
            if step == 9 {
                saved = Some(bptt.checkpoint().unwrap());
            }
            Ok(ControlFlow::Continue(()))
        },
    );
    assert!(error.unwrap_err().to_string().contains("NaN at update 7"));
    let saved = saved.unwrap();
    assert_eq!((saved.meta["step"].as_u64(), bptt.optimizer().step()), (Some(6), 6));
    assert_same("the checkpoint", &saved.model, &good.params, 1e-14);
    assert_same("the checkpoint", &saved.optim, &good.optim, 1e-14);
    assert_eq!(bptt.last_loss().unwrap().0, 6);
    assert_eq!(bptt.update(&whole).unwrap().step, 7);
    assert!(bptt.evaluate([Ok(whole)]).is_ok());
}

/// Labels that are read once: for all batches and epochs, and for those of the next examples once more.
#[test]
fn targets_are_checked_once() {
    struct Counting<'a>(&'a Cell<usize>);
    const LABELS: Loss = Loss::CrossEntropy { over: OverTime::Max };
    impl Objective for Counting<'_> {
        fn check(&self, outputs: [i64; 3], kind: Kind, targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
            self.0.set(self.0.get() + 1);
            LABELS.check(outputs, kind, targets, lengths)
        }

        fn loss(&self, outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>) -> Tensor {
            LABELS.loss(outputs, targets, lengths)
        }
    }
    let (params, model) = Small::new(Kind::Double);
    let labelled = |labels: &[i64]| {
        let lengths = Tensor::from_slice(&[7i64, 2, 5, 6, 4]);
        let examples = Examples::new(examples(Kind::Double).inputs().clone(), Tensor::from_slice(labels)).unwrap();
        examples.with_lengths(&lengths).unwrap()
    };
    let checks = Cell::new(0);
    let mut bptt = Course::default().bptt(&model, &params, Counting(&checks), Way::Operations);
    let (first, second) = (labelled(&[0, 1, 2, 1, 0]), labelled(&[2, 2, 2, 1, 0]));
    for (expected, examples) in [(1, &first), (1, &first), (2, &second), (2, &first)] {
        bptt.fit(2, |_| examples.batches(2, Some(&mut Rng::new(0, "o"))), |_, _| Ok(ControlFlow::Continue(())))
            .unwrap();
        assert_eq!(checks.get(), expected);
    }
    let error = bptt.update(&labelled(&[0, 1, 2, 3, 0]).select(&[0]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("the label of sample 3 is 3"), "{error}");
}
