//! Large pieces of work side by side, each of which is done by one thread.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::set_libtorch;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread does a piece of work that is alone.
pub(super) fn is_alone() -> bool {
    ALONE.get()
}

/// The results of `work(0)` to `work(n - 1)`, in this order, of pieces of work as large as a fit: each is done by one of some threads of
/// its own, and libtorch and fused scans take no others within it. With one thread everything is done here, with as many threads within
/// as are set.
///
/// `seen` hears in this thread how many are done. After the first error nothing more is begun, and of those that were begun the first one
/// by number is the result.
pub fn each_alone<R: Send, E: Send>(
    n: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<R, E> + Sync,
    mut seen: impl FnMut(usize),
) -> Result<Vec<R>, E> {
    let threads = threads.min(n);
    if threads <= 1 {
        let one = |i: usize| work(i).inspect(|_| seen(i + 1));
        return (0..n).map(one).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (next, failed, work) = (&next, &failed, &work);
    let (tell, hear) = mpsc::channel();
    let worker = |tell: mpsc::Sender<(usize, Result<R, E>)>| {
        move || {
            ALONE.set(true);
            set_libtorch(1);
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= n || failed.load(Ordering::Relaxed) {
                    return;
                }
                let done = work(i);
                failed.fetch_or(done.is_err(), Ordering::Relaxed);
                if tell.send((i, done)).is_err() {
                    return;
                }
            }
        }
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker(tell.clone()))).collect();
        drop(tell);
        let mut all = Vec::with_capacity(n);
        for done in hear {
            all.push(done);
            seen(all.len());
        }
        for worker in workers {
            worker.join().unwrap_or_else(|payload| resume_unwind(payload));
        }
        all
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kernel_threads;
    use super::*;

    #[test]
    fn results_are_in_their_order_and_no_other_threads_are_taken() {
        for threads in [1, 3] {
            let mut counts = Vec::new();
            let found = each_alone(
                20,
                threads,
                |i| Ok::<_, ()>((i * i, threads == 1 || (kernel_threads(), tch::get_num_threads()) == (1, 1))),
                |done| counts.push(done),
            );
            let expected: Vec<(usize, bool)> = (0..20).map(|i| (i * i, true)).collect();
            assert_eq!(found.unwrap(), expected);
            assert_eq!(counts, (1..=20).collect::<Vec<_>>());
        }
        assert!(!is_alone());
    }

    /// The second of them fails, and of a thousand few are begun after it: those wait for its end, and then for longer than it can take
    /// to be known.
    #[test]
    fn an_error_ends_the_work() {
        for threads in [1, 2] {
            let (begun, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
            let work = |i: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                if i == 1 {
                    ended.store(true, Ordering::SeqCst);
                    return Err(i);
                }
                while i > 1 && !ended.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                thread::sleep(std::time::Duration::from_millis(10));
                Ok(())
            };
            assert_eq!(each_alone(1000, threads, work, |_| {}), Err(1));
            assert!(begun.load(Ordering::SeqCst) < 1000);
        }
    }

    #[test]
    fn a_panic_goes_on_in_the_thread_that_waits() {
        let caught = std::panic::catch_unwind(|| {
            each_alone(4, 2, |i| if i == 2 { panic!("the third") } else { Ok::<_, ()>(()) }, |_| {})
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"the third"));
    }
}
