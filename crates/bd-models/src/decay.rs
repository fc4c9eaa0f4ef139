//! Exponential Euler: the factors of `bd-kernel`'s [`Decay`].

pub use bd_kernel::models::decay::{Decay, check_tau};
