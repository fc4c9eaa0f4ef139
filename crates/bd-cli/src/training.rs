//! What every training by back-propagation through time shares: the loop with its bar, its line at each report, checkpoints, and how
//! it ends.

use std::cell::Cell;
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
pub(crate) struct Seen<'a> {
    pub(crate) update: &'a Update,
    /// Since training began.
    pub(crate) wall_s: f64,
    /// Whether it is to be reported.
    pub(crate) report: bool,
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
    /// so that nothing that comes after can lose the training.
    pub(crate) fn fit<S: System, O: Objective, I: IntoIterator<Item = bd_core::Result<Examples>>>(
        &self,
        bptt: &mut Bptt<'_, S, O>,
        epochs: usize,
        mut batches: impl FnMut(usize) -> I,
        mut each: impl FnMut(&Seen<'_>) -> bd_core::Result<ControlFlow<()>>,
    ) -> Result<Trained> {
        let mut seconds = Vec::new();
        let (began, mut last) = (Instant::now(), Instant::now());
        // What it took since the last update to draw batches, and in all.
        let (drawing, drawn) = (Cell::new(0.0), Cell::new(0.0));
        let timed = |epoch: usize| {
            let (mut batches, drawing) = (batches(epoch).into_iter(), &drawing);
            std::iter::from_fn(move || {
                let began = Instant::now();
                let batch = batches.next();
                drawing.set(drawing.get() + began.elapsed().as_secs_f64());
                batch
            })
        };
        let mut stopped = None;
        let (mut last_seen, mut last_told) = (None, 0);
        let observe = |bptt: &Bptt<'_, S, O>, update: &Update| {
            seconds.push(last.elapsed().as_secs_f64() - drawing.get());
            drawn.set(drawn.get() + drawing.take());
            let step = update.step;
            self.progress.bar.set_position(step);
            if step.is_multiple_of(10) {
                self.progress.bar.set_message(short(update.loss));
            }
            let report = step.is_multiple_of(self.report_every) || step == self.updates;
            let wall_s = began.elapsed().as_secs_f64();
            let goes_on = each(&Seen { update, wall_s, report })?;
            if report {
                self.tell(step, wall_s, update.loss);
                last_told = step;
            }
            last_seen = Some((step, wall_s, update.loss));
            if self.checkpoint_every > 0 && step.is_multiple_of(self.checkpoint_every) {
                self.run.checkpoint(step, &bptt.checkpoint())?;
            }
            if let Err(signal) = self.interrupt.check() {
                self.run.checkpoint(step, &bptt.checkpoint())?;
                stopped = Some(signal);
                return Ok(ControlFlow::Break(()));
            }
            last = Instant::now();
            Ok(goes_on)
        };
        let fitted = bptt.fit(epochs, timed, observe);
        self.progress.bar.finish_and_clear();
        if let Some((step, wall_s, loss)) = last_seen.filter(|(step, ..)| *step != last_told) {
            self.tell(step, wall_s, loss);
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
        let drawing = drawn.get();
        stopped.map_or(Ok(Trained { losses, seconds, drawing }), |signal| Err(signal.into()))
    }
}
