//! Several processes that train one model together, on libtorch's own engine: its store to meet at, and Gloo between their hosts.
//!
//! [`GlooGroup`] is a [`ProcessGroup`] of `bd-train`: `Trainer::processes` and `Bptt::processes` take it. The sums of gradients have one
//! fixed order whatever the number of processes, so that one, two or four of them give the same bytes.
//!
//! ```no_run
//! use bd_distributed::{GlooGroup, Place};
//! # fn run() -> bd_core::Result<()> {
//! // As torchrun sets the variables; `None` of a process alone.
//! if let Some(place) = Place::from_env()? {
//!     let group = GlooGroup::open(&place)?;
//!     // trainer = trainer.processes(&group)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Neither the store nor Gloo knows passwords or encryption: it is for networks whose machines trust each other.

mod place;

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use bd_core::{Error, Result};
use bd_train::ProcessGroup;
use tch::{Device, Tensor};
use torch_sys::C_tensor;

pub use self::place::{Place, USUAL_TIMEOUT};

unsafe extern "C" {
    fn bd_group_open(
        host: *const c_char,
        port: c_int,
        rank: c_int,
        size: c_int,
        serves: c_int,
        attempt: *const c_char,
        address: *const c_char,
        is_interface: c_int,
        timeout_ms: i64,
        quiet: c_int,
        error: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn bd_group_close(group: *mut c_void);
    fn bd_group_gather(
        group: *mut c_void,
        own: *mut C_tensor,
        out: *mut C_tensor,
        error: *mut c_char,
        capacity: usize,
    ) -> c_int;
    fn bd_group_sum(group: *mut c_void, own: *mut C_tensor, error: *mut c_char, capacity: usize) -> c_int;
    fn bd_group_exchange(
        group: *mut c_void,
        own: *mut C_tensor,
        out: *mut C_tensor,
        error: *mut c_char,
        capacity: usize,
    ) -> c_int;
}

/// Room for a message of libtorch's.
const CAPACITY: usize = 1024;

/// A group of processes that exchange tensors by Gloo.
#[derive(Debug)]
pub struct GlooGroup {
    raw: NonNull<c_void>,
    place: Place,
    /// Held by each exchange.
    calls: Mutex<()>,
}

// SAFETY: the C++ object belongs to no thread.
unsafe impl Send for GlooGroup {}
// SAFETY: exchanges, which count in the object without a lock of its own, follow one another: each holds `calls`.
unsafe impl Sync for GlooGroup {}

impl GlooGroup {
    /// Waits until all processes of the group are there, and connects them.
    ///
    /// Fails with [`Error::ProcessGroup`] if they do not come in time, two have one rank, or their numbers differ; if the port is in use, or
    /// the machine of process 0 is not known.
    pub fn open(place: &Place) -> Result<Self> {
        let text = |text: &str| CString::new(text).map_err(|_| Error::Config(format!("{text:?} holds a zero byte")));
        let interface = env::var("GLOO_SOCKET_IFNAME").ok().filter(|name| !name.is_empty());
        let own = interface.clone().map_or_else(|| place.own_address(), Ok)?;
        let (host, attempt, address) = (text(&place.host)?, text(&place.attempt)?, text(&own)?);
        let serves = place.rank == 0 && !place.is_served;
        let quiet = env::var_os("TORCH_CPP_LOG_LEVEL").is_none();
        let mut error = [0; CAPACITY];
        // SAFETY: strings and buffer outlive the call, which keeps none of them.
        let raw = unsafe {
            bd_group_open(
                host.as_ptr(),
                c_int::from(place.port),
                place.rank as c_int,
                place.size as c_int,
                c_int::from(serves),
                attempt.as_ptr(),
                address.as_ptr(),
                c_int::from(interface.is_some()),
                place.timeout.as_millis() as i64,
                c_int::from(quiet),
                error.as_mut_ptr(),
                CAPACITY,
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            let (host, port) = (&place.host, place.port);
            Error::ProcessGroup(format!(
                "process {} of {} did not meet the others at {host}:{port}: {}",
                place.rank,
                place.size,
                words(&error)
            ))
        })?;
        Ok(Self { raw, place: place.clone(), calls: Mutex::new(()) })
    }

    /// Which process of which group this one is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The sum of everybody's tensor of one shape on the CPU, in an order of Gloo's choice, which depends on the number of processes: what
    /// `bd_train::process_group::sum_over_processes`, whose order is fixed, is compared with.
    pub fn sum_in_any_order(&self, own: &Tensor) -> Result<Tensor> {
        let own = on_host(own)?;
        let sum = Tensor::f_zeros(own.size(), (own.kind(), Device::Cpu))?;
        sum.shallow_clone().f_copy_(&own)?;
        let mut error = [0; CAPACITY];
        let _alone = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the tensor lives until the call ends, which waits for the sum; nobody else knows of it.
        match unsafe { bd_group_sum(self.raw.as_ptr(), sum.as_ptr().cast_mut(), error.as_mut_ptr(), CAPACITY) } {
            0 => Ok(sum),
            _ => Err(self.lost(&words(&error))),
        }
    }

    /// Runs one exchange: of `own` as it is, into a tensor of this shape.
    fn call(&self, call: Exchange, own: &Tensor, shape: &[i64]) -> Result<Tensor> {
        let own = on_host(own)?.f_contiguous()?;
        let out = Tensor::f_empty(shape, (own.kind(), Device::Cpu))?;
        let mut error = [0; CAPACITY];
        let _alone = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: both tensors live until the call ends, which waits for the exchange; nobody else knows of `out`.
        let status = unsafe {
            call(self.raw.as_ptr(), own.as_ptr().cast_mut(), out.as_ptr().cast_mut(), error.as_mut_ptr(), CAPACITY)
        };
        match status {
            0 => Ok(out),
            _ => Err(self.lost(&words(&error))),
        }
    }

    /// An exchange failed.
    fn lost(&self, words: &str) -> Error {
        let why = if words.contains("Timed out") {
            format!("it did not answer within {} s", self.place.timeout.as_secs())
        } else {
            "it has ended, or cannot be reached".to_owned()
        };
        let (rank, size) = (self.place.rank, self.place.size);
        Error::ProcessGroup(format!(
            "{why}; this is process {rank} of {size}, and what the other one said is the cause ({words})"
        ))
    }
}

/// A tensor without its graph, which must be one of the host.
fn on_host(own: &Tensor) -> Result<Tensor> {
    if own.device() != Device::Cpu {
        return Err(Error::DtypeOrDevice {
            what: "what processes exchange".into(),
            expected: "a tensor on cpu".into(),
            found: format!("one on {:?}", own.device()),
        });
    }
    Ok(own.f_detach()?)
}

type Exchange = unsafe extern "C" fn(*mut c_void, *mut C_tensor, *mut C_tensor, *mut c_char, usize) -> c_int;

/// A message that the shim has written.
fn words(error: &[c_char; CAPACITY]) -> String {
    // SAFETY: the shim ends it with a zero, and it is one at first.
    let text = unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned();
    // "[enforce fail at file.cc:57] ..." and the lines after the first are for programmers of libtorch.
    let line = text.lines().next().unwrap_or_default();
    line.rsplit_once("] ")
        .filter(|(before, _)| before.starts_with('['))
        .map_or(line, |(_, words)| words)
        .trim_end_matches(". ")
        .to_owned()
}

impl Drop for GlooGroup {
    fn drop(&mut self) {
        // SAFETY: it was made by `bd_group_open`, and is closed once.
        unsafe { bd_group_close(self.raw.as_ptr()) }
    }
}

impl ProcessGroup for GlooGroup {
    fn rank(&self) -> usize {
        self.place.rank
    }

    fn size(&self) -> usize {
        self.place.size
    }

    fn gather(&self, own: &Tensor) -> Result<Tensor> {
        let (size, count) = (self.place.size as i64, own.numel() as i64);
        let all = self.call(bd_group_gather, &own.f_reshape([-1])?, &[size * count])?;
        Ok(all.f_view([size, count])?)
    }

    fn exchange(&self, own: &Tensor) -> Result<Tensor> {
        self.call(bd_group_exchange, own, &own.size())
    }
}

/// The program of the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/several-processes.md")]
mod guide {}
