//! Learning from examples of one's own, which networks of rates and spiking networks share: files, the part that is held out, how
//! inputs reach a network, its training, its test beside a baseline.

mod baseline;
mod data;
mod evaluation;
mod figures;
mod file;
mod learning;
mod network;
mod part;
mod reader;
mod spikes;
mod targets;

pub(crate) use self::baseline::linear_accuracy;
pub(crate) use self::data::{Data, report_test};
pub(crate) use self::evaluation::{Evaluated, Judge, table};
pub(crate) use self::figures::training as training_figure;
pub(crate) use self::file::Labelled;
pub(crate) use self::learning::{Best, Learner, Recipe, Report};
pub(crate) use self::network::examples;
pub(crate) use self::part::{FileInputs, Grid, Part};
pub(crate) use self::reader::{Form, events_of};
pub(crate) use self::spikes::{first_other, ones, said};
pub(crate) use self::targets::Targets;
