//! [`Drawing`]: how far synapses are drawn, and whether they are still wanted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far synapses are drawn, told by the threads that draw, and whether they are still wanted, told to them.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    drawn: AtomicU64,
    stopped: AtomicBool,
}

impl Drawing {
    /// So many numbers more are drawn: whether to go on.
    pub(crate) fn go_on(&self, drawn: usize) -> bool {
        self.drawn.fetch_add(drawn as u64, Ordering::Relaxed);
        !self.is_stopped()
    }

    /// Numbers that are drawn.
    pub(crate) fn drawn(&self) -> u64 {
        self.drawn.load(Ordering::Relaxed)
    }

    /// Nobody wants them any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
