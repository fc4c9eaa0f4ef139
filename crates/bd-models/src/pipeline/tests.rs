//! Scaling there and back, lengths, names of parameters; numbers by hand.

use bd_core::testing::assert_close;
use bd_core::{Rng, Shared, Tap};

use super::*;
use crate::{Linear, LinearConfig};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn linear(preparation: Preparation, channels: i64, scaled_targets: Option<i64>) -> Pipeline<Linear> {
    let n_in = if let Preparation::Encode(encoder) = preparation { encoder.channels(channels) } else { channels };
    Pipeline::new(Params::new(7, ON), channels, preparation, scaled_targets, |params| {
        Linear::new(&mut params.at("o"), n_in, 2, &LinearConfig::default())
    })
    .unwrap()
}

fn names(pipeline: &Pipeline<Linear>) -> Vec<String> {
    pipeline.params.named().into_iter().map(|(name, _)| name).collect()
}

/// Channels of mean 3 and 10 and of deviation 1 and 5, by hand.
#[test]
fn inputs_are_standardised_by_what_was_fitted() {
    let pipeline = linear(Preparation::Standardise, 2, None);
    let x = Tensor::from_slice(&[2.0, 5.0, 4.0, 15.0]).reshape([1, 2, 2]);
    pipeline.fit_inputs(&x).unwrap();
    let expected = Tensor::from_slice(&[-1.0, -1.0, 1.0, 1.0]).reshape([1, 2, 2]);
    assert_close("inputs", &pipeline.inputs(&x, None, "test").unwrap().to_dense(), &expected, 1e-15);
    // Other data by the same numbers: (5 - 3) / 1 and (0 - 10) / 5.
    let other = Tensor::from_slice(&[5.0, 0.0]).reshape([1, 1, 2]);
    let expected = Tensor::from_slice(&[2.0, -2.0]).reshape([1, 1, 2]);
    assert_close("other", &pipeline.inputs(&other, None, "test").unwrap().to_dense(), &expected, 1e-15);
}

#[test]
fn before_a_fit_scaling_changes_nothing() {
    let pipeline = linear(Preparation::Standardise, 3, Some(2));
    let x = Rng::new(0, "x").tensor(&[2, 4, 3], ON, Rng::normal);
    assert_eq!(pipeline.inputs(&x, None, "test").unwrap().to_dense(), x);
    let y = Rng::new(0, "y").tensor(&[2, 4, 2], ON, Rng::normal);
    assert_eq!((pipeline.targets(&y), pipeline.outputs(&y)), (y.shallow_clone(), y));
}

/// Targets 1, 3 and 20, 40 have mean 2, 30 and deviation 1, 10.
#[test]
fn targets_are_scaled_and_outputs_scaled_back() {
    let pipeline = linear(Preparation::None, 2, Some(2));
    let y = Tensor::from_slice(&[1.0, 20.0, 3.0, 40.0]).reshape([2, 2]);
    pipeline.fit_targets(&y).unwrap();
    let scaled = pipeline.targets(&y);
    assert_close("targets", &scaled, &Tensor::from_slice(&[-1.0, -1.0, 1.0, 1.0]).reshape([2, 2]), 1e-15);
    assert_close("outputs", &pipeline.outputs(&scaled), &y, 1e-15);
    assert_close("mean", &pipeline.outputs(&Tensor::zeros([2], ON)), &Tensor::from_slice(&[2.0, 30.0]), 1e-15);
}

#[test]
fn scaling_and_its_inverse_cancel_on_random_data() {
    let pipeline = linear(Preparation::None, 2, Some(2));
    let y = Rng::new(3, "y").tensor(&[5, 6, 2], ON, Rng::normal) * 40.0 - 300.0;
    pipeline.fit_targets(&y).unwrap();
    assert_close("there and back", &pipeline.outputs(&pipeline.targets(&y)), &y, 1e-13);
    let rows = pipeline.targets(&y).flatten(0, 1);
    assert!(rows.mean_dim(0, false, Kind::Double).abs().max().double_value(&[]) < 1e-12);
    assert_close("deviation", &rows.std_dim(0, false, false), &Tensor::from_slice(&[1.0, 1.0]), 1e-12);
}

#[test]
fn labels_are_not_scaled() {
    let labels = Tensor::from_slice(&[0i64, 2, 1]);
    assert_eq!(linear(Preparation::Standardise, 2, None).targets(&labels), labels);
}

/// What a pipeline has learned of the data is in its parameters: loaded into another one, that does the same.
#[test]
fn a_loaded_pipeline_takes_and_gives_the_same_units() {
    let x = Rng::new(1, "x").tensor(&[3, 5, 2], ON, Rng::normal) * 9.0 + 4.0;
    let y = Rng::new(1, "y").tensor(&[3, 5, 2], ON, Rng::normal) * 0.1 - 2.0;
    let trained = linear(Preparation::Standardise, 2, Some(2));
    trained.fit_inputs(&x).unwrap();
    trained.fit_targets(&y).unwrap();
    assert_eq!(names(&trained), ["scale.mean", "scale.std", "target.mean", "target.std", "o.weight", "o.bias"]);
    let loaded = linear(Preparation::Standardise, 2, Some(2));
    loaded.params.load(&trained.params.named()).unwrap();
    let run = |pipeline: &Pipeline<Linear>| {
        let inputs = pipeline.inputs(&x, None, "test").unwrap();
        pipeline.outputs(&pipeline.net.scan(&Shared::default(), &inputs, (), &mut Tap::none()).0).detach()
    };
    assert_eq!(run(&loaded), run(&trained));
}

/// Weights of two outputs on two channels and two biases; the scaling is fixed.
#[test]
fn only_the_network_is_trained() {
    let pipeline = linear(Preparation::Standardise, 2, Some(2));
    assert_eq!(pipeline.n_trainable(), 2 * 2 + 2);
    assert_eq!((pipeline.channels(), pipeline.substeps()), (2, 1));
}

#[test]
fn an_encoder_stretches_time_and_lengths() {
    let encoder = Encoder::Current { substeps: 3 };
    let pipeline = linear(Preparation::Encode(encoder), 1, None);
    let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 0.0]).reshape([2, 2, 1]);
    let lengths = Tensor::from_slice(&[2i64, 1]);
    let inputs = pipeline.inputs(&x, Some(&lengths), "test").unwrap();
    assert_eq!((inputs.shape(), pipeline.substeps()), ([2, 6, 1], 3));
    assert_eq!(pipeline.lengths(Some(&lengths)), Some(Tensor::from_slice(&[6i64, 3])));
    assert_eq!(pipeline.lengths(None), None);
}

/// `latency` takes numbers from 0 to 1: the least of the training data never spikes, the greatest spikes first.
#[test]
fn an_encoder_gets_the_range_that_it_needs() {
    let pipeline = linear(Preparation::Encode(Encoder::Latency { substeps: 5 }), 1, None);
    let x = Tensor::from_slice(&[10.0, 30.0, 20.0]).reshape([1, 3, 1]);
    pipeline.fit_inputs(&x).unwrap();
    assert_eq!(names(&pipeline)[..2], ["scale.min", "scale.max"]);
    let Inputs::Spikes(spikes) = pipeline.inputs(&x, None, "test").unwrap() else { panic!("spikes") };
    // 10 is 0: no spike. 30 is 1: the first of its five steps. 20 is 0.5: step 4 (1 - 0.5) = 2 of its own.
    assert_eq!(spikes.sample(0).iter().map(|spike| spike.step).collect::<Vec<_>>(), [5, 12]);
}

/// Streams and seeds tell draws apart; the same ones repeat them.
#[test]
fn draws_depend_on_the_stream() {
    let pipeline = linear(Preparation::Encode(Encoder::Rate { substeps: 4, max_rate: 1.0 }), 1, None);
    let x = Tensor::full([2, 30, 1], 0.5, ON);
    let drawn = |stream: &str| pipeline.inputs(&x, None, stream).unwrap().to_dense();
    assert_eq!(drawn("training"), drawn("training"));
    assert_ne!(drawn("training"), drawn("test"));
}

#[test]
fn preparations_have_words() {
    let words = |preparation| linear(preparation, 1, None).preparation();
    assert_eq!(words(Preparation::None), None);
    assert_eq!(words(Preparation::Standardise).unwrap(), "standardised as in the training");
    assert_eq!(
        words(Preparation::Encode(Encoder::Delta { substeps: 1, threshold: 0.25 })).unwrap(),
        "encoded as delta"
    );
}

#[test]
fn settings_and_shapes_that_do_not_fit_are_refused() {
    let made = |preparation, channels, scaled| {
        Pipeline::new(Params::new(0, ON), channels, preparation, scaled, |params| {
            Linear::new(&mut params.at("o"), 1, 1, &LinearConfig::default())
        })
    };
    let wrong = Preparation::Encode(Encoder::Rate { substeps: 1, max_rate: 2.0 });
    let error = made(wrong, 1, None).unwrap_err().to_string();
    assert!(error.contains("max_rate is 2"), "{error}");
    assert!(made(Preparation::Standardise, 0, None).is_err() && made(Preparation::None, 1, Some(0)).is_err());
    let pipeline = made(Preparation::Standardise, 1, Some(1)).unwrap();
    assert!(pipeline.fit_inputs(&Tensor::zeros([3, 2], ON)).is_err());
    assert!(pipeline.fit_targets(&Tensor::zeros([0, 1], ON)).is_err());
    assert!(pipeline.inputs(&Tensor::zeros([3, 1], ON), None, "test").is_err());
}

/// Numbers around 1e7 that vary by 1, in a network of float32, whose numbers are 1 apart there: as without the offset, there and back.
#[test]
fn an_offset_costs_no_digits() {
    let on = (Kind::Float, Device::Cpu);
    let x = Rng::new(0, "x").tensor(&[5, 7, 2], ON, Rng::normal);
    let prepared = |offset: f64| {
        let pipeline = Pipeline::new(Params::new(7, on), 2, Preparation::Standardise, Some(2), |params| {
            Linear::new(&mut params.at("o"), 2, 2, &LinearConfig::default())
        })
        .unwrap();
        let x = &x + offset;
        pipeline.fit_inputs(&x).unwrap();
        pipeline.fit_targets(&x).unwrap();
        let inputs = pipeline.inputs(&x, None, "test").unwrap().to_dense();
        let scaled = pipeline.targets(&x);
        assert_eq!((inputs.kind(), scaled.kind()), (Kind::Float, Kind::Float));
        (inputs, pipeline.outputs(&scaled) - offset, scaled)
    };
    let ((inputs, outputs, targets), (inputs_there, outputs_there, targets_there)) = (prepared(0.0), prepared(1e7));
    assert_close("inputs", &inputs_there, &inputs, 1e-6);
    assert_close("targets", &targets_there, &targets, 1e-6);
    assert_close("outputs", &outputs_there, &outputs, 1e-6);
}
