//! Signals: a training stops at the end of an update, with a checkpoint, or saves and goes on; a simulation stops with what it has.
//!
//! | signal | a training | a simulation | anything else |
//! |---|---|---|---|
//! | SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGXCPU | stops; another one ends the program at once, if it comes a second later or more | the same | ends |
//! | SIGUSR1 | writes a checkpoint and goes on | goes on | ends |

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bd_train::Control;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXCPU};
use signal_hook::iterator::Signals;

/// Launchers such as `timeout` send a signal to the process and to its group, and terminals and launchers may both send one: what
/// comes within this time is the same request.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A signal has ended the run.
#[derive(Debug)]
pub(crate) struct Interrupted {
    signal: usize,
    /// The run folder, if it is kept.
    kept: Option<PathBuf>,
    /// Whether another process writes the run.
    assists: bool,
    /// Whether what was found by then stands on standard output.
    printed: bool,
}

impl Interrupted {
    /// 128 and the signal's number, as a shell counts: 130 for Ctrl-C, 143 for SIGTERM.
    pub(crate) fn exit_code(&self) -> u8 {
        128 + self.signal as u8
    }

    /// The folder of the run, if it is kept.
    pub(crate) fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    /// Of a process of several, of which another one writes the run.
    pub(crate) fn of_assistant(self, assists: bool) -> Self {
        Self { assists, ..self }
    }

    /// The same where what was found by then stands on standard output already.
    pub(crate) fn after_result(self) -> Self {
        Self { printed: true, ..self }
    }

    pub(crate) fn has_printed(&self) -> bool {
        self.printed
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            None if self.assists => {
                f.write_str("stopped by a signal to one of the processes, after the same update as all")
            }
            None => f.write_str("stopped by a signal; nothing was kept"),
            Some(path) if path.join("checkpoints").is_dir() => {
                let path = path.display();
                write!(f, "stopped by a signal; {path} is kept, with a checkpoint: bd train --resume {path} goes on")
            }
            Some(path) if path.join("spikes.npz").is_file() => {
                write!(f, "stopped by a signal; {} is kept, with what was simulated until then", path.display())
            }
            Some(path) if path.join("sweep.json").is_file() => {
                write!(f, "stopped by a signal; {} is kept: the same command goes on", path.display())
            }
            Some(path) if !path.join("manifest.json").is_file() => {
                let path = path.display();
                write!(
                    f,
                    "stopped by a signal; {path} is kept, with the runs that were tried, each in a folder of its own: \
                     bd train --resume {path}/JOB goes on with one that has checkpoints"
                )
            }
            Some(path) => {
                write!(f, "stopped by a signal; {} is kept, with the weights that were fitted", path.display())
            }
        }
    }
}

impl std::error::Error for Interrupted {}

/// Watches for the signals that stop a training or a simulation.
pub(crate) struct Watch {
    control: Control,
    first: Arc<AtomicUsize>,
}

impl Watch {
    /// From now on signals are requests to a training.
    pub(crate) fn begin() -> Result<Self> {
        let (control, first) = (Control::default(), Arc::new(AtomicUsize::new(0)));
        let heard: Vec<i32> =
            [SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1].into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let mut signals = Signals::new(heard).context("signals cannot be watched")?;
        let watch = Self { control: control.clone(), first: Arc::clone(&first) };
        thread::spawn(move || {
            let mut stopped_at: Option<Instant> = None;
            for signal in signals.forever() {
                match stopped_at {
                    _ if signal == SIGUSR1 => control.save(),
                    None => {
                        stopped_at = Some(Instant::now());
                        first.store(signal as usize, Ordering::SeqCst);
                        control.stop();
                    }
                    Some(at) if at.elapsed() < SAME_REQUEST => {}
                    Some(_) => signal_hook::low_level::exit(128 + signal),
                }
            }
        });
        Ok(watch)
    }

    /// The handle that the signals act on.
    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    /// How a run that was stopped ends.
    pub(crate) fn interrupted(&self, kept: Option<PathBuf>) -> Interrupted {
        // Of several processes another one may have got it.
        let signal = Some(self.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0);
        Interrupted { signal: signal.unwrap_or(SIGTERM as usize), kept, assists: false, printed: false }
    }
}

/// Lets signals end this process if it is the first one of a container: Linux takes no default action there, so that Ctrl-C and
/// `docker stop` would do nothing. For what does not [watch](Watch) for them.
pub(crate) fn end_first_process() -> Result<()> {
    if std::process::id() == 1 {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                signal_hook::low_level::exit(128 + signal);
            }
        });
    }
    Ok(())
}

/// Whether this process was started with a signal ignored, as `nohup` does: then it stays so.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
