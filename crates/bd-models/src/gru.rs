//! [`Gru`]: gated recurrent units.
//!
//! ```text
//! z_t = sigmoid(x_t W_iz + h_(t-1) W_hz + b_z)            update
//! r_t = sigmoid(x_t W_ir + h_(t-1) W_hr + b_r)            reset
//! a_t = tanh(x_t W_ia + (r_t h_(t-1)) W_ha + b_a)         candidate
//! h_t = (1 - z_t) h_(t-1) + z_t a_t
//! ```
//!
//! The `GRUCell` of BrainPy 2.2.4 (`brainpy/dyn/layers/rnncells.py`), after Chung, Gulcehre, Cho and Bengio 2014; the
//! columns of the gates stand in the order z, r, a. PyTorch's `GRU` differs three times: its `z` is `1 - z` here, its
//! reset comes after the recurrent product, `r (h W + b)`, and it has a second bias there; its order is r, z, n.
//! BrainPy's trained initial state is not in its gradient; here it is.

use bd_core::kernel::{Fused, Processor};
use bd_core::{ParamPath, Result, Shared, System, state};
use bd_kernel::models::gru;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::cell::{Weights, initial_param, initial_state};
use crate::init::Init;

/// Settings of a [`Gru`]. The defaults are those of BrainPy's `GRUCell`. A weight is drawn whole, all gates side by
/// side.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `input_init` | `orthogonal`, scale 1 | initial `[W_iz W_ir W_ia]` |
/// | `recurrent_init` | `orthogonal`, scale 1 | initial `[W_hz W_hr W_ha]` |
/// | `train_initial_state` | `false` | whether `h_0` is a parameter; otherwise it is zero |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct GruConfig {
    pub input_init: Init,
    pub recurrent_init: Init,
    pub train_initial_state: bool,
}

impl Default for GruConfig {
    fn default() -> Self {
        let orthogonal = Init::Orthogonal { scale: 1.0 };
        Self { input_init: orthogonal, recurrent_init: orthogonal, train_initial_state: false }
    }
}

state! {
    /// State of a [`Gru`].
    pub struct GruState {
        /// Rates, `[batch, n]`.
        h: Tensor,
    }
}

/// `n` gated units: inputs `[.., n_in]` to rates `[.., n]`.
///
/// Parameters `input_weight` `[n_in, 3 n]`, `recurrent_weight` `[n, 3 n]`, `bias` `[3 n]`, which begins at zero, and
/// `initial_state` `[n]` if it is trained, which does so too.
#[derive(Debug)]
pub struct Gru {
    weights: Weights,
    initial: Option<Tensor>,
    config: GruConfig,
}

impl Gru {
    /// Units whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n: i64, config: &GruConfig) -> Result<Self> {
        let weights = Weights::new(path, "gru", [n_in, n, 3], [config.input_init, config.recurrent_init])?;
        let initial = initial_param(path, "initial_state", n, config.train_initial_state)?;
        Ok(Self { weights, initial, config: *config })
    }

    /// The settings.
    pub fn config(&self) -> &GruConfig {
        &self.config
    }
}

impl System for Gru {
    type State = GruState;

    fn n_in(&self) -> i64 {
        self.weights.n_in()
    }

    fn n_out(&self) -> i64 {
        self.weights.n()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some(self.weights.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> GruState {
        GruState { h: initial_state(self.initial.as_ref(), self.n_out(), batch, on) }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &GruState) -> (Tensor, GruState) {
        let (n, h) = (self.n_out(), &s.h);
        let outside = self.weights.project(x);
        let gates = (outside.narrow(1, 0, 2 * n) + h.matmul(&self.weights.recurrent(0, 2 * n))).sigmoid();
        let (z, r) = (gates.narrow(1, 0, n), gates.narrow(1, n, n));
        let a = outside.narrow(1, 2 * n, n) + (r * h).matmul(&self.weights.recurrent(2 * n, 3 * n));
        let h: Tensor = h * (1.0 - &z) + z * a.tanh();
        (h.shallow_clone(), GruState { h })
    }

    fn kernel(&self, _sha: &Shared, processor: Processor) -> Option<Fused> {
        self.weights.fused(gru::units(), processor)
    }
}

#[cfg(test)]
mod tests;
