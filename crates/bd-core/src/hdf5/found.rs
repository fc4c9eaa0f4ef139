//! [`Found`]: an array of a file that is read when somebody asks for it.

use std::fmt;

use hdf5_reader::Datatype;

use super::file::{Entry, Hdf5};
use super::read::{self, shape_of};
use crate::stored::Read;

/// An array by its name.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) later: Later,
}

/// How an array is read, and what is known of it before.
pub(crate) struct Later {
    /// Its dimensions, where they are known.
    pub(crate) shape: Option<Vec<i64>>,
    pub(crate) is_text: bool,
    pub(crate) read: Box<dyn Fn() -> Read>,
    /// Of a series its times.
    pub(crate) clock: Option<Box<dyn Fn() -> Result<Clock, String>>>,
}

/// The times of the points of a series, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Clock {
    /// The first point, and how far points are apart.
    Even {
        /// Seconds.
        start_s: f64,
        /// Seconds between two points.
        dt_s: f64,
    },
    /// One for each point.
    Times(Vec<f64>),
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later").field("shape", &self.shape).field("is_text", &self.is_text).finish_non_exhaustive()
    }
}

impl Found {
    /// A dataset as it is. What is wrong with it begins with its path.
    pub(super) fn dataset(file: &Hdf5, entry: &Entry) -> Self {
        let (file, path) = (file.clone(), entry.path.clone());
        let later = match entry.dataset.clone() {
            Err(reason) => Later::refused(reason),
            Ok(dataset) => Later {
                shape: shape_of(&dataset).ok(),
                is_text: matches!(dataset.dtype(), Datatype::String { .. }) || read::is_text(dataset.dtype()),
                read: Box::new(move || read::member(&file, &dataset).map_err(|reason| format!("{path}: {reason}"))),
                clock: None,
            },
        };
        Self { name: entry.path.clone(), later }
    }

    pub(super) fn new(name: impl Into<String>, shape: Option<Vec<i64>>, read: impl Fn() -> Read + 'static) -> Self {
        let name = name.into();
        let called = name.clone();
        let read = move || read().map_err(|reason| format!("{called}: {reason}"));
        Self { name, later: Later { shape, is_text: false, read: Box::new(read), clock: None } }
    }

    /// One that is of no use, and why.
    pub(super) fn refused(name: impl Into<String>, reason: String) -> Self {
        Self { name: name.into(), later: Later::refused(reason) }
    }
}

impl Later {
    fn refused(reason: String) -> Self {
        Self { shape: None, is_text: false, read: Box::new(move || Err(reason.clone())), clock: None }
    }
}
