//! The loops of models: units, linear maps, cells of networks of rates, and what makes a system recurrent. Equations and
//! settings of whole models stand in `bd-models`, under the same names.
//!
//! | module | what is in it |
//! |---|---|
//! | [`decay`] | the factors of exponential Euler |
//! | [`surrogate`] | what stands in for the derivative of a spike |
//! | [`expon`], [`delay`], [`leaky_integrator`], [`lif`] | units |
//! | [`linear`] | [`LinearKernel`](linear::LinearKernel) |
//! | [`cell`] | [`CellKernel`](cell::CellKernel): cells of units that are formulas, [`CellUnit`](cell::CellUnit), of any type: [`CellUnits`](cell::CellUnits) |
//! | [`fixed`] | weights that are never trained, sparse if most are zero |
//! | [`rnn`], [`gru`], [`lstm`], [`reservoir`] | such units |
//! | [`recurrent`] | [`RecurrentKernel`](recurrent::RecurrentKernel): any kernel whose outputs come back a step later |
//! | [`nvar`], [`encode`] | lagged products, and numbers as spikes, of one series a step at a time |
//! | [`network`] | [`NetworkKernel`](network::NetworkKernel): populations of units that send each other spikes, with delays |

mod blocks;
pub mod cell;
pub mod decay;
pub mod delay;
pub mod encode;
pub mod expon;
pub mod fixed;
pub mod gru;
pub mod leaky_integrator;
pub mod lif;
pub mod linear;
pub mod lstm;
mod matrix;
pub mod network;
pub mod nvar;
mod recording;
pub mod recurrent;
pub mod reservoir;
pub mod rnn;
mod step_weight;
pub mod surrogate;
mod target;

pub use decay::Decay;
pub use delay::OneStep;
pub use expon::ExponConfig;
pub use leaky_integrator::LeakyIntegratorConfig;
pub use lif::{LifConfig, LifTrained, Reset};
pub use surrogate::Surrogate;
pub use target::Target;
