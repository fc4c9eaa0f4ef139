//! Runs of `bd`: what the command line does, for programs.
//!
//! | module | purpose |
//! |---|---|
//! | [`config`] | [`Config`], [`Layers`]: what a run is to do, from defaults, a file, options and assignments |
//! | [`experiment`] | [`forecast()`], [`train()`]: a configuration carried out in a run folder |
//! | [`resume`](mod@resume) | [`Resume`]: a training that goes on where it was cut off, bit for bit |
//! | [`folder`] | [`RunFolder`]: the folder that a run leaves behind |
//! | [`open`] | [`Run`]: a run folder, opened |
//! | [`record`] | [`Record`], [`Several`], [`runs`](record::runs): what run folders say, however they have ended |
//! | [`predict`] | [`Predictor`]: a trained model run over data of one's own |
//! | [`sweep`](mod@sweep) | [`SweepSpec`], [`sweep()`]: one job with many configurations, each a process of its own |
//! | [`simulate`](mod@simulate) | [`simulate()`]: a network of populations over time |
//! | [`figures`] | figures of what a run has found (feature `plot`) |
//! | [`child`] | processes that a run starts |
//! | [`check`] | whether every model computes here what it should |
//! | [`nir`] | spiking networks for other programs and of them |
//! | [`neuron`] | [`NamedNeuron`]: a neuron of the zoo or of a file of equations |
//! | [`listener`] | [`Listener`]: who hears what a run says |

pub mod check;
pub mod child;
pub mod config;
pub mod experiment;
#[cfg(feature = "plot")]
pub mod figures;
pub mod folder;
pub mod listener;
mod manifest;
mod metrics;
pub mod neuron;
pub mod nir;
pub mod open;
pub mod predict;
pub mod record;
pub mod resume;
mod seconds;
pub mod simulate;
pub mod sweep;
mod tensorboard;

pub use config::{
    Config, Dtype, FeaturesConfig, ForecastConfig, InitialWeights, Layers, Lessons, Model, NetworkConfig, NetworkData,
    SeriesData, SystemConfig,
};
pub use experiment::{
    AutoConfig, AutoEnded, AutoOutcome, Ended, NetworkExperiment, Outcome, Report, RunObjective, Setting, agreed, auto,
    fit_features, forecast, train,
};
pub use folder::is_begun;
pub use folder::{RunFolder, of_best};
pub use listener::Listener;
pub use manifest::{Manifest, Resumed, Status, Versions};
pub use neuron::NamedNeuron;
pub use open::Run;
pub use predict::{Input, Prediction, Predictor, other_series};
pub use record::{Record, RunRow, Several};
pub use resume::{Assist, Resume, ResumeEnded};
pub use seconds::Seconds;
pub use simulate::{PopulationReport, SimulateConfig, Simulated, SimulationReport, simulate};
pub use sweep::{
    SweepEnded, SweepReport, SweepSetting, SweepSpec, SweepTrial, TrialEnded, TrialRow, sweep, sweep_trial,
};

/// The program of README.md compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
