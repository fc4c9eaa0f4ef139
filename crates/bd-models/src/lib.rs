//! Models of brain dynamics for `bd`, one a file, equations first.
//!
//! | module | model |
//! |---|---|
//! | [`linear`] | [`Linear`]: `y = x W + b`, the readout of everything that is fitted in closed form |
//! | [`nvar`] | [`Nvar`]: nonlinear vector autoregression, lagged inputs and their products |
//! | [`ngrc`] | [`Ngrc`]: next-generation reservoir computing, `Nvar` and `Linear` |
//! | [`surrogate`] | [`Surrogate`]: what stands in for the derivative of a spike |
//! | [`init`] | initial values of weights |
//!
//! Every model is a [`bd_core::System`]: its `step` is the definition, its `scan` equals it. This crate knows no
//! trainer.

pub mod init;
pub mod linear;
pub mod ngrc;
pub mod nvar;
pub mod surrogate;

pub use init::Init;
pub use linear::{Linear, LinearConfig};
pub use ngrc::{Ngrc, NgrcState};
pub use nvar::{Nvar, NvarConfig, NvarState};
pub use surrogate::Surrogate;
