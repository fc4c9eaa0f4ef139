//! What is given to a system, checked before anything is computed.

use tch::{Device, Kind, Tensor};

use crate::device::device_name;
use crate::error::{Error, Result, catch_torch};
use crate::finite::check_finite;
use crate::inputs::Inputs;
use crate::named::{kind_name, match_named};
use crate::shared::{Phase, Shared};
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;

/// Refuses a tensor whose dtype or device is not `on`: libtorch would promote some mixtures in silence. `as_what` says whose dtype
/// and device that is, as in "as the inputs are".
pub fn check_on(what: &str, found: (Kind, Device), on: (Kind, Device), as_what: &str) -> Result<()> {
    if found == on {
        return Ok(());
    }
    let show = |(kind, device)| format!("{} on {}", kind_name(kind), device_name(device));
    let expected = format!("{}, {as_what}", show(on));
    Err(Error::DtypeOrDevice { what: what.into(), expected, found: show(found) })
}

/// Refuses inputs that are no sequences of the system's channels, are of another dtype or device than its parameters, or have
/// values that are not finite. Costs one pass over numbers, and nothing for a list of spikes.
pub fn check_inputs<S: System + ?Sized>(system: &S, inputs: &Inputs) -> Result<()> {
    check_input_shape(system, inputs)?;
    check_input_type(system, inputs)?;
    inputs.check_finite()
}

/// Refuses inputs that are no sequences of the system's channels.
pub fn check_input_shape<S: System + ?Sized>(system: &S, inputs: &Inputs) -> Result<()> {
    let (found, n_in) = (inputs.shape(), system.n_in());
    if found[2] != n_in || found.contains(&0) {
        let expected = format!("[batch, time, {n_in}], the model's inputs, with at least one of each");
        return Err(Error::Shape { what: "inputs".into(), expected, found: found.to_vec() });
    }
    Ok(())
}

/// Refuses inputs that are neither float32 nor float64, or of another dtype or device than the system's parameters.
fn check_input_type<S: System + ?Sized>(system: &S, inputs: &Inputs) -> Result<()> {
    let (kind, device) = inputs.on();
    if !matches!(kind, Kind::Float | Kind::Double) {
        let (expected, found) =
            ("float32 or float64".into(), format!("{} on {}", kind_name(kind), device_name(device)));
        return Err(Error::DtypeOrDevice { what: "inputs".into(), expected, found });
    }
    check_as_parameters(system, "inputs", inputs.on())
}

pub(crate) fn check_as_parameters<S: System + ?Sized>(system: &S, what: &str, found: (Kind, Device)) -> Result<()> {
    system.on().map_or(Ok(()), |on| check_on(what, found, on, "as the model's parameters are"))
}

/// The tensors of `state` in a state that `system` makes for `batch` sequences of dtype and device `on`.
///
/// Fails with [`Error::Mismatch`] and the list of differences if names, their number, shapes or dtypes are others: the state is
/// that of another model or for another number of sequences. Fails with [`Error::DtypeOrDevice`] if a tensor is on another device,
/// and with [`Error::NotFinite`] if a value is infinite or not a number.
pub fn adopt_state<S: System>(system: &S, state: &S::State, batch: i64, on: (Kind, Device)) -> Result<S::State> {
    let fresh = catch_torch(|| Ok(system.init_state(batch, on)))?;
    let given = state.named();
    let what = format!("the state given to a model of {batch} sequences in {}", kind_name(on.0));
    match_named(&what, &fresh.named(), &given)?;
    fresh.try_map("", &mut |name, own| {
        let (_, tensor) = given.iter().find(|(known, _)| known == name).expect("no name is missing");
        let at = |device| (own.kind(), device);
        check_on(&format!("the state {name}"), at(tensor.device()), at(own.device()), "as the inputs are")?;
        check_finite(&format!("the state {name}"), tensor)?;
        Ok(tensor.shallow_clone())
    })
}

/// [`System::try_step`].
pub(crate) fn step<S: System>(system: &S, sha: &Shared, x: &Tensor, s: &S::State) -> Result<(Tensor, S::State)> {
    sha.check()?;
    check_step_input(system, x)?;
    let s = adopt_state(system, s, x.size()[0], (x.kind(), x.device()))?;
    catch_torch(|| {
        let _guard = (sha.phase == Phase::Predict).then(tch::no_grad_guard);
        Ok(system.step(sha, x, &s))
    })
}

/// [`System::try_scan`].
pub(crate) fn scan<S: System>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    s: &S::State,
    tap: &mut Tap,
) -> Result<(Tensor, S::State)> {
    sha.check()?;
    check_input_shape(system, inputs)?;
    check_input_type(system, inputs)?;
    let s = adopt_state(system, s, inputs.shape()[0], inputs.on())?;
    tap.check(&s)?;
    catch_torch(|| Ok(system.scan(sha, inputs, s, tap)))
}

/// Refuses what is not the input of one step, `[batch, n_in]`.
pub fn check_step_input<S: System + ?Sized>(system: &S, x: &Tensor) -> Result<()> {
    let (found, n_in) = (x.size(), system.n_in());
    if found.len() != 2 || found[0] < 1 || found[1] != n_in {
        let expected = format!("[batch, {n_in}], the model's inputs, with at least one sequence");
        return Err(Error::Shape { what: "the input of a step".into(), expected, found });
    }
    check_as_parameters(system, "the input of a step", (x.kind(), x.device()))?;
    check_finite("an input", x)
}
