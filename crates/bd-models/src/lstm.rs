//! [`Lstm`]: long short-term memory.
//!
//! ```text
//! i_t = sigmoid(x_t W_ii + h_(t-1) W_hi + b_i)            input gate
//! g_t = tanh(x_t W_ig + h_(t-1) W_hg + b_g)               candidate
//! f_t = sigmoid(x_t W_if + h_(t-1) W_hf + b_f + 1)        forget gate
//! o_t = sigmoid(x_t W_io + h_(t-1) W_ho + b_o)            output gate
//! c_t = f_t c_(t-1) + i_t g_t
//! h_t = o_t tanh(c_t)
//! ```
//!
//! The `LSTMCell` of BrainPy 2.2.4 (`brainpy/dyn/layers/rnncells.py`), after Zaremba, Sutskever and Vinyals 2014; the
//! columns of the gates stand in the order i, g, f, o. The 1 in the forget gate (Jozefowicz, Zaremba and Sutskever
//! 2015) is no parameter: the bias beside it begins at zero. PyTorch's `LSTM` has no such 1, two biases that are added,
//! and the order i, f, g, o. BrainPy's trained initial state is not in its gradient; here it is.

use bd_core::kernel::{Fused, Processor};
use bd_core::{ParamPath, Result, Shared, System, state};
use bd_kernel::models::lstm::{self, FORGET};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::cell::{Weights, initial_param, initial_state};
use crate::init::Init;

/// Settings of an [`Lstm`]. The defaults are those of BrainPy's `LSTMCell`. A weight is drawn whole, all gates side by
/// side.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `input_init` | `xavier_normal` | initial `[W_ii W_ig W_if W_io]` |
/// | `recurrent_init` | `xavier_normal` | initial `[W_hi W_hg W_hf W_ho]` |
/// | `train_initial_state` | `false` | whether `h_0` and `c_0` are parameters; otherwise they are zero |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct LstmConfig {
    pub input_init: Init,
    pub recurrent_init: Init,
    pub train_initial_state: bool,
}

state! {
    /// State of an [`Lstm`].
    pub struct LstmState {
        /// Rates, `[batch, n]`.
        h: Tensor,
        /// Memory cells, `[batch, n]`.
        c: Tensor,
    }
}

/// `n` units with memory cells: inputs `[.., n_in]` to rates `[.., n]`.
///
/// Parameters `input_weight` `[n_in, 4 n]`, `recurrent_weight` `[n, 4 n]`, `bias` `[4 n]`, which begins at zero, and
/// `initial_h` and `initial_c`, each `[n]`, if they are trained, which do so too.
#[derive(Debug)]
pub struct Lstm {
    weights: Weights,
    initial: [Option<Tensor>; 2],
    config: LstmConfig,
}

impl Lstm {
    /// Units whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n: i64, config: &LstmConfig) -> Result<Self> {
        let weights = Weights::new(path, "lstm", [n_in, n, 4], [config.input_init, config.recurrent_init])?;
        let mut initial = |name: &str| initial_param(path, name, n, config.train_initial_state);
        let initial = [initial("initial_h")?, initial("initial_c")?];
        Ok(Self { weights, initial, config: *config })
    }

    /// The settings.
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }
}

impl System for Lstm {
    type State = LstmState;

    fn n_in(&self) -> i64 {
        self.weights.n_in()
    }

    fn n_out(&self) -> i64 {
        self.weights.n()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some(self.weights.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> LstmState {
        let [h, c] = self.initial.each_ref().map(|trained| initial_state(trained.as_ref(), self.n_out(), batch, on));
        LstmState { h, c }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &LstmState) -> (Tensor, LstmState) {
        let n = self.n_out();
        let potentials = self.weights.project(x) + s.h.matmul(&self.weights.recurrent(0, 4 * n));
        let [i, g, f, o] = [0, 1, 2, 3].map(|gate| potentials.narrow(1, gate * n, n));
        let c = (f + FORGET).sigmoid() * &s.c + i.sigmoid() * g.tanh();
        let h = o.sigmoid() * c.tanh();
        (h.shallow_clone(), LstmState { h, c })
    }

    fn kernel(&self, _sha: &Shared, processor: Processor) -> Option<Fused> {
        self.weights.fused(lstm::units(), processor)
    }
}

#[cfg(test)]
mod tests;
