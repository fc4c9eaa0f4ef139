//! Baselines against scikit-learn 1.9.1 (`baselines.py` makes the numbers), and small cases by hand.

use bd_core::{Inputs, Spike, Spikes};
use bd_train::data::dataset::{Subset, SubsetInputs, Targets, spikes_of};
use bd_train::{Baselines, Score};
use tch::{Device, Kind, Tensor};

const SAMPLES: usize = 18;
const TRAIN: i64 = 12;
const STEPS: usize = 9;

/// The formula of `baselines.py`.
fn x(i: usize, t: usize, c: usize) -> f64 {
    let phase = 0.37 * ((t + 2) * (c + 1) * (i % 5 + 1)) as f64;
    (1.7 * (i + 1) as f64 + phase).sin() + 0.1 * (i * c) as f64
}

fn of_sequence(i: usize) -> f64 {
    x(i, 2, 0) - x(i, 5, 1) + 0.5 * (1.3 * i as f64).cos()
}

fn of_step(i: usize, t: usize) -> f64 {
    let before = if t >= 3 { x(i, t - 3, 0) } else { 0.0 };
    0.5 * x(i, t, 1) + before + 0.3 * (1.9 * (i * t) as f64).cos()
}

fn inputs() -> Tensor {
    let all = (0..SAMPLES).flat_map(|i| (0..STEPS).flat_map(move |t| (0..2).map(move |c| x(i, t, c))));
    Tensor::from_slice(&all.collect::<Vec<_>>()).reshape([SAMPLES as i64, STEPS as i64, 2])
}

/// The first samples for training, the others for the test.
fn parts(x: &Tensor, y: &Tensor, train: i64) -> [Subset; 2] {
    let part = |from: i64, len: i64| {
        let inputs = SubsetInputs::Steps(Inputs::batch_first(&x.narrow(0, from, len)).unwrap());
        Subset::new("training", inputs, y.narrow(0, from, len))
    };
    [part(0, train), part(train, x.size()[0] - train)]
}

fn found(x: &Tensor, y: &Tensor, train: i64, targets: Targets) -> Baselines {
    let [train, test] = parts(x, y, train);
    Baselines::of(&train, &test, targets).unwrap()
}

/// Accuracy, or the mean square error.
fn score(baselines: &Baselines, name: &str) -> f64 {
    match baselines.all.iter().find(|baseline| baseline.name == name).map(|baseline| baseline.score) {
        Some(Score::Accuracy(accuracy)) => accuracy,
        Some(Score::Error { mse, .. }) => mse,
        None => panic!("no {name} in {baselines:?}"),
    }
}

fn names(baselines: &Baselines) -> Vec<&'static str> {
    baselines.all.iter().map(|baseline| baseline.name).collect()
}

fn assert_scores(baselines: &Baselines, expected: &[(&'static str, f64)]) {
    assert_eq!(names(baselines), expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, expected) in expected {
        let found = score(baselines, name);
        assert!((found - expected).abs() < 1e-9 * expected.abs(), "{name}: {found}, not {expected}");
    }
}

#[test]
fn numbers_of_sequences_are_those_of_scikit_learn() {
    let y = Tensor::from_slice(&(0..SAMPLES).map(of_sequence).collect::<Vec<_>>()).unsqueeze(1);
    let found = found(&inputs(), &y, TRAIN, Targets::Vectors { n_out: 1 });
    assert_scores(
        &found,
        &[
            ("mean", 3.6626093667558046),
            ("moments", 3.982519106994752),
            ("ridge", 3.322169830207333),
            ("nearest", 6.311319715176592),
        ],
    );
    assert_eq!(found.best().unwrap().name, "ridge");
}

/// The labels of the test part are 1, 0, 0, 0, 0, 0; ridge says 1, 0, 0, 1, 0, 0, the moments 1, 0, 1, 1, 1, 1. Six of the twelve
/// labels of the training part are 0.
#[test]
fn labels_of_sequences_are_those_of_scikit_learn() {
    let label = |i| [-0.7, 0.7].iter().filter(|edge| of_sequence(i) >= **edge).count() as i64;
    let y = Tensor::from_slice(&(0..SAMPLES).map(label).collect::<Vec<_>>());
    let found = found(&inputs(), &y, TRAIN, Targets::Labels { classes: 3 });
    let scores = ["majority", "moments", "ridge"].map(|name| score(&found, name) * 6.0);
    assert_eq!(scores.map(f64::round), [5.0, 2.0, 5.0]);
    assert_eq!(found.best().unwrap().name, "majority", "the first of equal ones");
}

#[test]
fn numbers_of_steps_are_those_of_scikit_learn() {
    let y = (0..SAMPLES).flat_map(|i| (0..STEPS).map(move |t| of_step(i, t)));
    let y = Tensor::from_slice(&y.collect::<Vec<_>>()).reshape([SAMPLES as i64, STEPS as i64, 1]);
    let found = found(&inputs(), &y, TRAIN, Targets::Series { n_out: 1 });
    assert_scores(&found, &[("mean", 0.7175547976304656), ("ridge", 0.063818530105683)]);
}

/// 9 of 10 sequences have label 1, whatever the inputs: all that can be said is "always 1", which is right in 9 of 10.
#[test]
fn the_most_frequent_label_is_named() {
    let y = Tensor::from_slice(&[1i64, 1, 1, 1, 0, 1, 1, 1, 1, 1].repeat(2));
    let found = found(&Tensor::ones([20, 3, 1], (Kind::Double, Device::Cpu)), &y, 10, Targets::Labels { classes: 3 });
    assert_eq!((found.all[0].name, found.all[0].method.as_str()), ("majority", "always label 1"));
    assert!(["majority", "moments", "ridge"].iter().all(|name| score(&found, name) == 0.9), "{found:?}");
}

/// By hand: steps of the training part that count have labels 0, 0, 1, 0; those of the test part 0, 0, 1, 1, half of them 0. With
/// padding 1 is as frequent in training, and more so in the test part.
#[test]
fn padding_has_no_label() {
    let y = Tensor::from_slice(&[0i64, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1]).reshape([4, 3]);
    let x = Tensor::arange(12, (Kind::Double, Device::Cpu)).reshape([4, 3, 1]);
    let padded = |part: Subset| Subset { lengths: Some(Tensor::from_slice(&[3i64, 1])), ..part };
    let [train, test] = parts(&x, &y, 2).map(padded);
    let found = Baselines::of(&train, &test, Targets::LabelsOfSteps { classes: 2 }).unwrap();
    assert_eq!(names(&found), ["majority", "ridge"]);
    assert_eq!(score(&found, "majority"), 0.5);
}

/// Means over the sequences that are so long: 2 of 1 and 3 at the first step, 5 of the one that has a second; beyond all of them the
/// mean of 1, 3 and 5, which is 3. The test sequence is that, so that the error is 0.
#[test]
fn means_of_steps_leave_padding_out() {
    let y = Tensor::from_slice(&[1.0, 5.0, 77.0, 3.0, 77.0, 77.0, 2.0, 5.0, 3.0]).reshape([3, 3, 1]);
    let [train, test] = parts(&Tensor::zeros_like(&y), &y, 2);
    let train = Subset { lengths: Some(Tensor::from_slice(&[2i64, 1])), ..train };
    let found = Baselines::of(&train, &test, Targets::Series { n_out: 1 }).unwrap();
    assert_eq!(score(&found, "mean"), 0.0);
}

/// Numbers in padding, a constant channel and a test part of more steps change nothing.
#[test]
fn padding_and_constant_channels_count_nowhere() {
    let (x, y) = (inputs(), Tensor::from_slice(&(0..SAMPLES).map(of_sequence).collect::<Vec<_>>()).unsqueeze(1));
    let length = |part: Subset| Subset {
        lengths: Some(Tensor::full([part.targets.size()[0]], 6, (Kind::Int64, Device::Cpu))),
        ..part
    };
    let of = |x: &Tensor, longer: i64| {
        let [train, _] = parts(x, &y, TRAIN).map(length);
        let [_, test] = parts(&x.constant_pad_nd([0, 0, 0, longer]), &y, TRAIN).map(length);
        Baselines::of(&train, &test, Targets::Vectors { n_out: 1 }).unwrap()
    };
    let constant = Tensor::full([SAMPLES as i64, STEPS as i64, 1], 7.1, (Kind::Double, Device::Cpu));
    let noise = (&x * 1e3).slice(1, 6, None, 1).constant_pad_nd([0, 0, 6, 0]);
    let padded = x.slice(1, 0, 6, 1).constant_pad_nd([0, 0, 0, 3]);
    let (plain, other) = (of(&padded, 0), of(&Tensor::cat(&[padded + noise, constant], 2), 4));
    assert_eq!(names(&plain), ["mean", "moments", "ridge", "nearest"]);
    for name in names(&plain) {
        let (a, b) = (score(&plain, name), score(&other, name));
        assert!((a - b).abs() < 1e-9 * a, "{name}: {a}, {b}");
    }
}

/// Spikes of channel 0 or 1 in the first half make the class: counts in windows tell them apart, wherever in a window they are.
#[test]
fn spikes_are_counted_in_windows() {
    let x = Tensor::zeros([8, 40, 2], (Kind::Float, Device::Cpu));
    let y: Vec<i64> = (0..8).map(|i| i % 2).collect();
    for i in 0..8 {
        let _ = x.get(i).get(4 * (i % 4) + i / 4).get(i % 2).fill_(1.0);
        let _ = x.get(i).get(4 * (i % 4) + 2 + i / 4).get(i % 2).fill_(1.0);
    }
    let [train, test] = parts(&x, &Tensor::from_slice(&y), 4).map(|part| {
        let SubsetInputs::Steps(inputs) = &part.inputs else { unreachable!("they are steps") };
        let spikes = spikes_of(&inputs.to_dense(), None).unwrap();
        Subset::new("training", SubsetInputs::Steps(Inputs::Spikes(spikes)), part.targets)
    });
    let found = Baselines::of(&train, &test, Targets::Labels { classes: 2 }).unwrap();
    assert_eq!(names(&found), ["majority", "moments", "ridge", "nearest"]);
    assert_eq!((score(&found, "nearest"), score(&found, "ridge")), (1.0, 1.0), "{found:?}");
    assert!(found.all[2].method.ends_with("in 10 windows"));
}

/// A class that only the test part has is never predicted, and a single training sample says no more than its own target.
#[test]
fn missing_classes_and_single_samples_are_no_error() {
    let (x, y) = (inputs(), Tensor::from_slice(&[0i64, 1, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]));
    let missing = found(&x, &y, 4, Targets::Labels { classes: 3 });
    assert!(missing.all.iter().all(|baseline| baseline.score == Score::Accuracy(0.0)), "{missing:?}");
    let single = found(&x, &y, 1, Targets::Labels { classes: 3 });
    assert_eq!(names(&single), ["majority", "moments", "nearest"]);
    assert_eq!(single.metrics()["baseline_nearest_accuracy"], 1.0 / 17.0);
}

/// A channel for each of five directions, which come in turn, as experiments have them, or in blocks: the target is a linear function of
/// them, and regression with a small penalty has it. Folds that left out a direction each would find none but the greatest penalty good.
#[test]
fn the_order_of_a_design_chooses_no_penalty() {
    for direction in [|i: i64| i % 5, |i: i64| i / 2 % 5] {
        let of = Tensor::from_slice(&(0..60).map(direction).collect::<Vec<i64>>());
        let x = of.one_hot(5).to_kind(Kind::Double).unsqueeze(1).repeat([1, 4, 1]);
        let y = Tensor::from_slice(&[3.0, -1.0, 4.0, 1.0, -5.0]).index_select(0, &of).unsqueeze(1);
        let found = found(&x, &y, 50, Targets::Vectors { n_out: 1 });
        let ridge = found.all.iter().find(|baseline| baseline.name == "ridge").unwrap();
        let Score::Error { nmse, .. } = ridge.score else { panic!("{ridge:?}") };
        assert!(nmse < 1e-6, "{ridge:?}");
    }
}

/// A sensor of two spikes, one of them with the number 15 million, has 60 million moments in two samples; three million steps have ten
/// times as many numbers with their lags; 100,000 labels of 300 classes 30 million: only what needs none of these is computed.
#[test]
fn what_takes_much_memory_is_left_out() {
    let on = (Kind::Float, Device::Cpu);
    let sample = || vec![Spike { step: 0, channel: 0 }, Spike { step: 1, channel: 14_999_999 }];
    let sensor = || {
        let spikes = Spikes::from_samples([2, 15_000_000], on, [sample(), sample()]).unwrap();
        Subset::new("training", SubsetInputs::Steps(Inputs::Spikes(spikes)), Tensor::from_slice(&[0i64, 1]))
    };
    assert_eq!(names(&Baselines::of(&sensor(), &sensor(), Targets::Labels { classes: 2 }).unwrap()), ["majority"]);

    let x = Tensor::zeros([3001, 1000, 1], (Kind::Double, Device::Cpu));
    assert_eq!(names(&found(&x, &x, 3000, Targets::Series { n_out: 1 })), ["mean"]);

    let (x, y) = (x.narrow(0, 0, 101), Tensor::zeros([101, 1000], (Kind::Int64, Device::Cpu)));
    assert_eq!(names(&found(&x, &y, 100, Targets::LabelsOfSteps { classes: 300 })), ["majority"]);
}
