//! [`Bptt`]: training by back-propagation through time.

mod bytes;
mod gradients;
mod on_device;
mod penalty;
mod pending;
mod position;
mod shares;
#[cfg(test)]
mod tests;
mod update;

use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Mutex, Weak};

use bd_core::checked::{check_input_shape, check_on};
use bd_core::gpu::Gpu;
use bd_core::{
    Checkpoint, Error, Inputs, Params, Phase, Result, Shared, System, Tap, catch_torch, match_named, setting,
};
use tch::{Device, Tensor};

pub use self::bytes::{BatchOf, UpdateBytes};
pub use self::penalty::Penalty;
use self::pending::Pending;
use self::position::Position;
use self::update::finite_loss;
use crate::data::{Examples, Origin};
use crate::layout::batch_first;
use crate::loss::Objective;
use crate::optim::{OptimConfig, Optimizer};
use crate::process_group::ProcessGroup;

/// What one update found.
#[derive(Debug)]
pub struct Update {
    /// Its number, from 1.
    pub step: u64,
    /// The loss before it, penalties included.
    pub loss: f64,
    /// Euclidean norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
    /// Outputs of the model before it, `[batch, time, n_out]`, outside the graph: of the last batch of several that this process had,
    /// of the piece of a sequence.
    pub outputs: Tensor,
}

/// A model in training: every update resets the state, scans a batch, and follows the gradient of the objective.
///
/// | setting | what changes |
/// |---|---|
/// | [`clip`](Self::clip) | the gradient is scaled down to a norm |
/// | [`penalty`](Self::penalty) | large parameters are added to the loss |
/// | [`accumulate`](Self::accumulate) | several batches make one update |
/// | [`truncate`](Self::truncate) | sequences are cut in pieces, each of which makes an update |
/// | [`processes`](Self::processes) | the batches of an update are shared out among processes |
///
/// The initial state is inside what is differentiated: one that is made of parameters is trained with them.
///
/// A loss, a gradient or a parameter that would not be finite stops before the update with [`Error::NotFinite`]; the parameters
/// are then still those of the last good one.
///
/// On a device [`fit`](Self::fit) does not wait: numbers stay there until [`look`](Self::look) asks for them. An update that is not
/// finite changes nothing there, nor do those after it, and the look names it.
///
/// ```no_run
/// use bd_core::{Params, Shared};
/// use bd_train::{Bptt, OptimConfig};
/// use bd_train::loss::{Loss, OverTime};
/// # fn run(net: bd_core::Stack, params: Params, examples: bd_train::data::Examples) -> bd_core::Result<()> {
/// let loss = Loss::CrossEntropy { over: OverTime::Max };
/// let mut bptt = Bptt::new(&net, &params, loss, &OptimConfig::default(), Shared::new(0.1))?;
/// let losses = bptt.fit(100, |_| examples.batches(64, None), |bptt, step| {
///     if step.is_multiple_of(10) {
///         println!("{step} {}", bptt.look()?.loss);
///     }
///     Ok(std::ops::ControlFlow::Continue(()))
/// })?;
/// # Ok(())
/// # }
/// ```
pub struct Bptt<'a, S: System, O> {
    system: &'a S,
    params: &'a Params,
    objective: O,
    optimizer: Optimizer,
    sha: Shared,
    clip: Option<f64>,
    penalty: Penalty,
    accumulate: usize,
    truncate: Option<usize>,
    /// Whether updates are made without waiting for their numbers.
    unwaited: bool,
    pending: RefCell<Pending>,
    /// On a device: what targets were taken from that are known to be good.
    checked: RefCell<Vec<Weak<Mutex<Origin>>>>,
    /// How far the batches of the present update have come, where sequences are cut in pieces.
    position: Position<S::State>,
    /// Those that compute the gradients of the other batches of an update.
    group: Option<&'a dyn ProcessGroup>,
}

impl<S: System, O> fmt::Debug for Bptt<'_, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bptt").field("system", self.system).field("optimizer", &self.optimizer).finish_non_exhaustive()
    }
}

impl<'a, S: System, O: Objective> Bptt<'a, S, O> {
    /// Trains all trainable parameters. `sha` is that of the first step of a sequence; the key that steps draw their random
    /// numbers by is its key, the number of the update and that of the batch within it.
    pub fn new(system: &'a S, params: &'a Params, objective: O, optim: &OptimConfig, sha: Shared) -> Result<Self> {
        Self::with_optimizer(system, params, objective, Optimizer::new(optim, params)?, sha)
    }

    /// [`new`](Self::new) with an optimiser that is there already: one of an update rule of one's own, for example.
    ///
    /// Fails if the optimiser is not that of `params`, if these are of another dtype or device than the model's, or if the model has
    /// not the states that the objective asks for.
    pub fn with_optimizer(
        system: &'a S,
        params: &'a Params,
        objective: O,
        mut optimizer: Optimizer,
        sha: Shared,
    ) -> Result<Self> {
        sha.check()?;
        optimizer.check_is_of(params)?;
        let on = params.on();
        system.on().map_or(Ok(()), |found| check_on("the model", found, on, "as the parameters are"))?;
        let tap = Tap::new(objective.records());
        if tap.wants_any() {
            catch_torch(|| tap.check(&system.init_state(1, on)))?;
        }
        let (clip, penalty, accumulate, truncate) = (None, Penalty::default(), 1, None);
        let unwaited = on.1 != Device::Cpu && optimizer.is_built_in();
        if let Some(gpu) = Gpu::of(on.1)? {
            optimizer.use_kernels(&gpu)?;
        }
        let (pending, checked) = (RefCell::default(), RefCell::default());
        Ok(Self {
            system,
            params,
            objective,
            optimizer,
            sha,
            clip,
            penalty,
            accumulate,
            truncate,
            unwaited,
            pending,
            checked,
            position: Position::Beginning,
            group: None,
        })
    }

    /// Scales the gradient down to this Euclidean norm, over all parameters, where it is greater.
    pub fn clip(mut self, norm: f64) -> Result<Self> {
        setting::above_zero("clip", norm)?;
        self.clip = Some(norm);
        Ok(self)
    }

    /// Adds a penalty on all trainable parameters to the loss, once for an update.
    pub fn penalty(mut self, penalty: Penalty) -> Result<Self> {
        penalty.check()?;
        self.penalty = penalty;
        Ok(self)
    }

    /// Makes one update of so many batches in [`fit`](Self::fit), with the gradient of all of them as one batch: what is too large
    /// for memory at once. The last update of an epoch may be of fewer.
    pub fn accumulate(mut self, batches: usize) -> Result<Self> {
        setting::at_least("accumulate", batches, 1)?;
        self.accumulate = batches;
        Ok(self)
    }

    /// Truncated back-propagation through time (Williams and Peng 1990): cuts sequences in pieces of so many steps, of which each
    /// makes an update and hands its last state to the next, outside the graph. Memory no longer grows with the sequences; what
    /// lies further back than a piece gets no gradient. An objective of a whole sequence, such as that of one label for it, judges
    /// each piece by itself.
    ///
    /// Fails for an objective that cannot judge [a piece](Objective::by_piece).
    pub fn truncate(mut self, steps: usize) -> Result<Self> {
        setting::at_least("truncate", steps, 1)?;
        if !self.objective.by_piece() {
            return Err(Error::Config(format!(
                "sequences cannot be cut in pieces of {steps} steps: the loss needs all steps of a sequence at once; take one \
                 that judges every step, or the mean or maximum over time"
            )));
        }
        self.truncate = Some(steps);
        Ok(self)
    }

    /// The optimiser. It counts updates that were not looked at as made.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// One update on a batch. Where sequences are cut in pieces, one for each piece, of which the last is returned. It waits for a
    /// device, unlike [`fit`](Self::fit).
    pub fn update(&mut self, batch: &Examples) -> Result<Update> {
        let before = self.optimizer.step();
        let _ = self.updates(std::slice::from_ref(batch), &mut |_, _| Ok(ControlFlow::Continue(())))?;
        if self.optimizer.step() == before {
            return Err(Error::Config("nothing of the batch counts for the loss: all of it is padding".into()));
        }
        let update = self.look();
        self.pending.get_mut().outputs = None;
        self.pending.get_mut().take_losses();
        update
    }

    /// Trains for some epochs on the batches that `batches(epoch)` makes, and returns the loss of every update. `observe` is told the
    /// number of each update after it was made, and may [`look`](Self::look) at it; it ends the training with `ControlFlow::Break`.
    ///
    /// On a device nothing waits but such a look, one at the end, and one every 1,024 updates.
    pub fn fit<I: IntoIterator<Item = Result<Examples>>>(
        &mut self,
        epochs: usize,
        mut batches: impl FnMut(usize) -> I,
        mut observe: impl FnMut(&Self, u64) -> Result<ControlFlow<()>>,
    ) -> Result<Vec<f64>> {
        self.pending.get_mut().take_losses();
        for epoch in 0..epochs {
            if self.epoch(batches(epoch), &mut observe)?.is_break() {
                break;
            }
        }
        self.losses()
    }

    /// One epoch of a [`fit`](Self::fit): for a loop of one's own, which has [`losses`](Self::losses) for its end. Fails without a
    /// single batch.
    pub fn epoch(
        &mut self,
        batches: impl IntoIterator<Item = Result<Examples>>,
        mut observe: impl FnMut(&Self, u64) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut batches = batches.into_iter().peekable();
        if batches.peek().is_none() {
            return Err(Error::Config("there is nothing to train on: an epoch has no batch".into()));
        }
        loop {
            let group = batches.by_ref().take(self.accumulate).collect::<Result<Vec<_>>>()?;
            if group.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            if self.group(&group, &mut observe)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// One update of these batches together, or, where sequences are cut in pieces, one for each piece: the part of
    /// [`epoch`](Self::epoch) that follows the drawing of batches. After [`resume`](Self::resume) from a point within the
    /// sequences of a group the same group must be given, and goes on there.
    pub fn group(
        &mut self,
        batches: &[Examples],
        mut observe: impl FnMut(&Self, u64) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let ended = self.updates(batches, &mut observe);
        self.pending.get_mut().outputs = None;
        ended
    }

    /// Whether pieces of the sequences of the present group are still to come.
    pub fn is_within_sequences(&self) -> bool {
        self.position.is_within()
    }

    /// The loss of every update of the epochs since the last call. Waits for a device, and fails if an update was refused there.
    pub fn losses(&mut self) -> Result<Vec<f64>> {
        self.wait()?;
        Ok(self.pending.get_mut().take_losses())
    }

    /// The objective over batches as if they were one, without the penalty: a validation loss. Nothing is kept for gradients, the
    /// phase is [`Phase::Predict`], and parameters stay as they are. Inputs are scanned whole.
    pub fn evaluate(&self, batches: impl IntoIterator<Item = Result<Examples>>) -> Result<f64> {
        self.evaluate_and(batches, |_, _, _| ())
    }

    /// [`evaluate`](Self::evaluate), and the [accuracy](Objective::accuracy) where the objective has one.
    pub fn loss_and_accuracy(&self, batches: impl IntoIterator<Item = Result<Examples>>) -> Result<(f64, Option<f64>)> {
        let (mut right, mut weights) = (Some(0.0), 0.0);
        let loss = self.evaluate_and(batches, |outputs, batch, weight| {
            let accuracy = self.objective.accuracy(outputs, batch.targets(), batch.lengths());
            right = right.zip(accuracy).map(|(right, accuracy)| right + accuracy * weight);
            weights += weight;
        })?;
        Ok((loss, right.map(|right| right / weights)))
    }

    /// [`evaluate`](Self::evaluate), and shows the outputs of each batch with its weight.
    fn evaluate_and(
        &self,
        batches: impl IntoIterator<Item = Result<Examples>>,
        mut see: impl FnMut(&Tensor, &Examples, f64),
    ) -> Result<f64> {
        self.wait()?;
        let _guard = tch::no_grad_guard();
        let mut sha = self.sha.in_phase(Phase::Predict);
        let (mut sum, mut weights) = (0.0, 0.0);
        for batch in batches {
            let batch = batch?;
            self.check(&batch)?;
            catch_torch(|| {
                let mut tap = Tap::new(self.objective.records());
                let outputs = scan(self.system, &sha, batch.inputs(), self.start(&batch), &mut tap).0;
                let weight = self.counted_weight(&batch);
                sum += self.judge(&outputs, &batch, tap)?.double_value(&[]) * weight;
                weights += weight;
                see(&outputs, &batch, weight);
                Ok(())
            })?;
            sha = sha.samples_ahead(batch.count());
        }
        if weights == 0.0 {
            return Err(Error::Config("there is nothing to evaluate: no batch was given".into()));
        }
        finite_loss(sum / weights, || format!("in an evaluation after update {}", self.optimizer.step()))
    }

    /// Copies of all parameters, trainable and fixed, by name: those of the best step so far, which [`Params::load`] brings back.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        self.params.named().into_iter().map(|(name, tensor)| (name, tensor.detach().copy())).collect()
    }

    /// Goes on from a [`checkpoint`](Self::checkpoint): the same updates follow as without the break, if the same batches do.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let number = |name: &str| checkpoint.meta[name].as_u64();
        let (Some(step), Some(from)) = (number("step"), number("from")) else {
            return Err(Error::Config(format!("the checkpoint names no step, or no piece: {}", checkpoint.meta)));
        };
        match_named("the saved model", &self.params.named(), &checkpoint.model)?;
        self.pending = RefCell::default();
        self.optimizer.load(step, &checkpoint.optim)?;
        self.params.load(&checkpoint.model)?;
        self.position = Position::from_saved(from as usize, &checkpoint.state);
        Ok(())
    }

    fn check(&self, batch: &Examples) -> Result<()> {
        let (inputs, params) = (batch.inputs(), self.params.on());
        // That they are finite was seen when examples were made of them.
        check_input_shape(self.system, inputs)?;
        check_on("inputs", inputs.on(), params, "as the parameters are")?;
        if !self.unwaited {
            return self.objective.check(self.outputs_of(batch), params.0, batch.targets(), batch.lengths());
        }
        self.check_once(batch, params.0)
    }

    /// The shape of the outputs.
    fn outputs_of(&self, batch: &Examples) -> [i64; 3] {
        let [count, time, _] = batch.inputs().shape();
        [count, time, self.system.n_out()]
    }

    fn start(&self, batch: &Examples) -> S::State {
        self.system.init_state(batch.inputs().shape()[0], batch.inputs().on())
    }
}

/// Scans sequences of either form: outputs `[batch, time, n_out]` and the state after the last step.
pub(crate) fn scan<S: System>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    state: S::State,
    tap: &mut Tap,
) -> (Tensor, S::State) {
    let (ys, state) = system.scan(sha, inputs, state, tap);
    (batch_first(&ys), state)
}
