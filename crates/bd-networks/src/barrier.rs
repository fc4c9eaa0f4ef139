//! [`Barrier`]: where threads meet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// A meeting of threads that comes every few microseconds. Who arrives first looks again and again for a while, which takes less than
/// to be put to sleep and woken; then it sleeps, so that on a busy machine the other can run.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// How many sleep.
    sleeping: Mutex<usize>,
    woken: Condvar,
}

/// Looks before a thread sleeps: some 20 microseconds.
const LOOKS: u32 = 1000;

impl Barrier {
    pub(crate) fn new(threads: usize) -> Self {
        let (sleeping, woken) = (Mutex::new(0), Condvar::new());
        Self { threads, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0), sleeping, woken }
    }

    /// Returns when all threads have called it.
    pub(crate) fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            // Who decides to sleep from now on sees the new round, for that is done under the same lock.
            if *self.sleeping.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
                self.woken.notify_all();
            }
            return;
        }
        let here = || self.round.load(Ordering::Acquire) == round;
        for _ in 0..LOOKS {
            if !here() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        *sleeping += 1;
        while here() {
            sleeping = self.woken.wait(sleeping).unwrap_or_else(PoisonError::into_inner);
        }
        *sleeping -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody begins a round before all have ended the one before.
    #[test]
    fn threads_meet_in_every_round() {
        const THREADS: usize = 5;
        let (barrier, passed) = (Barrier::new(THREADS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for round in 0..200 {
                        assert!(passed.load(Ordering::SeqCst) >= round * THREADS);
                        passed.fetch_add(1, Ordering::SeqCst);
                        barrier.wait();
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 200 * THREADS);
    }
}
