//! One error type for every crate that holds tensors, and the one place where libtorch's panics are turned into it.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

use crate::cuda::CudaProblem;

/// What can go wrong. Each message names what was wrong, where, and what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting whose value is not allowed.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// Its name, with dots where it is part of a whole, for example `ridge.alpha`.
        name: String,
        /// The value that was given.
        value: String,
        /// What is allowed, for example `a number above 0`.
        allowed: String,
    },

    /// Settings or calls that do not fit together, in words.
    #[error("{0}")]
    Config(String),

    /// A tensor whose shape does not fit what takes it.
    #[error("{what}: expected {expected}, got {found:?}")]
    Shape {
        /// The tensor, in words.
        what: String,
        /// The shape that fits, for example `[batch, time, 3]`.
        expected: String,
        /// The shape it has.
        found: Vec<i64>,
    },

    /// A tensor whose dtype or device is not that of what it meets.
    #[error("{what}: expected {expected}, got {found}")]
    DtypeOrDevice {
        /// The tensor, in words.
        what: String,
        /// What fits, for example `float32 on cpu`.
        expected: String,
        /// What it is.
        found: String,
    },

    /// Values that are infinite or not a number, before they could enter a result.
    #[error("{what} is not finite: {where_}")]
    NotFinite {
        /// The tensor, in words.
        what: String,
        /// Which of its values.
        where_: String,
    },

    /// Named tensors that do not fit the object they should be loaded into.
    #[error("{what} does not fit:\n  {}", differences.join("\n  "))]
    Mismatch {
        /// What was being loaded.
        what: String,
        /// One line a difference: names missing or unknown, shapes, dtypes.
        differences: Vec<String>,
    },

    /// A file that was read but is not what it should be.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },

    /// The operating system refused to read or write.
    #[error("cannot {action} {}: {source}", path.display())]
    Storage {
        /// A verb, for example `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },

    /// Another process is at work in a folder.
    #[error("{}: another process is at work in this folder ({owner}); wait for its end, or stop it", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, in words.
        owner: String,
    },

    /// CUDA was asked for and cannot be used.
    #[error(transparent)]
    Cuda(#[from] CudaProblem),

    /// Memory of the host or of the device ran out.
    #[error("out of memory: {0}")]
    OutOfMemory(String),

    /// NVRTC did not compile a text. Holds the first lines of its log.
    #[error("NVRTC: {0}")]
    Nvrtc(String),

    /// A kernel of ours did not run. Holds the driver's words.
    #[error("the GPU: {0}")]
    Gpu(String),

    /// Of the processes that train one model together, another one is gone, never came, or does something else.
    #[error("training by several processes: {0}")]
    ProcessGroup(String),

    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(String),
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Setting`].
    pub fn setting(name: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// An [`Error::Storage`]: `action` is a verb, as in "cannot create PATH".
    pub fn storage(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { action, path, source }
    }

    /// An [`Error::BadFile`].
    pub fn bad_file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.into(), reason: reason.into() }
    }

    fn from_torch_message(message: &str) -> Self {
        let message = first_sentence(message);
        let lower = message.to_lowercase();
        if ["out of memory", "not enough memory", "allocate memory", "bad_alloc", "alloc_failed"]
            .iter()
            .any(|words| lower.contains(words))
        {
            return Self::OutOfMemory(message);
        }
        Self::Torch(message)
    }
}

/// For conversions that may fail in general and here cannot.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        match error {
            tch::TchError::Torch(message) => Self::from_torch_message(&message),
            other => Self::Torch(first_sentence(&other.to_string())),
        }
    }
}

impl From<bd_kernel::Error> for Error {
    fn from(error: bd_kernel::Error) -> Self {
        match error {
            bd_kernel::Error::Setting { name, value, allowed } => Self::Setting { name, value, allowed },
            other => Self::Config(other.to_string()),
        }
    }
}

/// What begins a part of libtorch's messages that is of no use to a user: a C++ back trace, the list of all back ends that were
/// compiled, advice on how to link.
const NOISE: [&str; 4] = ["Exception raised from", "\nframe #", "This could be because", "PyTorch splits its backend"];

/// libtorch's messages carry the place of a C++ check and [`NOISE`]; this leaves the words between them.
fn first_sentence(message: &str) -> String {
    let words = NOISE.iter().fold(message, |words, noise| words.split(noise).next().unwrap_or_default());
    let words = words.strip_prefix("[enforce fail at").and_then(|rest| rest.split_once(". ")).map_or(words, |(_, w)| w);
    words.trim().to_owned()
}

/// Runs `f`, turning panics that come from libtorch through tch into errors; any other panic goes on.
///
/// tch's plain methods unwrap, so an operator that runs out of memory or is given shapes that disagree panics. Every
/// public entry that computes runs under this. The panic hook still sees the panic: a program that wants silence
/// sets a quiet hook, as the command line does.
pub fn catch_torch<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| Err(thrown(payload)))
}

/// The error that a panic carries. Any other panic goes on.
fn thrown(payload: Box<dyn Any + Send>) -> Error {
    match torch_panic(payload.as_ref()) {
        Some(error) => error,
        // What scans that do not return a `Result` are thrown by.
        None => *payload.downcast::<Error>().unwrap_or_else(|payload| panic::resume_unwind(payload)),
    }
}

/// The words of a panic, or of the error that was thrown by one.
pub fn panic_message(payload: &(dyn Any + Send)) -> Cow<'_, str> {
    if let Some(error) = payload.downcast_ref::<Error>() {
        return error.to_string().into();
    }
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").into()
}

/// Reads the message that `Result::<_, TchError>::unwrap` panics with: the error's `Debug` form.
fn torch_panic(payload: &(dyn Any + Send)) -> Option<Error> {
    let message = payload.downcast_ref::<String>()?;
    let (_, debug) = message.split_once("on an `Err` value: ")?;
    let (variant, rest) = debug.split_once("(\"")?;
    let text = rest.trim_end_matches("\")").replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'");
    match variant {
        "Torch" => Some(Error::from_torch_message(&text)),
        "Shape" | "Kind" | "Convert" | "UnknownKind" => Some(Error::Torch(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn a_panic_of_libtorch_becomes_its_first_sentence() {
        let a = Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu));
        let error = catch_torch(|| Ok(a.matmul(&a))).unwrap_err();
        assert_eq!(error.to_string(), "libtorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
    }

    #[test]
    fn running_out_of_memory_is_told_apart() {
        let error = catch_torch(|| Ok(Tensor::zeros([1 << 50], (Kind::Float, tch::Device::Cpu)))).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory(_)), "{error}");
        assert!(
            error
                .to_string()
                .ends_with("you tried to allocate 4503599627370496 bytes. Error code 12 (Cannot allocate memory)")
        );
    }

    #[test]
    #[should_panic(expected = "a bug of the user's own")]
    fn other_panics_go_on() {
        let _ = catch_torch::<()>(|| panic!("a bug of the user's own"));
    }
}
