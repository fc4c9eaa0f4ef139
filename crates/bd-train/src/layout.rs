//! `[batch, time, feature]` outside, `[time, batch, feature]` inside: checked and transposed once, here.

use bd_core::device::device_name;
use bd_core::{Error, Inputs, Result, StateTree, System, kind_name};
use tch::Tensor;

/// To `[time, batch, feature]`, contiguous.
pub(crate) fn time_first(x: &Tensor) -> Tensor {
    x.transpose(0, 1).contiguous()
}

/// To `[batch, time, feature]`.
pub(crate) fn batch_first(xs: &Tensor) -> Tensor {
    xs.transpose(0, 1)
}

/// Checks that `x` is `[batch, time, channels]` with at least one sequence and one step.
pub(crate) fn check_sequence(what: &str, x: &Tensor, channels: i64) -> Result<()> {
    let size = x.size();
    if size.len() == 3 && size[0] > 0 && size[1] > 0 && size[2] == channels {
        return Ok(());
    }
    let expected = format!("[batch, time, {channels}] with at least one sequence and one step");
    Err(Error::Shape { what: what.into(), expected, found: size })
}

/// Checks that sequences have a model's input channels.
pub(crate) fn check_inputs(inputs: &Inputs, n_in: i64) -> Result<()> {
    let found = inputs.shape();
    if found[2] == n_in && !found.contains(&0) {
        return Ok(());
    }
    let expected = format!("[batch, time, {n_in}], the model's inputs, with at least one of each");
    Err(Error::Shape { what: "inputs".into(), expected, found: found.to_vec() })
}

/// Checks that `tensor` has the dtype and device of the inputs: libtorch would promote some mixtures in silence.
pub(crate) fn check_place(what: &str, tensor: &Tensor, inputs: &Tensor) -> Result<()> {
    let show = |t: &Tensor| format!("{} on {}", kind_name(t.kind()), device_name(t.device()));
    if (tensor.kind(), tensor.device()) == (inputs.kind(), inputs.device()) {
        return Ok(());
    }
    let expected = format!("{}, as the inputs are", show(inputs));
    Err(Error::Place { what: what.into(), expected, found: show(tensor) })
}

/// Checks that a state is one of `model` for as many sequences as the inputs, `[batch, ..]`, and the dtype and device of its
/// tensors, but for counters.
pub(crate) fn check_state<S: System>(model: &S, state: &S::State, inputs: &Tensor) -> Result<()> {
    let named = state.named();
    let batch = inputs.size()[0];
    let fits = model.init_state(batch, (inputs.kind(), inputs.device())).named();
    for ((name, tensor), (_, fit)) in named.iter().zip(&fits) {
        let (found, expected) = (tensor.size(), fit.size());
        if found != expected {
            let expected = format!("{expected:?} for {batch} input sequences");
            return Err(Error::Shape { what: format!("state {name}"), expected, found });
        }
    }
    let mut numbers = named.iter().filter(|(_, tensor)| tensor.is_floating_point());
    numbers.try_for_each(|(name, tensor)| check_place(&format!("state {name}"), tensor, inputs))
}

/// Checks inputs and targets against the model's channels and against each other.
pub(crate) fn check_pair(x: &Tensor, n_in: i64, y: &Tensor, n_out: i64) -> Result<()> {
    check_sequence("inputs", x, n_in)?;
    check_sequence("targets", y, n_out)?;
    let (inputs, targets) = (x.size(), y.size());
    if inputs[..2] == targets[..2] {
        return Ok(());
    }
    let expected = format!("[{}, {}, {n_out}], the inputs' batch and time", inputs[0], inputs[1]);
    Err(Error::Shape { what: "targets".into(), expected, found: targets })
}
