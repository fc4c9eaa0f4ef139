//! Functions that give the same bytes on every machine.
//!
//! The C library's differ in the last digit from one system to the next. What is drawn from a seed, and what is worked out once for
//! a whole training, comes from these. Loops over many numbers have [their own](crate::sigmoid).

pub use libm::{cos, exp, expm1, log as ln, log1p as ln_1p, pow, sin};
