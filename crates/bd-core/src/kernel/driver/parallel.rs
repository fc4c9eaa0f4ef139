//! Work on several threads, with results that do not depend on their number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// `work(0), work(1), ...`, in order, done by some threads, each with room of its own. Which thread does what is left to
/// chance and must not matter.
///
/// Threads are started for each call: that takes some 30 us, which a scan of a millisecond can spare, and leaves no thread
/// behind and nothing global.
pub(in crate::kernel) fn in_parallel<W, R: Send>(
    n: usize,
    threads: usize,
    room: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) -> R + Sync,
) -> Vec<R> {
    if threads <= 1 || n <= 1 {
        let mut room = room();
        return (0..n).map(|i| work(&mut room, i)).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let (mut room, mut done) = (room(), Vec::new());
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return done;
            }
            done.push((i, work(&mut room, i)));
        }
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(n)).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            all.extend(other.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
        }
        all
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, result)| result).collect()
}
