//! A [`Gpu`] where there is none: kernels compiled by the C++ compiler, run by threads of the CPU on tensors of the CPU.
//!
//! Slow, and true to what a text says: everything but NVRTC, the driver and the speed of a GPU can be tested with it. A text is
//! compiled as it is, behind `emulated.cpp`, which defines what CUDA C has beyond C++. Threads of a block run at the same time if
//! they wait for each other, else one after the other.

use std::env;
use std::ffi::c_void;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_NOW};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::gpu::{Backend, Gpu, Launch, Module};
use crate::kernel::gpu::scan_on;
use crate::kernel::{Feed, Fused, Processor};
use crate::shared::Shared;
use crate::spikes::Spikes;
use crate::system::System;
use crate::tap::Tap;

const PRELUDE: &str = include_str!("emulated.cpp");

/// A system that scans as on a GPU, by [`emulated`] kernels, and steps as ever.
#[derive(Debug)]
pub struct OnGpu<S>(pub S, pub Arc<Gpu>);

/// The emulated GPU, whose blocks may share so many bytes.
pub fn emulated(shared_bytes: usize) -> Arc<Gpu> {
    Arc::new(Gpu::new(Emulated { shared_bytes }))
}

#[derive(Debug)]
struct Emulated {
    shared_bytes: usize,
}

impl Backend for Emulated {
    fn compile(&self, text: &str) -> Result<Box<dyn Module>> {
        let kernels: Vec<&str> = text.split("__global__ void ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
        // Threads that never wait for each other need not run at the same time.
        let together = text.contains("__syncthreads");
        let doors: String = kernels
            .iter()
            .map(|kernel| {
                format!(
                    "extern \"C\" void run_{kernel}(size_t blocks, size_t threads, size_t shared_bytes, void *const *values) {{\n\
                     \x20 emulated::run({kernel}, {together}, blocks, threads, shared_bytes, values);\n}}\n"
                )
            })
            .collect();
        let folder = tempfile::tempdir().map_err(Error::storage("create", env::temp_dir()))?;
        let (source, library) = (folder.path().join("text.cpp"), folder.path().join("text.so"));
        fs::write(&source, [PRELUDE, text, &doors].concat()).map_err(Error::storage("write", &source))?;
        let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
        let options = ["-std=c++20", "-O1", "-w", "-ffp-contract=off", "-shared", "-fPIC", "-pthread", "-o"];
        let done = Command::new(&compiler).args(options).arg(&library).arg(&source).output();
        let done = done.map_err(Error::storage("run", &compiler))?;
        if !done.status.success() {
            return Err(Error::Gpu(format!("{compiler}: {}\n{text}", String::from_utf8_lossy(&done.stderr))));
        }
        // SAFETY: just built; it has no initialisers of its own.
        let library = unsafe { Library::open(Some(&library), RTLD_NOW) }.map_err(|error| Error::Gpu(error.to_string()))?;
        Ok(Box::new(Built { library: Mutex::new(library) }))
    }

    fn shared_bytes(&self) -> usize {
        self.shared_bytes
    }
}

#[derive(Debug)]
struct Built {
    /// Locked while a kernel runs: its threads share what is static in the text.
    library: Mutex<Library>,
}

impl Module for Built {
    unsafe fn launch(&self, kernel: &str, shape: Launch, values: &[*const c_void]) -> Result<()> {
        type Run = unsafe extern "C" fn(usize, usize, usize, *const *const c_void);
        let library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("run_{kernel}\0");
        // SAFETY: written by `compile` with this type; the values are as the caller says.
        unsafe {
            let run = library.get::<Run>(name.as_bytes()).map_err(|error| Error::Gpu(error.to_string()))?;
            run(shape.blocks, shape.threads, shape.shared_bytes, values.as_ptr());
        }
        Ok(())
    }
}

impl<S: System> OnGpu<S> {
    fn scan_fed(&self, sha: &Shared, xs: Feed<'_>, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        let done = scan_on(&self.1, &self.0, sha, xs, s, tap).expect("kernels compile and run");
        done.unwrap_or_else(|_| panic!("{:?} has no form for a GPU that serves", self.0))
    }
}

impl<S: System> System for OnGpu<S> {
    type State = S::State;

    fn n_in(&self) -> i64 {
        self.0.n_in()
    }

    fn n_out(&self) -> i64 {
        self.0.n_out()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> S::State {
        self.0.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &S::State) -> (Tensor, S::State) {
        self.0.step(sha, x, s)
    }

    fn scan(&self, sha: &Shared, xs: &Tensor, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        self.scan_fed(sha, Feed::Dense(xs), s, tap)
    }

    fn scan_spikes(&self, sha: &Shared, spikes: &Spikes, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        let fused = self.0.kernel(sha, Processor::Gpu).as_ref().and_then(Fused::on_gpu);
        if fused.is_some_and(|parts| parts[0].0.takes_spikes()) {
            self.scan_fed(sha, Feed::Spikes(spikes), s, tap)
        } else {
            self.scan(sha, &spikes.to_dense(), s, tap)
        }
    }
}
