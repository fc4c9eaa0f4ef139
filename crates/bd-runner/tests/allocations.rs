//! A step allocates nothing, whatever the model. A test of its own program, whose allocator counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bd_runner::Runner;
use serde_json::json;

mod common;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    let none = || json!({"name": "none"});
    let runs = [
        ("ngrc", common::ngrc()),
        ("esn", common::esn()),
        ("rnn", common::cells("rnn", 1, 2, 50, 3)),
        ("gru", common::cells("gru", 3, 2, 64, 3)),
        ("lstm", common::cells("lstm", 4, 5, 33, 1)),
        ("snn", common::spiking([100, 128, 10], "lif", none(), false)),
        ("recurrent snn", common::spiking([20, 40, 2], "lif", none(), true)),
        ("adex", common::spiking([20, 40, 2], "adex", none(), false)),
        ("hh", common::spiking([20, 7, 2], "hh", none(), true)),
        ("rate", common::spiking([5, 20, 2], "lif", json!({"name": "rate", "substeps": 3, "max_rate": 0.5}), false)),
    ];
    for (name, run) in runs {
        let folder = tempfile::tempdir().unwrap();
        run.write(folder.path());
        let mut runner = Runner::with_lanes(folder.path(), 2).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut x = vec![0.0f32; 2 * runner.inputs()];
        let mut wide = vec![0.0f64; x.len()];
        let mut sum = 0.0;
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for step in 0..1000 {
            let at = step % x.len();
            x[at] = 1.0 - x[at];
            wide[at] = f64::from(x[at]);
            sum += runner.step(&x).map_or(f32::NAN, |y| y[0]);
            if step % 10 == 0 {
                sum += runner.step_f64(&wide).map_or(f32::NAN, |y| y[0] as f32);
            }
            assert!(runner.step(&x[1..]).is_err());
        }
        runner.reset();
        let found = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(found, 0, "{name}: allocations in 1,000 steps");
        assert!(sum.is_finite() && sum != 0.0, "{name}: {sum}");
    }
}
