//! Running a model over data: driven by given inputs, or by its own outputs.

use bd_core::checked::{adopt_state, check_inputs, check_step_input};
use bd_core::{Error, Inputs, Result, Shared, System, Tap, catch_torch, check_state_finite};
use tch::Tensor;

use crate::bptt::scan;
use crate::data::columns::MAX_NUMBERS;

/// Drives `model` by `inputs` from `state`, or from its initial state for `None`: outputs `[batch, time, n_out]` and the state after
/// the last step, from which the next stretch of data goes on. Nothing is recorded for gradients.
///
/// `inputs` are numbers `[batch, time, n_in]` (`&Tensor`), [`Spikes`](bd_core::Spikes), or [`Inputs`] of either form. `sha` is that
/// of the first step. `tap` says which states to record; its records are `[batch, time, n]` when it is finished.
///
/// Everything is checked before anything is computed: shapes, dtypes and devices, numbers that are not finite, the state, the
/// step size, and the names of the records. A state that is not finite in the end is an error, too: a neuron whose potential is not
/// a number never spikes, and what follows it looks sound.
///
/// ```
/// use bd_core::{Params, Shared, System, Tap};
/// use bd_core::tch::{Device, Kind, Tensor};
/// use bd_models::{Linear, LinearConfig};
///
/// let on = (Kind::Float, Device::Cpu);
/// let mut params = Params::new(1, on);
/// let model = Linear::new(&mut params.at("o"), 3, 2, &LinearConfig::default())?;
/// let x = Tensor::ones([4, 10, 3], on);
/// let (y, state) = bd_train::predict(&model, &Shared::default(), &x, None, &mut Tap::none())?;
/// assert_eq!(y.size(), [4, 10, 2]);
/// let _ = bd_train::predict(&model, &Shared::default().ahead(10), &x, state, &mut Tap::none())?; // goes on
/// # Ok::<(), bd_core::Error>(())
/// ```
pub fn predict<S: System>(
    model: &S,
    sha: &Shared,
    inputs: impl TryInto<Inputs, Error: Into<Error>>,
    state: impl Into<Option<S::State>>,
    tap: &mut Tap,
) -> Result<(Tensor, S::State)> {
    let inputs = inputs.try_into().map_err(Into::into)?;
    sha.check()?;
    check_inputs(model, &inputs)?;
    let (batch, on) = (inputs.shape()[0], inputs.on());
    let state = match state.into() {
        Some(state) => adopt_state(model, &state, batch, on)?,
        None => catch_torch(|| Ok(model.init_state(batch, on)))?,
    };
    tap.check(&state)?;
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let (ys, last) = scan(model, sha, &inputs, state, tap);
        check_state_finite(&last)?;
        Ok((ys, last))
    })
}

/// Lets `model` run on its own outputs: `first`, `[batch, n]`, is the input of the first step, and each output is the
/// next input. Outputs `[batch, steps, n]` and the state after the last step.
///
/// What the model makes of its own outputs may grow beyond all bounds, and is not refused: of a forecast that is a finding.
pub fn free_run<S: System>(
    model: &S,
    sha: &Shared,
    first: &Tensor,
    state: S::State,
    steps: usize,
) -> Result<(Tensor, S::State)> {
    sha.check()?;
    if model.n_in() != model.n_out() {
        let (n_in, n_out) = (model.n_in(), model.n_out());
        return Err(Error::Config(format!(
            "a model of {n_in} inputs and {n_out} outputs cannot run on its own outputs"
        )));
    }
    check_step_input(model, first)?;
    let state = adopt_state(model, &state, first.size()[0], (first.kind(), first.device()))?;
    let numbers = steps.checked_mul(first.numel());
    if steps == 0 || numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
        return Err(Error::Config(format!(
            "a free run has {steps} steps of {} numbers; it has at least one step, and at most {MAX_NUMBERS} numbers in all",
            first.numel()
        )));
    }
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let (mut x, mut state, mut ys) = (first.shallow_clone(), state, Vec::with_capacity(steps));
        for i in 0..steps {
            let (y, next) = model.step(&sha.ahead(i), &x, &state);
            (x, state) = (y.shallow_clone(), next);
            ys.push(y);
        }
        Ok((Tensor::stack(&ys, 1), state))
    })
}
