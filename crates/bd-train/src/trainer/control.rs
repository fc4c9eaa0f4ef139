//! [`Control`]: how a training is stopped, or made to save, from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A handle on a training from another thread, an observer or a signal. Clones are the same handle.
///
/// Both requests are heeded at the end of an update.
#[derive(Debug, Clone, Default)]
pub struct Control {
    stop: Arc<AtomicBool>,
    save: Arc<AtomicBool>,
    pub(super) deadline: Option<Instant>,
}

impl Control {
    /// With flags that somebody else sets, such as handlers of signals.
    pub fn of_flags(stop: Arc<AtomicBool>, save: Arc<AtomicBool>) -> Self {
        Self { stop, save, deadline: None }
    }

    /// The same handle, for trainings that [end](super::End::Time) at this time: after the update that passes it the model is judged by
    /// the validation part, and the parameters are the best so far. How many updates that allows is not reproducible.
    ///
    /// A training that goes on after that is, with early stopping, not bit for bit the one that had the time: the judgement in the middle
    /// of an epoch counts for the best parameters and for patience. Without early stopping there is no judgement, and it is.
    pub fn ending_at(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The same handle for the first of `parts` trainings that follow each other, which share what is left of the time equally.
    pub fn first_of(&self, parts: usize) -> Self {
        let now = Instant::now();
        let share = |deadline: Instant| {
            now + deadline.saturating_duration_since(now) / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
        };
        Self { deadline: self.deadline.map(share), ..self.clone() }
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
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
