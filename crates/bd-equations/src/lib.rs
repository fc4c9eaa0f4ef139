//! Neurons written as text, in a subset of Brian2's syntax, and what becomes of them: a checked [`Model`] whose step is generic
//! over [`bd_kernel::Num`], so that it is calculated, differentiated and printed as any other formula.
//!
//! | | |
//! |---|---|
//! | [`NeuronText`], [`Value`], [`Method`] | a neuron as it is written in a file |
//! | [`Model`], [`StepConstants`] | the checked neuron, and its step |
//! | [`State`], [`Port`], [`Held`], [`Initial`], [`Draw`] | its numbers |
//! | [`Target`] | what a neuron of a network receives something through |
//! | [`Sent`] | what it sends in a step |
//! | [`Quantity`] | a number with its unit, which may be random, by itself |
//! | [`Dimension`] | what a number measures |
//! | [`zoo`] | neurons of the literature |
//! | [`Trajectory`], [`Response`] | what one neuron does to its inputs: [`Model::simulate`], [`Model::response`] |
//! | [`Error`], [`Position`] | what is wrong, with line and column |
//!
//! # What differs from Brian2
//!
//! | | Brian2 | here |
//! |---|---|---|
//! | numbers | in SI | in ms, mV, pA and what follows, near 1 for float32 |
//! | threshold | any condition, `v > 1` without equality | one comparison, which includes equality |
//! | values of parameters | set from Python | tables `constants`, `inputs`, `initial` |
//! | flags | `unless refractory`, `constant`, ... | these two, and `per neuron`, `trained`, `positive` |
//! | `exponential_euler` | refuses `v' = exp(v)` | takes it if it is asked for: then it is Euler's method |
//! | not there | | `t`, `xi`, `i`, `//`, `%`, rounding, summed and linked variables, functions of one's own, stochastic methods |
//!
//! A step is Brian2's: differential equations with inputs held, threshold, reset. What arrives through a port during a step
//! takes part in it.
//!
//! # Limits
//!
//! Texts come from strangers: a part has at most 64 KiB, 256 lines and 64 variables, brackets are at most 64 deep, and at most 256
//! operations stand in a row.

mod affine;
mod build;
mod check;
mod dependence;
mod dimension;
mod equations;
mod error;
mod exact;
mod formula;
mod gradients;
mod lexer;
mod method;
mod model;
mod parser;
mod program;
mod quantity;
mod simulate;
mod source;
mod syntax;
mod text;
mod units;
pub mod zoo;

pub use check::Draw;
pub use dimension::Dimension;
pub use error::{Error, Position, Result, nearest};
pub use model::{Facts, Held, Initial, Model, Port, State, StepConstants};
pub use program::{Sent, Target};
pub use quantity::Quantity;
pub use simulate::{Response, Trajectory};
pub use text::{Method, NeuronText, Value};
