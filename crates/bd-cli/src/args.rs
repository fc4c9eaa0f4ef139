//! What the command line understands. Its doc comments are help texts, not Markdown.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod data;
mod nir;
mod processes;
mod report;
mod sequences;
mod series;
mod series_file;
mod simulate;
mod sweep;
mod train;

pub(crate) use self::data::{Data, Digits, Lags};
pub(crate) use self::nir::{Export, ExportNir, Import, ImportNir};
pub(crate) use self::processes::Processes;
pub(crate) use self::report::{PictureFormat, Plot, Report, Runs};
pub(crate) use self::sequences::{Learning, Parts, Rnn, Snn};
pub(crate) use self::series::{Esn, Ngrc, Series};
pub(crate) use self::series_file::{Narma, OfFlow, SeriesFile};
pub(crate) use self::simulate::Simulate;
pub(crate) use self::sweep::Sweep;
pub(crate) use self::train::{Auto, Changes, Conv, Run, Train, TrainArgs};

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a bug of this program; 2 usage or configuration; 3 diverged; 4 out of memory; 5 storage; \
6 another process is at work in the run folder; 7 missing or bad file, run or checkpoint; 8 device; 9 bd check found something wrong; 10 another process of a training by several is gone or never came; 129 SIGHUP; 130 Ctrl-C; 143 SIGTERM; 152 SIGXCPU.";

const OF_SIMULATE: &str = "\
Examples:
  bd simulate examples/networks/cuba.toml --duration-ms 1000 --discard-ms 200 --out cuba
  bd simulate runs/my-run --data digits.npz --sample 3 --duration-ms 1000 --out trained

What a file of a network has is in docs/networks.md. Ctrl-C ends a simulation early and keeps what was simulated until then.

Exit codes: as of bd --help.";

const OF_SWEEP: &str = "\
Example, in lr.toml:
  job = \"rnn\"
  trials = 20
  base.updates = 500
  grid.model.cell = [\"rnn\", \"gru\"]
  random.optim.lr = {low = 1e-4, high = 1e-1, log = true}

bd sweep lr.toml --out lr
The same command goes on where it was cut off, and runs what is missing. The best is chosen by the validation part; the numbers of its test \
part alone are shown, in the end. In a job of a Slurm array: bd sweep lr.toml --out lr --index $SLURM_ARRAY_TASK_ID

Exit codes: as of bd --help.";

const OF_REPORT: &str = "\
The file needs nothing else: no network, no script. It has what the run was, how good it is beside simple methods, its figures, its configuration and \
how to repeat it.

Exit codes: as of bd --help.";

const OF_RUNS: &str = "\
A run that is damaged is a row that says so.

Exit codes: as of bd --help.";

/// Train models of brain dynamics on libtorch.
#[derive(Debug, Parser)]
#[command(name = "bd", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model and write a run folder, or go on with a run.
    #[command(before_help = "Example: bd train rnn --updates 500 --out first, and bd train --resume first --updates 1000", after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
    Train(TrainArgs),
    /// Train one job with many configurations, each in a process of its own, and say which is the best.
    #[command(after_help = OF_SWEEP)]
    Sweep(Sweep),
    /// Run a trained model over data of your own, and write what it says.
    #[command(before_help = "Example: bd predict runs/my-run --input new.npz --output out.npz", after_help = EXIT_CODES)]
    Predict(Predict),
    /// Measure a trained model once more, on its own test data or on others.
    #[command(before_help = "Example: bd eval runs/my-run --data other.npz", after_help = EXIT_CODES)]
    Eval(Eval),
    /// Write what a run was and how good it is as one HTML file for a browser; of several runs a comparison.
    #[command(before_help = "Examples: bd report runs/my-run; bd report runs/one runs/other --out both.html", after_help = OF_REPORT)]
    Report(Report),
    /// Write the figures of a run once more, for papers and slides: as PDF or SVG, in any width.
    #[command(before_help = "Examples: bd plot runs/my-run; bd plot runs/my-run --only training --format svg --out .", after_help = EXIT_CODES)]
    Plot(Plot),
    /// List the runs of a folder: job, state, result, time.
    #[command(before_help = "Examples: bd runs; bd runs --filter job=rnn --sort test_loss", after_help = OF_RUNS)]
    Runs(Runs),
    /// Write a trained model for other programs: spiking networks as NIR.
    #[command(subcommand)]
    Export(Export),
    /// Make a run folder of a model of another program: spiking networks as NIR.
    #[command(subcommand)]
    Import(Import),
    /// Simulate a network of populations that is written as text, and write spikes, rates and recorded states.
    #[command(after_help = OF_SIMULATE)]
    Simulate(Simulate),
    /// Make data to try things with.
    #[command(subcommand)]
    Data(Data),
    /// Compare every model on this machine: fused scans with steps, gradients with difference quotients, float32 with float64,
    /// and a GPU with the CPU.
    #[command(before_help = "Example: bd check --model lif", after_help = EXIT_CODES)]
    Check(Check),
    /// Neurons of the literature, one a line; of one of them its file, with states, inputs and a picture of its response in remarks.
    #[command(before_help = "Example: bd zoo izhikevich > mine.toml", after_help = EXIT_CODES)]
    Zoo(Zoo),
    /// Print the completions of a shell, which then knows commands and options at the tab key.
    #[command(before_help = "Example: bd completions bash > ~/.local/share/bash-completion/completions/bd")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the JSON Schema of a kind of file, by which editors complete names and mark what is wrong.
    #[command(before_help = "Example: bd schema network > network.schema.json", after_help = EXIT_CODES)]
    Schema {
        /// What the file is: the configuration of a job, a sweep, a network or a neuron
        #[arg(value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(bd_run::config::SCHEMAS))]
        of: String,
    },
    /// Write manual pages: bd.1 and one for each command.
    #[command(before_help = "Example: bd man ~/.local/share/man/man1, and then man bd-train")]
    Man {
        /// Folder to write them to; pages of these names are replaced
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Versions as loaded, devices, threads, CPU features; where CUDA is not usable, why.
    Info {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Whether one JSON object is to stand on standard output, whatever happens.
    pub(crate) fn as_json(&self) -> bool {
        match self {
            Self::Train(args) => args.as_json(),
            Self::Sweep(args) => args.json,
            Self::Predict(args) => args.reuse.json,
            Self::Eval(args) => args.reuse.json,
            Self::Report(args) => args.said.json,
            Self::Plot(args) => args.said.json,
            Self::Runs(args) => args.json,
            Self::Simulate(args) => args.json,
            Self::Check(args) => args.json,
            Self::Zoo(args) => args.json,
            Self::Info { json } => *json,
            Self::Export(Export::Nir(args)) => args.said.json,
            Self::Import(Import::Nir(args)) => args.said.json,
            Self::Data(_) | Self::Completions { .. } | Self::Schema { .. } | Self::Man { .. } => false,
        }
    }
}

/// Options of what is done with a finished run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Reuse {
    /// Where to compute: auto, cpu, cuda or cuda:N [default: as the run]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Threads [default: as the run]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Where a series that is given later has other names than that of the training.
#[derive(Debug, Args)]
pub(crate) struct OtherColumns {
    /// ngrc, esn on a series: columns of the file that are the channels, in the order of the training [default: those of the run]
    #[arg(long, value_name = "NAME,NAME")]
    pub(crate) columns: Option<String>,
    /// ngrc, esn on a series: column of the file that is the time [default: that of the run]
    #[arg(long, value_name = "NAME")]
    pub(crate) time: Option<String>,
    /// ngrc, esn on a series: time between two points of a file without such a column; it must be that of the training
    #[arg(long, value_name = "X")]
    pub(crate) dt: Option<f64>,
}

impl OtherColumns {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given =
            [("--columns", self.columns.is_some()), ("--time", self.time.is_some()), ("--dt", self.dt.is_some())];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Folder of a run of bd train
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Input. Of ngrc, and of esn on a series, a series, as bd train ngrc --data reads it; of other runs [batch, time, channel] or
    /// [time, channel] in a .npz, .npy, .safetensors, .h5 or .mat (7.3) file; of snn, conv and esn also spikes with times, as bd train snn --data reads
    /// them, without a suffix or with _test
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where to write the output: .npz, of a series also .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) columns: OtherColumns,
    /// ngrc, esn on a series: steps that the model goes on after the input, on its own outputs
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) free_run: usize,
    /// On sequences: which array of the file [default: the only one, or x]; beside an array x or x_test stand the lengths of padded
    /// sequences as len or len_test
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// rnn, snn: states to record, for example r.h or r.spike,r.v; an unknown name lists them all
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) record: Vec<String>,
    #[command(flatten)]
    pub(crate) reuse: Reuse,
}

#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Folder of a run of bd train
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// ngrc, esn on a series: another series, all of which is for testing; other runs: another file with x and y, or x_test and
    /// y_test [default: the test part of the run's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// ngrc, esn: also the N greatest Lyapunov exponents of the model on its own outputs and, beside them, of the system, if it is known
    #[arg(long, value_name = "N")]
    pub(crate) lyapunov: Option<usize>,
    /// ngrc, esn: steps for them
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "lyapunov")]
    pub(crate) lyapunov_steps: usize,
    #[command(flatten)]
    pub(crate) columns: OtherColumns,
    #[command(flatten)]
    pub(crate) reuse: Reuse,
}

#[derive(Debug, Args)]
pub(crate) struct Zoo {
    /// A neuron of the list, or a file of one's own that ends in .toml; bd zoo NAME > mine.toml writes a file for bd train snn --set
    /// model.neuron=mine.toml
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the columns of the table compare stands in docs/gpu.md.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Examine one neuron instead of all models: one of bd zoo, or a file of equations that ends in .toml
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// With --model: length of the steps over which its derivatives are taken
    #[arg(long, value_name = "MS", default_value_t = 0.1, requires = "model", allow_negative_numbers = true)]
    pub(crate) dt: f64,
    /// Where to compute: auto, cpu, cuda or cuda:N; a GPU is compared with the CPU, too [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Seed of sizes, parameters and inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}
