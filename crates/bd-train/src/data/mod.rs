//! Where series come from and how they are divided.

pub mod chaos;
pub mod split;

pub use chaos::{FLOWS, Flow};
pub use split::{Split, SplitConfig};
