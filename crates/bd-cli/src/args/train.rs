//! `bd train`: its jobs, and what all of them take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EXIT_CODES, Esn, Ngrc, Parts, Rnn, Snn};

/// A job, or a run that goes on.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    pub(crate) job: Option<Train>,
    /// Folder of a run that was cut off, or that is to have more updates: goes on from its newest checkpoint, bit for bit
    // Global, so that behind a job, too, it is known and refused in words.
    #[arg(long, value_name = "RUN", global = true, hide_short_help = true)]
    pub(crate) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

impl TrainArgs {
    /// The options that every job but auto has.
    pub(crate) fn run(&self) -> Option<&Run> {
        match self.job.as_ref()? {
            Train::Ngrc(args) => Some(&args.series.run),
            Train::Esn(args) => Some(&args.series.run),
            Train::Rnn(args) => Some(&args.run),
            Train::Snn(args) => Some(&args.run),
            Train::Conv(args) => Some(&args.run),
            Train::Auto(_) => None,
        }
    }

    pub(super) fn as_json(&self) -> bool {
        match (&self.job, self.run()) {
            (Some(Train::Auto(args)), _) => args.json,
            (_, Some(run)) => run.json,
            (_, None) => self.changes.json,
        }
    }
}

/// What may change when a run goes on.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// With --resume: updates in all, of a task
    #[arg(long, value_name = "N", requires = "resume")]
    pub(crate) updates: Option<u64>,
    /// With --resume: epochs in all
    #[arg(long, value_name = "N", requires = "resume")]
    pub(crate) epochs: Option<u64>,
    /// With --resume: where to compute [default: as the run]
    #[arg(long, value_name = "DEVICE", requires = "resume")]
    pub(crate) device: Option<String>,
    /// With --resume: threads [default: as the run]
    #[arg(long, value_name = "N", requires = "resume")]
    pub(crate) threads: Option<usize>,
    /// With --resume: go on by N processes on this machine, however many there were before
    #[arg(long, value_name = "N", requires = "resume", hide_short_help = true)]
    pub(crate) processes: Option<usize>,
    /// With --resume: the launcher that has started this process as one of several, where it is not torchrun: slurm
    #[arg(long, value_name = "NAME", requires = "resume", hide_short_help = true)]
    pub(crate) distributed: Option<String>,
    /// With --resume: seconds to wait for another process before this one ends with code 10 [default: 300]
    #[arg(long, value_name = "S", requires = "resume", hide_short_help = true)]
    pub(crate) timeout: Option<f64>,
    /// With --resume: any other values that may change, such as checkpoint_every=100
    #[arg(long, value_name = "A=B", num_args = 1.., requires = "resume")]
    pub(crate) set: Vec<String>,
    /// With --resume: print one JSON object on standard output and nothing else there
    #[arg(long, requires = "resume")]
    pub(crate) json: bool,
    /// With --resume: print nothing but errors (and JSON, if asked for)
    #[arg(long, requires = "resume")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Train {
    /// Next-generation reservoir computing, fitted by ridge regression, on a series of your own (--data FILE). Without options:
    /// BrainPy's tutorial on Lorenz.
    #[command(before_help = "Example: bd train ngrc --data mine.csv --time t --horizon 1,10 --out mine", after_help = EXIT_CODES)]
    Ngrc(Box<Ngrc>),
    /// An echo state network: a fixed random reservoir whose readout is fitted by ridge regression, on a series of your own, or
    /// on sequences with a target for each (--data FILE). Without options: BrainPy's tutorial on Lorenz.
    #[command(before_help = "Example: bd train esn --data mine.csv --units 300 --out mine", after_help = EXIT_CODES)]
    Esn(Box<Esn>),
    /// A recurrent network of rates, trained by back-propagation through time, on examples of your own (--data FILE) or on a task
    /// (--task NAME). Without options: BrainPy's tutorial, 100 units that learn to integrate white noise.
    #[command(before_help = "Example: bd train rnn --data mine.npz --epochs 30 --out mine", after_help = EXIT_CODES)]
    Rnn(Box<Rnn>),
    /// A spiking network, trained by back-propagation through time, on examples of your own (--data FILE). Without options:
    /// BrainPy's tutorial, 100 inputs, 10 LIF neurons and 2 leaky integrators that learn random spike trains with random labels.
    #[command(before_help = "Example: bd train snn --data spikes.npz --epochs 10 --out mine", after_help = EXIT_CODES)]
    Snn(Box<Snn>),
    /// Random convolutions of sequences (MiniRocket's features) and a linear readout in closed form, on examples of your own (--data FILE)
    /// with a label or numbers for each sequence. Fitted in seconds.
    #[command(before_help = "Example: bd train conv --data mine.npz --out mine", after_help = EXIT_CODES)]
    Conv(Box<Conv>),
    /// Try conv, esn, rnn and snn on examples of your own (--data FILE) within a time. The best on samples that are held out is kept: of
    /// those that are as good but for chance the first in this order. Commands take the folder for the run of the best.
    #[command(before_help = "Example: bd train auto --data mine.npz --budget 60 --out mine", after_help = EXIT_CODES)]
    Auto(Box<Auto>),
}

#[derive(Debug, Args)]
pub(crate) struct Conv {
    /// Examples to learn, a file as of bd train rnn or, with spikes, of bd train snn, with one target for each sequence
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) parts: Parts,
    /// Length in ms of the windows in which spikes with times are counted [default: a hundredth of the time that they take]
    #[arg(long, value_name = "MS", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) dt: Option<f64>,
    /// Features, rounded down to a multiple of 84 [default: 9996; beyond 3000 training samples 3024]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) features: Option<usize>,
    /// Penalty of the readout, or several of which the one is taken that is best at training samples that are left out one by one
    /// [default: 1e-3..1e6]
    #[arg(long, value_name = "X,X", allow_hyphen_values = true)]
    pub(crate) alpha: Option<String>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Auto {
    /// Examples to learn, a file as of bd train rnn or, with spikes, of bd train snn
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) parts: Parts,
    /// Length of a step in ms, as of bd train snn; conv and esn count spikes with times in steps of it where there is a target for each
    #[arg(long, value_name = "MS", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) dt: Option<f64>,
    /// Seconds for all tries together. What is left of them is divided equally among the jobs that are left; a training whose part is
    /// over ends with the best weights so far, so that results depend on the machine
    #[arg(long, value_name = "S", default_value_t = bd_run::experiment::USUAL_BUDGET_S, allow_negative_numbers = true)]
    pub(crate) budget: f64,
    /// Set any values of the configuration of the networks, for example model.hidden=32 optim.lr=0.01
    #[arg(long, value_name = "A.B=C", num_args = 1.., help_heading = "Run")]
    pub(crate) set: Vec<String>,
    /// Where networks are trained: auto, cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE", help_heading = "Run")]
    pub(crate) device: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) seed: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) threads: Option<usize>,
    /// Folder to create, with a run folder for each job [default: runs/auto-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long, help_heading = "Run")]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long, help_heading = "Run")]
    pub(crate) quiet: bool,
}

/// Options that every job has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    /// Where to compute: auto, cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Number type of parameters and states: f32 or f64 [default: f64 for ngrc and esn, else f32]
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// The same bytes on every processor with AVX2 and FMA, at some cost of time; a GPU is refused. What is done with the run later is
    /// computed so, too
    #[arg(long)]
    pub(crate) deterministic: bool,
    /// Run folder to create [default: runs/<job>-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Configuration, TOML or JSON by its extension; a run folder's config.json repeats that run
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The configuration of a run folder: short for its config.json by --config
    #[arg(long, value_name = "RUN", conflicts_with = "config")]
    pub(crate) from: Option<PathBuf>,
    /// Print the configuration that this command has, each value with what has set it, as TOML that --config reads, and train nothing
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Set any values of the configuration, stronger than options and file, for example nvar.order=2,3 or
    /// model.lif.tau_ms=20 optim.lr=0.01; config.json of any run shows all names
    #[arg(long, value_name = "A.B=C", num_args = 1..)]
    pub(crate) set: Vec<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}
