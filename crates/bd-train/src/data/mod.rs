//! Where series come from and how they are divided; sequences with their targets, in batches.

pub mod chaos;
mod examples;
pub mod split;

pub use chaos::{FLOWS, Flow};
pub use examples::{Examples, Sequences, TimeFirst};
pub use split::{Split, SplitConfig};
