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
/// Makes the assembler say what kernels take.
const VERBOSE: &CStr = c"--ptxas-options=-v";
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
        let program = self.compiled(source, arch, &[])?;
        match self.bytes(program.0, c"nvrtcGetCUBINSize", c"nvrtcGetCUBIN")? {
            // As of `compute_90`, for which NVRTC writes PTX alone.
            cubin if cubin.is_empty() => Err(Error::Nvrtc(format!("there is no binary for {arch}"))),
            cubin => Ok(cubin),
        }
    }

    /// Refuses a text that GPUs of the architecture `arch` could not be given, as far as that is known without the assembler, which takes most
    /// of the time.
    pub fn check(&self, source: &str, arch: &str) -> Result<()> {
        self.compiled(source, &arch.replace("sm_", "compute_"), &[]).map(drop)
    }

    /// What each kernel of a text takes of a processor of that architecture, as the assembler says.
    pub fn needs(&self, source: &str, arch: &str) -> Result<Vec<KernelNeeds>> {
        let program = self.compiled(source, arch, &[VERBOSE])?;
        let log = self.bytes(program.0, c"nvrtcGetProgramLogSize", c"nvrtcGetProgramLog")?;
        Ok(needs(&String::from_utf8_lossy(&log)))
    }

    fn compiled(&self, source: &str, arch: &str, more: &[&CStr]) -> Result<Owned<'_>> {
        let c_string = |text: &str| CString::new(text).map_err(|_| Error::Nvrtc("the text holds a zero byte".into()));
        let (source, arch) = (c_string(source)?, c_string(&format!("--gpu-architecture={arch}"))?);
        let program = self.program(&source)?;
        let options: Vec<&CStr> = [arch.as_c_str()].into_iter().chain(OPTIONS).chain(more.iter().copied()).collect();
        match self.compile_program(program.0, &options) {
            Ok(()) => Ok(program),
            Err(failure) => {
                let log = self.log(program.0)?;
                Err(if log.is_empty() { failure } else { Error::Nvrtc(log) })
            }
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

    fn compile_program(&self, program: Program, options: &[&CStr]) -> Result<()> {
        type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> Status;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
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

/// What a kernel takes, a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNeeds {
    /// The name of the kernel.
    pub kernel: String,
    /// Registers, of which a processor has 65,536 for all threads that it runs.
    pub registers: usize,
    /// Bytes that found no register, or are addressed by numbers that are not known beforehand: each use goes to memory.
    pub stack_bytes: usize,
    /// Bytes written to and read from the stack for want of registers.
    pub spilled_bytes: usize,
}

/// From lines such as `Function properties for NAME`, `8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads` and
/// `Used 8 registers`.
fn needs(log: &str) -> Vec<KernelNeeds> {
    let mut all = Vec::new();
    let number_before = |line: &str, word: &str| -> usize {
        let before = line.split(word).next().unwrap_or_default();
        before.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let (mut kernel, mut stack_bytes, mut spilled_bytes) = (String::new(), 0, 0);
    for line in log.lines() {
        if let Some((_, name)) = line.split_once("Function properties for ") {
            kernel = name.trim().to_owned();
        } else if line.contains("bytes stack frame") {
            stack_bytes = number_before(line, " bytes stack frame");
            spilled_bytes = number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads");
        } else if line.contains("Used ") {
            let registers = number_before(line, " registers");
            all.push(KernelNeeds { kernel: std::mem::take(&mut kernel), registers, stack_bytes, spilled_bytes });
        }
    }
    all
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As ptxas of CUDA 13.0 writes it, with other numbers.
    #[test]
    fn needs_are_read_from_the_log() {
        let log = "ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'forward' for 'sm_90'
ptxas info    : Function properties for forward
ptxas         .     40 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 40 bytes cumulative stack size
ptxas info    : Function properties for backward
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers
";
        let kernel = |kernel: &str, registers, stack_bytes, spilled_bytes| KernelNeeds {
            kernel: kernel.into(),
            registers,
            stack_bytes,
            spilled_bytes,
        };
        assert_eq!(needs(log), [kernel("forward", 128, 40, 28), kernel("backward", 8, 0, 0)]);
    }
}
