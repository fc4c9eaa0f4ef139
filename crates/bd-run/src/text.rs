//! Numbers as people read them.

pub(crate) use bd_core::text::{plural, short};
