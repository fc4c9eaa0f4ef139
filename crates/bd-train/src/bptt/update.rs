//! The updates of [`Bptt`]: of several batches together, or of pieces of sequences one after the other.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};

use bd_core::{Error, Phase, Result, Shared, StateTree, System, Tap, catch_torch};
use tch::Tensor;

use super::gradients::Gradients;
use super::on_device;
use super::pending::Known;
use super::position::Position;
use super::{Bptt, scan};
use crate::data::Examples;
use crate::loss::Objective;
use crate::tree::TreeSum;

/// What one of the batches of an update gives to it.
pub(super) struct Part<'a, State> {
    /// Its number.
    pub(super) which: usize,
    pub(super) examples: Examples,
    /// How many things its loss is a mean over; 0 where all its sequences have ended.
    pub(super) weight: f64,
    /// Where the piece before it ended, if there was one.
    pub(super) state: &'a mut Option<State>,
}

/// What a process finds in its share of an update's parts.
struct Found {
    /// One for each part of the share; zero where there is nothing.
    losses: Vec<f64>,
    /// The loss of all parts on a device, where nothing waits for it.
    unseen: Option<Tensor>,
    gradients: TreeSum,
    outputs: Option<Tensor>,
}

impl<S: System, O: Objective> Bptt<'_, S, O> {
    /// An update of all batches together, or one for each piece of their sequences; `see` is told their numbers.
    pub(super) fn updates(
        &mut self,
        batches: &[Examples],
        see: &mut dyn FnMut(&Self, u64) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        batches.iter().try_for_each(|batch| self.check(batch).and_then(|()| self.check_pieces(batch)))?;
        let steps = |batch: &Examples| batch.inputs().shape()[1] as usize;
        let most = batches.iter().map(steps).max().unwrap_or(0);
        let piece = self.truncate.unwrap_or(most);
        let position = std::mem::replace(&mut self.position, Position::Beginning);
        let (begin, mut states) =
            catch_torch(|| position.states(batches.len(), |which| self.start(&batches[which]).detach()))?;
        self.position = Position::at(begin, &states);
        for from in (begin..most).step_by(piece.max(1)) {
            // Pieces are updates, too, of which so many may wait.
            if self.pending.get_mut().is_full() || self.pending.get_mut().failure.is_some() {
                self.wait()?;
            }
            let mut parts = Vec::with_capacity(batches.len());
            for ((which, batch), state) in batches.iter().enumerate().zip(&mut states) {
                let len = piece.min(steps(batch).saturating_sub(from));
                let examples = if len == 0 || len == steps(batch) { batch.clone() } else { batch.steps(from, len)? };
                // Where all sequences have ended, nothing is left of the batch.
                let weight = if len == 0 { 0.0 } else { self.weight(&examples) };
                parts.push(Part { which, examples, weight, state });
            }
            let present = parts.iter().filter(|part| part.weight > 0.0).count();
            if present == 0 {
                self.position = Position::Beginning;
                break;
            }
            // One part is the whole of the mean, whatever it counts.
            if present > 1 {
                for part in parts.iter_mut().filter(|part| part.weight > 0.0) {
                    part.weight = self.counted_weight(&part.examples).max(f64::MIN_POSITIVE);
                }
            }
            let more = from + piece < most;
            let step = recording(|| catch_torch(|| self.update_of(parts, from, more)))?;
            self.position = if more { Position::at(from + piece, &states) } else { Position::Beginning };
            if see(self, step)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How many things the loss of a batch is a mean over.
    fn weight(&self, batch: &Examples) -> f64 {
        self.objective.weight(self.outputs_of(batch), batch.host_lengths())
    }

    /// The same without what does not count of the targets, which are waited for on a device.
    pub(super) fn counted_weight(&self, batch: &Examples) -> f64 {
        self.objective.weight_of(self.outputs_of(batch), batch.targets(), batch.lengths())
    }

    /// Refuses padded sequences whose pieces are judged each as a whole: of padding alone there is nothing to judge.
    fn check_pieces(&self, batch: &Examples) -> Result<()> {
        if self.truncate.is_none() || self.objective.by_step() || batch.lengths().is_none() {
            return Ok(());
        }
        Err(Error::Config(
            "padded sequences that have one label each cannot be cut in pieces: the pieces behind the end of a sequence have \
             nothing to judge; take a loss that judges every step, or sequences of one length"
                .into(),
        ))
    }

    /// One update of all parts, which begin at step `from`; their last states are kept if there is more to come. Its number.
    fn update_of(&mut self, mut parts: Vec<Part<'_, S::State>>, from: usize, more: bool) -> Result<u64> {
        self.pending.get_mut().outputs = None;
        let step = self.optimizer.step() + 1;
        let weights: Vec<f64> = parts.iter().map(|part| part.weight).collect();
        let found = self.of_parts(&mut parts[self.share(weights.len())], &weights, (step, from, more))?;
        if more {
            self.hold_places(&mut parts);
        }
        drop(parts);
        let Found { losses, unseen, gradients, outputs } = found;
        match unseen {
            Some(loss) => self.apply_unseen(step, &loss, &gradients.finish().unwrap_or_default())?,
            None => {
                let (loss, gradients) = self.of_all(&losses, gradients.finish(), &weights, step)?;
                self.apply(step, loss, gradients)?;
            }
        }
        tch::no_grad(|| self.system.after_update(step));
        // A process that had no batch has no outputs, and still an update.
        self.pending.get_mut().outputs = Some(outputs.unwrap_or_else(|| Tensor::zeros([0, 0, 0], self.params.on())));
        Ok(step)
    }

    /// Losses and gradients of the parts of this process; `weights` are those of all parts.
    fn of_parts(
        &mut self,
        parts: &mut [Part<'_, S::State>],
        weights: &[f64],
        (step, from, more): (u64, usize, bool),
    ) -> Result<Found> {
        let all: f64 = weights.iter().sum();
        let several = weights.iter().filter(|weight| **weight > 0.0).count() > 1;
        let mut found = Found { losses: Vec::new(), unseen: None, gradients: TreeSum::default(), outputs: None };
        for Part { which, examples, weight, state } in parts {
            if *weight == 0.0 {
                found.losses.push(0.0);
                found.gradients.push(None);
                continue;
            }
            let begin = state.take().unwrap_or_else(|| self.start(examples));
            let mut tap = Tap::new(self.objective.records());
            let (outputs, end) =
                scan(self.system, &self.sha_of(step, *which, from), examples.inputs(), begin, &mut tap);
            let mut own = self.judge(&outputs, examples, tap)?;
            if several {
                own *= *weight / all;
            }
            found.gradients.push(Some(self.backward(&own)?));
            if self.unwaited {
                let own = on_device::of_finite_inputs(&own, examples.inputs());
                found.unseen = Some(on_device::add(found.unseen, &own));
            } else {
                found.losses.push(own.double_value(&[]));
                if self.group.is_none() {
                    finite_loss(sum_of(&found.losses), || format!("at update {step}"))?;
                }
            }
            **state = more.then(|| end.detach());
            found.outputs = Some(outputs.detach());
        }
        Ok(found)
    }

    /// Makes update `step` from the loss and its gradients, on the host.
    fn apply(&mut self, step: u64, loss: f64, gradients: Vec<Tensor>) -> Result<()> {
        let mut gradients = Gradients::new(self.optimizer.params(), gradients, self.penalty, step)?;
        let loss = check_total(loss, &gradients, step)?;
        if let Some(norm) = self.clip {
            gradients.clip(norm);
        }
        self.optimizer.update(&gradients.all)?;
        self.pending.get_mut().known(Known { step, loss, gradient_norm: gradients.norm });
        Ok(())
    }

    /// Every update, and of it every batch, draws random numbers of its own.
    fn sha_of(&self, step: u64, which: usize, from: usize) -> Shared {
        let key = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (which as u64).wrapping_mul(0xd1b5_4a32_d192_ed03);
        Shared { key: self.sha.key ^ key, ..self.sha.in_phase(Phase::Fit) }.ahead(from)
    }

    /// The objective of a batch, with the states that it asked for.
    pub(super) fn judge(&self, outputs: &Tensor, batch: &Examples, tap: Tap) -> Result<Tensor> {
        let loss = if tap.wants_any() {
            self.objective.loss_with(outputs, batch.targets(), batch.lengths(), &tap.finish()?)
        } else {
            self.objective.loss(outputs, batch.targets(), batch.lengths())
        };
        if !loss.defined() {
            return Err(Error::Config("the loss is an undefined tensor; it must be one number".into()));
        }
        if loss.numel() == 1 {
            return Ok(loss);
        }
        Err(Error::Shape { what: "the loss".into(), expected: "one number".into(), found: loss.size() })
    }

    /// Gradients of all parameters.
    fn backward(&self, loss: &Tensor) -> Result<Vec<Tensor>> {
        // libtorch through tch ends the process where there is no graph.
        if !loss.requires_grad() {
            return Err(self.independent("it is not part of the graph, because of a detach, a no_grad or an integer"));
        }
        let params: Vec<&Tensor> = self.optimizer.params().iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::f_run_backward(&[loss], &params, false, false)?;
        if !gradients.iter().any(Tensor::defined) {
            return Err(self.independent("were they made together with the model?"));
        }
        // libtorch gives an undefined tensor for a parameter that the loss does not depend on.
        let or_zeros =
            |(gradient, param): (Tensor, &Tensor)| if gradient.defined() { gradient } else { param.zeros_like() };
        Ok(gradients.into_iter().zip(params).map(or_zeros).collect())
    }

    /// That a loss has nothing to do with what is trained.
    fn independent(&self, why: &str) -> Error {
        let names: Vec<_> = self.optimizer.params().iter().map(|(name, _)| name.as_str()).take(10).collect();
        let names = names.join(", ");
        Error::Config(format!(
            "nothing would be trained: the loss does not depend on any of the parameters ({names}); {why}"
        ))
    }
}

/// Runs `f` with gradients recorded, also where the caller holds a `tch::no_grad_guard`, which holds again afterwards.
fn recording<T>(f: impl FnOnce() -> T) -> T {
    let ended = tch::with_grad(|| panic::catch_unwind(AssertUnwindSafe(f)));
    ended.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// The loss with the penalty.
pub(super) fn check_total(loss: f64, gradients: &Gradients, step: u64) -> Result<f64> {
    finite_loss(loss + gradients.penalty, || format!("at update {step}, with the penalty"))
}

/// From the first to the last.
pub(super) fn sum_of(losses: &[f64]) -> f64 {
    losses.iter().fold(0.0, |sum, loss| sum + loss)
}

pub(super) fn finite_loss(loss: f64, at: impl FnOnce() -> String) -> Result<f64> {
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(Error::NotFinite { what: "the loss".into(), where_: format!("it is {loss} {}", at()) })
}
