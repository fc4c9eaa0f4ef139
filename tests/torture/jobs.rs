//! The jobs that are killed, cut off and damaged: short, on files that are made here, with checkpoints every few updates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Desk, bd_that_hears_signals, ended, small_network};

/// A job, and how it is made to save often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// A rate network on a task, with a validation part.
    Rnn,
    /// A spiking network on samples of a file, in pieces of sequences.
    Snn,
    /// A ridge regression on a long series. It saves by time alone, or when it is asked to.
    Ngrc,
    /// A network of populations as text, on the same file.
    Network,
}

/// What is the same in a run that was cut off and in one that was not.
pub(crate) const RESULTS: [&str; 2] = ["model.safetensors", "predictions.npz"];

impl Job {
    /// Writes the files that it needs.
    pub(crate) fn prepare(self, desk: &Desk) {
        if matches!(self, Self::Snn | Self::Network) {
            let digits = ["--train", "64", "--test", "16", "--classes", "4", "--channels", "50"];
            let made = desk.bd(&[&["data", "digits", "--out", "digits.npz"], &digits[..]].concat());
            assert_eq!(made.code, 0, "{}", made.stderr);
        }
        if self == Self::Network {
            fs::write(desk.path("net.toml"), small_network()).unwrap();
        }
    }

    /// The arguments, with `times` times the updates of the shortest form.
    pub(crate) fn args(self, times: u32) -> Vec<String> {
        let words = match self {
            Self::Rnn => format!(
                "rnn --hidden 4 --batch 2 --set data.test_samples=4 --report-every 10 --updates {} --set checkpoint_every=3",
                40 * times
            ),
            Self::Snn => format!(
                "snn --data digits.npz --hidden 8 --batch 16 --truncate 40 --ensemble 1 --epochs {} --report-every 4 \
                 --set checkpoint_every=3 --set model.lif.trained.tau=false",
                2 * times
            ),
            Self::Ngrc => format!("ngrc --set data.system.duration={} --set ridge.chunk_rows=2000", 500 * times),
            Self::Network => format!(
                "snn --model net.toml --data digits.npz --batch 16 --epochs {} --report-every 4 --set checkpoint_every=3",
                2 * times
            ),
        };
        let common = "--quiet --threads 1 --out run";
        let keep = if self == Self::Ngrc { "" } else { "--set checkpoint_keep=2" };
        format!("train {words} {keep} {common}").split_whitespace().map(str::to_owned).collect()
    }

    /// Starts it in a folder.
    pub(crate) fn start(self, desk: &Desk, times: u32) -> Child {
        spawn(desk, &mut bd_that_hears_signals(), self.args(times))
    }

    /// A folder in which it ran to its end without a break, and how long that took.
    pub(crate) fn undisturbed(self, times: u32) -> (Desk, Duration) {
        let desk = Desk::new();
        self.prepare(&desk);
        let began = Instant::now();
        let said = ended(self.start(&desk, times).wait_with_output().unwrap());
        assert_eq!(said.code, 0, "{self:?}: {}", said.stderr);
        (desk, began.elapsed())
    }
}

/// Goes on with the run of a folder.
pub(crate) fn resume(desk: &Desk) -> Child {
    let args = ["train", "--quiet", "--resume", "run"].map(str::to_owned);
    spawn(desk, &mut bd_that_hears_signals(), args.into())
}

fn spawn(desk: &Desk, command: &mut Command, args: Vec<String>) -> Child {
    command.args(args).env_clear().current_dir(desk.path("")).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The checkpoints of a run, under their final names.
pub(crate) fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| is_step(path)).collect();
    found.sort();
    found
}

fn is_step(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("step-")
}

/// Losses of the lines of metrics.jsonl: what is in a line beside them are times.
fn losses(run: &Path) -> Vec<serde_json::Value> {
    let Ok(text) = fs::read_to_string(run.join("metrics.jsonl")) else { return Vec::new() };
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    text.lines().map(line).map(|line| serde_json::json!([line["split"], line["step"], line["loss"]])).collect()
}

/// Panics unless two run folders have the same results, byte for byte.
#[track_caller]
pub(crate) fn assert_same(found: &Path, whole: &Path, what: &str) {
    for name in RESULTS {
        let read = |run: &Path| fs::read(run.join(name)).unwrap_or_else(|error| panic!("{what}: {name}: {error}"));
        assert!(read(found) == read(whole), "{what}: {name} differs");
    }
    assert_eq!(losses(found), losses(whole), "{what}");
}
