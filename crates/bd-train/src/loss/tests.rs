//! Named losses against formulas on plain numbers.

use bd_core::Rng;
use bd_core::testing::grad_check;
use tch::Device;

use super::*;

fn outputs() -> Tensor {
    Rng::new(0, "outputs").tensor(&[3, 5, 4], (Kind::Double, Device::Cpu), Rng::normal)
}

/// By hand, from numbers, for each way over time.
#[test]
fn cross_entropy_is_its_formula() {
    let (ys, labels) = (outputs(), Tensor::from_slice(&[2i64, 0, 3]));
    for over in [OverTime::Max, OverTime::Mean, OverTime::Last, OverTime::MeanLast, OverTime::Sum] {
        let mut expected = 0.0;
        for b in 0..3 {
            let series = |c: i64| (0..5).map(|t| ys.double_value(&[b, t, c])).collect::<Vec<_>>();
            let score = |c: i64| match over {
                OverTime::Max => series(c).into_iter().fold(f64::NEG_INFINITY, f64::max),
                OverTime::Mean => series(c).iter().sum::<f64>() / 5.0,
                OverTime::Last => series(c)[4],
                OverTime::MeanLast => series(c).iter().sum::<f64>() / 10.0 + series(c)[4] / 2.0,
                OverTime::Sum => series(c).iter().sum(),
                OverTime::Every => unreachable!("it is tested below"),
            };
            let log_sum = (0..4).map(|c| score(c).exp()).sum::<f64>().ln();
            expected += (log_sum - score(labels.int64_value(&[b]))) / 3.0;
        }
        let loss = Loss::CrossEntropy { over };
        assert!((loss.loss(&ys, &labels, None).double_value(&[]) - expected).abs() < 1e-14, "{over:?}");
        grad_check(|v| loss.loss(&v[0], &labels, None), &[outputs()], 1e-8);
    }
}

/// Two steps tied for the maximum: half of the gradient each.
#[test]
fn tied_maxima_share_the_gradient() {
    let ys = Tensor::from_slice(&[1.0f64, 3.0, 3.0, 0.0]).reshape([1, 4, 1]).set_requires_grad(true);
    let gradient = Tensor::run_backward(&[OverTime::Max.scores(&ys, None).sum(Kind::Double)], &[&ys], false, false);
    assert_eq!(Vec::<f64>::try_from(gradient[0].flatten(0, -1)).unwrap(), [0.0, 0.5, 0.5, 0.0]);
}

/// The loss of one output from numbers, written in other ways than above.
fn formula(loss: Loss, y: f64, t: f64) -> f64 {
    let d = (y - t).abs();
    match loss {
        Loss::Mse => d * d,
        Loss::Mae => d,
        Loss::Huber { delta } if d <= delta => 0.5 * d * d,
        Loss::Huber { delta } => delta * (d - 0.5 * delta),
        Loss::BinaryCrossEntropy => {
            let p = 1.0 / (1.0 + (-y).exp());
            -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
        }
        Loss::CrossEntropy { .. } => unreachable!("it is tested above"),
    }
}

const LOSSES_OF_OUTPUTS: [Loss; 4] = [Loss::Mse, Loss::Mae, Loss::Huber { delta: 0.7 }, Loss::BinaryCrossEntropy];

fn probabilities() -> Tensor {
    Rng::new(1, "targets").tensor(&[3, 5, 4], (Kind::Double, Device::Cpu), Rng::uniform)
}

#[test]
fn losses_of_outputs_are_their_formulas() {
    let numbers = |t: &Tensor| Vec::<f64>::try_from(t.flatten(0, -1)).unwrap();
    let (ys, targets) = (outputs(), probabilities());
    for loss in LOSSES_OF_OUTPUTS {
        let sum: f64 = numbers(&ys).iter().zip(numbers(&targets)).map(|(y, t)| formula(loss, *y, t)).sum();
        assert!((loss.loss(&ys, &targets, None).double_value(&[]) - sum / 60.0).abs() < 1e-14, "{loss:?}");
        grad_check(|v| loss.loss(&v[0], &targets, None), &[outputs()], 1e-8);
    }
}

/// Where exponentials overflow, and at 0, where `abs` and `max` have no derivative.
#[test]
fn binary_cross_entropy_is_stable() {
    let ys = Tensor::from_slice(&[-1000.0f32, 0.0, 1000.0]).reshape([1, 3, 1]).set_requires_grad(true);
    let targets = Tensor::from_slice(&[1.0f32, 1.0, 1.0]).reshape([1, 3, 1]);
    let loss = Loss::BinaryCrossEntropy.loss(&ys, &targets, None);
    assert!((loss.double_value(&[]) - (1000.0 + 2.0f64.ln()) / 3.0).abs() < 1e-4);
    let gradient = Tensor::run_backward(&[loss], &[&ys], false, false);
    let found = Vec::<f32>::try_from(gradient[0].flatten(0, -1)).unwrap();
    assert!(found.iter().zip([-1.0, -0.5, 0.0]).all(|(g, e)| (g - e / 3.0).abs() < 1e-6), "{found:?}");
}

/// Every step as a sample of its own.
#[test]
fn cross_entropy_of_every_step() {
    let every = Loss::CrossEntropy { over: OverTime::Every };
    let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 0, 1, 1, 1, 2, 0, 3, 3, 2, 0, 1]).reshape([3, 5]);
    let flat = Loss::CrossEntropy { over: OverTime::Last };
    let expected = flat.loss(&outputs().reshape([15, 1, 4]), &labels.reshape([15]), None);
    assert!((every.loss(&outputs(), &labels, None) - expected).abs().double_value(&[]) < 1e-15);
    grad_check(|v| every.loss(&v[0], &labels, None), &[outputs()], 1e-8);
    let one_a_sample = Tensor::from_slice(&[2i64, 0, 3]);
    let repeated = one_a_sample.unsqueeze(1).repeat([1, 5]);
    assert_eq!(every.loss(&outputs(), &one_a_sample, None), every.loss(&outputs(), &repeated, None));
}

/// Two of five steps count in the first sequence, one in the second, and none in a piece: its mean is 0, and so is its gradient.
#[test]
fn uncounted_steps_do_not_count() {
    let every = Loss::CrossEntropy { over: OverTime::Every };
    let none = UNCOUNTED;
    let labels = Tensor::from_slice(&[0, none, none, 3, none, none, 1, none, none, 2, none, none, none, none, none])
        .reshape([3, 5]);
    let lengths = Tensor::from_slice(&[5i64, 4, 5]);
    every.check([3, 5, 4], Kind::Double, &labels, Some(&lengths)).unwrap();
    let one = |b: i64, t: i64| {
        every.loss(&outputs().narrow(0, b, 1).narrow(1, t, 1), &labels.narrow(0, b, 1).narrow(1, t, 1), None)
    };
    let expected = (one(0, 0) + one(0, 3) + one(1, 1)) / 3.0;
    assert!((every.loss(&outputs(), &labels, Some(&lengths)) - expected).abs().double_value(&[]) < 1e-15);
    assert_eq!(every.weight_of([3, 5, 4], &labels, Some(&lengths)), 3.0);
    grad_check(|v| every.loss(&v[0], &labels, Some(&lengths)), &[outputs()], 1e-8);
    let ys = outputs().narrow(0, 2, 1).set_requires_grad(true);
    let empty = every.loss(&ys, &labels.narrow(0, 2, 1), None);
    assert_eq!(empty.double_value(&[]), 0.0);
    assert_eq!(Tensor::run_backward(&[empty], &[&ys], false, false)[0].abs().max().double_value(&[]), 0.0);
    // A label of a whole sequence counts.
    assert!(check_labels(&Tensor::from_slice(&[UNCOUNTED]), 2).is_err());
}

/// Padded sequences against each of them alone and cut to its length; what is not a number in the padding goes nowhere.
#[test]
fn padding_does_not_count() {
    let (lengths, time) = ([5i64, 1, 3], 5);
    let padding = Valid::new(&Tensor::from_slice(&lengths), time);
    let labels = Tensor::from_slice(&[2i64, 0, 3]);
    let overs = [OverTime::Max, OverTime::Mean, OverTime::Last, OverTime::MeanLast, OverTime::Sum, OverTime::Every];
    let cross = overs.map(|over| (Loss::CrossEntropy { over }, labels.shallow_clone()));
    let label_of_each = padding.fill(&labels.unsqueeze(1).repeat([1, 5]), -100.0);
    let every = [(Loss::CrossEntropy { over: OverTime::Every }, label_of_each)];
    let like_outputs = LOSSES_OF_OUTPUTS.map(|loss| (loss, padding.fill(&probabilities(), f64::NAN)));
    for (loss, targets) in cross.into_iter().chain(every).chain(like_outputs) {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (b, length) in lengths.into_iter().enumerate() {
            let cut = |t: &Tensor| t.narrow(0, b as i64, 1).narrow(1, 0, length);
            let target = if targets.dim() == 1 { targets.narrow(0, b as i64, 1) } else { cut(&targets) };
            let weight = loss.weight([1, length, 4], None);
            sum += loss.loss(&cut(&outputs()), &target, None).double_value(&[]) * weight;
            weights += weight;
        }
        let lengths = Tensor::from_slice(&lengths);
        loss.check([3, 5, 4], Kind::Double, &targets, Some(&lengths)).unwrap();
        assert_eq!(loss.weight([3, 5, 4], Some(&lengths)), weights, "{loss:?}");
        let ys = padding.fill(&outputs(), f64::NAN).set_requires_grad(true);
        let found = loss.loss(&ys, &targets, Some(&lengths));
        assert!((found.double_value(&[]) - sum / weights).abs() < 1e-14, "{loss:?}");
        let gradient = Tensor::run_backward(&[found], &[&ys], false, false);
        let valid = padding.fill(&Tensor::ones([3, 5, 4], (Kind::Double, Device::Cpu)), 0.0);
        assert_eq!(gradient[0].masked_select(&valid.eq(0.0)).abs().max().double_value(&[]), 0.0, "{loss:?}");
        assert_eq!(gradient[0].isfinite().all().int64_value(&[]), 1, "{loss:?}");
        grad_check(|v| loss.loss(&v[0], &targets, Some(&lengths)), &[outputs()], 1e-8);
    }
}

#[test]
fn labels_out_of_range_are_named() {
    let error = check_labels(&Tensor::from_slice(&[0i64, 1, 2]), 2).unwrap_err().to_string();
    assert!(error.contains("sample 2 is 2") && error.contains("from 0 to 1"), "{error}");
    assert!(check_labels(&Tensor::from_slice(&[-1i64]), 2).is_err());
    assert!(check_labels(&Tensor::from_slice(&[0.0f32]), 2).unwrap_err().to_string().contains("int64"));
}

#[test]
fn targets_that_cannot_be_are_named() {
    let every = Loss::CrossEntropy { over: OverTime::Every };
    let check =
        |loss: Loss, targets: Tensor| loss.check([2, 3, 4], Kind::Float, &targets, None).unwrap_err().to_string();
    let error = check(every, Tensor::from_slice(&[0i64, 1, 2, 3, 0, 4]).reshape([2, 3]));
    assert!(error.contains("sample 1 in step 2 is 4"), "{error}");
    let error = check(every, Tensor::zeros([3, 2], (Kind::Int64, Device::Cpu)));
    assert!(error.contains("[2, 3]") && error.contains("[3, 2]"), "{error}");
    let wrong = Tensor::zeros([2, 3, 4], (Kind::Float, Device::Cpu));
    let _ = wrong.get(1).get(0).get(3).fill_(1.5);
    let error = check(Loss::BinaryCrossEntropy, wrong);
    assert!(error.contains("sample 1, step 0, output 3 is 1.5"), "{error}");
    for loss in LOSSES_OF_OUTPUTS {
        let error = check(loss, Tensor::zeros([2, 3, 1], (Kind::Float, Device::Cpu)));
        assert!(error.contains("[2, 3, 4]") && error.contains("[2, 3, 1]"), "{error}");
    }
    let error = check(Loss::Huber { delta: 0.0 }, Tensor::zeros([2, 3, 4], (Kind::Float, Device::Cpu)));
    assert!(error.contains("huber.delta is 0;"), "{error}");
}

#[test]
fn accuracy_counts() {
    let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.8, 0.2, 0.4, 0.6]).reshape([3, 2]);
    assert!((accuracy(&scores, &Tensor::from_slice(&[1i64, 1, 1])).unwrap() - 2.0 / 3.0).abs() < 1e-15);
    let error = accuracy(&scores, &Tensor::from_slice(&[1i64, 1])).unwrap_err().to_string();
    assert!(error.contains("a label for each of the scores [3, 2]") && error.ends_with("got [2]"), "{error}");
}

/// The last valid step of each sequence, by hand.
#[test]
fn a_target_for_a_whole_sequence() {
    let outputs = Tensor::from_slice(&[1.0f64, 2.0, 3.0, 10.0, 20.0, 30.0]).reshape([2, 3, 1]);
    let targets = Tensor::from_slice(&[0.0f64, 0.0]).reshape([2, 1]);
    let lengths = Tensor::from_slice(&[2i64, 3]);
    let objective = OfSequence { loss: Loss::Mse, over: OverTime::Last };
    objective.check([2, 3, 1], Kind::Double, &targets, Some(&lengths)).unwrap();
    assert_eq!(objective.loss(&outputs, &targets, Some(&lengths)).double_value(&[]), (4.0 + 900.0) / 2.0);
    assert_eq!(objective.loss(&outputs, &targets, None).double_value(&[]), (9.0 + 900.0) / 2.0);
    assert!(objective.check([2, 3, 2], Kind::Double, &targets, None).is_err() && !objective.by_step());
}
