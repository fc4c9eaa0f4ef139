//! [`check_finite`]: numbers that are infinite or not a number are refused where data come in.
//!
//! A neuron whose potential is not a number never spikes, and what follows it looks sound.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// Refuses a tensor with a value that is infinite or not a number, with the place of the first. Integers have none.
///
/// On the host it costs one pass over memory; for a tensor on a device it waits for the device.
pub fn check_finite(what: &str, tensor: &Tensor) -> Result<()> {
    if is_finite(tensor)? {
        return Ok(());
    }
    let wrong = tensor.f_isfinite()?.f_logical_not()?.f_nonzero()?.f_get(0)?.f_to_device(Device::Cpu)?;
    let at = Vec::<i64>::try_from(wrong)?;
    let where_ = format!("{} at {at:?}, counted from 0", tensor.f_double_value(&at)?);
    Err(Error::NotFinite { what: what.into(), where_ })
}

fn is_finite(tensor: &Tensor) -> Result<bool> {
    if !tensor.is_floating_point() {
        return Ok(true);
    }
    if tensor.device() == Device::Cpu && tensor.is_contiguous() {
        match tensor.kind() {
            // SAFETY: contiguous float32 numbers in host memory, alive as long as the tensor.
            Kind::Float => return Ok(all_finite(unsafe { numbers::<u32>(tensor) }, f32::INFINITY.to_bits())),
            // SAFETY: likewise of float64.
            Kind::Double => return Ok(all_finite(unsafe { numbers::<u64>(tensor) }, f64::INFINITY.to_bits())),
            _ => {}
        }
    }
    Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1)
}

/// The numbers as words of their size.
///
/// # Safety
///
/// The tensor is contiguous, in host memory, and its numbers have the size of `T`.
unsafe fn numbers<T>(tensor: &Tensor) -> &[T] {
    if tensor.numel() == 0 {
        return &[];
    }
    // SAFETY: by the caller; memory of libtorch is aligned for its numbers, and any bits are a `u32` or `u64`.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
}

/// Whether no exponent has all its bits set, which `exponent` has. A loop without branches for each block, so that it is
/// compiled for vectors.
fn all_finite<T>(bits: &[T], exponent: T) -> bool
where
    T: Copy + PartialEq + std::ops::BitAnd<Output = T>,
{
    bits.chunks(1024).all(|block| !block.iter().fold(false, |found, bits| found | (*bits & exponent == exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_named() {
        for kind in [Kind::Float, Kind::Double, Kind::Half] {
            let x = Tensor::arange(3 * 2000, (Kind::Int64, Device::Cpu)).to_kind(kind).reshape([3, 2000]) * 0.01;
            check_finite("inputs", &x).unwrap();
            for (wrong, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
                let x = x.copy();
                let _ = x.get(1).get(1999).fill_(wrong);
                for (x, at) in [(x.shallow_clone(), "[1, 1999]"), (x.tr(), "[1999, 1]")] {
                    let error = check_finite("inputs", &x).unwrap_err().to_string();
                    assert_eq!(error, format!("inputs is not finite: {shown} at {at}, counted from 0"));
                }
            }
        }
        check_finite("labels", &Tensor::from_slice(&[1i64, i64::MAX])).unwrap();
        check_finite("nothing", &Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))).unwrap();
        let largest = Tensor::from_slice(&[f32::MAX, -f32::MAX, f32::MIN_POSITIVE]);
        check_finite("the largest", &largest).unwrap();
    }
}
