//! Options of trainings by several processes.

use clap::Args;

/// Of trainings by several processes, and of those that a launcher starts again.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Processes")]
pub(crate) struct Processes {
    /// Train by N processes on this machine, which share the batches of each update: --accumulate N, or N times a power of two. What
    /// torchrun starts needs no option
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) processes: Option<usize>,
    /// The launcher that has started this process as one of several, where it is not torchrun or one that sets RANK, WORLD_SIZE,
    /// MASTER_ADDR and MASTER_PORT as that does: slurm (srun)
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) distributed: Option<String>,
    /// Seconds to wait for another process before this one ends with code 10 [default: 300]
    #[arg(long, value_name = "S", hide_short_help = true)]
    pub(crate) timeout: Option<f64>,
    /// Go on with the run in --out if it was begun, else begin it: for launchers that start a command again
    #[arg(long, requires = "out", hide_short_help = true)]
    pub(crate) go_on: bool,
}
