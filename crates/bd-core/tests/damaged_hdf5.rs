//! Files of HDF5 that are cut off or changed: what is read is an array or an error in words, nothing panics, and memory has a limit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bd_core::{Arrays, Rng};

/// The system's allocator, which counts what is in use.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's; counting changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One at a time, so that what is counted is of one file.
static ALONE: Mutex<()> = Mutex::new(());

const FIXTURES: [&str; 6] = ["plain.h5", "latest.h5", "digits.h5", "digits_f8.h5", "recording.nwb", "matlab.mat"];

/// Reads everything that a file holds. Counts errors.
fn read_all(path: &Path) -> usize {
    let arrays = match Arrays::read(path) {
        Ok(arrays) => arrays,
        Err(error) => {
            assert!(error.to_string().len() > path.to_string_lossy().len() + 10, "{error}");
            return usize::MAX;
        }
    };
    let names: Vec<String> = arrays.names().map(str::to_owned).collect();
    let mut errors = 0;
    for name in &names {
        if arrays.text(name).is_none() {
            errors += usize::from(arrays.get(name).is_err());
        }
        errors += usize::from(arrays.clock(name).is_some_and(|clock| clock.is_err()));
    }
    assert!(!arrays.describe().is_empty());
    errors
}

/// What may be read of a file of `length` bytes, twice for copies, and what libraries keep.
fn limit(length: usize) -> usize {
    2 * (16 << 20).max(1032 * length) + (8 << 20)
}

/// Reads what changes make of a fixture: how many led to more errors than `usual`, and what most memory one took.
fn try_all(name: &str, usual: usize, changes: impl Iterator<Item = Vec<u8>>) -> (usize, usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let (mut refused, mut most) = (0, 0);
    for content in changes {
        std::fs::write(&path, &content).unwrap();
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        refused += usize::from(read_all(&path) > usual);
        let taken = MOST.load(Ordering::Relaxed).saturating_sub(before);
        assert!(taken < limit(content.len()), "{name}: {taken} bytes for a file of {}", content.len());
        most = most.max(taken);
    }
    (refused, most)
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/hdf5"))
}

/// The beginnings of a file, of each length in steps.
fn cut(content: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..content.len()).step_by(step).map(|length| content[..length].to_vec())
}

/// Files of which up to eight bytes are others: in places drawn, bits turned or set to extremes.
fn changed(content: &[u8], count: usize, name: &str) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Rng::new(7, name);
    (0..count).map(move |_| {
        let mut content = content.to_vec();
        let mut below = |n: usize| ((rng.uniform() * n as f64) as usize).min(n - 1);
        for _ in 0..1 + below(8) {
            // Half of the places are where files say what follows.
            let among = if below(2) == 0 { content.len() } else { content.len().min(4096) };
            let at = below(among);
            content[at] = match below(4) {
                0 => 0,
                1 => 0xff,
                2 => content[at] ^ (1 << below(8)),
                _ => below(256) as u8,
            };
        }
        content
    })
}

fn try_fixtures(step: usize, count: usize) {
    for name in FIXTURES {
        let content = std::fs::read(folder().join(name)).unwrap();
        // Some arrays of a fixture are there to be refused.
        let usual = read_all(&folder().join(name));
        assert!(usual < 20, "{name}: {usual}");
        let (cuts, most) = try_all(name, usual, cut(&content, step));
        assert_eq!(cuts, content.len().div_ceil(step), "{name}: what is cut off is refused");
        println!("{name}: {cuts} of {} beginnings refused, at most {most} bytes", content.len().div_ceil(step));
        let (refused, most) = try_all(name, usual, changed(&content, count, name));
        println!("{name}: {refused} of {count} changes refused, at most {most} bytes");
    }
}

#[test]
fn damaged_files_are_read_or_refused() {
    try_fixtures(1009, 60);
}

/// Minutes: every beginning of every fixture, and 1,000 changes of each.
#[test]
#[ignore = "takes minutes"]
fn damaged_files_are_read_or_refused_at_every_byte() {
    try_fixtures(1, 1000);
}
