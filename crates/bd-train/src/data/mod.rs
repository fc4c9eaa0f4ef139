//! Where series come from and how they are divided; sequences with their targets, in batches; events in steps.

pub mod columns;
pub mod dataset;
pub mod digits;
pub mod events;
mod examples;
pub mod flow;
pub mod lags;
pub mod narma;
pub mod ode;
mod series;
pub mod split;

use tch::{Kind, Tensor};

pub use columns::{Column, Columns, read_columns};
pub use dataset::{Accept, Binning, Dataset, EvaluationSet, Prepared, Subset, SubsetInputs, Targets};
pub use digits::Digits;
pub use events::{Binned, Events, LabelledEvents};
pub use examples::Examples;
pub(crate) use examples::Origin;
pub use flow::{FLOWS, Flow, FlowSeries, Solution};
pub use lags::Lags;
pub use narma::Narma;
pub use ode::Method;
pub use series::{Series, SeriesConfig, in_table, split_names};
pub use split::{Split, SplitConfig};

/// Whether an array is of whole numbers; bools are none.
fn whole(array: &Tensor) -> bool {
    matches!(array.kind(), Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 | Kind::Uint8)
}
