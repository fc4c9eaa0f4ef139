//! [`Barrier`]: where threads meet.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A meeting of threads that comes every few microseconds: who arrives first looks again and again for a while, which takes less than
/// to be put to sleep and woken, and then lets others run.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

/// Looks before others are let run.
const LOOKS: u32 = 2000;

impl Barrier {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0) }
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
            return;
        }
        let mut looks = 0;
        while self.round.load(Ordering::Acquire) == round {
            looks += 1;
            match looks < LOOKS {
                true => std::hint::spin_loop(),
                false => std::thread::yield_now(),
            }
        }
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
