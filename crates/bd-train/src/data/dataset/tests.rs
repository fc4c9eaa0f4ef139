//! Tiny arrays, by hand.

use std::path::Path;

use bd_core::files::sha256_hex;
use bd_core::npz::save_npz;
use bd_core::testing::assert_close;
use bd_core::{Identity, Inputs};
use bd_models::{Encoder, Linear, LinearConfig, Pipeline, Preparation};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::data::Events;

mod classes;
mod padding;
mod parts;

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

/// `x_train` `[4, 3, 2]` with numbers 0 to 23, `y_train` `[0, 1, 1, 0]`, and of these the first two for the test.
fn arrays() -> Vec<(String, Tensor)> {
    let x = Tensor::arange(24, (Kind::Float, Device::Cpu)).reshape([4, 3, 2]);
    let y = Tensor::from_slice(&[0i64, 1, 1, 0]);
    let parts =
        [("x_train", x.copy()), ("y_train", y.copy()), ("x_test", x.narrow(0, 0, 2)), ("y_test", y.narrow(0, 0, 2))];
    parts.map(|(name, array)| (name.to_owned(), array)).into()
}

/// The arrays above with one of them replaced, or added.
fn with(name: &str, array: Tensor) -> Vec<(String, Tensor)> {
    let mut all = arrays();
    all.retain(|(known, _)| known != name);
    all.push((name.to_owned(), array));
    all
}

fn read(arrays: &[(String, Tensor)], accept: Accept) -> Result<Dataset> {
    let arrays = arrays.iter().map(|(name, array)| (name.clone(), array.shallow_clone())).collect();
    Dataset::of_arrays(&Arrays::new(Path::new("a.npz"), arrays), &Reading::new(accept))
}

fn refused(arrays: &[(String, Tensor)], accept: Accept, words: &str) {
    let error = read(arrays, accept).unwrap_err().to_string();
    assert!(error.starts_with("a.npz: ") && error.contains(words), "{words:?} not in: {error}");
}

fn spikes(of: &Subset) -> &bd_core::Spikes {
    let SubsetInputs::Steps(Inputs::Spikes(spikes)) = &of.inputs else { panic!("no spikes: {of:?}") };
    spikes
}

/// Two samples: spikes at 1 and 6 ms of unit 0, and at 2 ms of unit 2 and 2.5 ms twice of unit 1.
fn events() -> Vec<(String, Tensor)> {
    let times = Tensor::from_slice(&[0.001, 0.006, 0.002, 0.0025, 0.0026]);
    let (units, offsets) = (Tensor::from_slice(&[0i64, 0, 2, 1, 1]), Tensor::from_slice(&[0i64, 2, 5]));
    let of = |part: &str| {
        let labels = Tensor::from_slice(&[0i64, 1]);
        let arrays = [("times", times.copy()), ("units", units.copy()), ("offsets", offsets.copy()), ("y", labels)];
        arrays.map(|(name, array)| (format!("{name}_{part}"), array))
    };
    [of("train"), of("test")].into_iter().flatten().collect()
}

#[test]
fn numbers_are_read_as_they_are() {
    let data = read(&arrays(), Accept::Numbers).unwrap();
    assert_eq!((data.train.shape(), data.test.shape()), (vec![4, 3, 2], vec![2, 3, 2]));
    assert_eq!((data.train.steps(), data.train.channels(), data.train.count()), (Some(3), 2, 4));
    assert_eq!(data.train.numbers().unwrap(), Tensor::arange(24, F64).reshape([4, 3, 2]));
    assert_eq!(data.targets, Targets::Labels { classes: 2 });
    assert_eq!((data.train.targets.kind(), data.train.lengths.is_none()), (Kind::Int64, true));
}

#[test]
fn the_hash_is_that_of_the_file_and_the_arrays_are_its_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    save_npz(&path, &arrays()).unwrap();
    let data = Dataset::read(&path, &Reading::new(Accept::Numbers)).unwrap();
    assert_eq!(data.sha256, sha256_hex(&std::fs::read(&path).unwrap()));
    assert_eq!(data.test.numbers().unwrap(), Tensor::arange(12, F64).reshape([2, 3, 2]));
    std::fs::copy(&path, folder.path().join("a.csv")).unwrap();
    let error = Dataset::read(&folder.path().join("a.csv"), &Reading::new(Accept::Numbers)).unwrap_err().to_string();
    assert!(error.contains("ends in .npz"), "{error}");
}

/// Spikes are zeros and ones for a model that takes spikes, numbers for another one.
#[test]
fn zeros_and_ones_are_spikes_where_spikes_are_taken() {
    let ones = Tensor::from_slice(&[0i64, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0]).reshape([2, 3, 2]);
    let y = Tensor::from_slice(&[0i64, 1]);
    let named = [("x_train", ones.copy()), ("y_train", y.copy()), ("x_test", ones.copy()), ("y_test", y)];
    let all: Vec<_> = named.map(|(name, array)| (name.to_owned(), array)).into();
    let data = read(&all, Accept::SpikesAndNumbers).unwrap();
    assert_eq!((spikes(&data.train).count(), spikes(&data.train).shape()), (4, [3, 2, 2]));
    assert_eq!(spikes(&data.train).to_dense().transpose(0, 1), ones.to_kind(Kind::Float));
    assert_eq!(read(&all, Accept::Numbers).unwrap().train.numbers().unwrap(), ones.to_kind(Kind::Double));
}

#[test]
fn a_test_part_of_numbers_is_none_of_spikes() {
    let mut all = with("x_train", Tensor::ones([4, 3, 2], (Kind::Float, Device::Cpu)));
    refused(
        &all,
        Accept::SpikesAndNumbers,
        "x_train holds zeros and ones only, which are spikes, but x_test is 2 at sample 0, step 1, channel 0",
    );
    // The other way round the zeros and ones are numbers.
    all = with("x_test", Tensor::ones([2, 3, 2], (Kind::Float, Device::Cpu)));
    assert!(read(&all, Accept::SpikesAndNumbers).unwrap().test.numbers().is_some());
}

/// Of sequences of 3, 1, 2, 3 steps; what stands in padding is 0 afterwards, whatever it was.
#[test]
fn padding_is_zero_and_its_steps_are_not_valid() {
    let mut all = arrays();
    let _ = all[0].1.get(1).narrow(0, 1, 2).fill_(f64::NAN);
    all.push(("len_train".into(), Tensor::from_slice(&[3i32, 1, 2, 3])));
    all.push(("len_test".into(), Tensor::from_slice(&[3i64, 2])));
    // The test part is a view of the training part, with the same NaN.
    let _ = all[2].1.get(1).narrow(0, 1, 1).fill_(5.0);
    let data = read(&all, Accept::Numbers).unwrap();
    let x = data.train.numbers().unwrap();
    assert_eq!(x.get(1), Tensor::from_slice(&[6.0, 7.0, 0.0, 0.0, 0.0, 0.0]).reshape([3, 2]));
    let rows = [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23].map(f64::from);
    assert_eq!(data.train.valid_steps(&x), Tensor::from_slice(&rows).reshape([9, 2]));
    assert_eq!(data.train.lengths, Some(Tensor::from_slice(&[3i64, 1, 2, 3])));
}

#[test]
fn the_shape_of_targets_says_what_they_are() {
    let float = (Kind::Float, Device::Cpu);
    let targets = |train: Tensor| {
        let test = train.narrow(0, 0, 2);
        let mut all = with("y_train", train);
        all.retain(|(name, _)| name != "y_test");
        all.push(("y_test".into(), test));
        read(&all, Accept::Numbers).map(|data| (data.targets, data.train.targets.size()))
    };
    let steps = Tensor::from_slice(&[0i64, 2, 1, 0, 0, 1, 1, 1, 1, 2, 2, 2]).reshape([4, 3]);
    assert_eq!(targets(steps).unwrap(), (Targets::LabelsOfSteps { classes: 3 }, vec![4, 3]));
    assert_eq!(targets(Tensor::ones([4], float)).unwrap(), (Targets::Vectors { n_out: 1 }, vec![4, 1]));
    assert_eq!(targets(Tensor::ones([4, 5], float)).unwrap(), (Targets::Vectors { n_out: 5 }, vec![4, 5]));
    assert_eq!(targets(Tensor::ones([4, 3], float)).unwrap(), (Targets::Series { n_out: 1 }, vec![4, 3, 1]));
    assert_eq!(targets(Tensor::ones([4, 3, 2], float)).unwrap(), (Targets::Series { n_out: 2 }, vec![4, 3, 2]));
    let error = targets(Tensor::ones([4, 2, 2], float)).unwrap_err().to_string();
    assert!(error.contains("[sample, 3, output] for each step, or [sample, output]"), "{error}");
}

/// Labels in padding may be -1 or -100, as other programs write them.
#[test]
fn labels_of_padding_do_not_count() {
    let mut all = with("y_train", Tensor::from_slice(&[0i64, 1, 0, 1, -100, -100, 0, 1, -1, 1, 1, 1]).reshape([4, 3]));
    all.retain(|(name, _)| name != "y_test");
    all.push(("y_test".into(), Tensor::from_slice(&[0i64, 1, 0, 1, 1, 0]).reshape([2, 3])));
    all.push(("len_train".into(), Tensor::from_slice(&[3i64, 1, 2, 3])));
    all.push(("len_test".into(), Tensor::from_slice(&[3i64, 3])));
    let data = read(&all, Accept::Numbers).unwrap();
    assert_eq!(data.targets, Targets::LabelsOfSteps { classes: 2 });
    assert_eq!(data.train.targets.get(1), Tensor::from_slice(&[1i64, 0, 0]));
}

#[test]
fn what_is_wrong_is_named_with_its_array_and_its_place() {
    let float = (Kind::Float, Device::Cpu);
    let numbers = Accept::Numbers;
    let without: Vec<_> = arrays().into_iter().filter(|(name, _)| name != "y_test").collect();
    refused(&without, numbers, "it lacks y_test; there are: x_train [4, 3, 2], y_train [4], x_test [2, 3, 2]");
    refused(
        &with("x_train", Tensor::ones([4, 3], float)),
        numbers,
        "x_train is [4, 3]; it must be [sample, time, channel]",
    );
    refused(&with("x_train", Tensor::ones([0, 3, 2], float)), numbers, "with nothing in it");
    refused(&with("x_test", Tensor::ones([2, 3, 5], float)), numbers, "x_train has 2 channels, but x_test has 5");
    refused(
        &with("y_train", Tensor::ones([3], float)),
        numbers,
        "x_train is [4, 3, 2], but y_train is [3]: there must be as many",
    );
    refused(
        &with("y_train", Tensor::from_slice(&[0i64, 1, -2, 0])),
        numbers,
        "y_train has the label -2; labels count from 0",
    );
    refused(&with("y_train", Tensor::from_slice(&[0i64, 1, 7, 0])), numbers, "more classes than labels");
    refused(
        &with("y_test", Tensor::from_slice(&[0i64, 2])),
        numbers,
        "y_test has the label 2, but y_train has only 0 to 1",
    );
    refused(
        &with("y_test", Tensor::full([2], 0.5, float)),
        numbers,
        "y_test is 0.5 at [0] (counted from 0); labels are whole numbers",
    );
    refused(
        &with("len_train", Tensor::ones([4], float)),
        numbers,
        "len_train is float32 of shape [4]; it must be whole numbers",
    );
    refused(
        &with("len_train", Tensor::from_slice(&[3i64, 4, 1, 1])),
        numbers,
        "len_train of sample 1 is 4; lengths are from 1 to 3",
    );
    refused(&with("len_train", Tensor::from_slice(&[3i64, 3, 1, 1])), numbers, "it has len_train and lacks len_test");
    let hole = arrays()[0].1.copy();
    let _ = hole.get(2).get(1).narrow(0, 1, 1).fill_(f64::NAN);
    refused(&with("x_train", hole), numbers, "x_train is NaN at sample 2, step 1, channel 1 (counted from 0)");
}

#[test]
fn events_are_put_in_steps() {
    let data = read(&events(), Accept::SpikesAndNumbers).unwrap();
    assert_eq!((data.train.steps(), data.train.channels(), data.train.shape()), (None, 3, vec![2, 3]));
    let binning = Binning { as_: InSteps::Spikes, dt_ms: 2.0, steps: 3, channels: 4 };
    let data = data.in_steps(Path::new("a.npz"), Some(binning)).unwrap();
    assert_eq!((data.train.shape(), data.train.merged_events, data.train.late_events), (vec![2, 3, 4], 1, 1));
    let at = |sample| spikes(&data.train).sample(sample).iter().map(|s| (s.step, s.channel)).collect::<Vec<_>>();
    // 1 ms is in step 0, 6 ms is after the last one; 2 and 2.5 ms are in step 1, and of two spikes of unit 1 one counts.
    assert_eq!((at(0), at(1)), (vec![(0, 0)], vec![(1, 1), (1, 2)]));
}

#[test]
fn events_that_do_not_fit_are_refused() {
    refused(
        &events(),
        Accept::Numbers,
        "it has spikes with times (times_train) and no x_train, but the model takes numbers",
    );
    let both: Vec<_> = events().into_iter().chain(arrays()).collect();
    refused(&both, Accept::SpikesAndNumbers, "it has times_train and x_train; inputs are one of them");
    let mut padded = events();
    padded.push(("len_train".into(), Tensor::from_slice(&[1i64, 1])));
    refused(&padded, Accept::SpikesAndNumbers, "spikes with times have no padding");
    let data = read(&events(), Accept::SpikesAndNumbers).unwrap();
    assert_eq!(data.hold_out(0.0, 0).unwrap().0.events().unwrap().count(), 2);
    assert!(data.train.examples(&Identity::new(F64)).unwrap_err().to_string().contains("must be put in steps first"));
    let few = Some(Binning { as_: InSteps::Spikes, dt_ms: 2.0, steps: 3, channels: 2 });
    let error = data.in_steps(Path::new("a.npz"), few).unwrap_err().to_string();
    assert!(error.starts_with("a.npz: sample 1 has a spike of unit 2"), "{error}");
}

#[test]
fn events_of_a_file_are_those_of_its_test_part() {
    let binning = Binning { as_: InSteps::Spikes, dt_ms: 1.0, steps: 10, channels: 3 };
    let binned = binned_events(&Arrays::new(Path::new("a.npz"), events()), binning).unwrap().unwrap();
    // Steps 1 and 6 of unit 0, step 2 of units 2 and 1; the second spike of unit 1 counts as one with the first.
    assert_eq!((binned.spikes.count(), binned.merged, binned.late), (4, 1, 0));
    assert!(binned_events(&Arrays::new(Path::new("a.npz"), arrays()), binning).unwrap().is_none());
}

/// 12 samples of class 0 and 6 of class 1: a third of each, 4 and 2, and everything once.
#[test]
fn a_fraction_of_each_class_is_held_out() {
    let labels: Vec<i64> = (0..18).map(|i| i64::from(i % 3 == 2)).collect();
    let x = Tensor::arange(18, F64).reshape([18, 1, 1]);
    let train =
        Subset::new("training", SubsetInputs::Steps(Inputs::batch_first(&x).unwrap()), Tensor::from_slice(&labels));
    let data = Dataset { train, ..read(&arrays(), Accept::Numbers).unwrap() };
    let numbers = |part: &Subset| Vec::<f64>::try_from(part.numbers().unwrap().flatten(0, -1)).unwrap();
    let (kept, held) = data.hold_out(1.0 / 3.0, 5).unwrap();
    let held = held.unwrap();
    let ones = |part: &Subset| part.targets.sum(Kind::Int64).int64_value(&[]);
    assert_eq!((held.count(), ones(&held), kept.count(), ones(&kept)), (6, 2, 12, 4));
    assert_eq!((kept.name, held.name), ("training", "validation"));
    let (a, b) = (numbers(&kept), numbers(&held));
    assert!(a.is_sorted() && b.is_sorted(), "{a:?} {b:?}");
    let mut all = [a, b.clone()].concat();
    all.sort_by(f64::total_cmp);
    assert_eq!(all, (0..18).map(f64::from).collect::<Vec<_>>());
    // The same seed holds the same out, another one other samples.
    assert_eq!(numbers(&data.hold_out(1.0 / 3.0, 5).unwrap().1.unwrap()), b);
    assert_ne!(numbers(&data.hold_out(1.0 / 3.0, 6).unwrap().1.unwrap()), b);
}

#[test]
fn nothing_is_held_out_of_nothing_and_both_parts_need_a_sample() {
    let data = read(&arrays(), Accept::Numbers).unwrap();
    let (kept, held) = data.hold_out(0.0, 0).unwrap();
    assert!(held.is_none());
    assert_eq!(kept.numbers(), data.train.numbers());
    for (fraction, words) in
        [(0.1, "4 for training and 0 for validation"), (0.9, "0 for training and 4 for validation")]
    {
        let error = data.hold_out(fraction, 0).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("of 4 samples") && error.contains("both need one"), "{error}");
    }
}

#[test]
fn some_samples_are_selected_with_all_that_belongs_to_them() {
    let mut data = read(&arrays(), Accept::Numbers).unwrap();
    data.train.lengths = Some(Tensor::from_slice(&[3i64, 1, 2, 3]));
    let part = data.train.select(&[2, 0], "validation").unwrap();
    assert_eq!(part.numbers().unwrap().select(1, 0), Tensor::from_slice(&[12.0, 13.0, 0.0, 1.0]).reshape([2, 2]));
    assert_eq!((part.targets, part.lengths), (Tensor::from_slice(&[1i64, 0]), Some(Tensor::from_slice(&[2i64, 3]))));
    assert!(data.train.select(&[4], "validation").is_err());
}

/// Channels 0, 2 .. 22 and 1, 3 .. 23: mean 11 and 12, variance 4 (12^2 - 1) / 12 = 47.67, by the formula of evenly spaced numbers.
#[test]
fn a_pipeline_is_fitted_to_the_training_part_and_applied_to_both() {
    let data = read(&arrays(), Accept::Numbers).unwrap();
    let params = bd_core::Params::new(0, F64);
    let pipeline = Pipeline::new(params, 2, Preparation::Standardise, None, |params| {
        Linear::new(&mut params.at("o"), 2, 2, &LinearConfig::default())
    });
    let pipeline = pipeline.unwrap();
    let prepared = Prepared::new(data, &pipeline, HoldOut { fraction: 0.0, seed: 0, members: 1 }).unwrap();
    let std = (4.0 * (144.0 - 1.0) / 12.0f64).sqrt();
    let expected = (Tensor::arange(12, F64).reshape([2, 3, 2]) - Tensor::from_slice(&[11.0, 12.0])) / std;
    assert_close("test", &prepared.test.examples.inputs().to_dense(), &expected, 1e-14);
    assert_eq!((prepared.train.count(), prepared.steps, prepared.channels), (4, 3, 2));
    assert_eq!(
        prepared.describe(),
        "4 for training, 0 for validation, 2 for testing, of 3 steps, 2 channels; 2 classes"
    );
    assert!(prepared.held_out().is_none() && !prepared.baselines.all.is_empty());
}

/// 1e39 is a number in float64 and infinite in float32. (Files cannot have it; other sources can.)
#[test]
fn what_the_dtype_cannot_hold_is_refused() {
    let x = Tensor::from_slice(&[1.0, 1e39]).reshape([2, 1, 1]);
    let part =
        Subset::new("training", SubsetInputs::Steps(Inputs::batch_first(&x).unwrap()), Tensor::from_slice(&[0i64, 1]));
    let error = part.examples(&Identity::new((Kind::Float, Device::Cpu))).unwrap_err().to_string();
    assert!(error.contains("an input is not finite: sample 1 (counted from 0), in float32"), "{error}");
    assert!(part.examples(&Identity::new(F64)).is_ok());
}

/// Events that a program has in memory make a part without a file.
#[test]
fn a_part_is_made_of_events_in_memory() {
    let (times, units) = (Tensor::from_slice(&[0.0, 0.003]), Tensor::from_slice(&[0i64, 1]));
    let events = Events::new(times, units, &Tensor::from_slice(&[0i64, 2]), ["times", "units", "offsets"]).unwrap();
    let part = Subset::new("test", SubsetInputs::Events(events), Tensor::from_slice(&[0i64]));
    let part = part.binned(Binning { as_: InSteps::Spikes, dt_ms: 1.0, steps: 4, channels: 2 }).unwrap();
    assert_eq!(
        spikes(&part).to_dense().flatten(0, -1),
        Tensor::from_slice(&[1.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    );
}

/// The test part of a trained model may have few samples, and floats for labels; of outputs and steps of one number, the model says
/// which is meant.
#[test]
fn what_a_model_has_learned_goes_before_what_values_look_like() {
    let part = |y: Tensor, targets| {
        let all = vec![("x".to_owned(), Tensor::ones([2, 3, 1], F64)), ("y".to_owned(), y)];
        let reader =
            Reader { arrays: &Arrays::new(Path::new("a.npz"), all), accept: Accept::Numbers, targets_of: None };
        reader.part("", "test", Some(Like { targets, train: None, names: None })).map(|part| part.subset.targets)
    };
    let labels = Targets::Labels { classes: 5 };
    assert_eq!(part(Tensor::from_slice(&[2i64, 4]), labels).unwrap(), Tensor::from_slice(&[2i64, 4]));
    assert_eq!(part(Tensor::from_slice(&[2.0, 4.0]), labels).unwrap(), Tensor::from_slice(&[2i64, 4]));
    let error = part(Tensor::from_slice(&[2.0, 3.5]), labels).unwrap_err().to_string();
    assert!(error.contains("y is 3.5 at [1] (counted from 0); labels are whole numbers"), "{error}");
    let square = Tensor::arange(6, F64).reshape([2, 3]);
    assert_eq!(part(square.copy(), Targets::Vectors { n_out: 3 }).unwrap(), square);
    assert_eq!(part(square.copy(), Targets::Series { n_out: 1 }).unwrap(), square.unsqueeze(2));
}

#[test]
fn zeros_and_ones_are_numbers_where_numbers_are_to_be_encoded() {
    let ones = Tensor::from_slice(&[0.0, 1.0, 1.0, 0.0]).reshape([2, 2, 1]);
    let y = Tensor::from_slice(&[0i64, 1]);
    let named = [("x_train", ones.copy()), ("y_train", y.copy()), ("x_test", ones.copy()), ("y_test", y)];
    let all: Vec<_> = named.map(|(name, array)| (name.to_owned(), array)).into();
    assert!(read(&all, Accept::SpikesAndNumbers).unwrap().train.numbers().is_none());
    assert_eq!(read(&all, Accept::NumbersToEncode).unwrap().train.numbers().unwrap(), ones);
    assert!(read(&events(), Accept::NumbersToEncode).unwrap().train.events().is_some());
}
