//! Sequences of several lengths: what stands behind their ends has no part in anything.

use super::*;

/// Padding neither scales nor drives: the scaling of 1, 3 with a 0 in padding has mean 2 and deviation 1.
#[test]
fn padding_has_no_part_in_the_scaling() {
    let x = Tensor::from_slice(&[1.0, 3.0, 3.0, 0.0]).reshape([2, 2, 1]);
    let part =
        Subset::new("training", SubsetInputs::Steps(Inputs::batch_first(&x).unwrap()), Tensor::from_slice(&[0i64, 1]));
    let part = Subset { lengths: Some(Tensor::from_slice(&[2i64, 1])), ..part };
    let pipeline = Pipeline::new(
        bd_core::Params::new(0, F64),
        1,
        Preparation::Encode(Encoder::Current { substeps: 2 }),
        None,
        |params| Linear::new(&mut params.at("o"), 1, 2, &LinearConfig::default()),
    );
    let pipeline = pipeline.unwrap();
    part.fit(&pipeline).unwrap();
    // 1, 3, 3 without the padding: mean 7/3, variance (16 + 4 + 4) / 27.
    let expected = |x: f64| (x - 7.0 / 3.0) / (24.0f64 / 27.0).sqrt();
    let examples = part.examples(&pipeline).unwrap();
    let rows = [expected(1.0), expected(1.0), expected(3.0), expected(3.0), expected(3.0), expected(3.0), 0.0, 0.0];
    assert_close("inputs", &examples.inputs().to_dense(), &Tensor::from_slice(&rows).reshape([2, 4, 1]), 1e-14);
    assert_eq!(examples.lengths().unwrap(), &Tensor::from_slice(&[4i64, 2]));
}

/// One rule of shapes, for training, for a test of the same file and for one of another, with padding and without: lengths are 2, 3, 1 and
/// 3 of 3 steps, and what stands in padding is not a number.
#[test]
fn targets_of_every_shape_are_read_with_and_without_padding() {
    let f64s = |size: &[i64]| Tensor::arange(size.iter().product::<i64>(), F64).reshape(size) * 0.5;
    let i64s = |size: &[i64]| {
        Tensor::arange(size.iter().product::<i64>(), (Kind::Int64, Device::Cpu)).remainder(2).reshape(size)
    };
    let vectors = |n_out| Targets::Vectors { n_out };
    let cases = [
        (f64s(&[4]), vectors(1), vec![4, 1]),
        (f64s(&[4, 1]), vectors(1), vec![4, 1]),
        (f64s(&[4, 2]), vectors(2), vec![4, 2]),
        (f64s(&[4, 3]), Targets::Series { n_out: 1 }, vec![4, 3, 1]),
        (f64s(&[4, 3, 1]), Targets::Series { n_out: 1 }, vec![4, 3, 1]),
        (f64s(&[4, 3, 2]), Targets::Series { n_out: 2 }, vec![4, 3, 2]),
        (i64s(&[4]), Targets::Labels { classes: 2 }, vec![4]),
        (i64s(&[4, 3]), Targets::LabelsOfSteps { classes: 2 }, vec![4, 3]),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (y, targets, size) in cases {
        for padded in [false, true] {
            let path = folder.path().join("a.npz");
            let x = Tensor::ones([4, 3, 2], F64);
            let mut all = vec![];
            for part in ["train", "test"] {
                let (x, y) = (x.copy(), y.copy());
                if padded {
                    let _ = x.get(2).narrow(0, 1, 2).fill_(f64::NAN);
                    if targets.of_steps() && y.is_floating_point() {
                        let _ = y.get(2).narrow(0, 1, 2).fill_(f64::NAN);
                    }
                    all.push((format!("len_{part}"), Tensor::from_slice(&[2i64, 3, 1, 3])));
                }
                all.extend([(format!("x_{part}"), x), (format!("y_{part}"), y)]);
            }
            save_npz(&path, &all).unwrap();
            let data = Dataset::read(&path, &Reading::new(Accept::Numbers)).unwrap();
            let learned = Learned { channels: 2, targets, classes: None, binning: None, arrays: None };
            let test = Dataset::read_test(&path, Accept::Numbers, &learned).unwrap();
            assert_eq!(data.targets, targets);
            for part in [&data.train, &data.test, &test] {
                assert_eq!((part.targets.size(), part.lengths.is_some()), (size.clone(), padded), "{targets:?}");
                let numbers = part.numbers().unwrap();
                let expected = if padded { 18.0 } else { 24.0 }; // ones: 4 numbers in padding of sample 2, 2 of sample 0
                let sum = numbers.sum(Kind::Double).double_value(&[]);
                assert_eq!(sum, expected, "{targets:?}");
            }
            let arrays = Arrays::read(&path).unwrap();
            let Sequences { x: found, lengths, kind } = sequences(&arrays, None, 2).unwrap();
            assert_eq!(kind, Kind::Double);
            assert_eq!((found, lengths.is_some()), (test.numbers().unwrap(), padded));
        }
    }
}

/// Of whoever is asked, lengths are whole numbers.
#[test]
fn lengths_are_whole_numbers_for_a_prediction_too() {
    for (lengths, words) in [
        (Tensor::from_slice(&[2.9, 3.0]), "len is float64 of shape [2]; it must be whole numbers"),
        (Tensor::from_slice(&[true, true]), "len is bool of shape [2]; it must be whole numbers"),
        (Tensor::from_slice(&[4i64, 1]), "len of sample 0 is 4; lengths are from 1 to 3"),
    ] {
        let all = vec![("x".to_owned(), Tensor::ones([2, 3, 1], F64)), ("len".to_owned(), lengths)];
        let error = sequences(&Arrays::new(Path::new("a.npz"), all), None, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
}

/// Labels of steps as floats, with NaN where a sequence has ended: those of the steps are read, in training, for a test and of a run.
#[test]
fn what_stands_in_padding_of_labels_is_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let y = Tensor::from_slice(&[1.0, 0.0, f64::NAN, 1.0, f64::NAN, f64::NAN]).reshape([2, 3]);
    let all = [("x", Tensor::ones([2, 3, 1], F64)), ("len", Tensor::from_slice(&[2i64, 1])), ("y", y)];
    save_npz(&path, &all.map(|(name, array)| (name.to_owned(), array))).unwrap();
    let targets = Targets::LabelsOfSteps { classes: 2 };
    let learned = Learned { channels: 1, targets, classes: None, binning: None, arrays: None };
    let test = Dataset::read_test(&path, Accept::Numbers, &learned).unwrap();
    assert_eq!(test.targets, Tensor::from_slice(&[1i64, 0, 0, 1, 0, 0]).reshape([2, 3]));
    // A step that counts is refused by its place.
    let learned = Learned { targets: Targets::Labels { classes: 2 }, ..learned };
    let y = Tensor::from_slice(&[1.0, f64::NAN]);
    let all = [("x", Tensor::ones([2, 3, 1], F64)), ("len", Tensor::from_slice(&[2i64, 1])), ("y", y)];
    save_npz(&path, &all.map(|(name, array)| (name.to_owned(), array))).unwrap();
    let error = Dataset::read_test(&path, Accept::Numbers, &learned).unwrap_err().to_string();
    assert!(error.contains("y is NaN at [1] (counted from 0); labels are whole numbers"), "{error}");
}

/// As many outputs as steps: targets of sequences have no padding, by what a run has learned.
#[test]
fn vectors_of_padded_sequences_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let y = Tensor::arange(6, F64).reshape([2, 3]) + 0.5;
    let all = [("x", Tensor::ones([2, 3, 1], F64)), ("len", Tensor::from_slice(&[2i64, 1])), ("y", y.copy())];
    save_npz(&path, &all.map(|(name, array)| (name.to_owned(), array))).unwrap();
    let learned =
        Learned { channels: 1, targets: Targets::Vectors { n_out: 3 }, classes: None, binning: None, arrays: None };
    assert_eq!(Dataset::read_test(&path, Accept::Numbers, &learned).unwrap().targets, y);
}

/// Three outputs of sequences of three steps: sizes leave two readings, of which the usual one is told.
#[test]
fn targets_of_as_many_outputs_as_steps_are_what_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let y = Tensor::arange(12, F64).reshape([4, 3]) + 0.5;
    let save = |y: &Tensor| {
        let all = [("x", Tensor::ones([4, 3, 1], F64)), ("y", y.copy())];
        save_npz(&path, &all.map(|(name, array)| (name.to_owned(), array))).unwrap();
    };
    save(&y);
    let read = |targets_of| Dataset::read(&path, &Reading { targets_of, ..Reading::new(Accept::Numbers) });
    let told = |data: &Dataset| data.notes.iter().any(|note| note.contains("set data.targets_of to sequences"));
    let usual = read(None).unwrap();
    assert_eq!((usual.targets, told(&usual)), (Targets::Series { n_out: 1 }, true));
    let steps = read(Some(TargetsOf::Steps)).unwrap();
    assert_eq!((steps.targets, told(&steps)), (Targets::Series { n_out: 1 }, false));
    let sequences = read(Some(TargetsOf::Sequences)).unwrap();
    assert_eq!((sequences.targets, told(&sequences)), (Targets::Vectors { n_out: 3 }, false));
    assert_eq!((sequences.train.targets.size()[1], sequences.test.targets.size()[1]), (3, 3));
    save(&y.narrow(1, 0, 2));
    let error = read(Some(TargetsOf::Steps)).unwrap_err().to_string();
    assert!(error.contains("targets of steps are [sample, 3]"), "{error}");
}
