//! `bd data`: what is made as a file.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EXIT_CODES, Narma, OfFlow};

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Synthetic spoken digits, of the shape of the Spiking Heidelberg Digits: spikes with times, for bd train snn --data.
    #[command(before_help = "Example: bd data digits --out digits.npz", after_help = EXIT_CODES)]
    Digits(Digits),
    /// Pairs of spikes whose order tells the class, for networks that learn delays: spikes with times, for bd train snn --data.
    #[command(before_help = "Example: bd data lags --out lags.npz", after_help = EXIT_CODES)]
    Lags(Lags),
    /// NARMA10, a nonlinear moving average: random input and the target that depends on its past.
    #[command(before_help = "Example: bd data narma --out narma.csv", after_help = EXIT_CODES)]
    Narma(Narma),
    #[command(flatten)]
    Flow(OfFlow),
}

#[derive(Debug, Args)]
pub(crate) struct Digits {
    /// Where to write them: .npz
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Samples for training, as many of each class
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) train: usize,
    /// Samples for testing
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub(crate) test: usize,
    /// Classes, of which each two have the same channels, in another order of time
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) classes: usize,
    /// Channels
    #[arg(long, value_name = "N", default_value_t = 700)]
    pub(crate) channels: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lags {
    /// Where to write them: .npz
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Samples for training, as many of each class
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub(crate) train: usize,
    /// Samples for testing
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) test: usize,
    /// Channels, of which each two are a pair
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) channels: usize,
    /// Milliseconds from the first spike of a pair to the second
    #[arg(long, value_name = "MS", default_value_t = 12.0)]
    pub(crate) lag_ms: f64,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
}
