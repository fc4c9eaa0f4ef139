//! Models of brain dynamics for `bd`, one a file, equations first.
//!
//! | module | model |
//! |---|---|
//! | [`linear`] | [`Linear`]: `y = x W + b`, the readout of everything that is fitted in closed form |
//! | [`nvar`] | [`Nvar`]: nonlinear vector autoregression, lagged inputs and their products |
//! | [`ngrc`] | [`Ngrc`]: next-generation reservoir computing, `Nvar` and `Linear` |
//! | [`init`] | initial values of weights |
//!
//! Every model is a [`bd_core::System`]: its `step` is the definition, its `scan` equals it. This crate knows no
//! trainer.

pub mod init;
pub mod linear;
pub mod ngrc;
pub mod nvar;

pub use init::Init;
pub use linear::{Linear, LinearConfig};
pub use ngrc::{Ngrc, NgrcState};
pub use nvar::{Nvar, NvarConfig, NvarState};
