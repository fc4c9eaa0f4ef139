//! `bd train ngrc` and `esn`: series, and features of them.

use std::path::PathBuf;

use clap::Args;

use super::{Parts, Run};

/// Options of a forecast of a series, by whatever model.
#[derive(Debug, Args)]
pub(crate) struct Series {
    /// Series to learn, instead of Lorenz: .csv, .tsv, .txt or .dat, .npy, .npz, .safetensors, .h5, .nwb or .mat (7.3)
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
    /// Name of the unit of time, for words and pictures, such as s or days [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) time_unit: Option<String>,
    /// Fractions that are for training, validation and test, in order of time, of what the warm-up leaves [default: 0.7,0.1,0.2;
    /// with one delay and one alpha 0.8,0,0.2. For a system 0.5,0.25,0.25 and 0.75,0,0.25]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) split: Option<Vec<f64>>,
    /// Points at the beginning that only fill the model's memory, a count or a fraction below 1 [default: what the lags of the
    /// longest delay reach back; for a system 0.2]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Data")]
    pub(crate) warmup: Option<f64>,
    /// Steps ahead to forecast [default: 1; for a system 1,10,100]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) horizon: Option<Vec<usize>>,
    /// Whether each channel is standardised by mean and standard deviation of the training part; forecasts are in the data's units
    /// all the same [default: true; for a system false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) scale: Option<bool>,
    /// What is fitted: value, or increment (the difference from the present value) [default: value]
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Penalty of the ridge regression, or several of which the validation part chooses one: 0.1,1,10 or powers of ten
    /// 1e-8..1e2 [default: 1e-8..1e2, or 1e-6 without a validation part or with --online; for a system 1e-6]
    #[arg(long, value_name = "X,X", allow_hyphen_values = true)]
    pub(crate) alpha: Option<String>,
    /// What the choice is by: one-step (error of the nearest horizon), or free-run (how long the model stays with the truth on
    /// its own outputs) [default: one-step]
    #[arg(long, value_name = "NAME")]
    pub(crate) select: Option<String>,
    /// How the ridge regression is solved: qr, svd or gram-pinv (BrainPy's) [default: qr]
    #[arg(long, value_name = "NAME")]
    pub(crate) solver: Option<String>,
    /// Share of the penalty that is of absolute values, from 0 (ridge regression) to 1 (lasso): above 0 weights of some features are zero
    /// [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) l1_ratio: Option<f64>,
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
    /// Steps that the model runs on its own outputs, from 50 starts in the test part; 0 is none [default: half of the test part, at
    /// most 10,000]
    #[arg(long, value_name = "N")]
    pub(crate) free_run: Option<usize>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Ngrc {
    /// Points of the past that are features, the present one included, or several numbers of which the validation part chooses
    /// one [default: 1,2,3,5,9,13,18,25, or 9 without a validation part or with --online; for
    /// a system 4, of many variables 1]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) delay: Option<Vec<usize>>,
    /// Steps between these points [default: 1; for a system 5, of many variables 1]
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Orders of the products of these points; 1 is linear only [default: 1; for a system 2]
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
