//! `bd sweep`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// What is tried, TOML or JSON by its extension: job, [base], [grid], [random] with trials and seed, seeds; see docs/sweeps.md
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// Folder of the sweep, new or of the same one, which goes on then [default: runs/sweep-<name of SPEC>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Trials at work at once, fewer where there is not the memory [default: cores divided by --threads; on a GPU 1]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Threads of each trial [default: those of SPEC, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// The same bytes on every processor with AVX2 and FMA, of each trial
    #[arg(long)]
    pub(crate) deterministic: bool,
    /// Run this trial alone, counted from 0, for jobs of an array; the command ends with the code of the trial
    #[arg(long, value_name = "N", conflicts_with = "jobs")]
    pub(crate) index: Option<usize>,
    /// List the trials and run none
    #[arg(long, conflicts_with = "index")]
    pub(crate) list: bool,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}
