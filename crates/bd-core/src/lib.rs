//! The core of `bd`: tensors and time, and no model.
//!
//! A package that uses `bd`'s crates has these lines, and a libtorch that Cargo knows of: `scripts/libtorch --app FOLDER` of a checkout fetches one and
//! writes `FOLDER/.cargo/config.toml`. All about it is in `docs/embedding.md`.
//!
//! ```toml
//! # Cargo.toml
//! [dependencies]
//! bd-core = { git = "https://github.com/bd-dynamics/bd" }
//! bd-models = { git = "https://github.com/bd-dynamics/bd" }
//! bd-train = { git = "https://github.com/bd-dynamics/bd" }
//!
//! [build-dependencies]
//! bd-libtorch = { git = "https://github.com/bd-dynamics/bd" }
//! ```
//!
//! ```ignore
//! // build.rs
//! fn main() {
//!     bd_libtorch::link();
//! }
//! ```
//!
//! | module | purpose |
//! |---|---|
//! | [`shared`] | [`Shared`], [`Phase`]: the arguments that all nodes see at a step |
//! | [`state`](mod@state) | [`StateTree`], [`state!`]: named trees of tensors |
//! | [`system`] | [`System`] (`step`, `scan`), [`Readout`], [`Chain`], [`scan_by_step`] |
//! | [`dyn_system`] | [`DynSystem`]: a system whose type is not known until run time |
//! | [`ensemble`] | [`Ensemble`]: networks side by side whose outputs are averaged |
//! | [`stack`] | [`Stack`]: layers in a row, each under a name |
//! | [`stepper`] | [`Stepper`]: a model driven step by step, checked, in constant memory |
//! | [`tap`] | [`Tap`]: states recorded by name |
//! | [`autograd`] | [`attach`]: operations of our own in libtorch's graph, with a backward in Rust |
//! | [`kernel`] | fused scans with their adjoints; formulas written once for numbers, tensors and CUDA C |
//! | [`inputs`] | [`Inputs`]: a batch of sequences, as numbers or as a list of spikes |
//! | [`checked`], [`finite`] | what is refused where data come in: shapes, dtypes, states of other models, numbers that are not finite |
//! | [`setting`] | checks of single settings |
//! | [`spikes`] | [`Spikes`]: a sequence of zeros and ones as the list of its ones |
//! | [`forecaster`] | [`Forecaster`]: a model that forecasts the channels of a series |
//! | [`transform`] | [`DataTransform`]: between the units of data and those of a model |
//! | [`params`] | [`Params`]: the tensors of a model by name, loaded strictly |
//! | [`weight`] | [`Weight`]: a parameter of which signs and zeros are kept |
//! | [`rng`] | [`Rng`]: random numbers as a function of a seed, a name and a counter |
//! | [`device`] | [`DeviceSpec`] |
//! | [`determinism`] | the same bytes on all processors |
//! | [`threads`] | ours over a batch, libtorch's in an operation |
//! | [`libtorch`] | which libtorch is loaded |
//! | [`cuda`] | what the NVIDIA driver shows; why CUDA cannot be used |
//! | [`nvrtc`] | [`Nvrtc`](nvrtc::Nvrtc): CUDA C compiled at run time |
//! | [`gpu`] | [`Gpu`](gpu::Gpu): kernels of our own on a GPU |
//! | [`files`] | files written in one step; safetensors |
//! | [`npz`] | numpy's `.npz`, read and written, and `.npy` |
//! | [`checkpoint`] | [`Checkpoint`]: a point in training, hashed |
//! | [`contract`] | what a system promises, as numbers: [`Trial`](contract::Trial), [`compare`](contract::compare) |
//! | [`text`] | numbers and counts in messages |
//! | [`error`] | [`Error`], [`Result`], [`catch_torch`] |
//! | `testing` | contract tests (feature `testing`) |
//!
//! Inside, sequences are `[time, batch, feature]`; public calls of the trainers take `[batch, time, feature]`.

pub mod arrays;
pub mod autograd;
pub mod checked;
pub mod checkpoint;
pub mod contract;
pub mod cuda;
pub mod determinism;
pub mod device;
pub mod dyn_system;
pub mod ensemble;
pub mod error;
pub mod files;
pub mod finite;
pub mod forecaster;
mod fused;
pub mod gpu;
mod hdf5;
pub mod inputs;
pub mod kernel;
pub mod libtorch;
pub mod memory;
mod named;
pub mod npz;
pub mod nvrtc;
pub mod params;
pub mod rng;
pub mod setting;
pub mod shared;
pub mod spikes;
pub mod stack;
pub mod state;
pub mod stepper;
mod stored;
pub mod system;
pub mod tap;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod threads;
pub mod transform;
pub mod weight;

pub use arrays::Arrays;
pub use autograd::{attach, attach_saving};
pub use bd_kernel::portable;
pub use checkpoint::Checkpoint;
pub use device::DeviceSpec;
pub use dyn_system::{DynState, DynSystem};
pub use ensemble::{Ensemble, EnsembleState, member_name};
pub use error::{Error, Result, catch_torch};
pub use finite::check_finite;
pub use forecaster::Forecaster;
pub use hdf5::{Clock, NamedMember, hdf5_datasets};
pub use inputs::Inputs;
pub use named::{kind_name, match_named};
pub use params::{ParamPath, Params};
pub use rng::Rng;
pub use shared::{Phase, Shared};
pub use spikes::{Spike, Spikes};
pub use stack::{Stack, StackState};
pub use state::{StateTree, join};
pub use stepper::{Stepper, check_state_finite};
pub use stored::{Member, Text};
pub use system::{Chain, ChainState, Features, Readout, System, scan_by_step};
pub use tap::Tap;
/// The `tch` whose tensors all of this takes and gives. Of a `tch` of your own the version has to be the same to the digit.
pub use tch;
pub use transform::{DataTransform, Identity};
pub use weight::{Kept, Weight};
