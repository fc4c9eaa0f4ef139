//! Checks of single settings: what is not allowed is an [`Error::Setting`](crate::Error::Setting) with the name, the value and what
//! is allowed. They are those of [`bd_kernel::setting`], with this crate's errors.

use std::fmt::Display;

use bd_kernel::setting;

use crate::error::Result;

/// Refuses what is not a finite number above 0.
pub fn above_zero(name: &str, value: f64) -> Result<()> {
    Ok(setting::above_zero(name, value)?)
}

/// Refuses what is not a finite number from 0 on.
pub fn from_zero(name: &str, value: f64) -> Result<()> {
    Ok(setting::from_zero(name, value)?)
}

/// Refuses what is not a finite number.
pub fn finite(name: &str, value: f64) -> Result<()> {
    Ok(setting::finite(name, value)?)
}

/// Refuses what is not from 0 to below 1.
pub fn below_one(name: &str, value: f64) -> Result<()> {
    Ok(setting::below_one(name, value)?)
}

/// Refuses a count that is not `least` or more.
pub fn at_least<N: PartialOrd + Display>(name: &str, value: N, least: N) -> Result<()> {
    Ok(setting::at_least(name, value, least)?)
}

/// Refuses a value that does not fit, with what is allowed in words: `it must be {allowed}`.
pub fn check(name: &str, value: impl Display, fits: bool, allowed: &str) -> Result<()> {
    Ok(setting::check(name, value, fits, allowed)?)
}
