//! [`Control`]: how a training is stopped, or made to save, from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle on a training from another thread, an observer or a signal. Clones are the same handle.
///
/// Both requests are heeded at the end of an update.
#[derive(Debug, Clone, Default)]
pub struct Control {
    stop: Arc<AtomicBool>,
    save: Arc<AtomicBool>,
}

impl Control {
    /// With flags that somebody else sets, such as handlers of signals.
    pub fn of_flags(stop: Arc<AtomicBool>, save: Arc<AtomicBool>) -> Self {
        Self { stop, save }
    }

    /// Ends the training, with a checkpoint where there are checkpoints: [`End::Stopped`](super::End::Stopped).
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Writes a checkpoint, and lets the training go on.
    pub fn save(&self) {
        self.save.store(true, Ordering::SeqCst);
    }

    /// Whether the training is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether a checkpoint was requested since the last call.
    pub(crate) fn take_save(&self) -> bool {
        self.save.swap(false, Ordering::SeqCst)
    }
}
