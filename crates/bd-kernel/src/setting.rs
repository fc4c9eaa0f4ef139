//! Checks of single settings: what is not allowed is an [`Error::Setting`] with the name, the value and what is allowed.

use std::fmt::Display;

use crate::{Error, Result};

/// Refuses what is not a finite number above 0.
pub fn above_zero(name: &str, value: f64) -> Result<()> {
    check(name, value, value > 0.0 && value.is_finite(), "a number above 0")
}

/// Refuses what is not a finite number from 0 on.
pub fn from_zero(name: &str, value: f64) -> Result<()> {
    check(name, value, value >= 0.0 && value.is_finite(), "a number from 0")
}

/// Refuses what is not a finite number.
pub fn finite(name: &str, value: f64) -> Result<()> {
    check(name, value, value.is_finite(), "a number")
}

/// Refuses what is not from 0 to below 1.
pub fn below_one(name: &str, value: f64) -> Result<()> {
    check(name, value, (0.0..1.0).contains(&value), "from 0 to below 1")
}

/// Refuses a count that is not `least` or more.
pub fn at_least<N: PartialOrd + Display>(name: &str, value: N, least: N) -> Result<()> {
    let fits = value >= least;
    let allowed = format!("at least {least}");
    check(name, value, fits, &allowed)
}

/// Refuses a value that does not fit, with what is allowed in words: `it must be {allowed}`.
pub fn check(name: &str, value: impl Display, fits: bool, allowed: &str) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::setting(name, value, allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_can_be_matched_and_read() {
        let error = above_zero("ridge.alpha", -1.0).unwrap_err();
        assert_eq!(error.to_string(), "ridge.alpha is -1; it must be a number above 0");
        let Error::Setting { name, value, allowed } = error else { panic!("{error}") };
        assert_eq!([name, value, allowed], ["ridge.alpha", "-1", "a number above 0"]);
    }

    #[test]
    fn limits_are_where_they_are_said_to_be() {
        for (value, above, from, below) in [
            (-1.0, false, false, false),
            (0.0, false, true, true),
            (1.0, true, true, false),
            (f64::NAN, false, false, false),
            (f64::INFINITY, false, false, false),
        ] {
            assert_eq!(above_zero("x", value).is_ok(), above, "{value}");
            assert_eq!(from_zero("x", value).is_ok(), from, "{value}");
            assert_eq!(below_one("x", value).is_ok(), below, "{value}");
        }
        assert!(at_least("n", 1, 1).is_ok() && at_least("n", 0, 1).is_err());
    }
}
