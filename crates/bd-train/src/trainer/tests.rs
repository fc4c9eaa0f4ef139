use std::path::Path;
use std::time::{Duration, Instant};

use bd_core::{Inputs, Params, Rng, Stack};
use bd_models::{Cell, RateNetConfig, Reads};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::{EarlyStopping, Loss, OptimConfig};

mod dale;
mod processes;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const SAMPLES: i64 = 11;
const STEPS: i64 = 7;

/// A training that can be had again and again, always the same.
#[derive(Clone, Default)]
struct Case {
    config: TrainConfig,
    drawn: bool,
    padded: bool,
    validation: bool,
    device: bool,
    /// Units that excite or inhibit, of which not all are connected.
    dale: bool,
    /// There is no time left.
    over: bool,
}

/// What it came to.
#[derive(Debug, PartialEq)]
struct Came {
    end: End,
    parameters: Vec<(String, Tensor)>,
    weights: Vec<(String, Tensor)>,
    optimiser: Vec<(String, Tensor)>,
    losses: Vec<f64>,
    reports: Vec<ReportPoint>,
    best: Option<(u64, f64)>,
    lines: Vec<String>,
}

/// Writes down what it sees, and stops the training after an update.
#[derive(Default)]
struct Recorder {
    lines: Vec<String>,
    stop_after: Option<u64>,
    control: Control,
}

impl Observer for Recorder {
    fn on_update(&mut self, seen: &Seen<'_>) -> Result<()> {
        let loss = seen.report.map(|report| (report.loss, report.lr, report.validation));
        self.lines.push(format!("{} {} {loss:?}", seen.epoch, seen.step));
        if self.stop_after == Some(seen.step) {
            self.control.stop();
        }
        Ok(())
    }

    fn on_epoch(&mut self, step: u64, validation: f64, is_best: bool) -> Result<()> {
        self.lines.push(format!("epoch to {step}: {validation} {is_best}"));
        Ok(())
    }

    fn save(&mut self) -> Result<serde_json::Value> {
        Ok(json!(self.lines))
    }

    fn restore(&mut self, saved: &serde_json::Value) -> Result<()> {
        self.lines = serde_json::from_value(saved.clone()).unwrap();
        Ok(())
    }
}

fn network(dale: bool) -> (Params, Stack) {
    let mut params = Params::new(3, ON);
    let (cell, hidden, reads) = match dale {
        true => (dale::cell(), vec![8], Reads::Excitatory),
        false => (Cell::all()[1], vec![3], Reads::State),
    };
    let config = RateNetConfig { n_in: 2, n_out: 1, hidden, cell, reads, ..RateNetConfig::default() };
    let net = config.build(&mut params).unwrap();
    (params, net)
}

/// The running mean of two channels of noise is to be found.
fn examples(name: &str, padded: bool) -> Examples {
    let x = Rng::new(1, name).tensor(&[SAMPLES, STEPS, 2], ON, Rng::normal);
    let y = x.sum_dim_intlist(2, true, Kind::Double).cumsum(1, Kind::Double) * 0.1;
    let examples = Examples::new(Inputs::batch_first(&x).unwrap(), y).unwrap();
    if !padded {
        return examples;
    }
    let lengths: Vec<i64> = (0..SAMPLES).map(|sample| 1 + (sample * 3) % STEPS).collect();
    examples.with_lengths(&Tensor::from_slice(&lengths)).unwrap()
}

/// Trains from the newest checkpoint in `folder`, to the end or to a stop after an update.
fn train(case: &Case, folder: &Path, stop_after: Option<u64>) -> Came {
    train_saving(case, folder, stop_after, Cadence::Updates(1000))
}

fn train_saving(case: &Case, folder: &Path, stop_after: Option<u64>, cadence: Cadence) -> Came {
    train_among(case, folder, stop_after, cadence, None)
}

/// As one of several processes, of which the first one saves and the last one is stopped.
fn train_among(
    case: &Case,
    folder: &Path,
    stop_after: Option<u64>,
    cadence: Cadence,
    group: Option<&dyn ProcessGroup>,
) -> Came {
    let (params, net) = network(case.dale);
    let (train, held) = (examples("train", case.padded), examples("held", case.padded));
    let draw = |number: u64| Ok(examples(&format!("batch {number}"), case.padded));
    let control = Control::default();
    let control = if case.over { control.ending_at(Instant::now()) } else { control };
    let stop_after = stop_after.filter(|_| group.is_none_or(|group| group.rank() + 1 == group.size()));
    let mut recorder = Recorder { stop_after, control: control.clone(), ..Recorder::default() };
    let mut trainer = Trainer::new(&net, &params, Loss::Mse, &case.config, Shared::new(1.0))
        .unwrap()
        .control(control)
        .observe(&mut recorder);
    if group.is_none_or(|group| group.rank() == 0) {
        trainer = trainer.checkpoints(Checkpoints::new(folder, cadence, Keep::Last(2)));
    }
    if let Some(group) = group {
        trainer = trainer.processes(group).unwrap();
    }
    if case.validation {
        trainer = trainer.validation(&held);
    }
    if case.device {
        trainer = trainer.as_on_a_device();
    }
    if let Some(newest) = Checkpoints::newest(folder).unwrap() {
        trainer.resume(newest.checkpoint).unwrap();
    }
    let source = match case.drawn {
        true => Source::Drawn { updates: 9, draw: &draw, steps: STEPS as usize },
        false => Source::Examples(&train),
    };
    let trained = trainer.fit(source).unwrap();
    let optimiser = trainer.bptt().optimizer().state();
    drop(trainer);
    Came {
        end: trained.end,
        parameters: params.named(),
        weights: params.weights(),
        optimiser,
        losses: trained.losses,
        reports: trained.reports,
        best: trained.best.map(|best| (best.step, best.loss)),
        lines: recorder.lines,
    }
}

fn cases() -> Vec<(&'static str, Case)> {
    let config = TrainConfig {
        epochs: 3,
        batch: 3,
        report_every: 2,
        optim: OptimConfig { lr: 0.05, ..OptimConfig::default() },
        ..TrainConfig::default()
    };
    let stopping = Some(EarlyStopping { patience: 1, min_delta: 1e-3 });
    let piece = Some(2);
    let case = Case { config: config.clone(), ..Case::default() };
    vec![
        ("drawn", Case { drawn: true, ..case.clone() }),
        (
            "drawn, accumulated",
            Case { config: TrainConfig { accumulate: 3, ..config.clone() }, drawn: true, ..case.clone() },
        ),
        ("epochs", case.clone()),
        (
            "validation",
            Case {
                config: TrainConfig { early_stopping: stopping, epochs: 30, clip: Some(1.0), ..config.clone() },
                validation: true,
                ..case.clone()
            },
        ),
        ("pieces", Case { config: TrainConfig { truncate: piece, ..config.clone() }, ..case.clone() }),
        (
            "padded pieces, accumulated",
            Case {
                config: TrainConfig { truncate: piece, accumulate: 3, ..config.clone() },
                padded: true,
                ..case.clone()
            },
        ),
        (
            "pieces on a device",
            Case { config: TrainConfig { truncate: piece, ..config }, device: true, validation: true, ..case },
        ),
    ]
}

#[test]
fn a_training_that_is_stopped_after_any_update_goes_on_bit_for_bit() {
    for (name, case) in cases() {
        let whole = train(&case, tempfile::tempdir().unwrap().path(), None);
        let updates = whole.losses.len() as u64;
        assert!(updates >= 9, "{name}: {updates} updates");
        assert_eq!(whole.end == End::Patience, case.config.early_stopping.is_some(), "{name}");
        for stop in 1..=updates {
            let folder = tempfile::tempdir().unwrap();
            let stopped = train(&case, folder.path(), Some(stop));
            assert_eq!((stopped.end, stopped.losses.len() as u64), (End::Stopped, stop), "{name}");
            assert_eq!(stopped.losses, whole.losses[..stop as usize], "{name}, stopped after {stop}");
            assert_eq!(train(&case, folder.path(), None), whole, "{name}, stopped after {stop}");
        }
    }
}

/// After the first update the time is over: the parameters are judged by then, and without judgement the training goes on as it was.
#[test]
fn a_training_whose_time_is_over_ends_after_an_update() {
    for (name, case) in cases() {
        // On a device updates are known later, and of pieces an update is one of several of a batch.
        if case.config.truncate.is_some() {
            continue;
        }
        let (whole, folder) = (train(&case, tempfile::tempdir().unwrap().path(), None), tempfile::tempdir().unwrap());
        let over = train(&Case { over: true, ..case.clone() }, folder.path(), None);
        assert_eq!((over.end, &over.losses[..]), (End::Time, &whole.losses[..1]), "{name}");
        if case.config.early_stopping.is_some() {
            assert_eq!(over.best.map(|(step, _)| step), Some(1), "{name}");
        } else {
            assert_eq!(train(&case, folder.path(), None), whole, "{name}");
        }
    }
}

/// Also where a checkpoint was due at the last update, before it was known that it is the last one; and a training with nothing left
/// to do changes no checkpoint.
#[test]
fn the_last_checkpoint_says_how_the_training_ended() {
    for (name, case) in cases() {
        for over in [false, true] {
            let (case, folder) = (Case { over, ..case.clone() }, tempfile::tempdir().unwrap());
            let came = train_saving(&case, folder.path(), None, Cadence::Updates(1));
            let newest = Checkpoints::newest(folder.path()).unwrap().unwrap();
            let Standing { step, end, observers, .. } = newest.standing().unwrap();
            assert_eq!((step, end), (came.losses.len() as u64, Some(came.end)), "{name}");
            assert_eq!(observers, [json!(came.lines)], "{name}");
            if !over {
                let written = std::fs::read(newest.path.join("SHA256SUMS")).unwrap();
                assert_eq!(train_saving(&case, folder.path(), None, Cadence::Updates(1)), came, "{name}");
                assert_eq!(std::fs::read(newest.path.join("SHA256SUMS")).unwrap(), written, "{name}");
            }
        }
    }
}

#[test]
fn the_time_that_is_left_is_shared() {
    let left = |control: &Control| control.deadline.unwrap().saturating_duration_since(Instant::now()).as_secs();
    let control = Control::default().ending_at(Instant::now() + Duration::from_secs(3600));
    let [first, only] = [4, 1].map(|parts| left(&control.first_of(parts)));
    assert!((850..=900).contains(&first) && (3550..=3600).contains(&only), "{first} {only}");
    control.first_of(4).stop();
    assert!(control.is_stopped() && Control::default().first_of(3).deadline.is_none());
}

#[test]
fn a_training_may_be_stopped_twice() {
    for (name, case) in cases() {
        let whole = train(&case, tempfile::tempdir().unwrap().path(), None);
        let folder = tempfile::tempdir().unwrap();
        for stop in [2, 5] {
            assert_eq!(train(&case, folder.path(), Some(stop)).end, End::Stopped);
        }
        assert_eq!(train(&case, folder.path(), None), whole, "{name}");
    }
}

#[test]
fn a_training_that_has_ended_has_nothing_left_to_do_and_may_have_more_epochs() {
    let (_, case) = cases().swap_remove(2);
    let more = Case { config: TrainConfig { epochs: 5, ..case.config.clone() }, ..case.clone() };
    let folder = tempfile::tempdir().unwrap();
    let whole = train(&case, folder.path(), None);
    assert_eq!(train(&case, folder.path(), None), whole);
    let longer = train(&more, folder.path(), None);
    let at_once = train(&more, tempfile::tempdir().unwrap().path(), None);
    assert_eq!((&longer.parameters, &longer.losses), (&at_once.parameters, &at_once.losses));
    // The last update of the first training was reported as such.
    assert_eq!(longer.reports.len(), at_once.reports.len() + usize::from(whole.losses.len() % 2 == 1));
}

#[test]
fn another_configuration_is_refused_with_the_differences() {
    let (_, case) = cases().swap_remove(2);
    let folder = tempfile::tempdir().unwrap();
    train(&case, folder.path(), Some(2));
    let (params, net) = network(false);
    let config = TrainConfig { batch: 5, clip: Some(2.0), epochs: 9, ..case.config };
    let mut trainer = Trainer::new(&net, &params, Loss::Mse, &config, Shared::new(1.0)).unwrap();
    let checkpoint = Checkpoints::newest(folder.path()).unwrap().unwrap().checkpoint;
    let error = trainer.resume(checkpoint).unwrap_err().to_string();
    assert!(error.contains("batch is 5, the training began with 3"), "{error}");
    assert!(error.contains("clip is 2.0, the training began with null") && !error.contains("epochs"), "{error}");
}

/// Of a minimum that was passed the parameters are kept.
#[test]
fn the_best_parameters_of_the_validation_part_are_kept() {
    let (_, case) = cases().swap_remove(3);
    let came = train(&case, tempfile::tempdir().unwrap().path(), None);
    let (params, net) = network(false);
    params.load(&came.parameters).unwrap();
    let bptt = Bptt::new(&net, &params, Loss::Mse, &OptimConfig::default(), Shared::new(1.0)).unwrap();
    let (step, loss) = came.best.unwrap();
    assert_eq!(bptt.evaluate(examples("held", false).batches(3, None)).unwrap(), loss);
    assert!(step < came.losses.len() as u64, "the training went on after its best");
}

#[test]
fn a_requested_checkpoint_is_written_and_the_training_goes_on() {
    let (_, case) = cases().swap_remove(2);
    let folder = tempfile::tempdir().unwrap();
    struct Saves(Control, Vec<u64>);
    impl Observer for Saves {
        fn on_update(&mut self, seen: &Seen<'_>) -> Result<()> {
            if seen.step == 4 {
                self.0.save();
            }
            Ok(())
        }

        fn on_checkpoint(&mut self, step: u64, folder: &Path) -> Result<()> {
            assert!(folder.ends_with(format!("step-{step:08}")));
            self.1.push(step);
            Ok(())
        }
    }
    let (params, net) = network(false);
    let control = Control::default();
    let mut saves = Saves(control.clone(), Vec::new());
    let train = examples("train", false);
    let mut trainer = Trainer::new(&net, &params, Loss::Mse, &case.config, Shared::new(1.0))
        .unwrap()
        .checkpoints(Checkpoints::new(folder.path(), Cadence::Updates(1000), Keep::All))
        .control(control)
        .observe(&mut saves);
    assert_eq!(trainer.fit(Source::Examples(&train)).unwrap().end, End::Done);
    drop(trainer);
    assert_eq!(saves.1, [4, 12]);
}
