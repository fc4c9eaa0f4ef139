//! [`Figures`]: what a benchmark has measured, in a file for `scripts/bench --compare`. For benchmarks of all crates, through `#[path]`.

// Not every benchmark asks for all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use bd_kernel::Instructions;
use serde_json::{Value, json};

/// Figures of one run, written where `--json FILE` says so.
pub(crate) struct Figures {
    bench: &'static str,
    threads: usize,
    file: Option<PathBuf>,
    load: Option<f64>,
    figures: Vec<Value>,
}

/// Seconds of some rounds.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// The median of an even number of rounds is the upper one.
    pub(crate) fn of(seconds: &[f64]) -> Self {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { median: sorted[sorted.len() / 2], least: sorted[0], most: sorted[sorted.len() - 1] }
    }
}

impl Figures {
    /// None yet, of the benchmark of this name, on so many threads at most.
    pub(crate) fn new(bench: &'static str, threads: usize) -> Self {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--json");
        let file = arguments.next().map(|_| arguments.next().expect("--json is followed by the name of a file").into());
        Self { bench, threads, file, load: load(), figures: Vec::new() }
    }

    /// The seconds of the rounds of one case, and their spread.
    pub(crate) fn add(&mut self, name: &str, seconds: &[f64]) -> Spread {
        let spread = Spread::of(seconds);
        self.figures.push(json!({
            "name": name,
            "rounds": seconds.len(),
            "median_s": spread.median,
            "least_s": spread.least,
            "most_s": spread.most,
        }));
        spread
    }

    /// Writes the file, if there is to be one.
    pub(crate) fn write(self) {
        let Some(file) = &self.file else { return };
        match self.write_to(file) {
            Ok(()) => println!("written to {}", file.display()),
            Err(error) => {
                eprintln!("{} cannot be written: {error}", file.display());
                std::process::exit(1);
            }
        }
    }

    fn write_to(&self, file: &Path) -> io::Result<()> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let report = json!({
            "bench": self.bench,
            "git": output("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
            "machine": {
                "cpu": cpu.map(|(_, name)| name),
                "cores": std::thread::available_parallelism().ok().map(usize::from),
                "threads": self.threads,
                "instructions": format!("{:?}", Instructions::best()),
                "load_at_start": self.load,
            },
            "figures": self.figures,
        });
        let made = PathBuf::from(format!("{}.{}", file.display(), std::process::id()));
        fs::write(&made, format!("{report:#}\n"))?;
        fs::rename(&made, file)
    }
}

/// Programs that waited for a processor in the last minute.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The line that a program says, if it can be run.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let said = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
