//! [`Running`]: the process of a trial.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use bd_core::{Error, Result};

use super::spec::{SweepSpec, SweepTrial};
use super::state::{SweepFolder, TrialFailure, Work};
use crate::child::{end_with_parent, signal};

/// A trial at work in a process of its own.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) trial: SweepTrial,
    pub(super) work: Work,
    /// Whether another trial was at work beside it.
    pub(super) had_company: bool,
    child: Child,
    /// Nobody else runs it.
    _lock: File,
}

impl Running {
    /// Starts a trial by `program`, which is `bd`.
    pub(super) fn start(
        program: &Path,
        threads: usize,
        spec: &SweepSpec,
        folder: &SweepFolder,
        trial: SweepTrial,
        (lock, work): (File, Work),
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("train");
        match work {
            Work::Begin => {
                command.arg(&spec.job).arg("--out").arg(folder.run(&trial));
                for assignment in spec.assignments(&trial) {
                    command.args(["--set", &assignment]);
                }
            }
            Work::Resume => {
                command.arg("--resume").arg(folder.run(&trial));
            }
        }
        command.args(["--threads", &threads.to_string(), "--json", "--quiet"]);
        let (printed, log) = (folder.printed(&trial), folder.log(&trial));
        let out = File::create(&printed).map_err(Error::storage("create", &printed))?;
        let messages = OpenOptions::new().create(true).append(true).open(&log).map_err(Error::storage("open", &log))?;
        command.stdin(Stdio::null()).stdout(out).stderr(messages);
        // A sweep that is killed takes its trials with it, which write their checkpoints.
        end_with_parent(&mut command);
        let child = command.spawn().map_err(Error::storage("start", program))?;
        Ok(Self { trial, work, had_company: false, child, _lock: lock })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::storage("wait for", Path::new("the process of a trial")))
    }

    /// Asks it to stop, which it does with a checkpoint.
    pub(super) fn stop(&self) {
        signal(&self.child, libc::SIGTERM);
    }
}

/// What is said of a process that ended without a word.
pub(super) fn silent(status: ExitStatus) -> TrialFailure {
    match status.signal() {
        Some(signal) => TrialFailure {
            code: 128 + signal,
            kind: "killed".into(),
            message: format!("its process was killed by signal {signal}"),
        },
        None => TrialFailure {
            code: status.code().filter(|code| *code != 0).unwrap_or(1),
            kind: "bug".into(),
            message: "its process ended without a result".into(),
        },
    }
}
