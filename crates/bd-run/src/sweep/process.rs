//! [`Running`]: the process of a trial.

use std::fs::{File, OpenOptions};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use bd_core::{Error, Result};

use super::spec::{SweepSpec, SweepTrial};
use super::state::{SweepFolder, TrialFailure, Work};

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
        die_with_parent(&mut command);
        let child = command.spawn().map_err(Error::storage("start", program))?;
        Ok(Self { trial, work, had_company: false, child, _lock: lock })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::storage("wait for", Path::new("the process of a trial")))
    }

    /// Asks it to stop, which it does with a checkpoint.
    pub(super) fn stop(&self) {
        if let Ok(pid) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: the process was not waited for, so that the number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
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

/// A sweep that is killed takes its trials with it: they hear SIGTERM, and write their checkpoints.
fn die_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        let ask = move || {
            // SAFETY: both are calls of the system without memory of ours, as is allowed between fork and exec.
            let gone = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                libc::getppid() as u32 != parent
            };
            // It was killed before it could be heard of.
            if gone { Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)) } else { Ok(()) }
        };
        // SAFETY: the closure allocates nothing and takes no lock.
        unsafe { command.pre_exec(ask) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
