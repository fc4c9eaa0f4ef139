//! [`DeviceSpec`]: a device as a user names it, and the one function that turns it into a device.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
pub use tch::Device;
use tch::Tensor;

use crate::cuda::{self, CudaProblem};
use crate::determinism;
use crate::error::{Error, Result};

/// A device as a user names it: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = "^(auto|cpu|cuda(:[0-9]+)?)$")))]
#[serde(try_from = "String", into = "String")]
pub enum DeviceSpec {
    /// The first GPU that can be used, else the CPU.
    Auto,
    /// The CPU.
    #[default]
    Cpu,
    /// A GPU, and nothing else: where it cannot be used, that is an error.
    Cuda(usize),
}

impl DeviceSpec {
    /// The device, with libtorch's CUDA back end opened if it is a GPU. There is no silent fallback: only
    /// [`Auto`](Self::Auto) may end on the CPU, and [`choose`](Self::choose) says why it did.
    ///
    /// Call this before anything else asks libtorch about CUDA, and before the first backward pass: libtorch never asks twice, and makes the
    /// threads of its graph for the devices that there are then.
    pub fn resolve(self) -> Result<Device> {
        Ok(self.choose()?.0)
    }

    /// [`resolve`](Self::resolve), and where [`Auto`](Self::Auto) has ended on the CPU, why. In a process that [computes in one
    /// way](determinism) that is the CPU, and a GPU is refused.
    pub fn choose(self) -> Result<(Device, Option<CudaProblem>)> {
        match self {
            Self::Cpu => Ok((Device::Cpu, None)),
            Self::Auto if determinism::is_held() => Ok((Device::Cpu, None)),
            Self::Cuda(_) if determinism::is_held() => Err(determinism::of_a_gpu(&self.to_string())),
            Self::Cuda(index) => {
                cuda::open_backend(index)?;
                Ok((Device::Cuda(index), None))
            }
            Self::Auto => Ok(match cuda::open_backend(0) {
                Ok(()) => (Device::Cuda(0), None),
                Err(problem) => (Device::Cpu, Some(problem)),
            }),
        }
    }
}

impl FromStr for DeviceSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(|index| index.parse().ok()).map(Self::Cuda).ok_or_else(|| {
                Error::Config(format!("unknown device '{text}'; a device is auto, cpu, cuda or cuda:N (N = 0, 1, ...)"))
            }),
        }
    }
}

impl TryFrom<String> for DeviceSpec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DeviceSpec> for String {
    fn from(spec: DeviceSpec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// The name of a resolved device, as [`DeviceSpec`] reads it.
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What is larger is moved by way of ordinary memory: libtorch keeps memory that a device reads for ever, and what is that large is
/// moved once and not in every update.
const PINNED_BYTES: usize = 64 << 20;

/// A tensor of the host on a device, moved without waiting for what the device has still to do if it is below 64 MiB: by way of
/// memory that the device reads itself, which libtorch keeps until it has. What is on the device already is handed back.
pub fn move_to(tensor: &Tensor, device: Device) -> Result<Tensor> {
    let bytes = tensor.numel() * tensor.kind().elt_size_in_bytes();
    if tensor.device() != Device::Cpu || !device.is_cuda() || bytes == 0 || bytes > PINNED_BYTES {
        return Ok(tensor.f_to_device(device)?);
    }
    // From any other memory a copy waits for all that was told to the device before it. `pin_memory` would warn of its argument.
    let pinned = tensor.f_internal_pin_memory(device)?;
    Ok(pinned.f_to_device_(device, tensor.kind(), true, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        for (text, spec) in [("auto", DeviceSpec::Auto), ("cpu", DeviceSpec::Cpu), ("cuda:2", DeviceSpec::Cuda(2))] {
            assert_eq!(text.parse::<DeviceSpec>().unwrap(), spec);
            assert_eq!(spec.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceSpec>().unwrap(), DeviceSpec::Cuda(0));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            let error = text.parse::<DeviceSpec>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("cuda:N"), "{error}");
        }
    }
}
