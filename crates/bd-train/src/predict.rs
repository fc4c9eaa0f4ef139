//! Running a model over data: driven by given inputs, or by its own outputs.

use bd_core::{Error, Inputs, Result, Shared, StateTree, System, Tap, catch_torch};
use tch::Tensor;

use crate::bptt::scan;
use crate::data::columns::MAX_NUMBERS;
use crate::layout::{batch_first, check_inputs, check_sequence, check_state, time_first};

/// Drives `model` by inputs `x`, `[batch, time, n_in]`, from `state`: outputs `[batch, time, n_out]` and the state after
/// the last step, from which the next stretch of data goes on. Nothing is recorded for gradients.
///
/// `sha` is that of the first step, `tap` says which states to record.
pub fn predict<S: System>(
    model: &S,
    sha: &Shared,
    x: &Tensor,
    state: S::State,
    tap: &mut Tap,
) -> Result<(Tensor, S::State)> {
    check_sequence("inputs", x, model.n_in())?;
    check_state(model, &state, x)?;
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let (ys, state) = model.scan(sha, &Inputs::from(time_first(x)), state, tap);
        Ok((batch_first(&ys), state))
    })
}

/// [`predict`] for sequences of either form, from the initial state. A state that is not finite in the end is an error: a neuron
/// whose potential is not a number never spikes, and what follows it looks sound.
pub fn predict_sequences<S: System>(model: &S, sha: &Shared, inputs: &Inputs, tap: &mut Tap) -> Result<Tensor> {
    check_inputs(inputs, model.n_in())?;
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let state = model.init_state(inputs.shape()[0], inputs.on());
        let (ys, last) = scan(model, sha, inputs, state, tap);
        for (name, tensor) in last.named() {
            if tensor.isfinite().all().int64_value(&[]) == 0 {
                let where_ = "some of it after the last step".to_owned();
                return Err(Error::NotFinite { what: format!("the state {name}"), where_ });
            }
        }
        Ok(ys)
    })
}

/// Lets `model` run on its own outputs: `first`, `[batch, n]`, is the input of the first step, and each output is the
/// next input. Outputs `[batch, steps, n]` and the state after the last step.
pub fn free_run<S: System>(
    model: &S,
    sha: &Shared,
    first: &Tensor,
    state: S::State,
    steps: usize,
) -> Result<(Tensor, S::State)> {
    if model.n_in() != model.n_out() {
        let (n_in, n_out) = (model.n_in(), model.n_out());
        return Err(Error::Config(format!(
            "a model of {n_in} inputs and {n_out} outputs cannot run on its own outputs"
        )));
    }
    check_sequence("first input (with a time of one step)", &first.unsqueeze(1), model.n_in())?;
    check_state(model, &state, first)?;
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
