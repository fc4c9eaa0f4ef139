//! Work on several threads, with results that do not depend on their number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The results of `work(0)` to `work(n - 1)`, in this order, by some threads, each with a workspace of its own. Which thread does which
/// work is left to chance and must not matter.
///
/// The threads are rayon's, which wait for the next call: starting some for each cost an update of 2 ms a fifteenth of it. A
/// program that uses rayon itself shares them.
pub fn in_parallel<W, R: Send>(
    n: usize,
    threads: usize,
    workspace: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) -> R + Sync,
) -> Vec<R> {
    if threads <= 1 || n <= 1 {
        let mut workspace = workspace();
        return (0..n).map(|i| work(&mut workspace, i)).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        let mut i = next.fetch_add(1, Ordering::Relaxed);
        if i < n {
            let mut workspace = workspace();
            while i < n {
                done.push((i, work(&mut workspace, i)));
                i = next.fetch_add(1, Ordering::Relaxed);
            }
        }
        done
    };
    // In this thread, and in those of the pool that are free before everything is done.
    let done = Mutex::new(Vec::with_capacity(n));
    let add = |some: Vec<(usize, R)>| done.lock().unwrap_or_else(PoisonError::into_inner).extend(some);
    rayon::in_place_scope(|scope| {
        for _ in 1..threads.min(n) {
            scope.spawn(|_| add(take()));
        }
        add(take());
    });
    let mut all = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, result)| result).collect()
}
