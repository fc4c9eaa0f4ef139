//! [`Weights`]: the arrays of `model.safetensors`, each asked for by name and shape.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bd_kernel::{Numbers, Real};
use safetensors::{Dtype, SafeTensors};

use crate::{Error, Result};

/// All arrays of a file.
pub(crate) struct Weights {
    file: PathBuf,
    all: BTreeMap<String, Array>,
    /// Those that were asked for.
    used: RefCell<BTreeSet<String>>,
}

struct Array {
    shape: Vec<usize>,
    numbers: Numbers,
}

impl Weights {
    pub(crate) fn parse(file: &Path, content: &[u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(content).map_err(|error| Error::bad_file(file, error))?;
        let mut all = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            let numbers = match view.dtype() {
                Dtype::F32 => Numbers::copy_of(&numbers(view.data(), f32::from_le_bytes)),
                Dtype::F64 => Numbers::copy_of(&numbers(view.data(), f64::from_le_bytes)),
                other => return Err(Error::bad_file(file, format!("{name} is {other:?}; it must be F32 or F64"))),
            };
            all.insert(name, Array { shape: view.shape().to_vec(), numbers });
        }
        Ok(Self { file: file.to_path_buf(), all, used: RefCell::default() })
    }

    fn bad(&self, reason: String) -> Error {
        Error::bad_file(&self.file, reason)
    }

    /// Whether there is such an array.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// The shape of an array of two dimensions.
    pub(crate) fn matrix_shape(&self, name: &str) -> Result<[usize; 2]> {
        let array = self.all.get(name).ok_or_else(|| self.bad(format!("{name} is missing")))?;
        match array.shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            _ => {
                Err(self.bad(format!("{name} has the shape {:?}; it must be a matrix that is not empty", array.shape)))
            }
        }
    }

    /// The numbers of an array of this shape and dtype, row by row.
    pub(crate) fn of<F: Real>(&self, name: &str, shape: &[usize]) -> Result<Vec<F>> {
        let array = self.all.get(name).ok_or_else(|| self.bad(format!("{name} is missing")))?;
        if array.shape != shape {
            return Err(self.bad(format!("{name} has the shape {:?}; it must be {shape:?}", array.shape)));
        }
        let is_single = matches!(array.numbers, Numbers::Single(_));
        if is_single != (size_of::<F>() == size_of::<f32>()) {
            return Err(self.bad(format!("{name} has not the dtype of config.json")));
        }
        self.used.borrow_mut().insert(name.to_owned());
        Ok(F::numbers(&array.numbers).to_vec())
    }

    /// The same where it is there.
    pub(crate) fn find<F: Real>(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<F>>> {
        if self.has(name) { self.of(name, shape).map(Some) } else { Ok(None) }
    }

    /// Passes over an array that no step needs.
    pub(crate) fn ignore(&self, name: &str) {
        self.used.borrow_mut().insert(name.to_owned());
    }

    /// Refuses a file with arrays that nobody has asked for: the model is another one.
    pub(crate) fn check_all_used(&self) -> Result<()> {
        let used = self.used.borrow();
        match self.all.keys().find(|name| !used.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(self.bad(format!("{name} is unknown in a model of this configuration"))),
        }
    }
}

fn numbers<const N: usize, F>(bytes: &[u8], of: impl Fn([u8; N]) -> F) -> Vec<F> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect()
}
