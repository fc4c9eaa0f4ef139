//! Metrics by hand.

use bd_core::testing::assert_close;
use bd_core::{Identity, Inputs, Params};
use bd_models::{Linear, LinearConfig, Pipeline, Preparation};

use super::*;
use crate::data::Examples;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

const CROSS_ENTROPY: Loss = Loss::CrossEntropy { over: OverTime::Mean };

/// A linear map of one channel with this weight and no bias.
fn map(params: &mut Params, weight: f64) -> Linear {
    let map = Linear::new(&mut params.at("o"), 1, 1, &LinearConfig { bias: false, ..LinearConfig::default() }).unwrap();
    let _ = tch::no_grad(|| params.get("o.weight").unwrap().shallow_clone().fill_(weight));
    map
}

fn set(x: &Tensor, y: Tensor) -> EvaluationSet {
    Examples::new(Inputs::batch_first(x).unwrap(), y).unwrap().into()
}

#[test]
fn losses_must_fit_the_targets() {
    let labels = Targets::Labels { classes: 2 };
    assert_eq!(Criterion::for_targets(CROSS_ENTROPY, labels).unwrap(), Criterion::Steps(CROSS_ENTROPY));
    assert_eq!(Criterion::for_targets(Loss::Mae, Targets::Series { n_out: 1 }).unwrap(), Criterion::Steps(Loss::Mae));
    let of_sequence = Criterion::Sequences(OfSequence { loss: Loss::Mse, over: OverTime::Last });
    assert_eq!(Criterion::for_targets(Loss::Mse, Targets::Vectors { n_out: 1 }).unwrap(), of_sequence);
    let every = Loss::CrossEntropy { over: OverTime::Every };
    for (loss, targets, words) in [
        (Loss::Mse, labels, "loss is mse: the targets are labels, for which it is cross_entropy"),
        (
            CROSS_ENTROPY,
            Targets::Series { n_out: 1 },
            "loss is cross_entropy: the targets are numbers, for which it is mse",
        ),
        (every, labels, "over is every, but a sequence has one label"),
        (CROSS_ENTROPY, Targets::LabelsOfSteps { classes: 2 }, "every step has a label, so that over must be every"),
    ] {
        let error = Criterion::for_targets(loss, targets).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(Criterion::for_task(Loss::Huber { delta: 1.0 }, Loss::Mse).is_ok());
    assert!(Criterion::for_task(CROSS_ENTROPY, Loss::Mse).is_err() && Criterion::for_task(every, every).is_ok());
    let error = Criterion::for_task(CROSS_ENTROPY, every).unwrap_err().to_string();
    assert_eq!(error, "loss is cross_entropy: every step has a label, so that over must be every");
}

/// Scores (3, 1), (0, 2), (5, 4), (1, 2) say 0, 1, 0, 1; the labels are 0, 1, 1, 0.
#[test]
fn accuracy_and_confusion_are_counted() {
    let scores = Tensor::from_slice(&[3.0, 1.0, 0.0, 2.0, 5.0, 4.0, 1.0, 2.0]).reshape([4, 2]);
    let found = Evaluation::new(0.5, scores.copy(), &Tensor::from_slice(&[0i64, 1, 1, 0]), None).unwrap();
    assert_eq!((found.accuracy, found.confusion.clone()), (Some(0.5), Some(vec![vec![1, 1], vec![1, 1]])));
    assert_eq!((found.mse, found.nmse), (None, None));
    let names = |metrics: Map<String, Value>| metrics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found.metrics("test")), ["test_loss", "test_accuracy"]);
    assert_eq!(found.metrics("validation")["validation_loss"], 0.5);
    let [(output, a), (target, b)] = <[_; 2]>::try_from(found.arrays()).unwrap();
    assert_eq!((output.as_str(), target.as_str()), ("score", "label"));
    assert_eq!((a, b), (scores, Tensor::from_slice(&[0i64, 1, 1, 0])));
}

/// Row 2, column 1: class 2 was taken for class 1 once.
#[test]
fn rows_of_the_confusion_are_classes_and_columns_answers() {
    let scores = Tensor::from_slice(&[0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]).reshape([3, 3]);
    let found = Evaluation::new(0.0, scores, &Tensor::from_slice(&[2i64, 1, 0]), None).unwrap();
    assert_eq!(found.confusion, Some(vec![vec![1, 0, 0], vec![0, 1, 0], vec![0, 1, 0]]));
    assert_eq!(found.accuracy, Some(2.0 / 3.0));
}

/// Errors 1, 1, -1, -1 on targets 0, 0, 4, 4: mean square 1 over variance 4.
#[test]
fn errors_of_numbers_are_over_their_variance() {
    let targets = Tensor::from_slice(&[0.0, 0.0, 4.0, 4.0]).reshape([2, 2, 1]);
    let outputs = Tensor::from_slice(&[1.0, 1.0, 3.0, 3.0]).reshape([2, 2, 1]);
    let found = Evaluation::new(1.0, outputs, &targets, None).unwrap();
    assert_eq!((found.mse, found.nmse), (Some(1.0), Some(0.25)));
    assert!(found.accuracy.is_none() && found.confusion.is_none());
    assert_eq!(found.arrays()[0].0, "prediction");
    assert_eq!(found.metrics("test")["test_nmse"], 0.25);
}

/// The second sequence has one step; its second output may be anything.
#[test]
fn padding_does_not_count() {
    let targets = Tensor::from_slice(&[0.0, 2.0, 4.0, 0.0]).reshape([2, 2, 1]);
    let outputs = Tensor::from_slice(&[1.0, 3.0, 5.0, 1e9]).reshape([2, 2, 1]);
    let found = Evaluation::new(1.0, outputs, &targets, Some(&Tensor::from_slice(&[2i64, 1]))).unwrap();
    // Targets 0, 2, 4 have variance 8/3.
    assert_eq!(found.mse, Some(1.0));
    assert!((found.nmse.unwrap() - 3.0 / 8.0).abs() < 1e-15);
    let labels = Tensor::from_slice(&[0i64, 1, 1, 0]).reshape([2, 2]);
    let scores = Tensor::from_slice(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 9.0]).reshape([2, 2, 2]);
    let found = Evaluation::new(0.0, scores, &labels, Some(&Tensor::from_slice(&[2i64, 1]))).unwrap();
    assert_eq!((found.accuracy, found.confusion), (Some(1.0), Some(vec![vec![1, 0], vec![0, 2]])));
}

/// `y = 2 x` on `x = 1, 2, 3` against 2, 4, 7: the error of one of three numbers is 1. Batches of unequal size are weighted.
#[test]
fn the_loss_is_the_mean_whatever_the_batches_are() {
    let mut params = Params::new(0, ON);
    let map = map(&mut params, 2.0);
    let x = Tensor::from_slice(&[1.0, 2.0, 3.0]).reshape([3, 1, 1]);
    let set = set(&x, Tensor::from_slice(&[2.0, 4.0, 7.0]).reshape([3, 1, 1]));
    for batch in [1, 2, 3] {
        let criterion = Criterion::Steps(Loss::Mse);
        let found = criterion.evaluate(&map, &Identity::new(ON), &Shared::default(), &set, batch).unwrap();
        assert!((found.loss - 1.0 / 3.0).abs() < 1e-15, "{found:?}");
        assert_close("outputs", &found.outputs, &(&x * 2.0), 1e-15);
        assert!((found.mse.unwrap() - 1.0 / 3.0).abs() < 1e-15);
    }
}

/// The output of the last valid step, 3 and 1, stands for the sequence.
#[test]
fn one_output_stands_for_a_sequence() {
    let mut params = Params::new(0, ON);
    let map = map(&mut params, 1.0);
    let x = Tensor::from_slice(&[2.0, 3.0, 1.0, 9.0]).reshape([2, 2, 1]);
    let examples =
        Examples::new(Inputs::batch_first(&x).unwrap(), Tensor::from_slice(&[3.0, 2.0]).reshape([2, 1])).unwrap();
    let set = examples.with_lengths(&Tensor::from_slice(&[2i64, 1])).unwrap().into();
    let criterion = Criterion::for_targets(Loss::Mse, Targets::Vectors { n_out: 1 }).unwrap();
    let found = criterion.evaluate(&map, &Identity::new(ON), &Shared::default(), &set, 2).unwrap();
    assert_eq!(found.outputs, Tensor::from_slice(&[3.0, 1.0]).reshape([2, 1]));
    assert_eq!((found.loss, found.mse), (0.5, Some(0.5)));
}

/// The loss is that of training, in units of the scaled targets; errors are in the units of the data. Targets 10 and 30 have deviation
/// 10, so that the second is 100 times the first.
#[test]
fn errors_are_in_the_units_of_the_data() {
    let params = Params::new(0, ON);
    let pipeline = Pipeline::new(params, 1, Preparation::None, Some(1), |params| Ok(map(params, 1.0))).unwrap();
    let (x, y) =
        (Tensor::from_slice(&[0.0, 1.0]).reshape([2, 1, 1]), Tensor::from_slice(&[10.0, 30.0]).reshape([2, 1, 1]));
    pipeline.fit_targets(&y).unwrap();
    let examples = Examples::new(pipeline.inputs(&x, None, "test").unwrap(), pipeline.targets(&y)).unwrap();
    let set = EvaluationSet { examples, truth: y, identities: None };
    let criterion = Criterion::Steps(Loss::Mse);
    let found = criterion.evaluate(&pipeline.net, &pipeline, &Shared::default(), &set, 2).unwrap();
    // Scaled targets are -1 and 1, outputs 0 and 1; in the data outputs are 20 and 30.
    assert_eq!((found.loss, found.mse), (0.5, Some(50.0)));
    assert_eq!(found.outputs, Tensor::from_slice(&[20.0, 30.0]).reshape([2, 1, 1]));
}

#[test]
fn a_loss_that_is_not_finite_is_an_error() {
    let mut params = Params::new(0, ON);
    let map = map(&mut params, 1e200);
    let set = set(&Tensor::ones([1, 1, 1], ON), Tensor::zeros([1, 1, 1], ON));
    let found = Criterion::Steps(Loss::Mse).evaluate(&map, &Identity::new(ON), &Shared::default(), &set, 1);
    assert!(found.unwrap_err().to_string().contains("the loss is not finite: it is inf on the test examples"));
}

/// The criterion is the loss that it was made of.
#[test]
fn a_criterion_is_its_loss() {
    let (outputs, targets) = (Tensor::from_slice(&[1.0, 3.0]).reshape([1, 2, 1]), Tensor::zeros([1, 2, 1], ON));
    let criterion = Criterion::Steps(Loss::Mse);
    assert_eq!(criterion.loss(&outputs, &targets, None), Loss::Mse.loss(&outputs, &targets, None));
    assert_eq!(criterion.weight([1, 2, 1], None), Loss::Mse.weight([1, 2, 1], None));
    assert!(criterion.by_step() && criterion.check([1, 2, 1], Kind::Double, &targets, None).is_ok());
    let of = Criterion::Sequences(OfSequence { loss: Loss::Mse, over: OverTime::Sum });
    assert_eq!(of.loss(&outputs, &Tensor::zeros([1, 1], ON), None).double_value(&[]), 16.0);
    assert!(!of.by_step());
}

/// By hand: of three steps that are no padding two have the greatest score at their label.
#[test]
fn accuracy_of_steps_leaves_padding_out() {
    let criterion =
        Criterion::for_targets(Loss::CrossEntropy { over: OverTime::Every }, Targets::LabelsOfSteps { classes: 2 });
    let scores = Tensor::from_slice(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 9.0, 0.0]).reshape([2, 2, 2]);
    let labels = Tensor::from_slice(&[0i64, 0, 1, 1]).reshape([2, 2]);
    let lengths = Tensor::from_slice(&[2i64, 1]);
    let found = criterion.unwrap().accuracy(&scores, &labels, Some(&lengths)).unwrap();
    assert!((found - 2.0 / 3.0).abs() < 1e-15);
    let numbers = Criterion::for_targets(Loss::Mse, Targets::Vectors { n_out: 2 }).unwrap();
    assert_eq!(numbers.accuracy(&scores, &labels, None), None);
}
