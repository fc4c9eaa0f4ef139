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

/// Steps that [`predict_series`] computes at once, of all series together.
const AT_ONCE: i64 = 4096;
/// The least number of steps at once, of however many series.
const LEAST: i64 = 64;

/// [`predict`] of a long series `x` `[batch, time, n_in]`, a few thousand steps after the other: what a model makes of its inputs, such as
/// the states of a thousand units, is in memory for those alone. Nothing is recorded.
pub fn predict_series<S: System>(
    model: &S,
    sha: &Shared,
    x: &Tensor,
    state: impl Into<Option<S::State>>,
) -> Result<(Tensor, S::State)> {
    let (batch, steps) = (x.size().first().copied().unwrap_or(1), x.size().get(1).copied().unwrap_or(0));
    let mut state = state.into();
    let mut outputs = Vec::new();
    // Once at least: what cannot be is refused there.
    let at_once = (AT_ONCE / batch.max(1)).max(LEAST);
    for from in (0..steps.max(1)).step_by(at_once as usize) {
        let piece = if steps <= at_once { x.shallow_clone() } else { x.narrow(1, from, at_once.min(steps - from)) };
        let (ys, next) = predict(model, &sha.ahead(from as usize), &piece, state, &mut Tap::none())?;
        outputs.push(ys);
        state = Some(next);
    }
    let state = state.expect("there is a piece");
    catch_torch(|| Ok((Tensor::cat(&outputs, 1), state)))
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
        let (mut x, mut state) = (first.shallow_clone(), state);
        // One block: outputs that are kept one by one lie between what each step makes and leaves, and take ten times as much.
        let ys = Tensor::empty([first.size()[0], steps as i64, model.n_out()], (first.kind(), first.device()));
        for i in 0..steps {
            let (y, next) = model.step(&sha.ahead(i), &x, &state);
            ys.select(1, i as i64).copy_(&y);
            (x, state) = (y, next);
        }
        Ok((ys, state))
    })
}

#[cfg(test)]
mod tests {
    use bd_core::testing::assert_close;
    use bd_core::{Params, Rng, StateTree};
    use bd_models::{Esn, EsnConfig, ReservoirConfig};
    use tch::{Device, Kind};

    use super::*;

    /// Pieces of a long series are what it is at once, and its state goes on.
    #[test]
    fn a_series_in_pieces_is_the_series() {
        let on = (Kind::Double, Device::Cpu);
        let reservoir = ReservoirConfig { units: 20, ..ReservoirConfig::default() };
        let esn = Esn::new(&mut Params::new(1, on), 2, 1, &EsnConfig { reservoir, ..EsnConfig::default() }).unwrap();
        let (sha, x) = (Shared::default(), Rng::new(0, "x").tensor(&[1, 2 * AT_ONCE + 7, 2], on, Rng::normal));
        let (whole, last) = predict(&esn, &sha, &x, None, &mut Tap::none()).unwrap();
        let (pieces, state) = predict_series(&esn, &sha, &x, None).unwrap();
        assert_close("outputs", &pieces, &whole, 1e-12);
        for ((name, found), (_, known)) in state.named().iter().zip(&last.named()) {
            assert_close(name, found, known, 1e-15);
        }
        assert!(predict_series(&esn, &sha, &x.narrow(2, 0, 1), None).is_err());
        assert!(predict_series(&esn, &sha, &x.narrow(1, 0, 0), None).is_err());
    }
}
