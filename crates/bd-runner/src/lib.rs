//! Trained models of `bd` in a control loop.
//!
//! A [`Runner`] opens the folder that `bd train` has written and makes one step after the other: no tensor, no allocation, no lock, and no
//! libtorch, on which this crate does not depend. Scaling and encoding are part of the model, so inputs and outputs have the units of the
//! data, and outputs the bytes of `bd predict`.
//!
//! ```no_run
//! use bd_runner::Runner;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut runner = Runner::open("runs/my-run")?; // checks configuration and weights against their SHA-256
//! let mut x = vec![0.0f32; runner.inputs()];
//! for sample in 0..1000 {
//!     x[0] = (0.01 * sample as f32).sin();
//!     let y = runner.step(&x)?; // about a microsecond; the state is inside
//!     println!("{}", y[0]);
//! }
//! runner.reset(); // a new sequence begins
//! # Ok(())
//! # }
//! ```
//!
//! | function | what it is for |
//! |---|---|
//! | [`Runner::open`], [`Runner::with_lanes`] | one sequence, or several side by side with a state each |
//! | [`Runner::inputs`], [`outputs`](Runner::outputs), [`substeps`](Runner::substeps), [`lanes`](Runner::lanes) | shapes |
//! | [`Runner::step`], [`step_f64`](Runner::step_f64) | a sample of each lane in, `substeps` rows of outputs of each lane out |
//! | [`Runner::reset`], [`reset_lane`](Runner::reset_lane) | the state before the first step |
//!
//! What can be run: `ngrc` and `esn` forecasts, `rnn` (rnn, gru and lstm cells) and `snn` with neurons of any kind, alone and as ensembles.
//! Networks of populations, readouts of whole sequences (`conv`, `esn` of sequences) and simulations are refused in words.
//!
//! The same from C and C++ is `include/bd_runner.h`, with the shared library of this crate, and from Python the module `bd_runner`.

pub mod c;
mod encode;
mod error;
mod folder;
mod forecast;
mod layers;
mod network;
mod part;
mod runner;
mod settings;
mod weights;

pub use error::{Error, Result, StepError};
pub use runner::Runner;
