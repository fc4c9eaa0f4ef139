//! The numbers of a tensor in memory of the host: for small passes that would cost more in calls of libtorch than in arithmetic.

use bd_core::kernel::Element;
use tch::{Device, Kind, Tensor};

/// Calls `$with::<f32>` or `$with::<f64>` where all tensors are row by row on the host in this one dtype; else `None`.
macro_rules! on_host {
    ([$first:expr $(, $rest:expr)*], $with:ident($($argument:expr),* $(,)?)) => {
        match $crate::host::kind_of(&[$first $(, $rest)*]) {
            Some(tch::Kind::Float) => Some($with::<f32>($($argument),*)),
            Some(tch::Kind::Double) => Some($with::<f64>($($argument),*)),
            _ => None,
        }
    };
}
pub(crate) use on_host;

/// The dtype of tensors of the same size that are all row by row on the host, if it is one.
pub(crate) fn kind_of(tensors: &[&Tensor]) -> Option<Kind> {
    let (kind, count) = (tensors[0].kind(), tensors[0].numel());
    let fits = |t: &&Tensor| {
        t.device() == Device::Cpu && t.kind() == kind && t.numel() == count && t.is_contiguous() && count > 0
    };
    tensors.iter().all(fits).then_some(kind)
}

/// The numbers, row by row. A panic for another dtype or place: see [`on_host`].
pub(crate) fn numbers<T: Element>(tensor: &Tensor) -> &[T] {
    check::<T>(tensor);
    // SAFETY: checked: as many numbers of this type, in host memory that lives as long as the tensor. Those who write to a
    // tensor here do so through `numbers_mut`, whose caller sees to it that nobody reads.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// The numbers, row by row, to be written to. A panic for another dtype or place.
///
/// # Safety
///
/// Nobody else may look at this memory meanwhile: another tensor may share it.
#[allow(clippy::mut_from_ref)]
pub(crate) unsafe fn numbers_mut<T: Element>(tensor: &Tensor) -> &mut [T] {
    check::<T>(tensor);
    // SAFETY: as above, and alone there by the caller.
    unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) }
}

fn check<T: Element>(tensor: &Tensor) {
    assert!(kind_of(&[tensor]) == Some(T::KIND), "numbers of {:?} on the host were expected", T::KIND);
}
