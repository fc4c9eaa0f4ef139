//! Files of samples: read for training, for a test and for a prediction.

use std::path::Path;

use bd_core::{Arrays, Inputs};
use bd_train::data::dataset::{Accept, Dataset, Learned, Reading, Sequences, Subset, SubsetInputs, Targets, sequences};
use tch::Kind as Dtype;

use crate::numpy::{Form, Member, npz};
use crate::tables::{Content, Kind, NAMES, Part, Plan};
use crate::{Draw, damaged};

/// Where the test part is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Parts,
    Single,
    OtherFile,
}

pub(crate) fn case(folder: &Path, draw: &mut Draw) {
    let plan = plan(draw);
    let layout = draw.one(&[Layout::Parts, Layout::Single, Layout::OtherFile]);
    let suffix =
        if layout == Layout::Parts || (layout == Layout::OtherFile && draw.chance(0.5)) { "_train" } else { "" };
    let count = draw.from(if layout == Layout::Single { 4 } else { 1 }, 9);
    let train = plan.part(draw, suffix, count);
    // The classes that a reader can know of.
    let known = train.labels.iter().max().map_or(0, |most| most + 1);
    let named: Vec<&str> =
        (0..NAMES.len()).filter(|label| train.labels.contains(label)).map(|label| NAMES[label]).collect();
    let test_plan = Plan { kind: within(plan.kind, if plan.kind.is_text() { 1 } else { known.max(1) }), ..plan };
    let test_suffix = if layout == Layout::Parts || draw.chance(0.5) { "_test" } else { "" };
    let count = draw.from(1, 5);
    let mut test = test_plan.part(draw, test_suffix, count);
    if plan.kind.is_text() {
        // A name that the training part has.
        retell(&mut test, &train);
    }
    let mut members = train.members.clone();
    let (path, other) = (folder.join("a.npz"), folder.join("b.npz"));
    match layout {
        Layout::Parts => members.extend(test.members.clone()),
        Layout::Single => {}
        Layout::OtherFile => std::fs::write(&other, npz(&test.members, draw.chance(0.3))).unwrap(),
    }
    if draw.chance(0.3) {
        let notes = Member::Text { shape: vec![2], items: vec!["fs".into(), "é".into()], is_bytes: false };
        members.insert(draw.below(members.len()), ("notes".into(), notes));
    }
    let accept = draw.one(&[Accept::Numbers, Accept::SpikesAndNumbers, Accept::NumbersToEncode]);
    let test_file = (layout == Layout::OtherFile).then(|| other.clone());
    let reading = Reading { test_file, ..Reading::new(accept) };
    let is_broken = draw.chance(0.2) && broken(draw, &mut members, suffix, &train);
    let content = npz(&members, draw.chance(0.3));
    if draw.chance(0.15) {
        // Whatever it is now, it does not end the program.
        std::fs::write(&path, damaged(content, draw)).unwrap();
        let _ = Dataset::read(&path, &reading);
        if let Ok(arrays) = Arrays::read(&path) {
            let _ = sequences(&arrays, None, plan.channels as i64);
        }
        return;
    }
    std::fs::write(&path, content).unwrap();
    let found = Dataset::read(&path, &reading);
    let too_many_classes = !plan.kind.is_text() && known > train.labels.len().max(padded_labels(&plan, &train));
    // A class with a single sample has none for the test.
    let is_single_each = layout == Layout::Single && plan.kind.classes().is_some() && !plan.kind.of_steps() && {
        (0..NAMES.len()).all(|class| train.labels.iter().filter(|label| **label == class).count() < 2)
    };
    if is_broken || too_many_classes || is_single_each {
        assert!(found.is_err(), "accepted: {plan:?} {layout:?} {members:?}");
        return;
    }
    let data = found.unwrap_or_else(|error| panic!("{error}: {plan:?} {layout:?}"));
    let targets = expected(&plan, if plan.kind.is_text() { named.len() } else { known });
    assert_eq!(data.targets, targets, "{plan:?}");
    assert_eq!(data.classes.as_deref().unwrap_or_default(), if plan.kind.is_text() { &named[..] } else { &[] });
    let is_spikes = accept == Accept::SpikesAndNumbers && plan.content == Content::Spikes;
    if layout == Layout::Single {
        assert_eq!(data.train.count() + data.test.count(), train.count);
        assert_eq!(sum(&data.train) + sum(&data.test), train.sum);
        same_targets(&plan, &[&data.train, &data.test], &train);
    } else {
        for (found, part) in [(&data.train, &train), (&data.test, &test)] {
            assert_eq!((found.count(), sum(found)), (part.count, part.sum));
            same_targets(&plan, &[found], part);
        }
    }
    for part in [&data.train, &data.test] {
        assert_eq!((part.steps(), part.channels()), (Some(plan.steps), plan.channels as i64));
        assert_eq!(matches!(part.inputs, SubsetInputs::Steps(Inputs::Spikes(_))), is_spikes);
    }
    again(
        &data,
        &plan,
        accept,
        if layout == Layout::OtherFile { &other } else { &path },
        match layout {
            Layout::Single => &train,
            _ => &test,
        },
    );
}

/// What was accepted for training is accepted for a test and for a prediction, with the same content.
fn again(data: &Dataset, plan: &Plan, accept: Accept, path: &Path, part: &Part) {
    let channels = plan.channels as i64;
    let learned =
        Learned { channels, targets: data.targets, classes: data.classes.as_deref(), binning: None, arrays: None };
    let found = Dataset::read_test(path, accept, &learned).unwrap_or_else(|error| panic!("{error}: {plan:?}"));
    assert_eq!((found.count(), sum(&found)), (part.count, part.sum));
    same_targets(plan, &[&found], part);
    let Sequences { x, lengths, .. } = sequences(&Arrays::read(path).unwrap(), None, channels).unwrap();
    assert_eq!((x.size(), lengths.is_some()), (vec![part.count as i64, plan.steps as i64, channels], plan.is_padded));
    if x.is_floating_point() {
        assert_eq!(x.sum(Dtype::Double).double_value(&[]), part.sum);
    }
}

fn plan(draw: &mut Draw) -> Plan {
    let steps = draw.from(2, 6);
    let outputs = (1..=3).filter(|n| *n != steps).nth(draw.below(2)).unwrap_or(1);
    let classes = draw.from(1, 5);
    let kind = draw.one(&[
        Kind::Labels(classes),
        Kind::Column(classes),
        Kind::OfSteps(classes),
        Kind::Text(classes),
        Kind::TextOfSteps(classes),
        Kind::Numbers,
        Kind::Vectors(outputs),
        Kind::Steps,
        Kind::Series(outputs),
    ]);
    let content = draw.one(&[Content::Spikes, Content::Whole, Content::Halves]);
    Plan { steps, channels: draw.from(1, 4), content, kind, is_padded: draw.chance(0.4) }
}

fn within(kind: Kind, classes: usize) -> Kind {
    match kind {
        Kind::Labels(_) => Kind::Labels(classes),
        Kind::Column(_) => Kind::Column(classes),
        Kind::OfSteps(_) => Kind::OfSteps(classes),
        Kind::Text(_) => Kind::Text(classes),
        Kind::TextOfSteps(_) => Kind::TextOfSteps(classes),
        other => other,
    }
}

fn retell(test: &mut Part, train: &Part) {
    let (from, to) = (NAMES[0], train.labels[0]);
    for (_, member) in &mut test.members {
        if let Member::Text { items, is_bytes, .. } = member {
            items.iter_mut().filter(|item| *item == from).for_each(|item| *item = NAMES[to].to_owned());
            *is_bytes &= items.iter().all(|item| item.is_ascii());
        }
    }
    test.labels.iter_mut().for_each(|label| *label = to);
}

/// A reader counts labels in padding too, for want of a better number.
fn padded_labels(plan: &Plan, part: &Part) -> usize {
    if plan.kind.of_steps() { part.count * plan.steps } else { part.count }
}

fn expected(plan: &Plan, classes: usize) -> Targets {
    let classes = classes as i64;
    match plan.kind {
        Kind::OfSteps(_) | Kind::TextOfSteps(_) => Targets::LabelsOfSteps { classes },
        Kind::Numbers => Targets::Vectors { n_out: 1 },
        Kind::Vectors(n) => Targets::Vectors { n_out: n as i64 },
        Kind::Steps => Targets::Series { n_out: 1 },
        Kind::Series(n) => Targets::Series { n_out: n as i64 },
        _ => Targets::Labels { classes },
    }
}

/// Of all inputs; padding is 0, or no spike.
fn sum(part: &Subset) -> f64 {
    match &part.inputs {
        SubsetInputs::Steps(Inputs::Dense(xs)) => xs.sum(Dtype::Double).double_value(&[]),
        SubsetInputs::Steps(Inputs::Spikes(spikes)) => spikes.count() as f64,
        SubsetInputs::Events(_) => panic!("no events were written"),
    }
}

fn same_targets(plan: &Plan, found: &[&Subset], part: &Part) {
    if plan.kind.classes().is_none() {
        let sum: f64 = found.iter().map(|found| found.targets.sum(Dtype::Double).double_value(&[])).sum();
        assert_eq!(sum, part.target_sum);
        return;
    }
    // How often there is each label; names are numbered by their letters, of those that there are.
    let valid = |found: &&Subset| match found.targets.dim() {
        1 => found.targets.shallow_clone(),
        _ => found.valid_steps(&found.targets.unsqueeze(2)).flatten(0, -1),
    };
    let mut labels: Vec<i64> = found.iter().flat_map(|found| Vec::<i64>::try_from(valid(found)).unwrap()).collect();
    labels.sort_unstable();
    let mut counts: Vec<usize> = labels.chunk_by(|a, b| a == b).map(<[i64]>::len).collect();
    let mut written = part.labels.clone();
    written.sort_unstable();
    let mut expected: Vec<usize> = written.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
    if plan.kind.is_text() {
        counts.sort_unstable();
        expected.sort_unstable();
    } else {
        assert_eq!(labels, written.iter().map(|label| *label as i64).collect::<Vec<_>>());
    }
    assert_eq!(counts, expected);
}

/// Breaks something of the training part, if that can be.
fn broken(draw: &mut Draw, members: &mut [(String, Member)], suffix: &str, train: &Part) -> bool {
    let find = |what: &str| members.iter().position(|(name, _)| *name == format!("{what}{suffix}"));
    let (Some(x), Some(y)) = (find("x"), find("y")) else { return false };
    let len = find("len");
    match (draw.below(5), len) {
        (0, _) => members[y].0 = "z".into(),
        (1, _) => {
            let Member::Numbers { shape, .. } = &mut members[x].1 else { return false };
            *shape = vec![shape[0], shape[1] * shape[2]];
        }
        (2, Some(len)) => {
            let Member::Numbers { values, .. } = &mut members[len].1 else { return false };
            values[0] = draw.one(&[0.0, 100.0]);
        }
        (3, None) => {
            let Member::Numbers { form: Form { code: "f2" | "f4" | "f8", .. }, values, .. } = &mut members[x].1 else {
                return false;
            };
            let at = draw.below(values.len());
            values[at] = draw.one(&[f64::NAN, f64::INFINITY]);
        }
        (4, _) => {
            // A sample more of targets.
            let more = |shape: &mut Vec<usize>| shape[0] += 1;
            match &mut members[y].1 {
                Member::Numbers { form, shape, values } if !form.is_fortran => {
                    let row = values.len() / train.count;
                    values.extend_from_within(..row);
                    more(shape);
                }
                _ => return false,
            }
        }
        _ => return false,
    }
    true
}
