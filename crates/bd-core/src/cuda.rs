//! CUDA without CUDA at build time: the driver is asked, and libtorch's CUDA back end opened, at run time.
//!
//! One binary serves laptops and GPU servers, and what is missing can be named. libtorch remembers its first answer
//! to "is there CUDA" for ever, so the back end must be open before anything asks.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::path::PathBuf;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::error::Error;
use crate::libtorch;

/// CUDA version that this libtorch was built for, as the driver counts: 1000 * major + 10 * minor.
const NEEDED_DRIVER: c_int = 13_000;
/// The oldest compute capability that libtorch's CUDA 13.0 build has code for (Turing).
const NEEDED_CAPABILITY: (c_int, c_int) = (7, 5);

/// Why CUDA cannot be used. Each begins with a fixed sentence, then says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CudaProblem {
    /// `libcuda.so.1` cannot be loaded, or is none. Holds the loader's own words.
    #[error(
        "no NVIDIA driver found ({0}); install the NVIDIA driver, in a container start it with --gpus all, or use the CPU"
    )]
    NoDriver(String),
    /// The driver does not know the CUDA version of this libtorch.
    #[error(
        "the NVIDIA driver is too old: it supports CUDA {found}, needed is {needed}; update the driver (580 or newer), or use the CPU"
    )]
    DriverTooOld {
        /// CUDA version the driver supports.
        found: String,
        /// CUDA version libtorch was built for.
        needed: String,
    },
    /// libtorch has no code for this GPU.
    #[error("the GPU is too old: {name} has compute capability {found}, needed is {needed}; use the CPU")]
    GpuTooOld {
        /// The GPU's name.
        name: String,
        /// Its compute capability.
        found: String,
        /// The lowest that works.
        needed: String,
    },
    /// libtorch's CUDA back end, or a library it needs, cannot be loaded. Holds the loader's own words.
    #[error("a CUDA library is missing: {0}; set LIBTORCH to a libtorch with CUDA, or use the CPU")]
    LibraryMissing(String),
    /// NVRTC cannot be loaded. Holds the loader's own words.
    #[error("a CUDA library is missing: NVRTC, the compiler of CUDA C: {0}; name its folder in LD_LIBRARY_PATH")]
    NvrtcMissing(String),
    /// The driver is there and shows no GPU, or not this one.
    #[error("no GPU is visible ({why}); {remedy}, or use the CPU")]
    NoGpuVisible {
        /// What the driver says.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl CudaProblem {
    fn no_gpu(why: impl Into<String>) -> Self {
        let mut why = why.into();
        if let Ok(visible) = std::env::var("CUDA_VISIBLE_DEVICES") {
            why += &format!(", CUDA_VISIBLE_DEVICES is '{visible}'");
        }
        Self::NoGpuVisible { why, remedy: "check nvidia-smi, CUDA_VISIBLE_DEVICES and the container's --gpus option" }
    }

    /// What it means that a function of the driver failed.
    fn of_status(function: &str, status: Status, words: Option<String>) -> Self {
        let said = words.map_or_else(String::new, |words| format!(": {words}"));
        let why = format!("{function} failed with error {status}{said}");
        match status {
            STUB_LIBRARY => Self::NoDriver("libcuda.so.1 is the stub that programs are linked with".into()),
            NO_DEVICE => Self::no_gpu("the driver reports no device"),
            NOT_READY => Self::NoGpuVisible { why, remedy: "wait for the machine's nvidia-fabricmanager, or start it" },
            MISMATCH => Self::NoGpuVisible {
                why,
                remedy: "libcuda.so.1 and the kernel's module are of different drivers: after an update of the driver restart the \
                         machine, in a container remove its own libcuda.so.1 and start it with --gpus all",
            },
            COMPATIBILITY => Self::NoGpuVisible {
                why,
                remedy: "libcuda.so.1 is of a compatibility package, which this GPU does not support: update the machine's driver, and \
                         take the folder compat out of LD_LIBRARY_PATH",
            },
            UNKNOWN => Self::NoGpuVisible {
                why,
                remedy: "often /dev/nvidia-uvm is missing: run nvidia-smi and nvidia-modprobe -u on the machine, then start the container \
                         again with --gpus all",
            },
            _ => Self::no_gpu(why),
        }
    }
}

/// A GPU as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its product name.
    pub name: String,
    /// Device memory in bytes.
    pub memory_bytes: u64,
    /// Compute capability, for example `(9, 0)`.
    pub capability: (i32, i32),
}

/// The GPUs that the driver shows, in the order of `cuda:0`, `cuda:1` and so on. Does not touch libtorch.
pub fn gpus() -> Result<Vec<GpuInfo>, CudaProblem> {
    let driver = Driver::open()?;
    let version = driver.version()?;
    if version < NEEDED_DRIVER {
        let show = |v: c_int| format!("{}.{}", v / 1000, v % 1000 / 10);
        return Err(CudaProblem::DriverTooOld { found: show(version), needed: show(NEEDED_DRIVER) });
    }
    driver.init()?;
    let gpus: Vec<GpuInfo> = (0..driver.count()?).map(|ordinal| driver.gpu(ordinal)).collect::<Result<_, _>>()?;
    if gpus.is_empty() { Err(CudaProblem::no_gpu("the driver counts 0")) } else { Ok(gpus) }
}

/// Opens libtorch's CUDA back end for GPU number `index`. After this, and only then, libtorch has CUDA.
pub(crate) fn open_backend(index: usize) -> Result<(), CudaProblem> {
    let gpus = gpus()?;
    let none = || CudaProblem::no_gpu(format!("cuda:{index} was asked for, the last one is cuda:{}", gpus.len() - 1));
    let gpu = gpus.get(index).ok_or_else(none)?;
    check_capability(gpu)?;
    let missing = |words: String| CudaProblem::LibraryMissing(words);
    let folder = libtorch::file().and_then(|file| file.parent().map(PathBuf::from)).unwrap_or_default();
    // SAFETY: libtorch's own library; its initialisers register kernels with the libtorch_cpu that is loaded already.
    let library = unsafe { Library::open(Some(folder.join("libtorch_cuda.so")), RTLD_NOW | RTLD_GLOBAL) };
    // Kernels are registered now, so it must never be unloaded.
    std::mem::forget(library.map_err(|error| missing(loader_words(&error)))?);
    if tch::Cuda::is_available() {
        // SAFETY: sets two flags of libtorch's.
        unsafe { bd_full_precision() };
        // What our own kernels need, NVRTC above all: better told now than in the first scan.
        crate::gpu::Gpu::of(tch::Device::Cuda(index)).map(|_| ()).map_err(|error| match error {
            Error::Cuda(problem) => problem,
            other => missing(other.to_string()),
        })
    } else {
        Err(missing("libtorch does not see CUDA although it loaded".into()))
    }
}

unsafe extern "C" {
    fn bd_full_precision();
}

fn check_capability(gpu: &GpuInfo) -> Result<(), CudaProblem> {
    if gpu.capability >= NEEDED_CAPABILITY {
        return Ok(());
    }
    let show = |(major, minor): (c_int, c_int)| format!("{major}.{minor}");
    Err(CudaProblem::GpuTooOld { name: gpu.name.clone(), found: show(gpu.capability), needed: show(NEEDED_CAPABILITY) })
}

/// The dynamic loader's message without libloading's wrapping.
pub(crate) fn loader_words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The CUDA driver API: here the few functions that are needed to describe what is there.
#[derive(Debug)]
pub(crate) struct Driver(Library);

type Status = c_int;
// CUresult, as in cuda.h: CUDA_ERROR_...
const STUB_LIBRARY: Status = 34;
const NO_DEVICE: Status = 100;
const NOT_READY: Status = 802; // SYSTEM_NOT_READY
const MISMATCH: Status = 803; // SYSTEM_DRIVER_MISMATCH
const COMPATIBILITY: Status = 804; // COMPAT_NOT_SUPPORTED_ON_DEVICE
const UNKNOWN: Status = 999;

impl Driver {
    pub(crate) fn open() -> Result<Self, CudaProblem> {
        // SAFETY: NVIDIA's driver library; loading it has no effect on this process before cuInit.
        let library = unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW) };
        library.map(Self).map_err(|error| CudaProblem::NoDriver(loader_words(&error)))
    }

    /// Calls the driver function `name` through `call`, which is given its address as a function of type `F`.
    fn ask<F: Copy>(&self, name: &CStr, call: impl FnOnce(F) -> Status) -> Result<(), CudaProblem> {
        match call(self.function(name)?) {
            0 => Ok(()),
            status => Err(CudaProblem::of_status(&name.to_string_lossy(), status, self.words(status))),
        }
    }

    /// The driver function `name`, as a function of type `F`.
    pub(crate) fn function<F: Copy>(&self, name: &CStr) -> Result<F, CudaProblem> {
        // SAFETY: every caller names the type that cuda.h declares for the function.
        let function = unsafe { self.0.get::<F>(name.to_bytes_with_nul()) };
        function.map(|function| *function).map_err(|error| CudaProblem::NoDriver(loader_words(&error)))
    }

    /// The driver's own words for a status.
    pub(crate) fn words(&self, status: Status) -> Option<String> {
        type GetErrorString = unsafe extern "C" fn(Status, *mut *const c_char) -> Status;
        let mut words = std::ptr::null();
        // SAFETY: as declared in cuda.h; the pointer is valid for the call.
        let told = unsafe { self.function::<GetErrorString>(c"cuGetErrorString").ok()?(status, &mut words) };
        // SAFETY: on success the driver gives a text of its own, which ends in a zero and stays.
        (told == 0 && !words.is_null()).then(|| unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned())
    }

    fn version(&self) -> Result<c_int, CudaProblem> {
        let mut version = 0;
        // SAFETY: as declared in cuda.h; the pointer is valid for the call.
        self.ask(c"cuDriverGetVersion", |f: unsafe extern "C" fn(*mut c_int) -> Status| unsafe { f(&mut version) })?;
        Ok(version)
    }

    fn init(&self) -> Result<(), CudaProblem> {
        // SAFETY: as declared in cuda.h; 0 is the only allowed flag.
        self.ask(c"cuInit", |f: unsafe extern "C" fn(c_uint) -> Status| unsafe { f(0) })
    }

    fn count(&self) -> Result<c_int, CudaProblem> {
        let mut count = 0;
        // SAFETY: as declared in cuda.h; the pointer is valid for the call.
        self.ask(c"cuDeviceGetCount", |f: unsafe extern "C" fn(*mut c_int) -> Status| unsafe { f(&mut count) })?;
        Ok(count)
    }

    pub(crate) fn gpu(&self, ordinal: c_int) -> Result<GpuInfo, CudaProblem> {
        type Get = unsafe extern "C" fn(*mut c_int, c_int) -> Status;
        type GetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> Status;
        type TotalMem = unsafe extern "C" fn(*mut usize, c_int) -> Status;
        type GetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> Status;
        const MAJOR: c_int = 75; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
        const MINOR: c_int = 76;

        let (mut device, mut bytes, mut capability) = (0, 0, (0, 0));
        let mut name = [0 as c_char; 256];
        // SAFETY: as declared in cuda.h; every pointer is valid for its call, and the name's length is passed.
        unsafe {
            self.ask(c"cuDeviceGet", |f: Get| f(&mut device, ordinal))?;
            self.ask(c"cuDeviceGetName", |f: GetName| f(name.as_mut_ptr(), name.len() as c_int - 1, device))?;
            self.ask(c"cuDeviceTotalMem_v2", |f: TotalMem| f(&mut bytes, device))?;
            self.ask(c"cuDeviceGetAttribute", |f: GetAttribute| f(&mut capability.0, MAJOR, device))?;
            self.ask(c"cuDeviceGetAttribute", |f: GetAttribute| f(&mut capability.1, MINOR, device))?;
        }
        // SAFETY: the buffer is one longer than what the driver was told, so it ends in a zero.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        Ok(GpuInfo { name, memory_bytes: bytes as u64, capability })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_gpu_is_named_with_what_it_has_and_what_it_needs() {
        let gpu = |capability| GpuInfo { name: "Tesla V100".into(), memory_bytes: 0, capability };
        let problem = check_capability(&gpu((7, 0))).unwrap_err().to_string();
        assert!(problem.starts_with("the GPU is too old: Tesla V100 has compute capability 7.0, needed is 7.5"));
        assert_eq!(check_capability(&gpu((7, 5))), Ok(()));
        assert_eq!(check_capability(&gpu((10, 0))), Ok(()));
    }
}
