//! Formulas written once, for every way of computing them.

pub mod num;

pub use num::{Code, Field, Num};
