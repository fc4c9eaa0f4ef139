//! [`Gpu`]: what runs kernels of our own, written in CUDA C, on tensors of a device.
//!
//! A text is compiled once and kept under a name that says all that it was made of. Launches are on libtorch's current
//! stream, so that they come in order with libtorch's own operations, and nobody waits for them.

mod cuda;

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use bd_kernel::LEAVES;
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// Compiles texts, and runs what comes out.
pub trait Backend: Debug + Send + Sync {
    /// All kernels of a text.
    fn compile(&self, text: &str) -> Result<Box<dyn Module>>;

    /// Bytes of memory that the threads of a block may share.
    fn shared_bytes(&self) -> usize;

    /// Products that one of the processors makes and adds in a cycle, of numbers of this dtype.
    fn products_a_cycle(&self, kind: Kind) -> usize;

    /// So many blocks run at the same time, [together](Launch::together) if that is asked for; 1 where blocks may not wait for each
    /// other.
    fn processors(&self) -> usize;
}

/// The kernels of one text.
pub trait Module: Debug + Send + Sync {
    /// Starts one of them.
    ///
    /// # Safety
    ///
    /// `values` point to values of the types that the kernel declares for its parameters, in order; addresses among these are of
    /// memory that is as large as the kernel takes for granted.
    unsafe fn launch(&self, kernel: &str, shape: Launch, values: &[*const c_void]) -> Result<()>;
}

/// How many threads run a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// Blocks of threads.
    pub blocks: usize,
    /// Threads of a block, 1024 at most.
    pub threads: usize,
    /// Bytes that the threads of a block share, beyond what the text declares.
    pub shared_bytes: usize,
    /// Whether blocks wait for each other, so that all of them have to run at the same time: no more than
    /// [`Gpu::processors`].
    pub together: bool,
}

impl Launch {
    /// One thread for each of so many things; the kernel leaves out those beyond.
    pub fn each(count: usize) -> Self {
        // Few things are spread over as many processors as there are: each then has less to wait for.
        const FEW: usize = 1 << 14;
        let threads = if count <= FEW { 32 } else { 128 };
        Self { blocks: count.div_ceil(threads), threads, shared_bytes: 0, together: false }
    }
}

/// The value of a parameter.
#[derive(Debug, Clone)]
pub enum Value {
    /// `long long`.
    Count(i64),
    /// `real *` or `const real *`, null if there is no tensor; or of other numbers.
    Address(usize),
    /// `Leaves`.
    Leaves([usize; LEAVES]),
    /// A structure of so many addresses or counts.
    Table(Vec<usize>),
    /// A structure of so many `double`.
    Numbers(Vec<f64>),
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(count as i64)
    }
}

impl From<&Tensor> for Value {
    fn from(tensor: &Tensor) -> Self {
        Self::Address(address(tensor))
    }
}

impl From<Option<&Tensor>> for Value {
    fn from(tensor: Option<&Tensor>) -> Self {
        Self::Address(tensor.map_or(0, address))
    }
}

impl Value {
    /// Several addresses.
    pub fn leaves<'a>(tensors: impl IntoIterator<Item = Option<&'a Tensor>>) -> Self {
        let mut at = [0; LEAVES];
        for (i, tensor) in tensors.into_iter().enumerate() {
            assert!(i < LEAVES, "a kernel takes {LEAVES} leaves at most");
            at[i] = tensor.map_or(0, address);
        }
        Self::Leaves(at)
    }

    /// An address of each tensor, null where there is none.
    pub fn table<'a>(tensors: impl IntoIterator<Item = Option<&'a Tensor>>) -> Self {
        Self::Table(tensors.into_iter().map(|tensor| tensor.map_or(0, address)).collect())
    }

    fn pointer(&self) -> *const c_void {
        match self {
            Self::Count(count) => (&raw const *count).cast(),
            Self::Address(address) => (&raw const *address).cast(),
            Self::Leaves(all) => all.as_ptr().cast(),
            Self::Table(all) => all.as_ptr().cast(),
            Self::Numbers(all) => all.as_ptr().cast(),
        }
    }
}

fn address(tensor: &Tensor) -> usize {
    assert!(tensor.is_contiguous(), "a kernel takes numbers one after the other");
    tensor.data_ptr() as usize
}

/// A compiled text.
#[derive(Debug)]
pub struct Program(Box<dyn Module>);

impl Program {
    /// Starts a kernel. Nobody waits for it: what it reads must not be freed by anything but libtorch, which takes memory back in
    /// the order of the stream.
    ///
    /// # Safety
    ///
    /// As [`Module::launch`]: the values are those that the text declares, and memory is as large as it takes for granted.
    pub unsafe fn launch(&self, kernel: &str, shape: Launch, values: &[Value]) -> Result<()> {
        if shape.blocks == 0 {
            return Ok(());
        }
        let pointers: Vec<*const c_void> = values.iter().map(Value::pointer).collect();
        // SAFETY: the pointers are to values that live through the call; the rest is the caller's word.
        unsafe { self.0.launch(kernel, shape, &pointers) }
    }
}

/// A GPU, or what stands in for one in tests.
#[derive(Debug)]
pub struct Gpu {
    backend: Box<dyn Backend>,
    programs: Mutex<HashMap<String, Arc<Program>>>,
}

impl Gpu {
    /// One that works through `backend`.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Box::new(backend), programs: Mutex::default() }
    }

    /// That of a device which [`DeviceSpec::resolve`](crate::DeviceSpec::resolve) gave; nothing for the CPU.
    ///
    /// It is made once for each device and then kept, with all that was compiled: no result depends on that.
    pub fn of(device: Device) -> Result<Option<Arc<Self>>> {
        static ALL: OnceLock<Mutex<HashMap<usize, Arc<Gpu>>>> = OnceLock::new();
        let Device::Cuda(index) = device else { return Ok(None) };
        let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gpu) = all.get(&index) {
            return Ok(Some(Arc::clone(gpu)));
        }
        let gpu = Arc::new(Self::new(cuda::Cuda::open(index)?));
        all.insert(index, Arc::clone(&gpu));
        Ok(Some(gpu))
    }

    /// The program called `name`, compiled from what `text` gives if it is not there yet. The name says everything that the text
    /// depends on.
    pub fn program(&self, name: &str, text: impl FnOnce() -> Result<String>) -> Result<Arc<Program>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(name) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(Program(self.backend.compile(&text()?)?));
        programs.insert(name.to_owned(), Arc::clone(&program));
        Ok(program)
    }

    /// Bytes of memory that the threads of a block may share.
    pub fn shared_bytes(&self) -> usize {
        self.backend.shared_bytes()
    }

    /// Products that a processor makes and adds in a cycle.
    pub fn products_a_cycle(&self, kind: Kind) -> usize {
        self.backend.products_a_cycle(kind)
    }

    /// So many blocks can run [together](Launch::together).
    pub fn processors(&self) -> usize {
        self.backend.processors()
    }
}

/// What `real` is in a text for tensors of this dtype. Only [`Kind::Float`] and [`Kind::Double`] have one.
pub fn real(kind: Kind) -> Result<&'static str> {
    match kind {
        Kind::Float => Ok("float"),
        Kind::Double => Ok("double"),
        other => Err(Error::Config(format!("kernels for GPUs calculate in float32 or float64, not {other:?}"))),
    }
}
