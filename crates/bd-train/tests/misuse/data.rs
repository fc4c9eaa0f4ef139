//! Spikes, examples, and parameters from files.

use bd_core::{Error, Spike, Spikes};
use bd_train::data::SplitConfig;
use bd_train::loss::{accuracy, check_labels};
use bd_train::{Loss, OverTime};
use tch::Device;

use super::*;

fn labels(labels: &[i64]) -> Tensor {
    Tensor::from_slice(labels)
}

#[test]
fn spikes_out_of_range() {
    let spike = |step, channel| Spikes::from_samples([6, 3], ON, [vec![Spike { step, channel }]]);
    refused("sample 0 has a spike of channel 3 in step 0", || spike(0, 3));
    refused("sample 0 has a spike of channel 0 in step 6", || spike(6, 0));
    refused("channels go from 0 to 2", || Spikes::from_fn([1, 1, 3], ON, |_, _, channels| channels.push(3)));
    refused("spikes are 0 or 1", || Spikes::from_dense(&Tensor::full([6, 4, 3], 0.5, ON)));
    refused("[time, batch, channel]", || Spikes::from_dense(&Tensor::ones([6, 3], ON)));
    for probability in [-0.1, 1.1, f64::NAN] {
        refused("probability is", || Spikes::draw([6, 4, 3], ON, probability, &mut Rng::new(0, "s")));
    }
    let spikes = spike(0, 0).unwrap();
    refused("sample 1 was asked for, of 1", || spikes.select(&[1]));
    refused("7 steps from 0 were asked for, of 6", || spikes.steps(0, 7));
    refused("were asked for, of 6", || spikes.steps(usize::MAX, 2));
}

#[test]
fn inputs_and_targets_that_do_not_meet() {
    let inputs = || Inputs::batch_first(&x()).unwrap();
    refused("one for each of 4 input sequences", || Examples::new(inputs(), labels(&[0, 1, 0])));
    refused("one for each of 4 input sequences", || Examples::new(inputs(), Tensor::from(1i64)));
    refused("[batch, time, n]", || Inputs::batch_first(&normal(&[4, 6], ON)));
    refused("one at least", || Examples::new(Inputs::Dense(normal(&[6, 3], ON)), labels(&[])));
    refused("[4, 6, ..], as the inputs before them", || {
        examples().with_inputs(Inputs::batch_first(&normal(&[4, 5, 3], ON))?)
    });
    refused("", || examples().select(&[4]));
    refused("", || inputs().steps(4, 3));
    refused("to be cut in steps", || Examples::new(inputs(), normal(&[4, 5], ON))?.steps(0, 2));
}

#[test]
fn lengths() {
    let with = |lengths: Tensor| examples().with_lengths(&lengths);
    refused("the length of sample 1 is 7", || with(labels(&[6, 7, 6, 6])));
    refused("the length of sample 2 is 0", || with(labels(&[6, 6, 0, 6])));
    refused("lengths are int64 of shape [4]", || with(labels(&[6, 6])));
    refused("got float32", || with(Tensor::ones([4], ON)));
}

#[test]
fn labels_and_scores() {
    refused("the label of sample 1 is 3", || check_labels(&labels(&[0, 3]), 3));
    refused("the label of sample 0 is -1", || check_labels(&labels(&[-1, 2]), 3));
    refused("labels are int64", || check_labels(&Tensor::ones([2], ON), 3));
    refused("a label for each", || accuracy(&normal(&[4, 3], ON), &labels(&[0, 1])));
    refused("a label for each", || accuracy(&normal(&[0, 3], ON), &labels(&[])));
    refused("a label for each", || accuracy(&Tensor::from(1.0), &labels(&[])));
    let split = SplitConfig { warmup: 0.0, split: [0.5, 0.6, 0.5] };
    refused("split is [0.5, 0.6, 0.5]", || split.divide(100));
}

#[test]
fn targets_that_no_loss_can_take() {
    let (params, gru) = gru();
    let update = |loss: Loss, targets: Tensor| -> Result<()> {
        let examples = Examples::new(Inputs::batch_first(&x())?, targets)?;
        bptt(&gru, &params, loss)?.update(&examples).map(drop)
    };
    let classes = Loss::CrossEntropy { over: OverTime::Max };
    refused("the label of sample 3 is 9", || update(classes, labels(&[0, 1, 2, 9])));
    refused("labels are int64", || update(classes, x()));
    refused("expected [4, 6, 3], got [4, 3]", || update(Loss::Mse, normal(&[4, 3], ON)));
    refused("expected [4, 6, 3], got [4, 6, 1]", || update(Loss::Mse, normal(&[4, 6, 1], ON)));
    refused("expected float32, as the outputs are, got float64", || update(Loss::Mse, normal(&[4, 6, 3], F64)));
    refused("from 0 to 1", || update(Loss::BinaryCrossEntropy, x() + 10.0));
    refused("huber.delta is 0", || update(Loss::Huber { delta: 0.0 }, x()));
}

#[test]
fn parameters_of_other_models_and_dtypes() {
    let ((params, _net), (others, _other)) = (gru(), snn());
    let error = refused("r.bias is missing", || params.load(&others.named()));
    assert!(matches!(error, Error::Mismatch { .. }) && error.to_string().contains("i2r.weight is unknown"), "{error}");
    let wider = params.named().into_iter().map(|(name, t)| (name, t.to_kind(Kind::Double))).collect::<Vec<_>>();
    refused("r.bias: expected [15] float32, got [15] float64", || params.load(&wider));
    let mut params = Params::new(0, ON);
    let make = |params: &mut Params| params.at("o").param("w", |_| Tensor::ones([1], F64));
    let _ = make(&mut params).unwrap();
    refused("two parameters are called o.w", || make(&mut params));
    for kind in [Kind::Int64, Kind::Bool, Kind::Uint8] {
        refused("a floating-point dtype", || make(&mut Params::new(0, (kind, Device::Cpu))));
    }
}
