//! `bd export nir` and `bd import nir`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const OF_EXPORT: &str = "\
Example: bd export nir runs/my-run --until r --out mine.nir
In Python: nir.read(\"mine.nir\"), then snntorch.import_nir.import_from_nir, norse.torch.from_nir(graph, dt=1e-4) or SpikingJelly's \
import_from_nir. What differs between them is in docs/from-snntorch-and-norse.md.

Exit codes: as of bd --help.";

const OF_IMPORT: &str = "\
Examples: bd import nir mine.nir --out again, of a file of bd export nir; \
bd import nir other.nir --dt 0.1 --euler --out other, of one that snnTorch has written. Then bd predict other --input new.npz --output out.npz

Exit codes: as of bd --help.";

/// Write a trained model for other programs.
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// A spiking network of bd train snn as a .nir file (Neuromorphic Intermediate Representation), which snnTorch, Norse, SpikingJelly
    /// and tools of neuromorphic hardware read.
    #[command(after_help = OF_EXPORT)]
    Nir(ExportNir),
}

/// Make a run folder of a model of another program.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// A spiking network in a .nir file (Neuromorphic Intermediate Representation), for bd predict.
    #[command(after_help = OF_IMPORT)]
    Nir(ImportNir),
}

#[derive(Debug, Args)]
pub(crate) struct ExportNir {
    /// Folder of a run of bd train snn
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// exact: programs that step by Euler's rule compute the steps of bd; physical: time constants in seconds and resistance as they
    /// are, for hardware and for reading
    #[arg(long, value_name = "FLAVOUR", default_value = "exact")]
    pub(crate) nir: String,
    /// Layer of neurons, such as r, that the file ends with [default: the readout, which no library for PyTorch reads]
    #[arg(long, value_name = "LAYER")]
    pub(crate) until: Option<String>,
    /// Of several networks whose outputs are averaged the one that is written, from 1 on
    #[arg(long, value_name = "N")]
    pub(crate) member: Option<usize>,
    /// File to write, which must not exist and ends in .nir
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) said: Said,
}

#[derive(Debug, Args)]
pub(crate) struct ImportNir {
    /// File to read
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Length of a step of the network in ms; needed unless bd has written the file
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) dt: Option<f64>,
    /// The file is for Euler's rule with steps of this length, as files of snnTorch, Norse and SpikingJelly are: the steps become the
    /// same [default: its time constants are those of the equations]
    #[arg(long)]
    pub(crate) euler: bool,
    /// Run folder to create [default: runs/snn-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) said: Said,
}

/// What is printed.
#[derive(Debug, Args)]
pub(crate) struct Said {
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}
