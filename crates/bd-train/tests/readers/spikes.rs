//! Files of spikes with times: read for training, for a test and for a prediction.

use std::collections::BTreeSet;
use std::path::Path;

use bd_core::{Arrays, Inputs};
use bd_train::data::dataset::{
    Accept, Binning, Dataset, InSteps, Learned, Reading, Subset, SubsetInputs, Targets, binned_events,
};

use crate::numpy::{Form, Member, npz};
use crate::{Draw, damaged};

/// A part with the steps and units of the spikes of its samples, of steps of 1 ms.
struct Part {
    members: Vec<(String, Member)>,
    samples: Vec<BTreeSet<(usize, usize)>>,
    /// How many have another one of the same unit and step.
    merged: usize,
}

pub(crate) fn case(folder: &Path, draw: &mut Draw) {
    let (steps, channels) = (draw.from(1, 30), draw.from(1, 6));
    let is_divided = draw.chance(0.4);
    let suffix = if is_divided { "" } else { "_train" };
    let (train_count, test_count) = (draw.from(4, 8), draw.from(1, 5));
    let train = part(draw, suffix, train_count, [steps, channels]);
    let mut members = train.members.clone();
    let test = (!is_divided).then(|| part(draw, "_test", test_count, [steps, channels]));
    members.extend(test.iter().flat_map(|test| test.members.clone()));
    let path = folder.join("spikes.npz");
    let content = npz(&members, draw.chance(0.3));
    let reading = Reading::new(Accept::SpikesAndNumbers);
    let binning = Some(Binning { as_: InSteps::Spikes, dt_ms: 1.0, steps, channels });
    if draw.chance(0.2) {
        std::fs::write(&path, damaged(content, draw)).unwrap();
        let _ = Dataset::read(&path, &reading).and_then(|data| data.in_steps(&path, binning));
        return;
    }
    std::fs::write(&path, content).unwrap();
    let data = Dataset::read(&path, &reading).and_then(|data| data.in_steps(&path, binning)).unwrap();
    let of = |found: &Subset, written: &Part| {
        let numbers = found.samples.clone().unwrap_or_else(|| (0..found.count()).collect());
        let expected: Vec<_> = numbers.iter().map(|sample| written.samples[*sample].clone()).collect();
        assert_eq!(spikes(found), expected);
        assert_eq!(found.late_events, 0);
    };
    of(&data.train, &train);
    of(&data.test, test.as_ref().unwrap_or(&train));
    let whole = test.as_ref().unwrap_or(&train);
    let merged = data.test.merged_events + if is_divided { data.train.merged_events } else { 0 };
    assert_eq!(merged, whole.merged);
    let learned = Learned { channels: channels as i64, targets: data.targets, classes: None, binning, arrays: None };
    assert_eq!(data.targets, Targets::Labels { classes: 1 });
    let again = Dataset::read_test(&path, Accept::SpikesAndNumbers, &learned).unwrap();
    assert_eq!(spikes(&again), whole.samples);
    let arrays = Arrays::read(&path).unwrap();
    let binned =
        binned_events(&arrays, Binning { as_: InSteps::Spikes, dt_ms: 1.0, steps, channels }).unwrap().unwrap();
    assert_eq!(binned.spikes.count(), whole.samples.iter().map(BTreeSet::len).sum::<usize>());
}

fn spikes(part: &Subset) -> Vec<BTreeSet<(usize, usize)>> {
    let SubsetInputs::Steps(Inputs::Spikes(spikes)) = &part.inputs else { panic!("no spikes: {part:?}") };
    let of = |sample| spikes.sample(sample).iter().map(|spike| (spike.step as usize, spike.channel as usize)).collect();
    (0..part.count()).map(of).collect()
}

fn part(draw: &mut Draw, suffix: &str, count: usize, [steps, channels]: [usize; 2]) -> Part {
    let (mut times, mut units, mut offsets) = (Vec::new(), Vec::new(), vec![0.0]);
    let (mut samples, mut merged) = (Vec::new(), 0);
    for _ in 0..count {
        let mut sample = BTreeSet::new();
        for _ in 0..draw.below(12) {
            let (step, unit) = (draw.below(steps), draw.below(channels));
            merged += usize::from(!sample.insert((step, unit)));
            // Within the step, so that no rounding moves it.
            times.push((step as f64 + 0.25 + 0.5 * draw.0.uniform()) * 1e-3);
            units.push(unit as f64);
        }
        samples.push(sample);
        offsets.push(times.len() as f64);
    }
    let mut numbers = |codes: &[&'static str], values: Vec<f64>| {
        let form = Form { code: draw.one(codes), is_big_endian: draw.chance(0.2), is_fortran: false };
        Member::Numbers { form, shape: vec![values.len()], values }
    };
    let whole = ["i2", "i4", "i8", "u1", "u2", "u4"];
    let members = vec![
        (format!("times{suffix}"), numbers(&["f4", "f8"], times)),
        (format!("units{suffix}"), numbers(&whole, units)),
        (format!("offsets{suffix}"), numbers(&whole, offsets)),
        (format!("y{suffix}"), numbers(&whole, vec![0.0; count])),
    ];
    Part { members, samples, merged }
}
