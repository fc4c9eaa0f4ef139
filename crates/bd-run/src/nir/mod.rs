//! Networks of other programs: graphs of the Neuromorphic Intermediate Representation (NIR, Pedersen et al. 2024, Nature
//! Communications 15, 8122), as the Python package `nir` 1.0.8 reads and writes them.
//!
//! | module | purpose |
//! |---|---|
//! | `graph` | [`Graph`], [`Node`], [`Array`]: what a file holds |
//! | `read`, `write` | the file, HDF5 |
//! | `export` | [`export()`]: a trained spiking network as a graph |
//! | `import` | [`import()`]: a graph as a run folder |
//!
//! NIR writes neurons as differential equations and leaves open how a program steps through them. The libraries for
//! PyTorch step by Euler's rule, `v += dt/tau (R I - v)`, and bd by the exact solution, `v += (1 - e^(-dt/tau)) (R I - v)`.
//! The two are the same numbers where the file has `tau' = dt' / (1 - e^(-dt/tau))`: this is [`Flavour::Exact`].

mod export;
mod graph;
mod import;
mod read;
mod write;

pub use self::export::{Export, Exported, Flavour, export};
pub use self::graph::{Array, Graph, Meta, Named, Node, Numbers, Plain};
pub use self::import::{Import, Imported, import};
pub use self::read::read;
pub use self::write::write;

/// Length of a step in the files of [`Flavour::Exact`], in seconds: snnTorch knows no other, and SpikingJelly takes it by default.
pub const FILE_STEP_S: f64 = 1e-4;

/// What bd writes beside the nodes, by its names in `metadata`.
pub(crate) mod keys {
    /// The configuration of the run, JSON, without places of files.
    pub(crate) const CONFIG: &str = "bd_config";
    /// `exact` or `physical`.
    pub(crate) const FLAVOUR: &str = "bd_flavour";
    /// Version of bd.
    pub(crate) const VERSION: &str = "bd_version";
    /// The last layer of the file, where it is not the readout.
    pub(crate) const UNTIL: &str = "bd_until";
    /// In words, for people.
    pub(crate) const DISCRETISATION: &str = "discretisation";
    /// Length of a step of the run, in ms.
    pub(crate) const DT_MS: &str = "dt_ms";
    /// Length of a step by which an Euler importer gets these steps, in s.
    pub(crate) const FILE_STEP_S: &str = "file_step_s";
    /// Begins the names of parameters as the run has them, where nodes hold others or none.
    pub(crate) const PARAMETER: &str = "bd_parameter.";
}
