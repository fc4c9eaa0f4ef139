//! [`Stepper`]: a model that is driven step by step, as data arrive.

use tch::{Device, Kind, Tensor};

use crate::checked::{adopt_state, check_as_parameters, check_on, check_step_input};
use crate::error::{Error, Result, catch_torch};
use crate::finite::check_finite;
use crate::setting;
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;

/// A model with its state and its clock, driven by one step of input after the other, in a loop that may run for ever.
///
/// Each step is checked, and no graph of gradients is recorded, so that memory stays the same however many steps there are. A
/// bare [`System::step`] outside `tch::no_grad` keeps the graph of all steps before it alive through the state: 20 kB a step for
/// small networks.
///
/// It is `Send` and owns the model, so that it can be a field, or move to the thread of a control loop. Parameters that are
/// loaded into the model's [`Params`](crate::Params) later are those of the next step.
///
/// ```
/// use bd_core::{Rng, Shared, Stepper, System, state};
/// use bd_core::tch::{Device, Kind, Tensor};
///
/// state! {
///     struct Low { v: Tensor }
/// }
/// /// `v <- v + dt (x - v)`.
/// #[derive(Debug)]
/// struct LowPass;
/// impl System for LowPass {
///     type State = Low;
///     fn n_in(&self) -> i64 { 1 }
///     fn n_out(&self) -> i64 { 1 }
///     fn init_state(&self, batch: i64, on: (Kind, Device)) -> Low { Low { v: Tensor::zeros([batch, 1], on) } }
///     fn step(&self, sha: &Shared, x: &Tensor, s: &Low) -> (Tensor, Low) {
///         let v = &s.v + (x - &s.v) * sha.dt;
///         (v.shallow_clone(), Low { v })
///     }
/// }
///
/// let on = (Kind::Float, Device::Cpu);
/// let mut stepper = Stepper::new(LowPass, 0.5, 1, on)?;
/// let one = Tensor::ones([1, 1], on);
/// assert_eq!(stepper.step(&one)?.double_value(&[0, 0]), 0.5);
/// assert_eq!(stepper.step(&one)?.double_value(&[0, 0]), 0.75);
/// assert!(stepper.step(&(one * f64::NAN)).is_err());
/// assert_eq!(stepper.now().i, 2);
/// # Ok::<(), bd_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Stepper<S: System> {
    model: S,
    state: S::State,
    sha: Shared,
    batch: i64,
    on: (Kind, Device),
}

impl<S: System> Stepper<S> {
    /// `model` with steps of `dt`, in its initial state for `batch` sequences side by side, in
    /// [`Phase::Predict`](crate::Phase::Predict). `on` is the dtype and device of inputs, and has to be that of the model's parameters.
    pub fn new(model: S, dt: f64, batch: i64, on: (Kind, Device)) -> Result<Self> {
        setting::at_least("batch", batch, 1)?;
        let sha = Shared::new(dt);
        sha.check()?;
        check_as_parameters(&model, "the stepper", on)?;
        let state = initial(&model, batch, on)?;
        Ok(Self { model, state, sha, batch, on })
    }

    /// The next step: input `[batch, n_in]` to output `[batch, n_out]`. Where it fails, state and clock are those before it.
    ///
    /// An input of another shape, dtype or device is refused, and so are numbers that are not finite, in the input and in the state
    /// that the step would lead to.
    pub fn step(&mut self, x: &Tensor) -> Result<Tensor> {
        check_step_input(&self.model, x)?;
        if x.size()[0] != self.batch {
            let expected = format!("[{}, {}], as many sequences as states", self.batch, self.model.n_in());
            return Err(Error::Shape { what: "the input of a step".into(), expected, found: x.size() });
        }
        check_on("the input of a step", (x.kind(), x.device()), self.on, "as the state is")?;
        let (y, next) = catch_torch(|| {
            let _guard = tch::no_grad_guard();
            Ok(self.model.step(&self.sha, x, &self.state))
        })?;
        check_state_finite(&next)?;
        self.state = next;
        self.sha = self.sha.ahead(1);
        Ok(y)
    }

    /// Back to the initial state and step 0.
    pub fn reset(&mut self) -> Result<()> {
        self.state = initial(&self.model, self.batch, self.on)?;
        self.sha = self.sha.at(0);
        Ok(())
    }

    /// The state before the next step.
    pub fn state(&self) -> &S::State {
        &self.state
    }

    /// Goes on from another state of the model, for the same number of sequences, at step number `i`. Fails with [`Error::Mismatch`]
    /// for the state of another model.
    pub fn set_state(&mut self, state: &S::State, i: usize) -> Result<()> {
        self.state = adopt_state(&self.model, state, self.batch, self.on)?.detach();
        self.sha = self.sha.at(i);
        Ok(())
    }

    /// Time, step size and number of the next step.
    pub fn now(&self) -> &Shared {
        &self.sha
    }

    /// The model.
    pub fn model(&self) -> &S {
        &self.model
    }

    /// The model, handed back.
    pub fn into_model(self) -> S {
        self.model
    }
}

/// The initial state, outside the graph of parameters that it may be made of.
fn initial<S: System>(model: &S, batch: i64, on: (Kind, Device)) -> Result<S::State> {
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        Ok(model.init_state(batch, on))
    })
}

/// Refuses a state that is not finite: a neuron whose potential is not a number never spikes, and what follows it looks sound.
pub fn check_state_finite<S: StateTree>(state: &S) -> Result<()> {
    let mut found = Ok(());
    state.visit("", &mut |name, tensor| {
        if found.is_ok() {
            found = check_finite(&format!("the state {name}"), tensor);
        }
    });
    found
}
