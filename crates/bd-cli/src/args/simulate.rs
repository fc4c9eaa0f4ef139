//! `bd simulate`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// File of the network, TOML; files of synapses, spikes and positions that it names are beside it. Or the folder of a run of
    /// bd train snn --model NET, whose trained network it is
    #[arg(value_name = "NET|RUN")]
    pub(crate) network: PathBuf,
    /// How long it is simulated, in ms, rounded to whole steps
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) duration_ms: f64,
    /// What is left out of rates and the other statistics at the beginning, in ms
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) discard_ms: f64,
    /// Spikes that come in at the population of kind input: .npz with times_ms and neurons, or .csv with the header time_ms,neuron
    /// [default: the file that it names]
    #[arg(long, value_name = "FILE")]
    pub(crate) spikes: Option<PathBuf>,
    /// Of a run: data like those that it has learned from, of which a sample comes in
    #[arg(long, value_name = "FILE", conflicts_with = "spikes")]
    pub(crate) data: Option<PathBuf>,
    /// Which sample of --data, from 0 [default: 0]
    #[arg(long, value_name = "N", requires = "data")]
    pub(crate) sample: Option<usize>,
    /// Of a run of several networks: which of them, from 1 [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) member: Option<usize>,
    /// Write who is connected with whom, with weights and delays, as synapses.npz
    #[arg(long)]
    pub(crate) save_synapses: bool,
    /// Number type of states and weights: f32 or f64 [default: f64; that of a run]
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// Seed of synapses, initial values and noise [default: 0; that of a run, which has drawn them]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
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
