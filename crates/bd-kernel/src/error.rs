//! [`Error`]: what is wrong with a formula or its settings.

/// What is wrong with a formula or its settings, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that is not allowed.
    #[error("{0}")]
    Setting(String),

    /// A formula that calls the Rust function of this name cannot be printed.
    #[error("{0} is a Rust function, which has no CUDA form; run it on the CPU, or write the formula with Num")]
    NoCudaForm(&'static str),
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
