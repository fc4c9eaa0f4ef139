//! [`Rooms`]: memory that a kernel works in from stretch to stretch.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};

/// What a kernel needs beside its work, and would otherwise have to make anew for every stretch: one for each thread that is at
/// work, kept as long as the kernel.
#[derive(Default)]
pub struct Rooms(Mutex<Vec<Box<dyn Any + Send>>>);

impl Rooms {
    /// Lends one to `work`, as it was left, or a new one.
    pub fn with<T: Any + Send + Default, R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut room = free.and_then(|room| room.downcast::<T>().ok()).unwrap_or_default();
        let result = work(&mut room);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
        result
    }
}

impl Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rooms")
    }
}
