//! `[batch, time, feature]` outside, `[time, batch, feature]` inside: checked and transposed once, here.

use bd_core::checked::check_on;
use bd_core::{Error, Result};
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

/// Checks that `tensor` has the dtype and device of the inputs.
pub(crate) fn check_as_inputs(what: &str, tensor: &Tensor, inputs: &Tensor) -> Result<()> {
    check_on(what, (tensor.kind(), tensor.device()), (inputs.kind(), inputs.device()), "as the inputs are")
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
