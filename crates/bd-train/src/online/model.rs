//! [`Online`]: a model whose readout learns while it runs.

use bd_core::checked::{adopt_state, check_step_input};
use bd_core::{Error, Readout, Result, Shared, StateTree, catch_torch, check_finite, check_state_finite, setting};
use tch::{Device, Kind, Tensor};

use super::learner::Learner;
use super::rule::OnlineRule;
use crate::layout::{batch_first, check_as_inputs, check_pair, time_first};

/// Samples that are learned at once: their features are in memory together.
pub(crate) const CHUNK_ROWS: usize = 1024;

/// A model with its state and its clock that learns sample by sample, in a loop that may run for ever, or from whole series.
///
/// It is `Send` and owns the model, as [`Stepper`](bd_core::Stepper) does. The model has the present weights after every call, so that
/// [`predict`](crate::predict()), [`free_run`](crate::free_run) and everything else that takes a model go on from
/// [`model`](Self::model), [`state`](Self::state) and [`now`](Self::now).
///
/// ```
/// use bd_core::Params;
/// use bd_core::tch::{Device, Kind, Tensor};
/// use bd_models::{Linear, LinearConfig};
/// use bd_train::online::{Online, OnlineRule, Rls};
///
/// let on = (Kind::Double, Device::Cpu);
/// let model = Linear::new(&mut Params::new(0, on).at("o"), 1, 1, &LinearConfig::default())?;
/// let mut online = Online::new(model, &OnlineRule::Rls(Rls { alpha: 1e-6, ..Rls::default() }), 1.0, 1)?;
/// for i in 0..10 {
///     let x = Tensor::from_slice(&[f64::from(i)]).reshape([1, 1]);
///     let _before = online.step(&x, &(&x * 3.0 + 2.0))?;
/// }
/// let y = online.predict(&Tensor::from_slice(&[100.0]).reshape([1, 1]))?;
/// assert!((y.double_value(&[0, 0]) - 302.0).abs() < 1e-3);
/// # Ok::<(), bd_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Online<M: Readout> {
    pub(super) model: M,
    pub(super) learner: Learner,
    pub(super) state: M::State,
    pub(super) sha: Shared,
    pub(super) batch: i64,
}

impl<M: Readout> Online<M> {
    /// `model` with steps of `dt`, in its initial state for `batch` sequences side by side, and all weights of its readout 0.
    pub fn new(model: M, rule: &OnlineRule, dt: f64, batch: i64) -> Result<Self> {
        let learner = Learner::new(&model, rule)?;
        Self::of(model, learner, dt, batch)
    }

    /// The same with the weights that the readout has, such as those of a fit: recursive least squares then penalises what differs from
    /// them.
    pub fn adapting(model: M, rule: &OnlineRule, dt: f64, batch: i64) -> Result<Self> {
        let learner = Learner::new(&model, rule)?.with_weights_of(&model)?;
        Self::of(model, learner, dt, batch)
    }

    fn of(model: M, learner: Learner, dt: f64, batch: i64) -> Result<Self> {
        setting::at_least("batch", batch, 1)?;
        let sha = Shared::new(dt);
        sha.check()?;
        learner.write_to(&model)?;
        let state = initial(&model, batch)?;
        Ok(Self { model, learner, state, sha, batch })
    }

    /// The next step: input `[batch, n_in]` to output `[batch, n_out]`, which is returned as it is before `target` `[batch, n_out]` is
    /// learned. Where it fails, weights, state and clock are those before it.
    pub fn step(&mut self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        self.check_step(x)?;
        let expected = [self.batch, self.model.n_out()];
        if target.size() != expected {
            let (what, found) = ("the target of a step".into(), target.size());
            return Err(Error::Shape { what, expected: format!("{expected:?}"), found });
        }
        check_as_inputs("the target of a step", target, x)?;
        check_finite("a target", target)?;
        let Self { model, learner, state, sha, .. } = self;
        let (prediction, next) = catch_torch(|| learner.learn_step(model, sha, [x, target], state))?;
        self.go_on(next, 1);
        Ok(prediction)
    }

    /// The next step without learning: input `[batch, n_in]` to output `[batch, n_out]`.
    pub fn predict(&mut self, x: &Tensor) -> Result<Tensor> {
        self.check_step(x)?;
        let (y, next) = catch_torch(|| {
            let _guard = tch::no_grad_guard();
            Ok(self.model.step(&self.sha, x, &self.state))
        })?;
        check_state_finite(&next)?;
        self.go_on(next, 1);
        Ok(y)
    }

    /// The next steps: inputs `[batch, time, n_in]` to outputs `[batch, time, n_out]`, each as it is before its target of
    /// `[batch, time, n_out]` is learned. The same as one [`step`](Self::step) after the other, for inputs that are known beforehand:
    /// features come from the model's scan, and `P` from memory once for several samples.
    ///
    /// Where it fails, weights, state and clock are those after the last whole chunk of samples.
    pub fn learn(&mut self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        check_pair(x, self.model.n_in(), y, self.model.n_out())?;
        if x.size()[0] != self.batch {
            let expected = format!("[{}, time, {}], as many sequences as states", self.batch, self.model.n_in());
            return Err(Error::Shape { what: "inputs".into(), expected, found: x.size() });
        }
        check_as_inputs("targets", y, x)?;
        check_as_inputs("the readout's weight", self.model.readout().0, x)?;
        check_finite("an input", x)?;
        check_finite("a target", y)?;
        let parts = |t: &Tensor| time_first(t).split((CHUNK_ROWS as i64 / self.batch).max(1), 0);
        let mut predictions = Vec::new();
        for (xs, ys) in parts(x).iter().zip(&parts(y)) {
            predictions.push(self.learn_steps(xs, ys)?);
        }
        Ok(batch_first(&Tensor::cat(&predictions, 0)))
    }

    fn check_step(&self, x: &Tensor) -> Result<()> {
        check_step_input(&self.model, x)?;
        if x.size()[0] != self.batch {
            let expected = format!("[{}, {}], as many sequences as states", self.batch, self.model.n_in());
            return Err(Error::Shape { what: "the input of a step".into(), expected, found: x.size() });
        }
        check_as_inputs("the readout's weight", self.model.readout().0, x)
    }

    fn learn_steps(&mut self, xs: &Tensor, ys: &Tensor) -> Result<Tensor> {
        let Self { model, learner, state, sha, .. } = self;
        let (predictions, next) = catch_torch(|| learner.learn_steps(model, sha, [xs, ys], state.share()))?;
        self.go_on(next, xs.size()[0] as usize);
        Ok(predictions)
    }

    fn go_on(&mut self, next: M::State, steps: usize) {
        self.state = next;
        self.sha = self.sha.ahead(steps);
    }

    /// Back to the initial state and step 0, with what was learned.
    pub fn reset(&mut self) -> Result<()> {
        self.state = initial(&self.model, self.batch)?;
        self.sha = self.sha.at(0);
        Ok(())
    }

    /// Goes on from another state of the model, for the same number of sequences, at step number `i`: that of a warm-up, or of a free run.
    pub fn set_state(&mut self, state: &M::State, i: usize) -> Result<()> {
        self.state = adopt_state(&self.model, state, self.batch, on(&self.model))?.detach();
        self.sha = self.sha.at(i);
        Ok(())
    }

    /// The model, with the present weights.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model, handed back.
    pub fn into_model(self) -> M {
        self.model
    }

    /// What it has learned.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// The state before the next step.
    pub fn state(&self) -> &M::State {
        &self.state
    }

    /// Time, step size and number of the next step.
    pub fn now(&self) -> &Shared {
        &self.sha
    }
}

/// Dtype and device of the readout.
pub(super) fn on<M: Readout>(model: &M) -> (Kind, Device) {
    let weight = model.readout().0;
    (weight.kind(), weight.device())
}

fn initial<M: Readout>(model: &M, batch: i64) -> Result<M::State> {
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        Ok(model.init_state(batch, on(model)))
    })
}
