//! [`Learner`]: a network in training on examples that are seen in epochs, with a validation part that says when to stop.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use anyhow::Result;
use bd_core::{Rng, Shared, Stack};
use bd_models::Pipeline as Network;
use bd_train::data::Examples;
use bd_train::{
    BatchOf, Bptt, Criterion as Judge, EarlyStopping, OptimConfig, Penalty, RunDir, Update, Verdict, Watch,
};
use serde_json::{Map, Value, json};
use tch::Tensor;

use crate::text::short;
use crate::training::{Progress, Seen, Trained, Training};

/// What a plan says of its training.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) seed: u64,
    pub(crate) sha: Shared,
    pub(crate) optim: &'a OptimConfig,
    pub(crate) penalty: Penalty,
    pub(crate) clip: Option<f64>,
    pub(crate) batch: usize,
    pub(crate) accumulate: usize,
    pub(crate) truncate: Option<usize>,
    pub(crate) epochs: usize,
    pub(crate) early_stopping: Option<EarlyStopping>,
}

/// A network in training.
pub(crate) struct Learner<'a> {
    pub(crate) network: &'a Network,
    pub(crate) judge: Judge,
    pub(crate) recipe: Recipe<'a>,
}

/// What is seen at a report.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    /// Of the validation part, where there is one.
    pub(crate) validation: Option<f64>,
}

/// Parameters that were best on the validation part.
pub(crate) struct Best {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    parameters: Vec<(String, Tensor)>,
}

impl Best {
    /// Brings its parameters back.
    pub(crate) fn restore(&self, network: &Network, progress: &Progress) -> bd_core::Result<()> {
        network.params.load(&self.parameters)?;
        let (step, loss) = (self.step, short(self.loss));
        progress
            .say(&format!("best      of the validation part after {step} updates, loss {loss}; its weights are kept"));
        Ok(())
    }
}

impl Learner<'_> {
    pub(crate) fn bptt(&self) -> bd_core::Result<Bptt<'_, Stack, Judge>> {
        let recipe = &self.recipe;
        let mut bptt = Bptt::new(&self.network.net, &self.network.params, self.judge, recipe.optim, recipe.sha)?
            .penalty(recipe.penalty)?
            .accumulate(recipe.accumulate)?;
        if let Some(norm) = recipe.clip {
            bptt = bptt.clip(norm)?;
        }
        if let Some(steps) = recipe.truncate {
            bptt = bptt.truncate(steps)?;
        }
        Ok(bptt)
    }

    /// What it learns from at once.
    pub(crate) fn batch_of(&self, train: &Examples) -> BatchOf {
        BatchOf::examples(train, self.recipe.batch)
    }

    /// Updates of so many epochs of these examples.
    pub(crate) fn updates(&self, train: &Examples) -> u64 {
        let Recipe { batch, accumulate, epochs, .. } = self.recipe;
        epochs as u64 * train.count().div_ceil(batch).div_ceil(accumulate) as u64 * self.pieces(train)
    }

    /// Pieces that sequences are cut in.
    pub(crate) fn pieces(&self, examples: &Examples) -> u64 {
        let steps = examples.inputs().shape()[1] as usize;
        self.recipe.truncate.map_or(1, |piece| steps.div_ceil(piece)) as u64
    }

    /// At the end of each epoch the validation part says whether it was the best, and whether to go on. `more` are the values that
    /// the job itself has to report.
    pub(crate) fn in_epochs(
        &self,
        training: &Training<'_>,
        train: &Examples,
        validation: Option<&Examples>,
        mut more: impl FnMut(&Seen) -> bd_core::Result<Map<String, Value>>,
    ) -> Result<(Trained, Vec<Report>, Option<Best>)> {
        let recipe = &self.recipe;
        let judged = Bptt::new(&self.network.net, &self.network.params, self.judge, recipe.optim, recipe.sha)?;
        let validate = || validation.map(|part| judged.evaluate(part.batches(recipe.batch, None))).transpose();
        let watch = RefCell::new(recipe.early_stopping.map(EarlyStopping::watch));
        let (best, step) = (RefCell::new(None), Cell::new(0));
        let end_of_epoch = |watch: &mut Watch| -> bd_core::Result<bool> {
            let Some(loss) = validate()? else { return Ok(true) };
            training.run.report(&json!({"step": step.get(), "split": "validation", "loss": loss}))?;
            let verdict = watch.see(step.get(), loss);
            if verdict == Verdict::Better {
                *best.borrow_mut() = Some(Best { step: step.get(), loss, parameters: judged.parameters() });
            }
            Ok(verdict != Verdict::Stop)
        };
        let stopped = Cell::new(false);
        type Batches<'a> = Box<dyn Iterator<Item = bd_core::Result<Examples>> + 'a>;
        let batches = |epoch: usize, bptt: &Bptt<'_, Stack, Judge>| -> Batches<'_> {
            // The beginning of an epoch is the end of the one before.
            let goes_on = match &mut *watch.borrow_mut() {
                // Nothing is said of an epoch before it is known that all its updates were made.
                Some(watch) if epoch > 0 && !stopped.get() => bptt.wait().and_then(|()| end_of_epoch(watch)),
                _ => Ok(true),
            };
            match goes_on {
                Err(error) => return Box::new(std::iter::once(Err(error))),
                Ok(goes_on) => stopped.set(stopped.get() || !goes_on),
            }
            if stopped.get() {
                return Box::new(std::iter::empty());
            }
            Box::new(train.batches(recipe.batch, Some(&mut Rng::new(recipe.seed, &format!("epoch {epoch}")))))
        };
        let mut reports = Vec::new();
        let each = |seen: &Seen| {
            step.set(seen.step);
            if let Some(update) = &seen.report {
                reports.push(self.report(training.run, (update, seen.wall_s), validate()?, more(seen)?)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let trained = training.fit(&mut self.bptt()?, recipe.epochs, batches, each)?;
        if let (Some(watch), false) = (&mut *watch.borrow_mut(), stopped.get()) {
            end_of_epoch(watch)?;
        }
        let best = best.take();
        Ok((trained, reports, best))
    }

    pub(crate) fn report(
        &self,
        run: &RunDir,
        (update, wall_s): (&Update, f64),
        validation: Option<f64>,
        more: Map<String, Value>,
    ) -> bd_core::Result<Report> {
        let recipe = &self.recipe;
        let mut line = json!({
            "step": update.step,
            "split": "train",
            "loss": update.loss,
            "validation_loss": validation,
            "lr": recipe.optim.lr * recipe.optim.schedule.factor(update.step - 1),
            "gradient_norm": update.gradient_norm,
            "wall_s": wall_s,
            "samples_per_s": update.step as f64 * (recipe.batch * recipe.accumulate) as f64 / wall_s,
        });
        line.as_object_mut().expect("an object").extend(more);
        run.report(&line)?;
        Ok(Report { step: update.step, loss: update.loss, validation })
    }
}
