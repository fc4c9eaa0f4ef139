//! `bd report` and `bd runs`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Folder of a run of bd train or bd simulate, finished or not, or of a sweep; several are compared
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// File to write; an earlier report is replaced, nothing else [default: report.html in RUN, of several runs in the present folder]
    #[arg(long, value_name = "FILE.html")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Folder whose runs are listed, such as that of a sweep
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub(crate) folder: PathBuf,
    /// when (the newest first), name, job, state, metric, seconds, or a setting or result such as optim.lr or test_loss
    #[arg(long, value_name = "KEY", default_value = "when")]
    pub(crate) sort: String,
    /// Only runs of which this is so, such as job=rnn, state=finished, optim.lr=0.01; several: all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}
