use super::*;
use crate::reservoir::ReservoirConfig;
use crate::sequence_reservoir::ReadStates;

fn model(channels: usize, n_out: i64, features: usize) -> SequenceReadout {
    let params = Params::new(3, (Kind::Float, Device::Cpu));
    let config = SequenceFeatures::Convolutions(RandomConvolutionsConfig { features });
    SequenceReadout::new(params, [30, channels], n_out, true, &config).unwrap()
}

/// `[sample, time, channel]` in units of its own.
fn series(samples: i64, channels: i64) -> Tensor {
    let at = Tensor::arange(samples * 30 * channels, (Kind::Double, Device::Cpu));
    (&at * &at * 0.754_877_666).fmod(1.0).reshape([samples, 30, channels]) * 20.0 + 1e4
}

#[test]
fn features_of_the_fitted_sequences_are_standardised() {
    let model = model(2, 1, 500);
    let x = series(40, 2);
    let z = model.fit_features(&x, None, &|| true).unwrap().unwrap();
    assert_eq!((z.size(), model.n_features()), (vec![40, 420], 420));
    let std = z.std_dim(0, false, false);
    let varied = std.gt(0.0);
    assert!(varied.sum(Kind::Int64).int64_value(&[]) > 400);
    assert!((std - 1.0).masked_select(&varied).abs().max().double_value(&[]) < 1e-12);
    assert!(z.mean_dim(0, false, Kind::Double).abs().max().double_value(&[]) < 1e-12);
    assert_eq!(model.features(&x, None).unwrap(), z);
}

/// What stands in padding is nothing, and neither are the samples beside one.
#[test]
fn padding_does_not_count() {
    let model = model(2, 1, 300);
    let x = series(12, 2);
    let lengths = Tensor::from_slice(&[30i64, 7, 12, 30, 1, 30, 29, 3, 30, 30, 8, 9]);
    let z = model.fit_features(&x, Some(&lengths), &|| true).unwrap().unwrap();
    let beyond = Tensor::arange(30, (Kind::Int64, Device::Cpu)).unsqueeze(0).ge_tensor(&lengths.unsqueeze(1));
    let other = x.masked_fill(&beyond.unsqueeze(2), 1e9);
    assert_eq!(model.features(&other, Some(&lengths)).unwrap(), z);
    let alone = model.features(&x.narrow(0, 1, 1).narrow(1, 0, 7), None).unwrap();
    assert_eq!(alone, z.narrow(0, 1, 1));
    let fitted = self::model(2, 1, 300);
    let _ = fitted.fit_features(&other, Some(&lengths), &|| true).unwrap().unwrap();
    assert_eq!(fitted.params.named(), model.params.named());
}

/// The unit of a channel and where its zero lies change nothing but the last bits, which move hardly a step over a threshold.
#[test]
fn units_of_channels_do_not_count() {
    let [a, b] = [model(2, 1, 500), model(2, 1, 500)];
    let x = series(30, 2);
    let other = &x * Tensor::from_slice(&[1e-3, 7.0]) - Tensor::from_slice(&[5.0, 1e6]);
    let apart =
        a.fit_features(&x, None, &|| true).unwrap().unwrap() - b.fit_features(&other, None, &|| true).unwrap().unwrap();
    assert!(apart.abs().gt(1e-6).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]) < 1e-3);
}

#[test]
fn outputs_are_in_the_units_of_the_targets() {
    let model = model(1, 2, 84);
    let x = series(300, 1);
    let y = Tensor::from_slice(&[100.0, -2.0, 300.0, -4.0]).reshape([2, 2]).repeat([150, 1]);
    let z = model.fit_features(&x, None, &|| true).unwrap().unwrap();
    let scaled = model.fit_targets(&y).unwrap();
    assert_eq!(scaled.get(0), Tensor::from_slice(&[-1.0, 1.0]));
    let weight = Tensor::zeros([84, 2], (Kind::Double, Device::Cpu));
    let _ = weight.get(5).fill_(1.0);
    model.set_readout(&weight, &Tensor::from_slice(&[0.5, -0.5])).unwrap();
    // 100 times the standardised feature, and 150: mean 200 and deviation 100, half a deviation more. In chunks and at once the same.
    let expected = z.select(1, 5) * 100.0 + 250.0;
    let found = model.predict(&x, None).unwrap();
    assert!((found.select(1, 0) - expected).abs().max().double_value(&[]) < 1e-9);
    assert_eq!(found.size(), [300, 2]);
}

#[test]
fn a_loaded_model_gives_the_same_bytes() {
    let [a, b] = [model(3, 1, 200), model(3, 1, 200)];
    let x = series(20, 3);
    let z = a.fit_features(&x, None, &|| true).unwrap().unwrap();
    b.params.load(&a.params.named()).unwrap();
    assert_eq!(b.features(&x, None).unwrap(), z);
}

#[test]
fn what_is_no_batch_of_sequences_is_refused() {
    let model = model(2, 1, 84);
    for size in [vec![3, 30], vec![3, 30, 1], vec![0, 30, 2], vec![3, 0, 2]] {
        let error = model.features(&Tensor::zeros(&size, (Kind::Double, Device::Cpu)), None).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    let x = series(2, 2);
    for lengths in [vec![1i64], vec![0, 5], vec![5, 31]] {
        assert!(model.features(&x, Some(&Tensor::from_slice(&lengths))).is_err());
    }
    let _ = x.get(1).get(2).fill_(f64::NAN);
    assert!(matches!(model.features(&x, None), Err(Error::NotFinite { .. })));
    assert!(RandomConvolutionsConfig { features: 83 }.check().is_err());
    let none = SequenceReadout::new(
        Params::new(0, (Kind::Float, Device::Cpu)),
        [30, 0],
        1,
        false,
        &SequenceFeatures::all()[0],
    );
    assert!(matches!(none, Err(Error::Setting { .. })));
    assert!(self::model(2, 1, 84).predict(&series(100, 2), Some(&Tensor::from_slice(&[1i64, 2]))).is_err());
    let wide = Tensor::zeros([84, 1], (Kind::Double, Device::Cpu));
    assert!(self::model(2, 2, 84).set_readout(&wide, &wide).is_err());
    assert!(self::model(2, 2, 84).fit_targets(&wide).is_err());
}

/// A channel that hardly varies in training, and is elsewhere later, is beyond float32.
#[test]
fn what_is_too_far_from_the_training_part_is_refused() {
    let model = model(1, 1, 84);
    let _ = model.fit_features(&(series(20, 1) * 1e-14), None, &|| true).unwrap();
    let error = model.predict(&(series(3, 1) * 1e30), None).unwrap_err().to_string();
    assert!(error.contains("sample 0") && error.contains("after scaling"), "{error}");
}

#[test]
fn a_fit_that_is_not_to_go_on_ends() {
    let model = model(1, 1, 84);
    let asked = std::cell::Cell::new(0);
    let go_on = || asked.replace(asked.get() + 1) < 2;
    assert!(model.fit_features(&series(200, 1), None, &go_on).unwrap().is_none());
    assert_eq!(asked.get(), 3);
}

/// What was drawn is saved: a model of another seed that loads it is the same.
#[test]
fn a_model_of_another_seed_loads_what_was_drawn() {
    let one = model(3, 1, 200);
    let config = SequenceFeatures::Convolutions(RandomConvolutionsConfig { features: 200 });
    let other = SequenceReadout::new(Params::new(77, (Kind::Float, Device::Cpu)), [30, 3], 1, true, &config).unwrap();
    let x = series(20, 3);
    let z = one.fit_features(&x, None, &|| true).unwrap().unwrap();
    other.params.load(&one.params.named()).unwrap();
    assert_eq!(other.features(&x, None).unwrap(), z);
}

/// The output of each step, against the readout of its features; 0 in padding.
#[test]
fn a_reservoir_that_reads_each_state_has_an_output_for_each_step() {
    let reservoir = ReservoirConfig { units: 12, ..ReservoirConfig::default() };
    let config = SequenceFeatures::Reservoir(SequenceReservoirConfig { reservoir, reads: ReadStates::Each });
    let model = SequenceReadout::new(Params::new(3, (Kind::Float, Device::Cpu)), [30, 2], 1, true, &config).unwrap();
    let x = series(3, 2);
    let lengths = Tensor::from_slice(&[30i64, 7, 12]);
    let z = model.fit_features(&x, Some(&lengths), &|| true).unwrap().unwrap();
    assert_eq!((z.size(), model.of_steps()), (vec![49, 14], true));
    let targets = model.fit_targets(&(z.narrow(1, 0, 1) * 3.0 + 5.0)).unwrap();
    assert!((targets.std(false).double_value(&[]) - 1.0).abs() < 1e-12);
    let weight = Tensor::arange(14, (Kind::Double, Device::Cpu)).unsqueeze(1) * 0.1;
    model.set_readout(&weight, &Tensor::from_slice(&[0.3])).unwrap();
    let (y, rows) = (model.predict(&x, Some(&lengths)).unwrap(), model.readout(&z).unwrap());
    assert_eq!(y.size(), [3, 30, 1]);
    for (sample, first, length) in [(0, 0, 30), (1, 30, 7), (2, 37, 12)] {
        let own = y.get(sample);
        assert!((own.narrow(0, 0, length) - rows.narrow(0, first, length)).abs().max().double_value(&[]) < 1e-9);
        assert_eq!(own.narrow(0, length, 30 - length), Tensor::zeros([30 - length, 1], (Kind::Double, Device::Cpu)));
    }
}
