//! A [`Gpu`] where there is none: kernels compiled by the C++ compiler, run by the CPU on tensors of the CPU.
//!
//! Slow, and true to what a text says: everything but NVRTC, the driver and the speed of a GPU can be tested with it. A text is
//! compiled as it is, behind `cuda_as_cpp.cpp`, which defines what CUDA C has beyond C++. Threads of a block take
//! turns where they wait for each other.
//!
//! Races are found as well, the same ones on every run: the compiler instruments each access to memory, as it does for ThreadSanitizer, but
//! what it calls is ours (`hooks.cpp`), and a [`Watch`] looks for two accesses that nothing orders, whatever order the threads took. A
//! launch with a race is an [`Error::Gpu`]. What a GPU does beyond that, such as threads of a warp that go apart, is not seen.
//!
//! Where there is NVRTC, which needs no GPU either, it has to compile each text as well, for all [`ARCHITECTURES`]: into a binary for the newest, and
//! as far as the assembler for the others.

use std::env;
use std::ffi::c_void;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex, Once, PoisonError};

use libloading::os::unix::{Library, RTLD_NOW};
use tch::{Device, Kind, Tensor};

use super::hooks::Hooks;
use super::watch::Watch;
use crate::error::{Error, Result};
use crate::gpu::{Backend, Gpu, Launch, Module};
use crate::inputs::Inputs;
use crate::kernel::gpu::scan_on;
use crate::nvrtc::Nvrtc;
use crate::shared::Shared;
use crate::system::System;
use crate::tap::Tap;

const BEFORE: [&str; 3] = [include_str!("cuda_as_cpp.cpp"), include_str!("hooks.cpp"), include_str!("emulated.cpp")];

/// A system that scans as on a GPU, by [`emulated`] kernels, and steps as ever.
#[derive(Debug)]
pub struct OnGpu<S>(pub S, pub Arc<Gpu>);

/// What texts are compiled for: the oldest GPUs that are served, and those of data centres.
pub const ARCHITECTURES: [&str; 3] = ["sm_75", "sm_80", "sm_90"];

/// An emulated GPU, whose blocks may share so many bytes, and of which so many are sure to run together.
pub fn emulated(shared_bytes: usize, processors: usize) -> Arc<Gpu> {
    let nvrtc = Nvrtc::find().map_err(|reason| {
        static SAID: Once = Once::new();
        // Straight to the stream: what `eprintln` writes in a test that passes is not shown.
        SAID.call_once(|| {
            let line = format!("\nSKIPPED, CUDA C was run as C++ alone and not compiled by NVRTC. {reason}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        });
    });
    Arc::new(Gpu::new(Emulated { shared_bytes, processors, nvrtc: nvrtc.ok() }))
}

/// As [`emulated`], for texts that no GPU is meant to run: NVRTC does not see them.
pub fn emulated_without_nvrtc(shared_bytes: usize, processors: usize) -> Arc<Gpu> {
    Arc::new(Gpu::new(Emulated { shared_bytes, processors, nvrtc: None }))
}

#[derive(Debug)]
struct Emulated {
    shared_bytes: usize,
    processors: usize,
    nvrtc: Option<Nvrtc>,
}

impl Emulated {
    fn compile_for_gpus(&self, text: &str) -> Result<()> {
        let Some(nvrtc) = &self.nvrtc else { return Ok(()) };
        let failed = |arch| move |error: Error| Error::Gpu(format!("{arch}: {error}\n{text}"));
        let [older @ .., newest] = ARCHITECTURES;
        for arch in older {
            nvrtc.check(text, arch).map_err(failed(arch))?;
        }
        // Of a GPU of today, in the dtype that its users have: an array whose places are not all known beforehand has no registers.
        // A number or two may be put aside, and a sine takes 40 bytes.
        if text.starts_with("#define real float\n") {
            let needs = nvrtc.needs(text, newest).map_err(failed(newest))?;
            if let Some(needs) = needs.iter().find(|needs| needs.stack_bytes > 64) {
                return Err(Error::Gpu(format!("not all of it is in registers: {needs:?}\n{text}")));
            }
        } else if !nvrtc.compile(text, newest).map_err(failed(newest))?.starts_with(b"\x7fELF") {
            return Err(Error::Gpu(format!("what NVRTC made for {newest} is no binary\n{text}")));
        }
        Ok(())
    }
}

impl Backend for Emulated {
    fn compile(&self, text: &str) -> Result<Box<dyn Module>> {
        self.compile_for_gpus(text)?;
        let kernels: Vec<&str> =
            text.split("__global__ void ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
        // Threads that never wait for each other need not take turns.
        let waiting = ["__syncthreads", "__ballot_sync"].iter().any(|wait| text.contains(wait));
        let doors: String = kernels
            .iter()
            .map(|kernel| {
                format!(
                    "extern \"C\" void run_{kernel}(const watch::Hooks *hooks, bool together, size_t blocks, size_t threads, \
                     size_t shared_bytes, void *const *values) {{\n\
                     \x20 emulated::run({kernel}, hooks, {waiting}, together, blocks, threads, shared_bytes, values);\n}}\n"
                )
            })
            .collect();
        let folder = tempfile::tempdir().map_err(Error::storage("create", env::temp_dir()))?;
        let [source, object, library] = ["text.cpp", "text.o", "text.so"].map(|name| folder.path().join(name));
        fs::write(&source, [&BEFORE.concat(), text, &doors].concat()).map_err(Error::storage("write", &source))?;
        // Instrumented for a sanitizer, linked without it: with our own hooks.
        let options = ["-std=c++17", "-O1", "-w", "-ffp-contract=off", "-fno-gnu-unique", "-fPIC", "-fsanitize=thread"];
        run_compiler(|compiler| compiler.args(options).arg("-c").arg("-o").arg(&object).arg(&source))
            .map_err(|error| Error::Gpu(format!("{error}\n{text}")))?;
        run_compiler(|compiler| compiler.arg("-shared").arg("-o").arg(&library).arg(&object))?;
        // SAFETY: just built; it has no initialisers of its own.
        let library =
            unsafe { Library::open(Some(&library), RTLD_NOW) }.map_err(|error| Error::Gpu(error.to_string()))?;
        Ok(Box::new(Built { library: Mutex::new(library) }))
    }

    fn shared_bytes(&self) -> usize {
        self.shared_bytes
    }

    fn products_a_cycle(&self, _kind: Kind) -> usize {
        128
    }

    fn processors(&self) -> usize {
        self.processors
    }
}

/// Runs the C++ compiler, `CXX` or `c++`, with what `with` adds.
pub(super) fn run_compiler(with: impl FnOnce(&mut Command) -> &mut Command) -> Result<()> {
    let name = env::var("CXX").unwrap_or_else(|_| "c++".into());
    let done = with(&mut Command::new(&name)).output().map_err(Error::storage("run", &name))?;
    if !done.status.success() {
        return Err(Error::Gpu(format!("{name}: {}", String::from_utf8_lossy(&done.stderr))));
    }
    Ok(())
}

#[derive(Debug)]
struct Built {
    /// Locked while a kernel runs: where it is, and what its threads share, is static in the text.
    library: Mutex<Library>,
}

impl Module for Built {
    unsafe fn launch(&self, kernel: &str, shape: Launch, values: &[*const c_void]) -> Result<()> {
        type Run = unsafe extern "C" fn(*const Hooks, bool, usize, usize, usize, *const *const c_void);
        let library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("run_{kernel}\0");
        let mut watch = Watch::new(shape.blocks, shape.threads);
        let hooks = Hooks::of(&mut watch);
        // SAFETY: written by `compile` with this type; the values are as the caller says; `watch` stays where it is.
        unsafe {
            let run = library.get::<Run>(name.as_bytes()).map_err(|error| Error::Gpu(error.to_string()))?;
            run(&hooks, shape.together, shape.blocks, shape.threads, shape.shared_bytes, values.as_ptr());
        }
        match watch.race {
            Some(race) => Err(Error::Gpu(format!("kernel {kernel}: {race}"))),
            None => Ok(()),
        }
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

    fn on(&self) -> Option<(Kind, Device)> {
        self.0.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> S::State {
        self.0.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &S::State) -> (Tensor, S::State) {
        self.0.step(sha, x, s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        let done = scan_on(&self.1, &self.0, sha, inputs, s, tap).expect("kernels compile and run");
        done.unwrap_or_else(|_| panic!("{:?} has no form for a GPU that serves", self.0))
    }

    fn after_update(&self, updates: u64) {
        self.0.after_update(updates);
    }
}

#[cfg(test)]
mod tests;
