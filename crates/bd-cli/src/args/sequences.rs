//! `bd train rnn` and `snn`: sequences, and how a network is trained on them.

use std::path::PathBuf;

use clap::Args;

use super::{Processes, Run};

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
    /// Array of the file that is the input, such as session/voltage in an HDF5 file [default: x]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) x: Option<String>,
    /// Array of the file that is the target, such as session/choice, or a column of the trials of an NWB file [default: y]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) y: Option<String>,
    /// Table of intervals of an NWB file whose rows are samples [default: trials]
    #[arg(long, value_name = "TABLE", help_heading = "Data")]
    pub(crate) trials: Option<String>,
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
    /// Units of each hidden layer [default: rnn 100, for a file and tasks of trials 64; snn 10, for a file 128]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) hidden: Option<Vec<i64>>,
    /// Loss: mse, mae, huber, cross_entropy or binary_cross_entropy [default: as the targets are]
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// sgd, momentum, nesterov, rms_prop, adam or adam_w [default: adam]
    #[arg(long, value_name = "NAME")]
    pub(crate) optimizer: Option<String>,
    /// Learning rate [default: rnn 0.001, for integration 0.025, for tasks of trials 0.005; snn 0.002, for a file 0.01]
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
    /// Samples of a batch [default: rnn 128, for tasks of trials 64; snn all of them; for a file 16]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,
    /// Networks of which the outputs are averaged, trained one after the other, each with a validation part of its own [default: 1;
    /// for a file of fewer than 1000 training samples 3; snn, of fewer than 100 with numbers at each step 5]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) ensemble: Option<usize>,
    /// Run of a network like this one, with whose weights the training begins; --from RUN takes its settings, too [default: they are
    /// drawn]
    #[arg(long, value_name = "RUN")]
    pub(crate) weights: Option<PathBuf>,
    /// Batches of an update: what does not fit into memory at once [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) accumulate: Option<usize>,
    /// Cut sequences in pieces of N steps, each of which makes an update and hands on its state
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) truncate: Option<usize>,
    /// Updates between two reports [default: rnn 500; snn 100; for a file 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) report_every: Option<u64>,
    /// Write the numbers of reports for TensorBoard, too: tensorboard --logdir runs
    #[arg(long)]
    pub(crate) tensorboard: bool,
    #[command(flatten)]
    pub(crate) processes: Processes,
}

#[derive(Debug, Args)]
pub(crate) struct Rnn {
    /// Task to learn, drawn anew for every update: integration, decision, flip_flop, or one of trials with a decision at their end:
    /// perceptual_decision, context_decision, delayed_match [default: integration]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) task: Option<String>,
    /// Examples to learn, an .npz, .h5 or .mat (7.3) file with x_train, y_train, x_test, y_test, or with x and y (see --x, --y), of which a
    /// part is for testing: x [sample, time, channel]; y whole numbers (labels) or floats, for each sequence or each step; len_train, len_test where
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
    /// Updates, of a task [default: 3000; of trials 1000]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) updates: Option<u64>,
    #[command(flatten)]
    pub(crate) learning: Learning,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Snn {
    /// Examples to learn, an .npz, .h5 or .mat (7.3) file with x_train, y_train, x_test, y_test, or with x and y (see --x, --y), of which a
    /// part is for testing: x [sample, time, channel] zeros and ones, or numbers (see --encode); y labels. Or, for x, times_train (seconds), units_train (channels) and offsets_train (where the spikes of each
    /// sample begin), and the same for test. Or the Heidelberg digits (.h5), or an .nwb file, whose units have spikes in trials
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// Populations of neurons and projections between them instead of layers: a file that ends in .toml. Its population of kind input has a
    /// neuron for each channel, and its step is that of the data
    #[arg(long, value_name = "NET.toml")]
    pub(crate) model: Option<PathBuf>,
    /// How inputs that are numbers drive the network: current (as they are, standardised), rate, latency or delta (as spikes)
    /// [default: none, inputs are spikes]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) encode: Option<String>,
    /// Length of a step in ms [default: 0.1; of a file 1, of spikes with times 4, or as targets at each step lie]
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
