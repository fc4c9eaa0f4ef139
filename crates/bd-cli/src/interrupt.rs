//! Ctrl-C and SIGTERM: a run stops at the next stage or update, and takes its folder away unless it has something to keep; the
//! exit code says which signal it was.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown, register_usize};

/// A signal has asked the run to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupted {
    signal: usize,
    /// The run folder, if it is kept.
    kept: Option<PathBuf>,
}

impl Interrupted {
    /// 130 for Ctrl-C, 143 for SIGTERM, as a shell counts.
    pub(crate) fn exit_code(&self) -> u8 {
        128 + self.signal as u8
    }

    /// The same for a run whose folder is kept.
    pub(crate) fn keeping(&self, path: PathBuf) -> Self {
        Self { kept: Some(path), ..self.clone() }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            None => f.write_str("stopped by a signal; nothing was kept"),
            Some(path) => write!(f, "stopped by a signal; {} is kept, with a checkpoint", path.display()),
        }
    }
}

impl std::error::Error for Interrupted {}

/// Watches for signals. The first is remembered until [`check`](Self::check); a second one ends the program at once.
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    pub(crate) fn watch() -> Result<Self> {
        let (which, stopping) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // In this order: a signal ends the program only if there was one before it.
            register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stopping))
                .and_then(|_| register_usize(signal, Arc::clone(&which), signal as usize))
                .and_then(|_| register(signal, Arc::clone(&stopping)))
                .context("signals cannot be watched")?;
        }
        Ok(Self(which))
    }

    /// Called between the stages of a run.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Interrupted { signal, kept: None }),
        }
    }
}
