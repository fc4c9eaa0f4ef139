//! Random files of samples, of spikes and of series, written by the test, which knows what is in them: whatever a reader makes of one, it does not
//! panic, counts nothing wrongly, accepts for a test what it accepts for training, and refuses what is broken.
//!
//! Cases are functions of their number. A short form has fixed ones; `BD_FUZZ_SECONDS=600 cargo test -p bd-train --test readers` goes on
//! with further ones for that long, a third of it for each of three kinds of files. Beside them stand files as other programs write them.

mod brought;
mod numpy;
mod samples;
mod series;
mod spikes;
mod tables;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use bd_core::Rng;

/// Draws for a case.
struct Draw(Rng);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        ((self.0.uniform() * n as f64) as usize).min(n - 1)
    }

    fn from(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn chance(&mut self, p: f64) -> bool {
        self.0.uniform() < p
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Tries `cases` cases, and further ones as long as the environment says.
fn try_all(name: &str, cases: u64, case: impl Fn(&Path, &mut Draw)) {
    let folder = tempfile::tempdir().unwrap();
    let seconds = std::env::var("BD_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let (began, long) = (Instant::now(), Duration::from_secs(seconds / 3));
    let mut number = 0;
    while number < cases || began.elapsed() < long {
        let mut draw = Draw(Rng::new(number, name));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(folder.path(), &mut draw))) {
            eprintln!("case {number} of {name}");
            std::panic::resume_unwind(panic);
        }
        number += 1;
    }
    println!("{number} cases of {name}");
}

/// With some bytes changed, or the end cut off.
fn damaged(mut content: Vec<u8>, draw: &mut Draw) -> Vec<u8> {
    if content.is_empty() {
        return content;
    }
    for _ in 0..draw.from(1, 4) {
        let at = draw.below(content.len());
        content[at] = draw.below(256) as u8;
    }
    if draw.chance(0.2) {
        content.truncate(draw.below(content.len()));
    }
    content
}

#[test]
fn files_of_samples_are_read_as_they_were_written_or_refused() {
    try_all("samples", 1500, samples::case);
}

#[test]
fn files_of_spikes_are_read_as_they_were_written_or_refused() {
    try_all("spikes", 500, spikes::case);
}

#[test]
fn files_of_series_are_read_as_they_were_written_or_refused() {
    try_all("series", 1500, series::case);
}
