//! Readouts that learn while they run: the weights change after every sample.
//!
//! With features `x` (of a model with an intercept `1` before them), target `y` and weights `w` of one output:
//!
//! ```text
//! e = y - x w                                                  the error of the prediction before the update
//! RLS   k = P x / (f + x^T P x)    w <- w + k e    P <- (P - k x^T P) / f    P = I / alpha at first
//! LMS   w <- w + rate e x          normalised: w <- w + rate e x / |x|^2
//! ```
//!
//! After `n` samples recursive least squares has the weights that minimise `sum_i f^(n-i) (y_i - x_i w)^2 + f^n alpha |w - w_0|^2`: with
//! forgetting `f = 1` and `w_0 = 0` those of [`Ridge`](crate::Ridge) with the same `alpha`. `P` is kept as the factors `U D U^T`, see
//! [`InverseFactor`](bd_kernel::InverseFactor). Haykin, "Adaptive filter theory", 5th edition, chapters 5, 6 and 10.
//!
//! FORCE learning (Sussillo and Abbott, Neuron 63, 2009) is no other rule: it is recursive least squares in a loop in which the model's
//! input is its own output. `examples/force.rs` has that loop.
//!
//! | | |
//! |---|---|
//! | [`OnlineRule`], [`Rls`], [`Lms`] | settings of a rule |
//! | [`Online`] | a model with its state and its clock that learns sample by sample, or from whole series |
//! | [`Learner`] | the weights and what a rule remembers, for models and states that are kept elsewhere |

mod algebra;
mod learner;
mod lms;
mod model;
mod rls;
mod rule;
mod saved;
#[cfg(test)]
mod tests;

pub use self::learner::Learner;
pub(crate) use self::model::CHUNK_ROWS;
pub use self::model::Online;
pub use self::rule::{Lms, OnlineRule, Rls};
