//! [`Course`]: a training under way.

use std::ops::ControlFlow;
use std::time::Instant;

use bd_core::{Result, System};

use super::agreement::Wishes;
use super::checkpoints::Checkpoints;
use super::clock::Clock;
use super::observer::{Observer, Report, Seen};
use super::saved::{Place, Saved};
use super::source::Source;
use super::trained::{Best, End, ReportPoint, Trained};
use super::{Control, TrainConfig};
use crate::bptt::Bptt;
use crate::data::Examples;
use crate::early_stopping::{EarlyStopping, Verdict, Watch};
use crate::loss::Objective;
use crate::process_group::ProcessGroup;

/// A training under way.
pub(super) struct Course<'t, 'a> {
    pub(super) config: &'t TrainConfig,
    pub(super) validation: Option<&'a Examples>,
    pub(super) checkpoints: Option<&'t Checkpoints>,
    pub(super) control: &'t Control,
    pub(super) observers: &'t mut [&'a mut dyn Observer],
    pub(super) group: Option<&'a dyn ProcessGroup>,
    pub(super) progress: Progress,
}

/// How far a training has come.
pub(super) struct Progress {
    /// Updates at most.
    updates: u64,
    clock: Clock,
    place: Place,
    /// Losses of the updates before this process.
    earlier_losses: Vec<f64>,
    reports: Vec<ReportPoint>,
    watch: Option<Watch>,
    best: Option<Best>,
    last_saved: Instant,
    /// Whether the time was over at the last update, for one of the processes.
    is_over: bool,
    end: Option<End>,
    /// How the checkpoint that it went on from says that it had ended.
    known_end: Option<End>,
}

impl Progress {
    /// Before the first update.
    pub(super) fn begin(updates: u64, config: &TrainConfig) -> Self {
        Self {
            updates,
            clock: Clock::start(Vec::new(), 0.0, 0.0),
            place: Place::default(),
            earlier_losses: Vec::new(),
            reports: Vec::new(),
            watch: config.early_stopping.map(EarlyStopping::watch),
            best: None,
            last_saved: Instant::now(),
            is_over: false,
            end: None,
            known_end: None,
        }
    }

    /// Where a checkpoint was written.
    pub(super) fn resume(updates: u64, saved: Saved) -> Self {
        Self {
            updates,
            clock: Clock::start(saved.seconds, saved.drawing_s, saved.wall_s),
            place: saved.place,
            earlier_losses: saved.losses,
            reports: saved.reports,
            watch: saved.watch,
            best: saved.best,
            last_saved: Instant::now(),
            is_over: false,
            // Patience that has run out stays so; more epochs may follow an end that is none.
            end: saved.end.filter(|end| *end == End::Patience),
            known_end: saved.end,
        }
    }
}

impl Course<'_, '_> {
    /// Makes all updates that are left.
    pub(super) fn run<S: System, O: Objective>(
        &mut self,
        bptt: &mut Bptt<'_, S, O>,
        source: Source<'_>,
    ) -> Result<End> {
        if let Some(end) = self.progress.end {
            return Ok(end);
        }
        self.progress.clock.restart();
        for epoch in self.progress.place.epoch..source.epochs(self.config.epochs) {
            let mut batches = source.batches(self.config.cut(), epoch, self.progress.place.batches);
            loop {
                let count = self.config.accumulate;
                let group: Vec<Examples> =
                    self.progress.clock.draw(|| batches.by_ref().take(count).collect::<Result<_>>())?;
                if group.is_empty() {
                    break;
                }
                let done = self.progress.place.batches;
                let flow = bptt.group(&group, |bptt, step| {
                    // A group that is cut in pieces counts when its last piece is done.
                    let whole = if bptt.is_within_sequences() { 0 } else { group.len() };
                    self.progress.place = Place { epoch, batches: done + whole };
                    self.after_update(bptt, step)
                })?;
                if flow.is_break() {
                    return Ok(End::Stopped);
                }
                self.progress.place = Place { epoch, batches: done + group.len() };
                if self.progress.is_over {
                    self.after_epoch(bptt)?;
                    bptt.wait()?;
                    return Ok(End::Time);
                }
            }
            if self.after_epoch(bptt)? == Verdict::Stop {
                return Ok(End::Patience);
            }
            self.progress.clock.restart();
            // Batches that are drawn have one epoch, which goes on where more of them are wanted.
            if matches!(source, Source::Examples(_)) {
                self.progress.place = Place { epoch: epoch + 1, batches: 0 };
            }
        }
        bptt.wait()?;
        Ok(End::Done)
    }

    fn after_update<S: System, O: Objective>(&mut self, bptt: &Bptt<'_, S, O>, step: u64) -> Result<ControlFlow<()>> {
        let is_reported = step.is_multiple_of(self.config.report_every) || step == self.progress.updates;
        let update = if is_reported { Some(bptt.look()?) } else { None };
        self.progress.clock.update(bptt.unseen() == 0);
        let wall_s = self.progress.clock.wall_s();
        let report = match update {
            None => None,
            Some(update) => {
                let TrainConfig { optim, batch, accumulate, .. } = self.config;
                let held = self.validation.map(|part| part.batches(self.config.batch, None));
                let judged = held.map(|batches| bptt.loss_and_accuracy(batches)).transpose()?;
                Some(Report {
                    step,
                    loss: update.loss,
                    validation: judged.map(|(loss, _)| loss),
                    validation_accuracy: judged.and_then(|(_, accuracy)| accuracy),
                    lr: optim.lr * optim.schedule.factor(step - 1),
                    gradient_norm: update.gradient_norm,
                    samples_per_s: step as f64 * (*batch as f64 * *accumulate as f64) / wall_s,
                    outputs: update.outputs,
                })
            }
        };
        if let Some(Report { step, loss, validation, .. }) = report {
            self.progress.reports.push(ReportPoint { step, loss, validation });
        }
        let epoch = self.progress.place.epoch;
        let seen = Seen { step, epoch, wall_s, known: bptt.last_loss(), report: report.as_ref() };
        self.observers.iter_mut().try_for_each(|observer| observer.on_update(&seen))?;
        let is_due = self.checkpoints.is_some_and(|checkpoints| checkpoints.is_due(step, self.progress.last_saved));
        let wishes = Wishes::of(self.control, is_due).of_all(self.group)?;
        self.progress.is_over = wishes.over;
        if wishes.save || wishes.stop {
            bptt.wait()?;
            self.progress.clock.settle();
            self.save(bptt, step)?;
        }
        if bptt.unseen() == 0 {
            self.progress.clock.restart();
        }
        Ok(if wishes.stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Judges an epoch by the validation part.
    fn after_epoch<S: System, O: Objective>(&mut self, bptt: &Bptt<'_, S, O>) -> Result<Verdict> {
        if self.progress.watch.is_none() {
            return Ok(Verdict::Worse);
        }
        // Nothing is said of an epoch before it is known that all its updates were made.
        bptt.wait()?;
        let Some(part) = self.validation else { return Ok(Verdict::Worse) };
        let loss = bptt.evaluate(part.batches(self.config.batch, None))?;
        let step = bptt.optimizer().step();
        let verdict = self.progress.watch.as_mut().map_or(Verdict::Worse, |watch| watch.see(step, loss));
        if verdict == Verdict::Better {
            self.progress.best = Some(Best { step, loss, parameters: bptt.parameters() });
        }
        let is_best = verdict == Verdict::Better;
        self.observers.iter_mut().try_for_each(|observer| observer.on_epoch(step, loss, is_best))?;
        Ok(verdict)
    }

    /// A last checkpoint, where there are checkpoints: of a training that has ended so, or that has failed. One of the same step that
    /// was written before the end was known is replaced.
    pub(super) fn save_at_end<S: System, O: Objective>(
        &mut self,
        bptt: &Bptt<'_, S, O>,
        end: Option<End>,
    ) -> Result<()> {
        self.progress.end = end;
        self.progress.clock.settle();
        let is_new = end.is_some() && self.progress.known_end != end;
        self.save_as(bptt, bptt.optimizer().step(), is_new)
    }

    fn save<S: System, O: Objective>(&mut self, bptt: &Bptt<'_, S, O>, step: u64) -> Result<()> {
        self.save_as(bptt, step, false)
    }

    /// Saves, in the place of a checkpoint of the same step if that is to be replaced.
    fn save_as<S: System, O: Objective>(&mut self, bptt: &Bptt<'_, S, O>, step: u64, replaces: bool) -> Result<()> {
        let Some(checkpoints) = self.checkpoints else {
            // The states that another process writes are collected from all.
            return self.group.map_or(Ok(()), |_| bptt.checkpoint().map(drop));
        };
        // First the observers: what they have written is on the disk before a checkpoint speaks of it.
        let observers = self.observers.iter_mut().map(|observer| observer.save()).collect::<Result<Vec<_>>>()?;
        let progress = &self.progress;
        let saved = Saved {
            config: self.config.clone(),
            observers,
            place: progress.place,
            end: progress.end,
            watch: progress.watch.clone(),
            best: progress.best.as_ref().map(Best::handle),
            losses: [&progress.earlier_losses[..], &bptt.known_losses()].concat(),
            seconds: progress.clock.seconds().to_vec(),
            reports: progress.reports.clone(),
            wall_s: progress.clock.wall_s(),
            drawing_s: progress.clock.drawn_s(),
        };
        let mut checkpoint = bptt.checkpoint()?;
        saved.write(&mut checkpoint)?;
        let path =
            if replaces { checkpoints.rewrite(step, &checkpoint) } else { checkpoints.write(step, &checkpoint) }?;
        self.progress.last_saved = Instant::now();
        self.observers.iter_mut().try_for_each(|observer| observer.on_checkpoint(step, &path))
    }

    /// What the training came to.
    pub(super) fn finish<S: System, O: Objective>(mut self, bptt: &mut Bptt<'_, S, O>, end: End) -> Result<Trained> {
        let mut losses = std::mem::take(&mut self.progress.earlier_losses);
        losses.extend(bptt.losses()?);
        let Progress { clock, reports, best, .. } = self.progress;
        Ok(Trained { end, losses, seconds: clock.seconds().to_vec(), drawing_s: clock.drawn_s(), reports, best })
    }
}
