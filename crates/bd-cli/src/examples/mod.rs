//! Learning from examples of one's own, which networks of rates and spiking networks share: training in epochs, tables, plots.

mod data;
mod evaluation;
mod figures;
mod learning;

pub(crate) use self::data::{check_sha256, describe, metrics, report_test};
pub(crate) use self::evaluation::table;
pub(crate) use self::figures::training as training_figure;
pub(crate) use self::learning::{Best, Learner, Recipe, Report};
