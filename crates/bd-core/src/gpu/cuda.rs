//! CUDA as a [`Backend`]: NVRTC, NVIDIA's driver, and libtorch's current stream.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Backend, Launch, Module};
use bd_kernel::Cache;
use tch::Kind;

use crate::cuda::Driver;
use crate::error::{Error, Result};
use crate::nvrtc::Nvrtc;

type Status = c_int;
type Handle = *mut c_void;

/// A GPU by its number.
#[derive(Debug)]
pub(super) struct Cuda {
    nvrtc: Nvrtc,
    /// As in `sm_90`.
    arch: String,
    /// All that a binary depends on beside its text.
    target: String,
    shared_bytes: usize,
    processors: usize,
    /// Compute capability.
    capability: (c_int, c_int),
    api: Api,
    /// Where compiled texts are kept.
    cache: Cache,
}

/// Functions of the driver for one device, in its primary context: that of libtorch.
#[derive(Debug, Clone)]
struct Api {
    driver: Arc<Driver>,
    index: usize,
    /// A `CUcontext`, which the driver owns and any thread may use.
    context: usize,
}

impl Cuda {
    pub(super) fn open(index: usize) -> Result<Self> {
        let driver = Driver::open()?;
        let gpu = driver.gpu(index as c_int)?;
        let nvrtc = Nvrtc::find()?;
        let api = Api::new(driver, index)?;
        let shared_bytes = api.attribute(SHARED_BYTES)? as usize;
        // One block finds room on each of them, whatever it is: kernels are compiled for the threads that they are started with.
        let processors = if api.attribute(BLOCKS_TOGETHER)? != 0 { api.attribute(PROCESSORS)? as usize } else { 1 };
        let capability = (gpu.capability.0 as c_int, gpu.capability.1 as c_int);
        let arch = format!("sm_{}{}", capability.0, capability.1);
        let target = format!("{arch} {}", nvrtc.identity()?);
        Ok(Self {
            nvrtc,
            arch,
            target,
            shared_bytes,
            processors,
            capability,
            api,
            cache: Cache::of_user("cuda", "cubin"),
        })
    }
}

impl Backend for Cuda {
    fn compile(&self, text: &str) -> Result<Box<dyn Module>> {
        let name = Cache::name(text, &self.target);
        let cubin = match self.cache.found(&name) {
            Some((_, cubin)) => cubin,
            None => {
                let made = self.nvrtc.compile(text, &self.arch)?;
                self.cache.keep(&name, &made);
                made
            }
        };
        Ok(Box::new(Loaded {
            api: self.api.clone(),
            module: self.api.load(&cubin)? as usize,
            functions: Mutex::default(),
        }))
    }

    fn shared_bytes(&self) -> usize {
        self.shared_bytes
    }

    fn products_a_cycle(&self, kind: Kind) -> usize {
        products_a_cycle(self.capability, kind)
    }

    fn processors(&self) -> usize {
        self.processors
    }
}

/// `CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN`.
const SHARED_BYTES: c_int = 97;
/// From the table of arithmetic throughput in NVIDIA's CUDA C++ Programming Guide. Only GPUs for data centres have many in float64.
fn products_a_cycle(capability: (c_int, c_int), kind: Kind) -> usize {
    match (kind, capability) {
        (Kind::Double, (8, 0)) => 32,
        (Kind::Double, (9, _) | (10, 0)) => 64,
        (Kind::Double, _) => 2,
        (_, (7, _) | (8, 0)) => 64,
        _ => 128,
    }
}

/// `CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT`.
const PROCESSORS: c_int = 16;
/// `CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH`: whether blocks may wait for each other.
const BLOCKS_TOGETHER: c_int = 95;
/// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const DYNAMIC_SHARED_BYTES: c_int = 8;
/// So much a kernel may share without asking for it.
const UNASKED_SHARED_BYTES: usize = 48 << 10;
/// `CUDA_ERROR_OUT_OF_MEMORY`.
const OUT_OF_MEMORY: Status = 2;

impl Api {
    fn new(driver: Driver, index: usize) -> Result<Self> {
        let mut api = Self { driver: Arc::new(driver), index, context: 0 };
        let mut context: Handle = ptr::null_mut();
        let device = api.device()?;
        // SAFETY: as declared in cuda.h. The context is kept for ever: libtorch uses it to the end.
        api.ask(c"cuDevicePrimaryCtxRetain", |f: unsafe extern "C" fn(*mut Handle, c_int) -> Status| unsafe {
            f(&mut context, device)
        })?;
        api.context = context as usize;
        Ok(api)
    }

    fn device(&self) -> Result<c_int> {
        let mut device = 0;
        // SAFETY: as declared in cuda.h; the pointer is valid for the call.
        self.ask(c"cuDeviceGet", |f: unsafe extern "C" fn(*mut c_int, c_int) -> Status| unsafe {
            f(&mut device, self.index as c_int)
        })?;
        Ok(device)
    }

    fn attribute(&self, attribute: c_int) -> Result<c_int> {
        let (mut value, device) = (0, self.device()?);
        // SAFETY: as declared in cuda.h; the pointer is valid for the call.
        self.ask(c"cuDeviceGetAttribute", |f: unsafe extern "C" fn(*mut c_int, c_int, c_int) -> Status| unsafe {
            f(&mut value, attribute, device)
        })?;
        Ok(value)
    }

    /// Makes the device's context that of this thread, as libtorch's first operation on a thread does.
    fn enter(&self) -> Result<()> {
        let mut current: Handle = ptr::null_mut();
        // SAFETY: as declared in cuda.h; the pointer is valid for the call, and the context is that of `new`.
        unsafe {
            self.ask(c"cuCtxGetCurrent", |f: unsafe extern "C" fn(*mut Handle) -> Status| f(&mut current))?;
            if current as usize != self.context {
                self.ask(c"cuCtxSetCurrent", |f: unsafe extern "C" fn(Handle) -> Status| f(self.context as Handle))?;
            }
        }
        Ok(())
    }

    fn load(&self, cubin: &[u8]) -> Result<Handle> {
        self.enter()?;
        let mut module = ptr::null_mut();
        // SAFETY: as declared in cuda.h; the image is a whole cubin, which says its own length.
        self.ask(c"cuModuleLoadData", |f: unsafe extern "C" fn(*mut Handle, *const c_void) -> Status| unsafe {
            f(&mut module, cubin.as_ptr().cast())
        })?;
        Ok(module)
    }

    fn function(&self, module: usize, kernel: &str) -> Result<Handle> {
        let name = CString::new(kernel).expect("kernels have names without zeros");
        let mut function = ptr::null_mut();
        type Get = unsafe extern "C" fn(*mut Handle, Handle, *const c_char) -> Status;
        // SAFETY: as declared in cuda.h; the module is loaded and is never unloaded.
        self.ask(c"cuModuleGetFunction", |f: Get| unsafe { f(&mut function, module as Handle, name.as_ptr()) })?;
        Ok(function)
    }

    fn allow_shared(&self, function: Handle, bytes: usize) -> Result<()> {
        // SAFETY: as declared in cuda.h.
        self.ask(c"cuFuncSetAttribute", |f: unsafe extern "C" fn(Handle, c_int, c_int) -> Status| unsafe {
            f(function, DYNAMIC_SHARED_BYTES, bytes as c_int)
        })
    }

    fn ask<F: Copy>(&self, name: &CStr, call: impl FnOnce(F) -> Status) -> Result<()> {
        match call(self.driver.function(name)?) {
            0 => Ok(()),
            OUT_OF_MEMORY => Err(Error::OutOfMemory(format!("cuda:{} has none left for kernels of ours", self.index))),
            status => {
                let (name, words) = (name.to_string_lossy(), self.driver.words(status));
                let words = words.unwrap_or_else(|| "an error that the driver has no words for".into());
                Err(Error::Gpu(format!("{name} failed on cuda:{}: {words} (error {status})", self.index)))
            }
        }
    }

    /// libtorch's current stream on this device, for this thread.
    fn stream(&self) -> Result<Handle> {
        let (mut stream, mut message) = (ptr::null_mut(), [0 as c_char; 512]);
        // SAFETY: the pointers are valid for the call; the message has the length that is passed, and ends in a zero.
        unsafe {
            match bd_current_stream(self.index as c_int, &mut stream, message.as_mut_ptr(), message.len()) {
                0 => Ok(stream),
                _ => Err(Error::Gpu(CStr::from_ptr(message.as_ptr()).to_string_lossy().into_owned())),
            }
        }
    }
}

unsafe extern "C" {
    fn bd_current_stream(index: c_int, stream: *mut Handle, error: *mut c_char, error_size: usize) -> c_int;
}

/// A text on the device. It stays there.
#[derive(Debug)]
struct Loaded {
    api: Api,
    module: usize,
    /// By name: the function, and the bytes that it may share.
    functions: Mutex<Vec<(String, usize, usize)>>,
}

impl Loaded {
    fn function(&self, kernel: &str, shared_bytes: usize) -> Result<Handle> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match functions.iter().position(|(name, ..)| name == kernel) {
            Some(at) => at,
            None => {
                let function = self.api.function(self.module, kernel)?;
                functions.push((kernel.to_owned(), function as usize, UNASKED_SHARED_BYTES));
                functions.len() - 1
            }
        };
        let (_, function, allowed) = &mut functions[at];
        if shared_bytes > *allowed {
            self.api.allow_shared(*function as Handle, shared_bytes)?;
            *allowed = shared_bytes;
        }
        Ok(*function as Handle)
    }
}

impl Module for Loaded {
    unsafe fn launch(&self, kernel: &str, shape: Launch, values: &[*const c_void]) -> Result<()> {
        type N = c_uint;
        type Values = *const *const c_void;
        type Start = unsafe extern "C" fn(Handle, N, N, N, N, N, N, N, Handle, Values, Values) -> Status;
        type StartTogether = unsafe extern "C" fn(Handle, N, N, N, N, N, N, N, Handle, Values) -> Status;
        self.api.enter()?;
        let (function, stream) = (self.function(kernel, shape.shared_bytes)?, self.api.stream()?);
        let blocks = N::try_from(shape.blocks).ok().filter(|blocks| *blocks <= i32::MAX as N);
        let blocks = blocks.ok_or_else(|| Error::Gpu(format!("{kernel} is too large: {} blocks", shape.blocks)))?;
        let (threads, shared, values) = (shape.threads as N, shape.shared_bytes as N, values.as_ptr());
        if shape.together {
            // SAFETY: as below. The driver refuses more blocks than can run at the same time.
            return self.api.ask(c"cuLaunchCooperativeKernel", |f: StartTogether| unsafe {
                f(function, blocks, 1, 1, threads, 1, 1, shared, stream, values)
            });
        }
        // SAFETY: as declared in cuda.h; the values are those that the kernel declares, by the word of the caller.
        self.api.ask(c"cuLaunchKernel", |f: Start| unsafe {
            f(function, blocks, 1, 1, threads, 1, 1, shared, stream, values, ptr::null())
        })
    }
}
