//! What the command line understands. Its doc comments are help texts, not Markdown.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a bug of this program; 2 usage or configuration; 3 diverged; 4 out of memory; 5 storage; \
7 bad data file or checkpoint; 8 device; 130 Ctrl-C; 143 SIGTERM.";

/// Train models of brain dynamics on libtorch.
#[derive(Debug, Parser)]
#[command(name = "bd", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model and write a run folder.
    #[command(subcommand)]
    Train(Train),
    /// Versions as loaded, devices, threads, CPU features; where CUDA is not usable, why.
    Info {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Train {
    /// Next-generation reservoir computing, fitted by ridge regression. Without options: BrainPy's tutorial on Lorenz.
    #[command(after_help = EXIT_CODES)]
    Ngrc(Box<Ngrc>),
}

/// Options that every job has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    /// Where to compute: auto, cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Number type of parameters and states: f32 or f64 [default: f64]
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads that libtorch uses inside one operation [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Run folder to create [default: runs/<job>-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Configuration, TOML or JSON by its extension; a run folder's config.json repeats that run
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set any value of the configuration, stronger than options and file, for example nvar.order=2,3
    #[arg(long, value_name = "A.B=C")]
    pub(crate) set: Vec<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ngrc {
    /// Penalty of the ridge regression [default: 1e-6]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) alpha: Option<f64>,
    /// Points of the past that are features, the present one included [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) delay: Option<usize>,
    /// Orders of the products of these points; 1 is linear only [default: 2]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) order: Option<Vec<usize>>,
    /// Steps between these points [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// How the ridge regression is solved: qr, svd or gram-pinv (BrainPy's) [default: qr]
    #[arg(long, value_name = "NAME")]
    pub(crate) solver: Option<String>,
    /// Steps ahead to forecast [default: 1,10,100]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) horizon: Option<Vec<usize>>,
    /// Series to learn, a safetensors file, instead of Lorenz
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Tensors of the file that are the channels, [time] or [time, channel]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', requires = "data")]
    pub(crate) columns: Option<Vec<String>>,
    #[command(flatten)]
    pub(crate) run: Run,
}
