//! [`attach`]: an operation of our own in libtorch's autograd graph, with its backward written in Rust.
//!
//! tch has no `autograd::Function`. Outputs are computed by anything; `attach` then makes them depend on the inputs
//! through a closure from gradients of the outputs to gradients of the inputs.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use tch::Tensor;
use torch_sys::C_tensor;

use crate::error::{Error, Result};

/// One gradient for each tensor of a list, `None` where there is none.
pub type Gradients = Vec<Option<Tensor>>;

/// Gradients of the outputs (`None`: the loss does not depend on that output) to gradients of the inputs, in order
/// (`None`: zero). Runs with grad mode off, possibly on another thread, and once for each backward through the graph.
pub type Backward = dyn Fn(&[Option<Tensor>]) -> Result<Gradients> + Send;

/// Makes `outputs`, computed from `inputs` outside the graph, differentiable through `backward`.
///
/// Nothing is recorded, and `backward` is dropped, when grad mode is off or no input asks for a gradient. Otherwise
/// `backward` lives as long as the graph. It must not capture one of the `outputs` themselves, which would keep the graph
/// alive for ever: capture `output.detach()`. For derivatives by recomputation, it may switch grad mode on inside.
///
/// The backward fails, with a message that says so, on a second run through a graph that was freed, when a gradient of a
/// gradient is asked for, when an output was edited in place in between, and with whatever error or panic comes from
/// `backward`.
pub fn attach(
    inputs: &[&Tensor],
    outputs: &[&Tensor],
    backward: impl Fn(&[Option<Tensor>]) -> Result<Gradients> + Send + 'static,
) -> Result<()> {
    attach_saving(inputs, outputs, &[], backward)
}

/// [`attach`] for a `backward` that reads the memory of some tensors again: it fails if one of `saved` was edited in place in
/// between.
pub fn attach_saving(
    inputs: &[&Tensor],
    outputs: &[&Tensor],
    saved: &[&Tensor],
    backward: impl Fn(&[Option<Tensor>]) -> Result<Gradients> + Send + 'static,
) -> Result<()> {
    attach_boxed(inputs, outputs, saved, Box::new(backward))
}

/// Of no type parameter, so that it is compiled once.
fn attach_boxed(inputs: &[&Tensor], outputs: &[&Tensor], saved: &[&Tensor], backward: Box<Backward>) -> Result<()> {
    for (i, output) in outputs.iter().enumerate() {
        if output.requires_grad() {
            return Err(Error::Config(format!("output {i} is part of a graph already; compute outputs under no_grad")));
        }
    }
    let closure: *mut Box<Backward> = Box::into_raw(Box::new(backward));
    let pointers = |tensors: &[&Tensor]| -> Vec<*const C_tensor> { tensors.iter().map(|t| t.as_ptr()).collect() };
    let (inputs, outputs, saved) = (pointers(inputs), pointers(outputs), pointers(saved));
    let mut message = [0 as c_char; 1024];
    // SAFETY: the pointers are those of live tensors and are only read during the call; the closure is a boxed `Backward`,
    // which is what `call` and `drop_closure` take; the message has the length that is passed.
    let status = unsafe {
        bd_attach(
            inputs.as_ptr(),
            inputs.len(),
            outputs.as_ptr(),
            outputs.len(),
            saved.as_ptr(),
            saved.len(),
            closure.cast(),
            call,
            drop_closure,
            message.as_mut_ptr(),
            message.len(),
        )
    };
    match status {
        0 => Ok(()),
        1 => {
            drop_closure(closure.cast());
            Ok(())
        }
        // SAFETY: the shim fills at most all but the last byte, which stays 0.
        _ => Err(Error::Torch(unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned())),
    }
}

unsafe extern "C" {
    fn bd_attach(
        inputs: *const *const C_tensor,
        n_inputs: usize,
        outputs: *const *const C_tensor,
        n_outputs: usize,
        saved: *const *const C_tensor,
        n_saved: usize,
        closure: *mut c_void,
        call: Call,
        drop: extern "C" fn(*mut c_void),
        error: *mut c_char,
        error_size: usize,
    ) -> c_int;
}

type Call = unsafe extern "C" fn(
    *mut c_void,
    *const *mut C_tensor,
    usize,
    *mut *mut C_tensor,
    usize,
    *mut c_char,
    usize,
) -> c_int;

extern "C" fn drop_closure(closure: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `attach`, and dropped once: the shim forgets it after this call.
    let closure = unsafe { Box::from_raw(closure.cast::<Box<Backward>>()) };
    // A panic in a destructor must not reach C++ either.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(closure)));
}

/// Called by the graph. Never unwinds.
unsafe extern "C" fn call(
    closure: *mut c_void,
    grads: *const *mut C_tensor,
    n_grads: usize,
    out: *mut *mut C_tensor,
    n_out: usize,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    let run = || -> Result<(), String> {
        // SAFETY: made in `attach`; the graph holds it for the length of this call.
        let backward = unsafe { &*closure.cast::<Box<Backward>>() };
        // SAFETY: the shim passes `n_grads` pointers, each null or to a tensor that lives through this call.
        let grads = unsafe { std::slice::from_raw_parts(grads, n_grads) };
        let grads: Vec<_> = grads.iter().map(|&grad| share(grad)).collect();
        let _guard = tch::no_grad_guard();
        let results = backward(&grads).map_err(|error| error.to_string())?;
        if results.len() != n_out {
            return Err(format!("a hand-written backward gave {} gradients for {n_out} inputs", results.len()));
        }
        for (i, gradient) in results.into_iter().enumerate() {
            // SAFETY: the shim passes room for `n_out` pointers, and deletes what it finds there.
            unsafe { *out.add(i) = gradient.map_or(ptr::null_mut(), into_raw) };
        }
        Ok(())
    };
    let failure = match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return 0,
        Ok(Err(message)) => message,
        Err(payload) => format!("a hand-written backward panicked: {}", crate::error::panic_message(payload.as_ref())),
    };
    // SAFETY: the message has room for `message_size` bytes, all 0: the last one stays so.
    unsafe { ptr::copy_nonoverlapping(failure.as_ptr().cast(), message, failure.len().min(message_size - 1)) };
    1
}

/// A handle of our own on a tensor of the shim's, if there is one.
fn share(tensor: *mut C_tensor) -> Option<Tensor> {
    if tensor.is_null() {
        return None;
    }
    // SAFETY: a live tensor; `clone_from_ptr` makes another handle and leaves the shim's alone.
    Some(unsafe { Tensor::clone_from_ptr(tensor) })
}

/// A handle that the shim is to delete.
fn into_raw(tensor: Tensor) -> *mut C_tensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    tensor.as_mut_ptr()
}

#[cfg(test)]
mod tests;
