//! Where a test part comes from: the file, another one, or a draw.

use super::*;

/// `x` `[sample, 2, 1]` whose numbers are those of the samples, and these targets.
fn numbered(y: Tensor) -> Vec<(String, Tensor)> {
    let count = y.size()[0];
    let x = Tensor::arange(count, F64).reshape([count, 1, 1]).repeat([1, 2, 1]);
    vec![("x".to_owned(), x), ("y".to_owned(), y)]
}

fn read_as(arrays: &[(String, Tensor)], reading: &Reading) -> Result<Dataset> {
    let arrays = arrays.iter().map(|(name, array)| (name.clone(), array.shallow_clone())).collect();
    Dataset::of_arrays(&Arrays::new(Path::new("a.npz"), arrays), reading)
}

/// The first numbers of the sequences of a part.
fn firsts(part: &Subset) -> Vec<usize> {
    let firsts = part.numbers().unwrap().select(1, 0).flatten(0, -1);
    Vec::<f64>::try_from(firsts).unwrap().into_iter().map(|number| number as usize).collect()
}

/// 40 samples of class 0, 10 of class 1: of 0.2, 8 and 2; then of 0.25 of the rest, 8 and 2.
#[test]
fn a_file_without_a_test_part_is_divided_by_class() {
    let labels: Vec<i64> = (0..50).map(|sample| i64::from(sample % 5 == 0)).collect();
    let all = numbered(Tensor::from_slice(&labels));
    let reading = Reading { seed: 3, ..Reading::new(Accept::Numbers) };
    let data = read_as(&all, &reading).unwrap();
    let ones = |part: &Subset| part.targets.sum(Kind::Int64).int64_value(&[]);
    assert_eq!((data.test.count(), ones(&data.test), data.train.count(), ones(&data.train)), (10, 2, 40, 8));
    assert_eq!(
        data.notes,
        [
            "the file has no test part: 10 of 50 samples are for testing, an equal share of each class, by seed 3 (data.test is 0.2)"
        ]
    );
    // Samples keep their numbers and targets, through the validation part too.
    let (kept, held) = data.hold_out(0.25, 3).unwrap();
    let held = held.unwrap();
    assert_eq!((held.count(), ones(&held)), (10, 2));
    let mut seen = Vec::new();
    for part in [&data.test, &kept, &held] {
        let samples = part.samples.clone().unwrap();
        assert_eq!(samples, firsts(part));
        let of_part: Vec<i64> = samples.iter().map(|sample| labels[*sample]).collect();
        assert_eq!(of_part, Vec::<i64>::try_from(&part.targets).unwrap());
        seen.extend(samples);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    // What a sample is for, told without the parts.
    let uses = data.uses(0.25, 3).unwrap().unwrap();
    for (part, used) in [(&data.test, Use::Test), (&kept, Use::Training), (&held, Use::Validation)] {
        let found: Vec<usize> = (0..50).filter(|sample| uses[*sample] == used).collect();
        assert_eq!(&found, part.samples.as_ref().unwrap());
    }
    // The same seed draws the same, another one does not.
    assert_eq!(read_as(&all, &reading).unwrap().test.samples, data.test.samples);
    assert_ne!(read_as(&all, &Reading { seed: 4, ..reading }).unwrap().test.samples, data.test.samples);
}

#[test]
fn numbers_and_labels_of_steps_are_divided_at_random() {
    let y = Tensor::arange(20, F64).reshape([20, 1]);
    let reading = Reading { test: Some(0.25), ..Reading::new(Accept::Numbers) };
    let data = read_as(&numbered(y), &reading).unwrap();
    assert_eq!((data.test.count(), data.train.count()), (5, 15));
    assert_eq!(data.test.targets.flatten(0, -1), data.test.numbers().unwrap().select(1, 0).flatten(0, -1));
    assert!(data.notes[0].contains("5 of 20 samples are for testing, at random, by seed 0"), "{:?}", data.notes);
    let steps = Tensor::ones([20, 2], (Kind::Int64, Device::Cpu));
    assert_eq!(read_as(&numbered(steps), &reading).unwrap().test.count(), 5);
    let one = read_as(&numbered(Tensor::from_slice(&[1.5])), &reading).unwrap_err().to_string();
    assert!(one.contains("a test part of 0.25 of 1 samples leaves 1 for training and 0 for test"), "{one}");
}

/// Ten subjects of six samples, of both classes.
#[test]
fn a_group_is_for_one_purpose() {
    let labels: Vec<i64> = (0..60).map(|sample| sample % 2).collect();
    let subjects: Vec<i64> = (0..60).map(|sample| 100 + sample / 6).collect();
    let mut all = numbered(Tensor::from_slice(&labels));
    all.push(("subject".into(), Tensor::from_slice(&subjects)));
    let reading = Reading { group: Some("subject".into()), ..Reading::new(Accept::Numbers) };
    let data = read_as(&all, &reading).unwrap();
    let (kept, held) = data.hold_out(0.25, 0).unwrap();
    let of = |part: &Subset| {
        let mut of: Vec<i64> = firsts(part).into_iter().map(|sample| subjects[sample]).collect();
        of.dedup();
        of
    };
    let parts = [of(&data.test), of(&kept), of(&held.unwrap())];
    assert_eq!(parts.each_ref().map(Vec::len), [2, 6, 2]);
    let mut seen = parts.concat();
    seen.sort_unstable();
    assert_eq!(seen, (100..110).collect::<Vec<_>>());
    assert!(
        data.notes[0].contains("12 of 60 samples are for testing, all samples of 2 groups, by subject"),
        "{:?}",
        data.notes
    );
    let unknown = read_as(&all, &Reading { group: Some("day".into()), ..reading.clone() }).unwrap_err().to_string();
    assert!(unknown.contains("it lacks day; there are: x [60, 2, 1], y [60], subject [60]"), "{unknown}");
    let index = all.iter().position(|(name, _)| name == "subject").unwrap();
    all[index].1 = Tensor::zeros([60], (Kind::Int64, Device::Cpu));
    let single = read_as(&all, &reading).unwrap_err().to_string();
    assert!(single.contains("both need a group of samples, and there is one"), "{single}");
    all[index].1 = Tensor::zeros([60], F64);
    let floats = read_as(&all, &reading).unwrap_err().to_string();
    assert!(floats.contains("subject is float64 of shape [60]; groups are whole numbers or text"), "{floats}");
}

#[test]
fn groups_of_a_training_part_divide_its_validation() {
    let reading = Reading { group: Some("subject".into()), ..Reading::new(Accept::Numbers) };
    let all = with("subject_train", Tensor::from_slice(&[1i32, 2, 2, 1]));
    let data = read_as(&all, &reading).unwrap();
    let (kept, held) = data.hold_out(0.25, 0).unwrap();
    assert_eq!((kept.groups.unwrap().len(), held.unwrap().groups.unwrap().len()), (2, 2));
}

/// Subjects 1 and 2 are for training; a test part of subject 3 is apart, one of 2 and 3 is not, and one without subjects says nothing.
#[test]
fn groups_of_a_test_part_are_others() {
    let reading = Reading { group: Some("subject".into()), ..Reading::new(Accept::Numbers) };
    let mut all = with("subject_train", Tensor::from_slice(&[1i32, 2, 2, 1]));
    let silent = read_as(&all, &reading).unwrap();
    let words = "the test part has no array subject_test: its samples may be of groups that are for training";
    assert!(silent.notes[0].contains(words), "{:?}", silent.notes);
    all.push(("subject_test".into(), Tensor::from_slice(&[3i64, 3])));
    assert!(read_as(&all, &reading).unwrap().notes.is_empty());
    all.last_mut().unwrap().1 = Tensor::from_slice(&[2i64, 3]);
    let error = read_as(&all, &reading).unwrap_err().to_string();
    let words =
        "subject_test has groups that subject_train of the training part has too: 2; a group is for one purpose";
    assert!(error.contains(words), "{error}");
    // Those of another file, by their names.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.npz");
    let reading = Reading { test_file: Some(path.clone()), ..reading };
    let text = |names: [&str; 4]| bd_core::Text { shape: vec![4], items: names.map(str::to_owned).to_vec() };
    let numbers = || numbered(Tensor::from_slice(&[0i64, 1, 0, 1]));
    let train = Arrays::new(Path::new("a.npz"), numbers()).with_text("subject", text(["ann", "bob", "bob", "eve"]));
    for (names, shared) in [(["cy", "dan", "cy", "fay"], None), (["eve", "dan", "ann", "ann"], Some("too: ann, eve;"))]
    {
        bd_core::npz::save_npz_with_text(&path, &numbers(), &[("subject", &text(names).items)]).unwrap();
        match (Dataset::of_arrays(&train, &reading), shared) {
            (Ok(data), None) => assert!(data.notes.is_empty(), "{:?}", data.notes),
            (found, shared) => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains("later.npz: subject has groups") && error.contains(shared.unwrap()), "{error}");
            }
        }
    }
}

#[test]
fn spikes_with_times_are_divided_too() {
    let bare = events().into_iter().filter(|(name, _)| name.ends_with("_train"));
    let mut bare: Vec<_> = bare.map(|(name, array)| (name.replace("_train", ""), array)).collect();
    bare.iter_mut().filter(|(name, _)| name == "y").for_each(|(_, y)| *y = Tensor::zeros_like(y));
    let data = read_as(&bare, &Reading { test: Some(0.5), ..Reading::new(Accept::SpikesAndNumbers) }).unwrap();
    let [of_train, of_test] = [&data.train, &data.test].map(|part| part.events().unwrap().sample(0).unwrap());
    let whole = read(&events(), Accept::SpikesAndNumbers).unwrap().train;
    let all = [0, 1].map(|sample| whole.events().unwrap().sample(sample).unwrap());
    let (train, test) = (data.train.samples.unwrap()[0], data.test.samples.unwrap()[0]);
    assert_eq!((train + test, &of_train, &of_test), (1, &all[train], &all[test]));
}

#[test]
fn the_test_part_of_another_file_is_like_the_training_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.npz");
    let reading = Reading { test_file: Some(path.clone()), ..Reading::new(Accept::Numbers) };
    let labels = Tensor::from_slice(&[0i64, 1, 2, 1]);
    let train = numbered(labels.copy());
    save_npz(&path, &numbered(labels.narrow(0, 1, 2))).unwrap();
    let data = read_as(&train, &reading).unwrap();
    assert_eq!((data.train.count(), data.test.count(), data.targets), (4, 2, Targets::Labels { classes: 3 }));
    assert!(data.division.is_none() && data.notes.is_empty());
    assert_eq!(data.test_file.unwrap().1, sha256_hex(&std::fs::read(&path).unwrap()));
    // A training part with a suffix, and a test part with one; what else there is in either is passed over.
    save_npz(&path, &arrays()).unwrap();
    let mut only = arrays();
    only.truncate(2);
    assert_eq!(read_as(&only, &reading).unwrap().test.count(), 2);
    save_npz(&path, &numbered(labels + 1)).unwrap();
    let error = read_as(&train, &reading).unwrap_err().to_string();
    assert!(error.contains("later.npz: y has the label 3, but y has only 0 to 2"), "{error}");
    let both =
        read_as(&arrays(), &Reading { test: Some(0.5), ..Reading::new(Accept::Numbers) }).unwrap_err().to_string();
    assert!(
        both.contains("data.test is 0.5, which divides a file of x and y, but there is a test part already"),
        "{both}"
    );
    for wrong in [0.0, 1.0, f64::NAN, -0.5] {
        let reading = Reading { test: Some(wrong), ..Reading::new(Accept::Numbers) };
        let error = read_as(&train, &reading).unwrap_err().to_string();
        assert!(error.contains(&format!("data.test is {wrong}; it must be a fraction between 0 and 1")), "{error}");
    }
}

/// Two samples with a target, or a label, for each of three steps of 2 ms: as many steps as targets, whatever the times are.
#[test]
fn spikes_with_times_may_have_a_target_for_each_step() {
    let numbers = Tensor::arange(6, F64).reshape([2, 3, 1]);
    let labels = Tensor::from_slice(&[0i64, 1, 1, 1, 0, 1]).reshape([2, 3]);
    for (y, expected) in [(numbers, Targets::Series { n_out: 1 }), (labels, Targets::LabelsOfSteps { classes: 2 })] {
        let with = |y: &Tensor| {
            let arrays = events().into_iter().filter(|(name, _)| !name.starts_with("y_"));
            arrays.chain(["y_train", "y_test"].map(|name| (name.to_owned(), y.shallow_clone()))).collect::<Vec<_>>()
        };
        let data = read(&with(&y), Accept::SpikesAndNumbers).unwrap();
        assert_eq!((data.targets, data.train.steps_of_targets()), (expected, Some(3)));
        let binned = |steps| data_in_steps(&with(&y), steps);
        assert_eq!(binned(3).unwrap().train.shape(), vec![2, 3, 4]);
        let error = binned(4).unwrap_err().to_string();
        assert!(error.contains("part has targets for 3 steps, but its spikes are put in 4"), "{error}");
    }
}

fn data_in_steps(arrays: &[(String, Tensor)], steps: usize) -> Result<Dataset> {
    let binning = Binning { as_: InSteps::Spikes, dt_ms: 2.0, steps, channels: 4 };
    read(arrays, Accept::SpikesAndNumbers).unwrap().in_steps(Path::new("a.npz"), Some(binning))
}

#[test]
fn the_test_part_of_another_file_must_fit_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    save_npz(&path, &arrays()).unwrap();
    let learned = |channels, targets| Learned { channels, targets, classes: None, binning: None, arrays: None };
    let test = |channels, targets| Dataset::read_test(&path, Accept::Numbers, &learned(channels, targets));
    assert_eq!(test(2, Targets::Labels { classes: 3 }).unwrap().count(), 2);
    let error = test(3, Targets::Labels { classes: 3 }).unwrap_err().to_string();
    assert!(error.contains("its inputs are [2, 3, 2]; the network takes [sample, time, 3]"), "{error}");
    let error = test(2, Targets::Labels { classes: 1 }).unwrap_err().to_string();
    assert!(error.contains("y_test has the label 1, but the run has learned only 0 to 0"), "{error}");
    // What is known goes before what values look like: whole numbers are numbers where numbers were learned.
    let numbers = test(2, Targets::Vectors { n_out: 1 }).unwrap();
    assert_eq!(numbers.targets, Tensor::from_slice(&[0.0, 1.0]).reshape([2, 1]));
    let error = test(2, Targets::Series { n_out: 1 }).unwrap_err().to_string();
    assert!(
        error.contains("the run has learned targets for each step, of 1 outputs, but y_test has targets for"),
        "{error}"
    );
    let bare: Vec<_> =
        [("x", arrays().remove(0).1), ("y", arrays().remove(1).1)].map(|(n, a)| (n.to_owned(), a)).into();
    let path = folder.path().join("b.npz");
    save_npz(&path, &bare).unwrap();
    assert_eq!(
        Dataset::read_test(&path, Accept::Numbers, &learned(2, Targets::Labels { classes: 2 })).unwrap().count(),
        4
    );
}
