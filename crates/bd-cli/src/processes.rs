//! Trainings by several processes: which one this is, and those that this one starts.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use bd_core::{Error, Result};
use bd_run::Layers;
use bd_run::child::{end_with_parent, signal as send};
use bd_train::ProcessGroup;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXCPU};
use signal_hook::iterator::Signals;

use crate::args;

/// The number of this process, if it is one of several: for messages.
static RANK: OnceLock<usize> = OnceLock::new();

/// Who speaks in messages.
pub(crate) fn who() -> String {
    match RANK.get() {
        Some(rank) if *rank > 0 => format!("bd, process {rank}"),
        _ => "bd".to_owned(),
    }
}

/// The group that this process is of.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) group: Arc<dyn ProcessGroup>,
    /// How many of its processes are on this machine.
    on_machine: usize,
}

impl Group {
    /// Meets the other processes, if a launcher has started this one as one of several.
    pub(crate) fn join(args: &args::Processes) -> Result<Option<Self>> {
        match args.distributed.as_deref() {
            None | Some("slurm") => {}
            Some(other) => {
                return Err(Error::setting("--distributed", other, "slurm; what torchrun starts needs no option"));
            }
        }
        let seconds = args.timeout.unwrap_or(USUAL_TIMEOUT_S);
        if !(seconds > 0.0 && seconds <= 1e6) {
            return Err(Error::setting("--timeout", seconds, "seconds above 0, at most 1e6"));
        }
        join(args.distributed.is_some(), Duration::from_secs_f64(seconds))
    }

    /// Whether another process writes the run and says what is to be said.
    pub(crate) fn assists(&self) -> bool {
        self.group.rank() > 0
    }

    /// Divides the cores of this machine among the processes on it, unless somebody says how many threads there are to be.
    pub(crate) fn share_cores(&self, layers: &mut Layers) -> Result<()> {
        layers.share_cores(self.on_machine)
    }
}

#[cfg(feature = "distributed")]
const USUAL_TIMEOUT_S: f64 = bd_distributed::USUAL_TIMEOUT.as_secs_f64();
#[cfg(not(feature = "distributed"))]
const USUAL_TIMEOUT_S: f64 = 300.0;

#[cfg(feature = "distributed")]
fn join(by_slurm: bool, timeout: Duration) -> Result<Option<Group>> {
    use bd_distributed::{GlooGroup, Place};

    let place = if by_slurm { Place::from_slurm() } else { Place::from_env() }?;
    let Some(place) = place else { return Ok(None) };
    let _ = RANK.set(place.rank);
    let place = Place { timeout, ..place };
    let group = Arc::new(GlooGroup::open(&place)?);
    Ok(Some(Group { group, on_machine: place.local_size }))
}

#[cfg(not(feature = "distributed"))]
fn join(by_slurm: bool, _: Duration) -> Result<Option<Group>> {
    match by_slurm {
        true => Err(Error::Config(NOT_BUILT.into())),
        false => Ok(None),
    }
}

const NOT_BUILT: &str = "this bd was built without its feature `distributed`, and trains by one process";

/// One of the processes that this one has started did not come to its end.
#[derive(Debug)]
pub(crate) struct Failed {
    rank: usize,
    status: ExitStatus,
    /// Whether the first process has ended by itself, having said why.
    first_has_said: bool,
}

impl Failed {
    pub(crate) fn first_has_said(&self) -> bool {
        self.first_has_said
    }

    /// The code of the process that failed first, where it has one.
    pub(crate) fn exit_code(&self) -> u8 {
        self.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(LOST)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.code() {
            Some(code) => write!(f, "process {} ended with code {code}, and said why", self.rank),
            None => write!(f, "process {} was killed ({})", self.rank, self.status),
        }
    }
}

impl std::error::Error for Failed {}

/// The code of a process that has lost another one.
pub(crate) const LOST: u8 = 10;

/// Runs the command of this process by so many of them on this machine, if it is told to, and waits for their end. They are asked to stop
/// and save as this one is.
pub(crate) fn started(processes: Option<usize>) -> anyhow::Result<bool> {
    let Some(count) = processes else { return Ok(false) };
    if count == 0 || count > 1024 {
        return Err(Error::setting("--processes", count, "1 to 1024").into());
    }
    if let Some(rank) = env::var_os("RANK") {
        let rank = rank.to_string_lossy();
        return Err(Error::Config(format!(
            "--processes {count} starts processes, and RANK={rank} says that this one is one of several already: take one of the two"
        ))
        .into());
    }
    if cfg!(not(feature = "distributed")) {
        return Err(Error::Config(NOT_BUILT.into()).into());
    }
    if count == 1 {
        return Ok(false);
    }
    let ended = watched(start(count)?)?;
    let first_has_said = ended[0].code().is_some_and(|code| code != 0);
    let failed = |(rank, status): (usize, &ExitStatus)| {
        (!status.success()).then_some(Failed { rank, status: *status, first_has_said })
    };
    let mut failed: Vec<Failed> = ended.iter().enumerate().filter_map(failed).collect();
    // Those that have lost another one are not the cause.
    failed.sort_by_key(|failed| failed.status.code() == Some(LOST.into()));
    match failed.into_iter().next() {
        None => Ok(true),
        Some(first) => Err(first.into()),
    }
}

/// Waits for all processes, and hands on to them the signals that this one gets. Each ends by itself when another one is gone.
fn watched(mut children: Vec<Child>) -> anyhow::Result<Vec<ExitStatus>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1])?;
    let mut ended: Vec<Option<ExitStatus>> = vec![None; children.len()];
    loop {
        for (child, ended) in children.iter_mut().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            *ended = child.try_wait()?;
        }
        if let Some(all) = ended.iter().copied().collect() {
            return Ok(all);
        }
        for signal in signals.pending() {
            // The number of one that was waited for may be that of somebody else by now.
            for (child, _) in children.iter().zip(&ended).filter(|(_, ended)| ended.is_none()) {
                send(child, signal);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts all processes, of which the first one has this one's output.
fn start(count: usize) -> anyhow::Result<Vec<Child>> {
    // Free now; another program that takes it before process 0 does is told in words.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (program, args) = (env::current_exe()?, without_processes(env::args_os().skip(1)));
    let mut children = Vec::new();
    for rank in 0..count {
        let mut command = Command::new(&program);
        command.args(&args).env("RANK", rank.to_string()).env("WORLD_SIZE", count.to_string());
        command.env("LOCAL_RANK", rank.to_string()).env("LOCAL_WORLD_SIZE", count.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        if rank > 0 {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
        end_with_parent(&mut command);
        children.push(command.spawn()?);
    }
    Ok(children)
}

/// The arguments without `--processes N`.
fn without_processes(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut skip = false;
    args.filter(|arg| {
        let is_value = std::mem::take(&mut skip);
        skip = !is_value && arg == "--processes";
        !is_value && !skip && !arg.as_encoded_bytes().starts_with(b"--processes=")
    })
    .collect()
}

/// Tells torchrun why this process ends: it shows what stands in a file that it names.
pub(crate) fn tell_launcher(message: &str) {
    if let Some(path) = env::var_os("TORCHELASTIC_ERROR_FILE") {
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
        let told =
            json!({"message": {"message": message, "extraInfo": {"py_callstack": "", "timestamp": now.to_string()}}});
        let _ = fs::write(path, told.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_process_is_this_one_without_their_number() {
        let without = |line: &str| {
            without_processes(line.split(' ').map(OsString::from))
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(without("train rnn --processes 2 --accumulate 2"), "train rnn --accumulate 2");
        assert_eq!(without("train rnn --processes=2 --quiet"), "train rnn --quiet");
        assert_eq!(without("train rnn --quiet --processes 4"), "train rnn --quiet");
    }
}
