//! `bd simulate`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// File of the network, TOML; files of synapses and spikes that it names are beside it
    #[arg(value_name = "NET")]
    pub(crate) network: PathBuf,
    /// How long it is simulated, in ms, rounded to whole steps
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) duration_ms: f64,
    /// What is left out of rates and the other statistics at the beginning, in ms
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) discard_ms: f64,
    /// Number type of states and weights: f32 or f64
    #[arg(long, value_name = "TYPE", default_value = "f64")]
    pub(crate) dtype: String,
    /// Seed of synapses, initial values and noise
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads, which change no result [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Compile the loops of neurons by this machine's C++ compiler ($CXX, c++, g++, clang++), if it has one: the same numbers, sooner
    #[arg(long)]
    pub(crate) compile: bool,
    /// Run folder to create [default: runs/simulate-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}
