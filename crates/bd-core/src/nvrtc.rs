//! NVRTC, NVIDIA's compiler of CUDA C as a library: opened at run time, and in need of no GPU and no driver.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr;

use libloading::os::unix::{Library, RTLD_NOW};

use crate::cuda::{CudaProblem, loader_words};
use crate::error::{Error, Result};
use crate::libtorch;

/// Versions of NVRTC that will do, the one that this libtorch was built for first.
const VERSIONS: [u32; 2] = [13, 12];
/// Options beside the architecture. No two operations are made one, so that a GPU rounds as often as a CPU and spikes do not depend on
/// where a compiler sees a product that is added. Warnings would hide the errors in the log: formulas write values that nobody needs.
const OPTIONS: [&CStr; 2] = [c"--fmad=false", c"--disable-warnings"];
/// How much of NVRTC's log an error carries. What follows the first messages is mostly their consequence.
const LOG_LINES: usize = 12;

/// The compiler.
#[derive(Debug)]
pub struct Nvrtc {
    library: Library,
    /// Never asked by us, but NVRTC looks for it by name.
    _builtins: Option<Library>,
}

type Status = c_int;
type Program = *mut c_void;

impl Nvrtc {
    /// Looks beside the loaded libtorch, then where the system's loader looks.
    pub fn find() -> Result<Self> {
        for folder in folders() {
            for version in VERSIONS {
                let file = folder.join(format!("libnvrtc.so.{version}"));
                if file.exists() {
                    // NVRTC opens its builtins by name alone, which nothing leads to this folder. A library that is
                    // loaded already is found by name.
                    let builtins = builtins(&folder, version).map(|file| open(&file)).transpose()?;
                    return Ok(Self { library: open(&file)?, _builtins: builtins });
                }
            }
        }
        let [newest, older] = VERSIONS.map(|version| PathBuf::from(format!("libnvrtc.so.{version}")));
        let library = open(&newest).or_else(|error| open(&older).map_err(|_| error))?;
        Ok(Self { library, _builtins: None })
    }

    /// Compiles a text for GPUs of the architecture `arch`, for example `sm_90`: what the driver loads as a module.
    pub fn compile(&self, source: &str, arch: &str) -> Result<Vec<u8>> {
        let c_string = |text: &str| CString::new(text).map_err(|_| Error::Nvrtc("the text holds a zero byte".into()));
        let (source, option) = (c_string(source)?, c_string(&format!("--gpu-architecture={arch}"))?);
        let program = self.program(&source)?;
        if let Err(failure) = self.compile_program(program.0, &option) {
            let log = self.log(program.0)?;
            return Err(if log.is_empty() { failure } else { Error::Nvrtc(log) });
        }
        match self.bytes(program.0, c"nvrtcGetCUBINSize", c"nvrtcGetCUBIN")? {
            // As of `compute_90`, for which NVRTC writes PTX alone.
            cubin if cubin.is_empty() => Err(Error::Nvrtc(format!("there is no binary for {arch}"))),
            cubin => Ok(cubin),
        }
    }

    /// The version, and how it compiles: what a binary depends on beside its text.
    pub fn identity(&self) -> Result<String> {
        let (mut major, mut minor) = (0, 0);
        type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status;
        // SAFETY: as declared in nvrtc.h; the pointers are valid for the call.
        self.ask(c"nvrtcVersion", |f: Version| unsafe { f(&mut major, &mut minor) })?;
        Ok(format!("{major}.{minor} {OPTIONS:?}"))
    }

    fn program(&self, source: &CStr) -> Result<Owned<'_>> {
        type Texts = *const *const c_char;
        type Create = unsafe extern "C" fn(*mut Program, *const c_char, *const c_char, c_int, Texts, Texts) -> Status;
        let mut program = ptr::null_mut();
        // SAFETY: as declared in nvrtc.h; the strings live through the call, and no header is passed.
        self.ask(c"nvrtcCreateProgram", |f: Create| unsafe {
            f(&mut program, source.as_ptr(), c"text.cu".as_ptr(), 0, ptr::null(), ptr::null())
        })?;
        Ok(Owned(program, self))
    }

    fn compile_program(&self, program: Program, option: &CStr) -> Result<()> {
        type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> Status;
        let options = [option, OPTIONS[0], OPTIONS[1]].map(CStr::as_ptr);
        // SAFETY: as declared in nvrtc.h; the options are as many as is said, and live through the call.
        self.ask(c"nvrtcCompileProgram", |f: Compile| unsafe { f(program, options.len() as c_int, options.as_ptr()) })
    }

    /// The first lines of what the compiler had to say.
    fn log(&self, program: Program) -> Result<String> {
        let log = self.bytes(program, c"nvrtcGetProgramLogSize", c"nvrtcGetProgramLog")?;
        let log = String::from_utf8_lossy(&log);
        let lines = log.trim_end_matches('\0').lines().filter(|line| !line.trim().is_empty());
        Ok(lines.take(LOG_LINES).collect::<Vec<_>>().join("\n"))
    }

    /// What one function gives the size of, and another fills in.
    fn bytes(&self, program: Program, size: &CStr, fill: &CStr) -> Result<Vec<u8>> {
        type Size = unsafe extern "C" fn(Program, *mut usize) -> Status;
        type Fill = unsafe extern "C" fn(Program, *mut c_char) -> Status;
        let mut n = 0;
        // SAFETY: as declared in nvrtc.h; the pointer is valid for the call.
        self.ask(size, |f: Size| unsafe { f(program, &mut n) })?;
        let mut bytes = vec![0; n];
        // SAFETY: as declared in nvrtc.h; the buffer has the size that was asked for.
        self.ask(fill, |f: Fill| unsafe { f(program, bytes.as_mut_ptr().cast()) })?;
        Ok(bytes)
    }

    /// Calls the function `name` through `call`, which is given its address as a function of type `F`.
    fn ask<F: Copy>(&self, name: &CStr, call: impl FnOnce(F) -> Status) -> Result<()> {
        match call(self.function(name)?) {
            0 => Ok(()),
            status => {
                type Words = unsafe extern "C" fn(Status) -> *const c_char;
                let words: Words = self.function(c"nvrtcGetErrorString")?;
                // SAFETY: as declared in nvrtc.h: any status is allowed, and the answer is a constant string.
                let words = unsafe { CStr::from_ptr(words(status)) };
                Err(Error::Nvrtc(format!("{} of {}", words.to_string_lossy(), name.to_string_lossy())))
            }
        }
    }

    fn function<F: Copy>(&self, name: &CStr) -> Result<F> {
        // SAFETY: every caller above names the type that nvrtc.h declares for the function.
        let function = unsafe { self.library.get::<F>(name.to_bytes_with_nul()) };
        function.map(|function| *function).map_err(|error| missing(&error))
    }
}

/// A program, destroyed in the end.
struct Owned<'a>(Program, &'a Nvrtc);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        type Destroy = unsafe extern "C" fn(*mut Program) -> Status;
        // SAFETY: as declared in nvrtc.h; the program was created and is destroyed once. A failure leaves nothing to do.
        let _ = self.1.ask(c"nvrtcDestroyProgram", |f: Destroy| unsafe { f(&mut self.0) });
    }
}

/// Where a libtorch has its CUDA libraries: archives beside its own, wheels in packages beside torch.
fn folders() -> Vec<PathBuf> {
    let Some(own) = libtorch::file().and_then(|file| file.parent().map(PathBuf::from)) else { return Vec::new() };
    let wheels = own.join("../../nvidia");
    let wheels = fs::read_dir(wheels).into_iter().flatten().flatten().map(|entry| entry.path().join("lib"));
    [own.clone()].into_iter().chain(wheels).collect()
}

/// The builtins that belong to a version, as in `libnvrtc-builtins.so.13.0`.
fn builtins(folder: &Path, version: u32) -> Option<PathBuf> {
    let begin = format!("libnvrtc-builtins.so.{version}.");
    let mut files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begin)))
}

fn open(file: &Path) -> Result<Library> {
    // SAFETY: NVIDIA's own library; loading it has no effect on this process.
    unsafe { Library::open(Some(file), RTLD_NOW) }.map_err(|error| missing(&error))
}

fn missing(error: &libloading::Error) -> Error {
    CudaProblem::NvrtcMissing(loader_words(error)).into()
}
