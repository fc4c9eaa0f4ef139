//! Numbers of kernels as elements of tensors.

use bd_kernel::{Numbers, Real};
use tch::{Device, Kind, Tensor};

use super::driver::memory::host;

/// What both kernels and tensors calculate with: `f32` or `f64`.
pub trait Element: Real + tch::kind::Element {}

impl<F: Real + tch::kind::Element> Element for F {}

/// A copy of a tensor's numbers in float32 or float64, row by row; `None` for another dtype.
pub fn numbers_of(tensor: &Tensor) -> Option<Numbers> {
    let flat = tensor.detach().flatten(0, -1);
    match tensor.kind() {
        Kind::Float => Vec::<f32>::try_from(flat).ok().map(|all| Numbers::copy_of(&all)),
        Kind::Double => Vec::<f64>::try_from(flat).ok().map(|all| Numbers::copy_of(&all)),
        _ => None,
    }
}

/// Calls `read` with the numbers of a tensor where they lie, row by row; `None` for another dtype, a GPU, or numbers in another order.
pub fn with_numbers<F: Element, R>(tensor: &Tensor, read: impl FnOnce(&[F]) -> R) -> Option<R> {
    let readable = tensor.kind() == F::KIND && tensor.device() == Device::Cpu && tensor.is_contiguous();
    readable.then(|| read(host(tensor)))
}
