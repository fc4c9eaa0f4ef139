use bd_train::data::dataset::Shown;
use bd_train::task::Trial;
use bd_train::{Baseline, Baselines, Evaluation, HeldOut};
use tch::Device;

use super::*;

/// A report of these outputs and targets, of sequences of these lengths, with a baseline.
fn report(outputs: &Tensor, targets: &Tensor, lengths: Option<&Tensor>, score: Score) -> NetworkReport {
    let baseline = Baseline { name: "nearest", method: "the nearest".into(), score };
    NetworkReport {
        what: "examples".into(),
        trained: Vec::new(),
        accuracies: Vec::new(),
        evaluation: Evaluation::new(0.0, outputs.to_kind(Kind::Double), targets, lengths).unwrap(),
        classes: Some(["rest", "left"].map(str::to_owned).to_vec()),
        split: "test",
        validation: HeldOut::default(),
        baselines: Baselines { all: vec![baseline] },
        activity: Vec::new(),
        dt_ms: 1.0,
        time_constants_ms: Vec::new(),
        pictured: None,
        recorded: None,
        decided: None,
    }
}

/// Three trials of three steps, of which the last is the decision; the third is undecided.
#[test]
fn choices_in_trials_are_drawn_by_their_evidence() {
    let scores: Vec<f64> = [0, 0, 1, 0, 0, 2, 0, 0, 0]
        .iter()
        .flat_map(|class| (0..3).map(move |c| f64::from(u8::from(c == *class))))
        .collect();
    let scores = Tensor::from_slice(&scores).reshape([3, 3, 3]);
    let labels = Tensor::from_slice(&[0i64, 0, 1, 0, 0, 2, 0, 0, 1]).reshape([3, 3]);
    let trial = |right, evidence| Trial { right, decision: 2..3, evidence: vec![evidence] };
    let trials = vec![trial(1, 5.0), trial(2, -5.0), trial(1, 5.0)];
    let found = Decisions::new(&scores, &trials, &["coherence (%)"]).unwrap();
    let mut report = report(&scores, &labels, None, Score::Accuracy(0.5));
    report.evaluation.confusion = Some(found.confusion.clone());
    report.classes = Some(["fixate", "left", "right"].map(str::to_owned).to_vec());
    let figure = choices(&report, &found);
    assert_eq!(figure.title, "0.6667 of 3 trials decided right, 0.3333 undecided");
    assert_eq!(figure.panels[0].y_label, "share of left");
    assert_eq!(figure.panels[0].lines[0].points, [(-5.0, 0.0), (5.0, 1.0)]);
    report.decided = Some(crate::experiment::Decided { found, trials });
    assert!(confused(&report).unwrap().title.ends_with("3 trials"));
    assert!(of(&report).iter().any(|(name, _)| name == "psychometric"));
}

/// Inputs `[3, 4, 2]` that count up from 0.
fn pictured(lengths: Option<&Tensor>) -> Pictured {
    let x = Tensor::arange(24, (Kind::Double, Device::Cpu)).reshape([3, 4, 2]);
    let shown = Shown::new(&Inputs::batch_first(&x).unwrap(), lengths).unwrap();
    Pictured { shown, dt: 0.5, time_label: "time (ms)".into() }
}

fn heights(figure: &Figure, panel: usize) -> Vec<Vec<f64>> {
    figure.panels[panel].lines.iter().map(|line| line.points.iter().map(|point| point.1).collect()).collect()
}

fn titles(figure: &Figure) -> Vec<&str> {
    figure.panels.iter().filter_map(|panel| panel.title.as_deref()).collect()
}

/// The second sample has two steps of four: channels 8, 10 and 9, 11.
#[test]
fn samples_with_classes_are_named_and_end_at_their_own_length() {
    let scores = Tensor::from_slice(&[2.0, 1.0, 2.0, 1.0, 0.0, 3.0]).reshape([3, 2]);
    let (labels, lengths) = (Tensor::from_slice(&[0i64, 1, 1]), Tensor::from_slice(&[4i64, 2, 4]));
    let report = report(&scores, &labels, None, Score::Accuracy(0.5));
    let figure = of_samples(&report, &pictured(Some(&lengths))).unwrap();
    assert_eq!(titles(&figure), ["sample 0: rest → rest", "sample 2: left → left", "sample 1: left → rest"]);
    assert_eq!(figure.title, "class → taken for; 3 of 3 test samples, 2 of 2 classes, 1 of 1 mistake");
    assert_eq!(heights(&figure, 2), [[8.0, 10.0], [9.0, 11.0]]);
    assert_eq!((figure.x_range.clone(), figure.x_label.as_str()), (Some(0.0..1.5), "time (ms)"));
    let confusion = confused(&report).unwrap();
    assert_eq!(confusion.title, "test accuracy 0.6667; best baseline 0.5000 (nearest); 3 samples");
    assert_eq!(confusion.panels[0].x_ticks.as_ref().unwrap()[1].1, "left");
    assert_eq!(confusion.panels[0].cells[2].words, "1", "left was once taken for rest");
}

/// Errors of 1 at the ten steps that are no padding, with targets from 0 to 3, from 0 to 1 and from 0 to 3: the mean square is 1, and
/// the variance 2.9 - 1.3^2 = 1.21.
#[test]
fn series_are_drawn_beside_their_targets_without_padding() {
    let targets = Tensor::arange(4, (Kind::Double, Device::Cpu)).reshape([1, 4, 1]).expand([3, 4, 1], false);
    let lengths = Tensor::from_slice(&[4i64, 2, 4]);
    let report = report(&(&targets + 1.0), &targets, Some(&lengths), Score::Error { mse: 1.0, nmse: 0.25 });
    let figure = of_samples(&report, &pictured(Some(&lengths))).unwrap();
    assert_eq!(titles(&figure), ["test sample 0", "test sample 1", "test sample 2"]);
    assert_eq!(figure.title, format!("the first test samples, NMSE {}", short(1.0 / 1.21)));
    assert_eq!(heights(&figure, 3), [[0.0, 1.0], [1.0, 2.0]]);
}

#[test]
fn classes_of_steps_are_those_with_the_greatest_score() {
    let scores = Tensor::from_slice(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]).reshape([1, 4, 2]);
    let report = report(&scores, &Tensor::from_slice(&[0i64, 1, 0, 0]).reshape([1, 4]), None, Score::Accuracy(0.5));
    let sample = sample(&report, &pictured(None), 0, String::new()).unwrap();
    assert_eq!((sample.targets, sample.outputs), (vec![vec![0.0, 1.0, 0.0, 0.0]], vec![vec![0.0, 1.0, 1.0, 0.0]]));
    assert!(confused(&report).unwrap().title.ends_with("; 4 steps"));
}

/// Errors of 1, 0 and 1: a mean square of 2/3, and a variance of 2, 4 and 6 of 8/3.
#[test]
fn numbers_are_drawn_against_the_truth_and_samples_rise_with_it() {
    let (truth, found) = (Tensor::from_slice(&[4.0, 2.0, 6.0]), Tensor::from_slice(&[5.0, 2.0, 5.0]));
    let score = Score::Error { mse: 1.0, nmse: 0.375 };
    let report = report(&found.reshape([3, 1]), &truth.reshape([3, 1]), None, score);
    let figure = predicted(&report).unwrap();
    assert_eq!(figure.title, "test NMSE 0.2500; best baseline 0.3750 (nearest)");
    assert_eq!(figure.panels[0].lines[0].points, [(4.0, 5.0), (2.0, 2.0), (6.0, 5.0)]);
    let samples = of_samples(&report, &pictured(None)).unwrap();
    assert_eq!(titles(&samples), ["sample 1: 2.000 → 2.000", "sample 0: 4.000 → 5.000", "sample 2: 6.000 → 5.000"]);
}

#[test]
fn only_what_was_tested_has_a_confusion_matrix() {
    let names = |report: &NetworkReport| of(report).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let scores = Tensor::from_slice(&[2.0, 1.0, 2.0, 1.0, 0.0, 3.0]).reshape([3, 2]);
    let mut report = report(&scores, &Tensor::from_slice(&[0i64, 1, 1]), None, Score::Accuracy(0.5));
    assert_eq!(names(&report), ["confusion"]);
    report.split = "train";
    assert!(names(&report).is_empty());
}
