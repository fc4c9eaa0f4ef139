//! [`Error`]: what is wrong with a formula or its settings.

/// What is wrong with a formula or its settings, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that is not allowed.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// Its name, for example `lif.tau_ms`.
        name: String,
        /// Its value.
        value: String,
        /// What is allowed, for example `a number above 0`.
        allowed: String,
    },

    /// Settings that do not fit together, in words.
    #[error("{0}")]
    Config(String),

    /// A formula that calls the Rust function of this name cannot be printed.
    #[error("{0} is a Rust function, which has no CUDA form; run it on the CPU, or write the formula with Num")]
    NoCudaForm(&'static str),
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Setting`].
    pub fn setting(name: impl Into<String>, value: impl std::fmt::Display, allowed: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), value: value.to_string(), allowed: allowed.into() }
    }
}
