//! Trainers for `bd`, and what a training run needs around them.
//!
//! | module | purpose |
//! |---|---|
//! | [`ridge`] | [`Ridge`]: the linear readout of any model, fitted in closed form |
//! | [`predict`](mod@predict) | [`predict()`], [`free_run`]: a model over data, or on its own outputs |
//! | [`metrics`] | mean square and normalised errors |
//! | [`data`] | series of chaotic systems; how a series is divided |
//! | [`run_dir`] | [`RunDir`]: the folder that a run leaves behind |
//!
//! Public calls take `[batch, time, feature]`. This crate knows no model by name, only the traits of `bd-core`.

pub mod data;
mod layout;
pub mod metrics;
pub mod predict;
pub mod ridge;
pub mod run_dir;

pub use predict::{free_run, predict};
pub use ridge::{Ridge, RidgeFactor, RidgeReport, RidgeSolution, Solver};
pub use run_dir::RunDir;
