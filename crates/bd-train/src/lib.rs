//! Trainers for `bd`, and what a training run needs around them.
//!
//! | module | purpose |
//! |---|---|
//! | [`ridge`] | [`Ridge`]: the linear readout of any model, fitted in closed form |
//! | [`online`] | [`Online`]: the linear readout of any model, learned sample by sample |
//! | [`activity`](mod@activity) | how much the neurons of a spiking network spike |
//! | [`baseline`] | [`Baselines`]: what simple methods reach on the same sequences |
//! | [`bptt`] | [`Bptt`]: any model, trained by back-propagation through time |
//! | [`early_stopping`] | [`EarlyStopping`]: when a validation loss has stopped falling |
//! | [`trainer`] | [`Trainer`]: a training from its first update to its last, with validation, checkpoints and going on |
//! | [`evaluate`] | [`Criterion`], [`Evaluation`]: a trained model on examples, by its loss and beyond |
//! | [`held_out`] | [`HeldOut`]: a model on samples that it has not learned from, and how surely that is known |
//! | [`loss`] | losses by name; [`Objective`], a loss of one's own |
//! | [`optim`] | [`Optimizer`]: SGD, Adam and others, with a state that can be saved |
//! | [`schedule`] | [`Schedule`]: learning rates over time |
//! | [`task`] | [`Task`]: what rate networks are trained on, drawn batch by batch |
//! | [`process_group`] | [`ProcessGroup`]: several processes that train one model together |
//! | [`power_spectrum`](mod@power_spectrum) | [`power_spectrum()`]: how the variance of a series is spread over frequencies |
//! | [`predict`](mod@predict) | [`predict()`], [`free_run`]: a model over data, or on its own outputs |
//! | [`free_runs`](mod@free_runs) | [`free_runs()`]: how long a model that runs on its own outputs stays with the truth |
//! | [`lyapunov`] | [`LyapunovSpectrum`]: of a known system, and of any model that runs on its own outputs |
//! | [`memory`] | [`MemoryNeeds`]: what an update or a fit takes beside what the machine has |
//! | [`memory_capacity`](mod@memory_capacity) | [`memory_capacity()`]: how many steps of its input a system remembers |
//! | [`forecast`] | the fit of any model that forecasts a series, and how good its forecasts and free runs are |
//! | [`metrics`] | mean square and normalised errors |
//! | [`data`] | series of chaotic systems; how a series is divided; [`Dataset`](data::Dataset)s of files; [`Examples`](data::Examples) in batches |
//!
//! Public calls take `[batch, time, feature]`. This crate knows no model by name, only the traits of `bd-core`.

pub mod activity;
pub mod baseline;
pub mod bptt;
pub mod data;
pub mod early_stopping;
pub mod evaluate;
pub mod forecast;
pub mod free_runs;
pub mod held_out;
mod host;
mod layout;
pub mod loss;
pub mod lyapunov;
pub mod memory;
pub mod memory_capacity;
pub mod metrics;
pub mod online;
pub mod optim;
pub mod power_spectrum;
pub mod predict;
pub mod process_group;
pub mod ridge;
pub mod schedule;
pub mod task;
pub mod trainer;
mod tree;

pub use activity::{Activity, activity};
pub use baseline::{Baseline, Baselines, Score};
pub use bptt::{BatchOf, Bptt, Penalty, Update, UpdateBytes};
pub use early_stopping::{EarlyStopping, Verdict, Watch};
pub use evaluate::{Criterion, Evaluation};
pub use free_runs::{FreeRunConfig, FreeRunSummary, FreeRuns, Units, free_runs};
pub use held_out::HeldOut;
pub use loss::{EachStep, Loss, Objective, OfSequence, OverTime, Records, WithRecords};
pub use lyapunov::{LyapunovSpectrum, lyapunov_of_flow, lyapunov_of_model};
pub use memory::{MemoryNeeds, MemoryReport};
pub use memory_capacity::{MemoryCapacity, MemoryProtocol, memory_capacity};
pub use online::{Learner, Lms, Online, OnlineRule, Rls};
pub use optim::{OptimConfig, Optimizer};
pub use power_spectrum::{PowerSpectrum, power_spectrum};
pub use predict::{free_run, predict, predict_series};
pub use process_group::ProcessGroup;
pub use ridge::{
    ChosenPenalty, Ridge, RidgeCost, RidgeFactor, RidgeFolds, RidgeReport, RidgeSolution, RidgeSpectrum, Solver,
};
pub use schedule::Schedule;
pub use task::Task;
pub use trainer::{
    Best, Cadence, Checkpoints, Control, End, Keep, Newest, Observer, Report, ReportPoint, Seen, Source, Standing,
    TrainConfig, Trained, Trainer,
};
