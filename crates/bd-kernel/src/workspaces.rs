//! [`Workspaces`]: memory that a kernel works in from stretch to stretch.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};

/// Memory of a kernel beside its `work`, which would otherwise be allocated for every stretch: one workspace for each thread that
/// runs the kernel, kept as long as the kernel.
#[derive(Default)]
pub struct Workspaces(Mutex<Vec<Box<dyn Any + Send>>>);

impl Workspaces {
    /// Calls `work` with a free workspace, as it was left, or a new one.
    pub fn with<T: Any + Send + Default, R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = free.and_then(|workspace| workspace.downcast::<T>().ok()).unwrap_or_default();
        let result = work(&mut workspace);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        result
    }
}

impl Debug for Workspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workspaces")
    }
}
