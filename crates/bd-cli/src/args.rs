//! What the command line understands. Its doc comments are help texts, not Markdown.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod series_file;

pub(crate) use self::series_file::{Narma, OfFlow, SeriesFile};

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a bug of this program; 2 usage or configuration; 3 diverged; 4 out of memory; 5 storage; \
6 another process is at work in the run folder; 7 bad data file or checkpoint; 8 device; 9 bd check found something wrong; 129 SIGHUP; 130 Ctrl-C; 143 SIGTERM; 152 SIGXCPU.";

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
    #[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
    Train(TrainArgs),
    /// Run a trained model over data of your own, and write what it says.
    #[command(after_help = EXIT_CODES)]
    Predict(Predict),
    /// Measure a trained model once more, on its own test data or on others.
    #[command(after_help = EXIT_CODES)]
    Eval(Eval),
    /// Make data to try things with.
    #[command(subcommand)]
    Data(Data),
    /// Compare every model on this machine: fused scans with steps, gradients with difference quotients, float32 with float64,
    /// and a GPU with the CPU.
    #[command(after_help = EXIT_CODES)]
    Check(Check),
    /// Versions as loaded, devices, threads, CPU features; where CUDA is not usable, why.
    Info {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

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
    /// With --resume: any other value that may change, such as checkpoint_every=100
    #[arg(long, value_name = "A=B", requires = "resume")]
    pub(crate) set: Vec<String>,
    /// With --resume: print one JSON object on standard output and nothing else there
    #[arg(long, requires = "resume")]
    pub(crate) json: bool,
    /// With --resume: print nothing but errors (and JSON, if asked for)
    #[arg(long, requires = "resume")]
    pub(crate) quiet: bool,
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
    /// [time, channel] in a .npz, .npy or .safetensors file; of snn, conv and esn also spikes with times, as bd train snn --data reads
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
    /// ngrc, esn on a series: another series, all of which is for testing; other runs: another .npz file with x and y, or x_test and
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

/// What the columns of the table compare stands in docs/gpu.md.
#[derive(Debug, Args)]
pub(crate) struct Check {
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

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Synthetic spoken digits, of the shape of the Spiking Heidelberg Digits: spikes with times, for bd train snn --data.
    #[command(after_help = EXIT_CODES)]
    Digits(Digits),
    /// NARMA10, a nonlinear moving average: random input and the target that depends on its past.
    #[command(after_help = EXIT_CODES)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum Train {
    /// Next-generation reservoir computing, fitted by ridge regression, on a series of your own (--data FILE). Without options:
    /// BrainPy's tutorial on Lorenz.
    #[command(after_help = EXIT_CODES)]
    Ngrc(Box<Ngrc>),
    /// An echo state network: a fixed random reservoir whose readout is fitted by ridge regression, on a series of your own, or
    /// on sequences with a target for each (--data FILE). Without options: BrainPy's tutorial on Lorenz.
    #[command(after_help = EXIT_CODES)]
    Esn(Box<Esn>),
    /// A recurrent network of rates, trained by back-propagation through time, on examples of your own (--data FILE) or on a task
    /// (--task NAME). Without options: BrainPy's tutorial, 100 units that learn to integrate white noise.
    #[command(after_help = EXIT_CODES)]
    Rnn(Box<Rnn>),
    /// A spiking network, trained by back-propagation through time, on examples of your own (--data FILE). Without options:
    /// BrainPy's tutorial, 100 inputs, 10 LIF neurons and 2 leaky integrators that learn random spike trains with random labels.
    #[command(after_help = EXIT_CODES)]
    Snn(Box<Snn>),
    /// Random convolutions of sequences (MiniRocket's features) and a linear readout in closed form, on examples of your own (--data FILE)
    /// with a label or numbers for each sequence. Fitted in seconds.
    #[command(after_help = EXIT_CODES)]
    Conv(Box<Conv>),
    /// Try conv, esn, rnn and snn on examples of your own (--data FILE) within a time. The best on samples that are held out is kept: of
    /// those that are as good but for chance the first in this order. Commands take the folder for the run of the best.
    #[command(after_help = EXIT_CODES)]
    Auto(Box<Auto>),
}

#[derive(Debug, Args)]
pub(crate) struct Conv {
    /// Examples to learn, an .npz file as of bd train rnn or, with spikes, of bd train snn, with one target for each sequence
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
    /// Examples to learn, an .npz file as of bd train rnn or, with spikes, of bd train snn
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
    /// Set any value of the configuration of the networks, for example model.hidden=32
    #[arg(long, value_name = "A.B=C", help_heading = "Run")]
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
    /// Number type of parameters and states: f32 or f64 [default: f64 for ngrc, else f32]
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Run folder to create [default: runs/<job>-<UTC time>-<4 hex>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Configuration, TOML or JSON by its extension; a run folder's config.json repeats that run
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set any value of the configuration, stronger than options and file, for example nvar.order=2,3 or
    /// model.lif.tau_ms=20; config.json of any run shows all names
    #[arg(long, value_name = "A.B=C")]
    pub(crate) set: Vec<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Options of a forecast of a series, by whatever model.
#[derive(Debug, Args)]
pub(crate) struct Series {
    /// Series to learn, instead of Lorenz: .csv, .tsv, .txt or .dat, .npy, .npz or .safetensors
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// System to integrate and learn instead of Lorenz: rossler, double-scroll, lorenz96, mackey-glass or kuramoto-sivashinsky, with
    /// parameters as in --set data.system.params.c=6
    #[arg(long, value_name = "NAME", conflicts_with = "data", help_heading = "Data")]
    pub(crate) system: Option<String>,
    /// Columns of the file that are the channels, or arrays of several columns; a name with a comma in it in double quotes
    /// [default: all]
    #[arg(long, value_name = "NAME,NAME", help_heading = "Data")]
    pub(crate) columns: Option<String>,
    /// Column of the file that is the time of each point
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) time: Option<String>,
    /// Time between two points, where no column says it [default: 1]; of esn on spikes with times the length in ms of the windows in which
    /// they are counted [default: as many windows as there are targets for each sequence, or 100]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) dt: Option<f64>,
    /// Fractions that are for training, validation and test, in order of time, of what the warm-up leaves [default: 0.7,0.1,0.2;
    /// with one delay and one alpha 0.8,0,0.2. For Lorenz 0.5,0.25,0.25 and 0.75,0,0.25]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) split: Option<Vec<f64>>,
    /// Points at the beginning that only fill the model's memory, a count or a fraction below 1 [default: what the lags of the
    /// longest delay reach back; for Lorenz 0.2]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) warmup: Option<f64>,
    /// Steps ahead to forecast [default: 1; for Lorenz 1,10,100]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) horizon: Option<Vec<usize>>,
    /// Whether each channel is standardised by mean and standard deviation of the training part; forecasts are in the data's units
    /// all the same [default: true; for Lorenz false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) scale: Option<bool>,
    /// What is fitted: value, or increment (the difference from the present value) [default: value]
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Penalty of the ridge regression, or several of which the validation part chooses one: 0.1,1,10 or powers of ten
    /// 1e-8..1e2 [default: 1e-8..1e2, or 1e-6 without a validation part or with --online; for Lorenz 1e-6]
    #[arg(long, value_name = "X,X", allow_hyphen_values = true)]
    pub(crate) alpha: Option<String>,
    /// What the choice is by: one-step (error of the nearest horizon), or free-run (how long the model stays with the truth on
    /// its own outputs) [default: one-step]
    #[arg(long, value_name = "NAME")]
    pub(crate) select: Option<String>,
    /// How the ridge regression is solved: qr, svd or gram-pinv (BrainPy's) [default: qr]
    #[arg(long, value_name = "NAME")]
    pub(crate) solver: Option<String>,
    /// Learn the training part sample by sample instead: rls (recursive least squares, whose penalty is --alpha) or lms (least mean
    /// squares) [default: off]
    #[arg(long, value_name = "NAME", help_heading = "Online learning")]
    pub(crate) online: Option<String>,
    /// Of rls: how much a sample still counts one sample later, above 0 and at most 1 [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Online learning")]
    pub(crate) forgetting: Option<f64>,
    /// Of lms: how far a step goes, above 0 and below 2; it is divided by the squared length of the features, unless
    /// --set online.normalised=false [default: 0.5]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Online learning")]
    pub(crate) rate: Option<f64>,
    /// Steps that the model runs on its own outputs, from 50 starts in the test part; 0 is none [default: half of the test part]
    #[arg(long, value_name = "N")]
    pub(crate) free_run: Option<usize>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Ngrc {
    /// Points of the past that are features, the present one included, or several numbers of which the validation part chooses
    /// one [default: 1,2,3,5,9,13,18,25, or 9 without a validation part or with --online; for
    /// Lorenz 4]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) delay: Option<Vec<usize>>,
    /// Steps between these points [default: 1; for Lorenz 5]
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Orders of the products of these points; 1 is linear only [default: 1; for Lorenz 2]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) order: Option<Vec<usize>>,
    /// A constant among the features
    #[arg(long)]
    pub(crate) constant: bool,
    #[command(flatten)]
    pub(crate) series: Series,
}

#[derive(Debug, Args)]
pub(crate) struct Esn {
    /// Units of the reservoir, of each of its layers [default: 500]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) units: Option<i64>,
    /// Layers in a row, all of whose states the readout sees [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) layers: Option<i64>,
    /// How states are updated: leaky, es2n (edge of stability, a long memory) or eusn (Euler's method) [default: leaky]
    #[arg(long, value_name = "NAME")]
    pub(crate) kind: Option<String>,
    /// How much of its new value a unit takes on in a step, above 0 and at most 1; proximity of es2n, step of eusn [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) leak: Option<f64>,
    /// Greatest absolute eigenvalue of the recurrent matrix [default: 0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) spectral_radius: Option<f64>,
    /// Greatest weight of an input [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) input_scaling: Option<f64>,
    /// Greatest bias of a unit [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) bias_scaling: Option<f64>,
    /// Recurrent matrix: random, orthogonal, ring or ring_with_jumps [default: random, a tenth of the entries normal]
    #[arg(long, value_name = "NAME")]
    pub(crate) matrix: Option<String>,
    /// Steps after which a state no longer depends on where it began; they are for warming up [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) washout: Option<usize>,
    /// Settings of the reservoir that are drawn and tried beside these, of which the best on the validation part of a series, or at
    /// left-out sequences, are taken [default: 0; for sequences 20]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) search: Option<usize>,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) series: Series,
}

/// Options of which sequences of a file are for what.
#[derive(Debug, Args)]
pub(crate) struct Parts {
    /// File with the test part, x_test and y_test or x and y [default: that of --data]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) test: Option<PathBuf>,
    /// Fraction of a file that has only x and y that is for testing, of each class the same [default: 0.2]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) test_fraction: Option<f64>,
    /// Array [sample] beside x, such as subject: samples of one value are all for training, for validation or for testing. Beside
    /// x_train it is called <NAME>_train
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) group: Option<String>,
    /// What numeric targets [sample, n] are of where a sequence has n steps, too: steps (a number for each) or sequences (n numbers
    /// for each) [default: steps]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) targets_of: Option<String>,
    /// Fraction of the training part of a file that is held out: it says when to stop, and of conv and auto how good a model is
    /// [default: 0.25]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) validation: Option<f64>,
}

/// Options of how a network is trained on examples.
#[derive(Debug, Args)]
pub(crate) struct Learning {
    #[command(flatten)]
    pub(crate) parts: Parts,
    /// Units of each hidden layer [default: rnn 100, for a file 64; snn 10, for a file 128]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) hidden: Option<Vec<i64>>,
    /// Loss: mse, mae, huber, cross_entropy or binary_cross_entropy [default: as the targets are]
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// sgd, momentum, nesterov, rms_prop, adam or adam_w [default: adam]
    #[arg(long, value_name = "NAME")]
    pub(crate) optimizer: Option<String>,
    /// Learning rate [default: rnn 0.001, for integration 0.025; snn 0.002, for a file 0.01]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) lr: Option<f64>,
    /// What is added to the loss for the squares of all weights [default: 0; for integration 2e-4]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) l2: Option<f64>,
    /// Maximum number of epochs [default: snn 1500; for a file rnn 200, snn 100, or more for 2000 updates]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) epochs: Option<u64>,
    /// Epochs without a better loss on the validation part of a file after which training ends [default: 20, or
    /// more for 500 updates]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) patience: Option<u64>,
    /// Samples of a batch [default: rnn 128; snn all of them; for a file 16]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,
    /// Networks of which the outputs are averaged, trained one after the other, each with a validation part of its own [default: 1;
    /// for a file of fewer than 1000 training samples 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) ensemble: Option<usize>,
    /// Batches of an update: what does not fit into memory at once [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) accumulate: Option<usize>,
    /// Cut sequences in pieces of N steps, each of which makes an update and hands on its state
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) truncate: Option<usize>,
    /// Updates between two reports [default: rnn 500; snn 100; for a file 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) report_every: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Rnn {
    /// Task to learn, drawn anew for every update: integration, decision or flip_flop [default: integration]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) task: Option<String>,
    /// Examples to learn, an .npz file with x_train, y_train, x_test, y_test, or with x and y, of which a part is for testing: x
    /// [sample, time, channel]; y whole numbers (labels) or floats, for each sequence or each step; len_train, len_test where
    /// sequences are padded
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// Whether channels are standardised by the training part [default: true for a file]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Data")]
    pub(crate) scale: Option<bool>,
    /// Length of a step in ms [default: that of the task; 1 for a file]
    #[arg(long, value_name = "MS", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) dt: Option<f64>,
    /// What the layers are made of: rnn, gru or lstm [default: rnn; for a file gru]
    #[arg(long, value_name = "NAME")]
    pub(crate) cell: Option<String>,
    /// Updates, of a task [default: 3000]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) updates: Option<u64>,
    #[command(flatten)]
    pub(crate) learning: Learning,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Snn {
    /// Examples to learn, an .npz file with x_train, y_train, x_test, y_test, or with x and y, of which a part is for testing: x
    /// [sample, time, channel] zeros and ones, or numbers (see --encode); y labels. Or, for x, times_train (seconds), units_train (channels) and offsets_train (where the spikes of each
    /// sample begin), and the same for test
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// How inputs that are numbers drive the network: current (as they are, standardised), rate, latency or delta (as spikes)
    /// [default: none, inputs are spikes]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) encode: Option<String>,
    /// Length of a step in ms [default: 0.1; of a file 1, of spikes with times 4]
    #[arg(long, value_name = "MS", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) dt: Option<f64>,
    /// Samples to draw, without a file [default: 256]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) samples: Option<usize>,
    /// Time steps of a sample, without a file [default: 2000]; those that spikes with times are put in [default: as many as the
    /// training part needs]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) steps: Option<usize>,
    /// Rate of each input channel, without a file [default: 5]
    #[arg(long, value_name = "HZ", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) rate_hz: Option<f64>,
    /// What stands in for the derivative of a spike: inv_square, sigmoid, arctan, ... (a wrong name lists all eighteen)
    /// [default: inv_square; for a file sigmoid]
    #[arg(long, value_name = "NAME")]
    pub(crate) surrogate: Option<String>,
    /// What a spike does to the potential: value (sets it to v_reset), subtract (takes v_th - v_reset off) or none
    /// [default: value]
    #[arg(long, value_name = "NAME")]
    pub(crate) reset: Option<String>,
    /// Synapses among the neurons of each hidden layer, too
    #[arg(long)]
    pub(crate) recurrent: bool,
    #[command(flatten)]
    pub(crate) learning: Learning,
    #[command(flatten)]
    pub(crate) run: Run,
}
