//! Numbers of kernels as elements of tensors.

use bd_kernel::{Numbers, Real};
use tch::{Kind, Tensor};

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
