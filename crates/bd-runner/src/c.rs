//! The functions of `include/bd_runner.h`. No panic leaves them; what went wrong is told by [`bd_runner_error`].

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::{Runner, StepError};

/// Bytes of a message at most, with the zero that ends it.
const LONGEST: usize = 512;

/// A text that takes no memory when it is written.
struct Message {
    text: [u8; LONGEST],
    len: usize,
}

impl Message {
    const fn new() -> Self {
        Self { text: [0; LONGEST], len: 0 }
    }

    fn set(&mut self, words: &dyn fmt::Display) {
        self.len = 0;
        let _ = write!(self, "{words}");
        self.text[self.len] = 0;
    }

    fn as_ptr(&self) -> *const c_char {
        self.text.as_ptr().cast()
    }
}

impl Write for Message {
    /// What is too long is cut off.
    fn write_str(&mut self, words: &str) -> fmt::Result {
        let room = LONGEST - 1 - self.len;
        let taken = (0..=words.len().min(room)).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
        self.text[self.len..self.len + taken].copy_from_slice(&words.as_bytes()[..taken]);
        self.len += taken;
        Ok(())
    }
}

thread_local! {
    /// Why the last run could not be opened in this thread.
    static OPENING: RefCell<Message> = const { RefCell::new(Message::new()) };
}

/// What C calls `bd_runner`.
pub struct Handle {
    runner: Runner,
    error: Message,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runner.fmt(f)
    }
}

const BUG: &str = "a bug of bd-runner: it has panicked; open the run again";

/// Opens the folder of a run for so many lanes, or gives null: see [`bd_runner_error`] of null.
///
/// # Safety
///
/// `run` is null or a text that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_open(run: *const c_char, lanes: usize) -> *mut Handle {
    let open = || {
        if run.is_null() {
            return Err("the name of the folder is null".to_owned());
        }
        // SAFETY: the caller's.
        let run = unsafe { CStr::from_ptr(run) };
        let run = run.to_str().map_err(|error| format!("the name of the folder: {error}"))?;
        Runner::with_lanes(run, lanes).map_err(|error| error.to_string())
    };
    match catch_unwind(open).unwrap_or_else(|_| Err(BUG.to_owned())) {
        Ok(runner) => Box::into_raw(Box::new(Handle { runner, error: Message::new() })),
        Err(words) => {
            OPENING.with_borrow_mut(|message| message.set(&words));
            ptr::null_mut()
        }
    }
}

/// Frees a runner. Null is nothing to free.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_close(runner: *mut Handle) {
    if !runner.is_null() {
        // SAFETY: the caller's.
        let runner = unsafe { Box::from_raw(runner) };
        let _ = catch_unwind(AssertUnwindSafe(move || drop(runner)));
    }
}

/// A number of a runner, 0 of null.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
unsafe fn number(runner: *const Handle, of: impl Fn(&Runner) -> usize) -> usize {
    // SAFETY: the caller's.
    let Some(handle) = (unsafe { runner.as_ref() }) else { return 0 };
    catch_unwind(AssertUnwindSafe(|| of(&handle.runner))).unwrap_or(0)
}

/// Numbers of a sample.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_inputs(runner: *const Handle) -> usize {
    // SAFETY: the caller's.
    unsafe { number(runner, Runner::inputs) }
}

/// Outputs at each step of the model.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_outputs(runner: *const Handle) -> usize {
    // SAFETY: the caller's.
    unsafe { number(runner, Runner::outputs) }
}

/// Steps of the model for each sample.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_substeps(runner: *const Handle) -> usize {
    // SAFETY: the caller's.
    unsafe { number(runner, Runner::substeps) }
}

/// Sequences side by side.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_lanes(runner: *const Handle) -> usize {
    // SAFETY: the caller's.
    unsafe { number(runner, Runner::lanes) }
}

/// One step, or null.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave; `x` is null or has `n` numbers, none of them among those that a step of this runner
/// returned, which this one replaces.
unsafe fn advance<T>(
    runner: *mut Handle,
    x: *const T,
    n: usize,
    step: impl for<'a> Fn(&'a mut Runner, &[T]) -> Result<&'a [T], StepError>,
) -> *const T {
    // SAFETY: the caller's.
    let Some(Handle { runner, error }) = (unsafe { runner.as_mut() }) else { return ptr::null() };
    let expected = runner.lanes() * runner.inputs();
    if n != expected {
        // Before there is a slice of them, which must not be longer than memory.
        error.set(&StepError::Length { expected, found: n });
        return ptr::null();
    }
    // SAFETY: the caller's; of no numbers nothing is read.
    let x: &[T] = if x.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(x, n) } };
    match catch_unwind(AssertUnwindSafe(|| step(runner, x).map(<[T]>::as_ptr))) {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(reason)) => {
            error.set(&reason);
            ptr::null()
        }
        Err(_) => {
            error.set(&BUG);
            ptr::null()
        }
    }
}

/// One step of all lanes, of `n` inputs, or null: see [`bd_runner_error`].
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave; `x` is null or has `n` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_step(runner: *mut Handle, x: *const f32, n: usize) -> *const f32 {
    // SAFETY: the caller's.
    unsafe { advance(runner, x, n, |runner, x| runner.step(x)) }
}

/// The same with all digits.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave; `x` is null or has `n` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_step_f64(runner: *mut Handle, x: *const f64, n: usize) -> *const f64 {
    // SAFETY: the caller's.
    unsafe { advance(runner, x, n, |runner, x| runner.step_f64(x)) }
}

/// Sets all lanes to the state before the first step; 0, or -1 of null.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_reset(runner: *mut Handle) -> c_int {
    // SAFETY: the caller's.
    let Some(handle) = (unsafe { runner.as_mut() }) else { return -1 };
    catch_unwind(AssertUnwindSafe(|| handle.runner.reset())).map_or(-1, |()| 0)
}

/// Sets one lane to the state before the first step; 0, or -1 of null or if there is no such lane.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_reset_lane(runner: *mut Handle, lane: usize) -> c_int {
    // SAFETY: the caller's.
    let Some(handle) = (unsafe { runner.as_mut() }) else { return -1 };
    if lane >= handle.runner.lanes() {
        return -1;
    }
    catch_unwind(AssertUnwindSafe(|| handle.runner.reset_lane(lane))).map_or(-1, |()| 0)
}

/// Why the last step of a runner was not made; of null why the last run could not be opened in this thread. It is there until the next call.
///
/// # Safety
///
/// `runner` is null or what [`bd_runner_open`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bd_runner_error(runner: *const Handle) -> *const c_char {
    // SAFETY: the caller's.
    match unsafe { runner.as_ref() } {
        Some(handle) => handle.error.as_ptr(),
        None => OPENING.with_borrow(Message::as_ptr),
    }
}
