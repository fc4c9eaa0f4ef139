//! Numbers for people.

pub(crate) use bd_core::text::{plural, short};
