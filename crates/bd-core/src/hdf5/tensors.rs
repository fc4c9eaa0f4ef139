//! What is computed of arrays: in float64, and refused in words.

use tch::{Kind, Tensor};

use super::file::Hdf5;
use super::read;
use crate::error::catch_torch;
use crate::stored::Member;

/// A dataset by its path, as an array of numbers.
pub(super) fn numbers(file: &Hdf5, path: &str) -> Result<Tensor, String> {
    let Some(dataset) = file.dataset(path) else { return Err(format!("there is no dataset {path} that can be read")) };
    match read::member(file, dataset) {
        Ok(Member::Numbers(tensor)) => Ok(tensor),
        Ok(Member::Text(_)) => Err(format!("{path} is text, and no numbers")),
        Err(reason) => Err(format!("{path}: {reason}")),
    }
}

/// A dataset `[n]` of numbers.
pub(super) fn floats(file: &Hdf5, path: &str) -> Result<Vec<f64>, String> {
    let tensor = numbers(file, path)?;
    if tensor.dim() != 1 {
        return Err(format!("{path} is {:?}; it must be a list", tensor.size()));
    }
    file.take(8 * tensor.numel() as u64)?;
    told(|| Ok(Vec::<f64>::try_from(tensor.to_kind(Kind::Double))?))
}

/// Runs what computes with tensors.
pub(super) fn told<T>(f: impl FnOnce() -> crate::error::Result<T>) -> Result<T, String> {
    catch_torch(f).map_err(|error| error.to_string())
}
