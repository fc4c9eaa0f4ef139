//! Threads: ours, over tiles of a batch, and libtorch's, inside one operation.
//!
//! The two do not mix: libtorch's threads go on spinning for a while after each operation and take the cores from ours. So
//! [`set`] gives libtorch one. Neither number changes a result of a fused scan.

mod alone;
mod parallel;

use std::sync::atomic::{AtomicUsize, Ordering};

pub use self::alone::each_alone;
pub use self::parallel::in_parallel;

/// 0: as many as there are cores. The one setting of the process that is ours, beside libtorch's own.
static KERNEL_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Fused scans on `threads` threads, libtorch's operations on one: for models that have kernels.
pub fn set(threads: usize) {
    KERNEL_THREADS.store(threads.max(1), Ordering::Relaxed);
    set_libtorch(1);
}

/// Sets how many threads libtorch uses inside one operation, for the calling thread: for models that consist of few large
/// operations.
pub fn set_libtorch(threads: usize) {
    // libtorch sets its default when it is first asked, and that would undo what was set before.
    tch::get_num_threads();
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// How many threads a fused scan uses at most: one where it is within [a piece of work that is alone](each_alone).
pub fn kernel_threads() -> usize {
    if alone::is_alone() {
        return 1;
    }
    match KERNEL_THREADS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_what_was_asked_for_on_a_fresh_thread_too() {
        std::thread::spawn(|| {
            set_libtorch(1);
            assert_eq!(tch::get_num_threads(), 1);
        })
        .join()
        .unwrap();
    }
}
