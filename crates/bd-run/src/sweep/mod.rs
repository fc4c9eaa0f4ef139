//! Sweeps: one job with many configurations, each trained by a process of its own; what came of them in one table.
//!
//! A folder of a sweep holds
//!
//! | file | content |
//! |---|---|
//! | `trial-0007/` | the run folder of a trial |
//! | `trial-0007.json` | what its process has printed: its numbers, or why it failed. Without it, or without an object in it, the trial is to be run |
//! | `trial-0007.log` | its messages |
//! | `trials.jsonl` | a [`TrialRow`] for each trial that has ended, in the order of their numbers |
//! | `sweep.json` | the [`SweepSpec`], all rows and, once all have ended, the best setting |
//! | `report.md` | the table |
//!
//! The files of a trial are written by whoever runs it, so that jobs of an array work side by side in one folder; the others are made of
//! them. Whenever a process is killed, the same call goes on: trials that have ended stay as they are, one that was cut off is
//! [resumed](crate::Resume) where it has a checkpoint, and begun anew where it has none.
//!
//! Trials are compared by their [`RunObjective`](crate::experiment::RunObjective), which is never of the test part. The numbers of the test part
//! are read at the end, of the best setting alone.

mod process;
mod report;
mod run;
mod spec;
mod state;

pub use self::report::{Best, SweepReport};
pub use self::run::{SweepEnded, SweepSetting, TrialEnded, sweep, sweep_trial};
pub use self::spec::{Range, SweepSpec, SweepTrial, shown};
pub(crate) use self::state::RECORD;
pub use self::state::{TrialFailure, TrialRow};
