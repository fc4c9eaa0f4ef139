//! Where series come from and how they are divided; sequences with their targets, in batches.

pub mod chaos;
pub mod columns;
mod examples;
mod series;
pub mod split;

pub use chaos::{FLOWS, Flow};
pub use columns::{Column, read_columns};
pub use examples::{Examples, Sequences, TimeFirst};
pub use series::{Series, SeriesConfig, split_names};
pub use split::{Split, SplitConfig};
