//! What every training by back-propagation through time shares: the loop with its bar, its line at each report, checkpoints, and how
//! it ends.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Result;
use bd_core::{Error, System};
use bd_train::data::Examples;
use bd_train::{Bptt, Objective, RunDir, Update};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::console;
use crate::interrupt::Interrupt;
use crate::text::short;

/// Messages, and a bar below them where standard error is a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Without a bar.
    pub(crate) fn plain(quiet: bool) -> Self {
        Self { bar: ProgressBar::hidden(), quiet }
    }

    pub(crate) fn new(quiet: bool, updates: u64) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(updates) };
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} updates, loss {msg}, {eta} to go");
        Self { bar: bar.with_style(style.expect("the template is well formed")), quiet }
    }

    pub(crate) fn say(&self, message: &str) {
        if !self.quiet {
            self.bar.suspend(|| console::message(message));
        }
    }
}

/// What training found.
#[derive(Default)]
pub(crate) struct Trained {
    /// Of every update.
    pub(crate) losses: Vec<f64>,
    /// Seconds of every update, without what it took to draw its batch.
    pub(crate) seconds: Vec<f64>,
    /// Seconds that drawing all batches took.
    pub(crate) drawing: f64,
}

impl Trained {
    /// Mean loss of the last hundred updates.
    pub(crate) fn last_100(&self) -> f64 {
        let last = &self.losses[self.losses.len().saturating_sub(100)..];
        last.iter().sum::<f64>() / last.len() as f64
    }

    /// Median and tenth and ninetieth percentile of the seconds of an update.
    pub(crate) fn spread(&self) -> Value {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let at = |fraction: f64| seconds.get(((seconds.len() as f64 - 1.0) * fraction).round() as usize);
        json!({"median": at(0.5), "p10": at(0.1), "p90": at(0.9)})
    }
}

/// An update, as a job sees it.
pub(crate) struct Seen {
    /// Its number.
    pub(crate) step: u64,
    /// Since training began.
    pub(crate) wall_s: f64,
    /// What it found, where it is to be reported: only then a device was waited for.
    pub(crate) report: Option<Update>,
}

/// Seconds of updates. Those on a device are known when it was waited for, and are then the same for all since the time before.
struct Clock {
    seconds: Vec<f64>,
    last: Instant,
    /// Updates whose seconds are not known yet.
    running: usize,
    /// What it took since the last that was waited for to draw batches, and in all before.
    drawing: f64,
    drawn: f64,
}

impl Clock {
    fn start() -> Self {
        Self { seconds: Vec::new(), last: Instant::now(), running: 0, drawing: 0.0, drawn: 0.0 }
    }

    /// All updates so far are done.
    fn done(&mut self) {
        let drawing = std::mem::take(&mut self.drawing);
        let each = (self.last.elapsed().as_secs_f64() - drawing) / self.running.max(1) as f64;
        self.seconds.extend(std::iter::repeat_n(each, self.running));
        (self.running, self.drawn) = (0, self.drawn + drawing);
    }
}

/// A training of so many updates.
pub(crate) struct Training<'a> {
    pub(crate) run: &'a RunDir,
    pub(crate) progress: &'a Progress,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) updates: u64,
    /// In updates.
    pub(crate) report_every: u64,
    /// In updates; 0 is never.
    pub(crate) checkpoint_every: u64,
}

impl Training<'_> {
    /// The line that BrainPy's users know.
    fn tell(&self, step: u64, wall_s: f64, loss: f64) {
        self.progress.say(&format!("Train {step} steps, use {wall_s:.4} s, train loss {}", short(loss)));
    }

    /// Trains on the batches of each epoch. `each` sees every update; it may end the training.
    ///
    /// A signal ends it with a checkpoint and is an error; so is a number that is not finite. At the end there is a checkpoint, too,
    /// so that nothing that comes after can lose the training. A device is waited for where an update is reported, for checkpoints,
    /// and at the end.
    pub(crate) fn fit<S: System, O: Objective, I: IntoIterator<Item = bd_core::Result<Examples>>>(
        &self,
        bptt: &mut Bptt<'_, S, O>,
        epochs: usize,
        mut batches: impl FnMut(usize, &Bptt<'_, S, O>) -> I,
        mut each: impl FnMut(&Seen) -> bd_core::Result<ControlFlow<()>>,
    ) -> Result<Trained> {
        let (began, clock) = (Instant::now(), RefCell::new(Clock::start()));
        let mut stopped = None;
        let (mut last_wall_s, mut last_told) = (0.0, 0);
        let mut observe = |bptt: &Bptt<'_, S, O>, step: u64| {
            let is_reported = step.is_multiple_of(self.report_every) || step == self.updates;
            let report = if is_reported { Some(bptt.look()?) } else { None };
            clock.borrow_mut().running += 1;
            if bptt.unseen() == 0 {
                clock.borrow_mut().done();
            }
            self.progress.bar.set_position(step);
            if let Some((_, loss)) = bptt.last_loss().filter(|_| step.is_multiple_of(10)) {
                self.progress.bar.set_message(short(loss));
            }
            let wall_s = began.elapsed().as_secs_f64();
            let seen = Seen { step, wall_s, report };
            let goes_on = each(&seen)?;
            if let Some(update) = &seen.report {
                self.tell(step, wall_s, update.loss);
                last_told = step;
            }
            last_wall_s = wall_s;
            let signal = self.interrupt.check().err();
            if signal.is_some() || (self.checkpoint_every > 0 && step.is_multiple_of(self.checkpoint_every)) {
                bptt.wait()?;
                self.run.checkpoint(step, &bptt.checkpoint())?;
            }
            if let Some(signal) = signal {
                stopped = Some(signal);
                return Ok(ControlFlow::Break(()));
            }
            if bptt.unseen() == 0 {
                clock.borrow_mut().last = Instant::now();
            }
            Ok(goes_on)
        };
        let mut train = || {
            for epoch in 0..epochs {
                let mut batches = batches(epoch, bptt).into_iter();
                let timed = std::iter::from_fn(|| {
                    let began = Instant::now();
                    let batch = batches.next();
                    clock.borrow_mut().drawing += began.elapsed().as_secs_f64();
                    batch
                });
                if bptt.epoch(timed, &mut observe)?.is_break() {
                    break;
                }
            }
            bptt.losses()
        };
        let fitted = train();
        let mut clock = clock.into_inner();
        clock.done();
        self.progress.bar.finish_and_clear();
        if let Some((step, loss)) = bptt.last_loss().filter(|(step, _)| *step != last_told) {
            self.tell(step, last_wall_s, loss);
        }
        let losses = match fitted {
            Ok(losses) => losses,
            Err(error) => {
                if matches!(error, Error::NotFinite { .. }) {
                    self.run.checkpoint(bptt.optimizer().step(), &bptt.checkpoint())?;
                }
                return Err(error.into());
            }
        };
        if self.checkpoint_every > 0 {
            self.run.checkpoint(bptt.optimizer().step(), &bptt.checkpoint())?;
        }
        let Clock { seconds, drawn: drawing, .. } = clock;
        stopped.map_or(Ok(Trained { losses, seconds, drawing }), |signal| Err(signal.into()))
    }
}

#[cfg(test)]
mod tests {
    use bd_core::{Inputs, Params, Rng, Shared};
    use bd_models::{Linear, LinearConfig};
    use bd_train::optim::Rule;
    use bd_train::{Loss, OptimConfig};
    use tch::{Device, Kind};

    use super::*;
    use crate::job::manifest;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    /// What a training comes to: losses or an error, the steps of reports, looks, the checkpoint's step and weight.
    struct Came {
        trained: std::result::Result<Trained, String>,
        reported: Vec<(u64, f64)>,
        looks: u64,
        saved: (u64, f64),
    }

    /// A line is fitted in four epochs of five batches, with a report every eighth update.
    fn train(lr: f64, device: bool) -> Came {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(&folder.path().join("run")), manifest("test", Device::Cpu, ON.0, 1, 0)).unwrap();
        let (progress, interrupt) = (Progress::plain(true), Interrupt::watch().unwrap());
        let training = Training {
            run: &run,
            progress: &progress,
            interrupt: &interrupt,
            updates: 20,
            report_every: 8,
            checkpoint_every: 0,
        };
        let mut params = Params::new(0, ON);
        let model = Linear::new(&mut params.at("o"), 1, 1, &LinearConfig::default()).unwrap();
        let x = Rng::new(0, "x").tensor(&[10, 3, 1], ON, Rng::normal);
        let examples = Examples::new(Inputs::batch_first(&x).unwrap(), &x * 2.0).unwrap();
        let config = OptimConfig { lr, rule: Rule::Sgd, ..OptimConfig::default() };
        let mut bptt = Bptt::new(&model, &params, Loss::Mse, &config, Shared::default()).unwrap();
        if device {
            bptt = bptt.as_on_a_device();
        }
        let mut reported = Vec::new();
        let each = |seen: &Seen| {
            reported.extend(seen.report.as_ref().map(|update| (seen.step, update.loss)));
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(&mut bptt, 4, |_, _| examples.batches(2, None), each);
        let (saved, looks) = (bptt.checkpoint(), bptt.looks());
        let weight = saved.model.iter().find(|(name, _)| name == "o.weight").unwrap().1.double_value(&[0, 0]);
        let saved = (saved.meta["step"].as_u64().unwrap(), weight);
        Came { trained: trained.map_err(|error| error.to_string()), reported, looks, saved }
    }

    #[test]
    fn a_device_is_waited_for_where_something_is_reported() {
        let [host, device] = [false, true].map(|device| train(0.1, device));
        // Updates 8, 16 and 20.
        assert_eq!((host.looks, device.looks, device.reported.len()), (0, 3, 3));
        assert_eq!((device.reported, device.saved), (host.reported, host.saved));
        let [host, device] = [host.trained, device.trained].map(std::result::Result::unwrap);
        assert_eq!((device.losses.len(), device.seconds.len()), (20, 20));
        assert_eq!(device.losses, host.losses);
    }

    #[test]
    fn a_training_that_diverges_ends_in_the_same_words_and_weights() {
        let [host, device] = [false, true].map(|device| train(1e60, device));
        let (found, expected) = (device.trained.err().unwrap(), host.trained.err().unwrap());
        assert!(expected.contains("is not finite") && expected.contains("update"), "{expected}");
        assert_eq!((found, device.saved), (expected, host.saved));
        assert_eq!((device.looks, device.reported.len()), (1, 0));
    }
}
