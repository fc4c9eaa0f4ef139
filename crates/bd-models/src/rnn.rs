//! [`Rnn`]: the recurrent network of rates, `h_t = f(x_t W_i + h_(t-1) W_h + b)`.
//!
//! ```text
//! a_t = x_t W_i + h_(t-1) W_h + b
//! h_t = f(a_t)                                    without tau
//!     = (1 - dt/tau) h_(t-1) + dt/tau f(a_t)      with it: Euler's method for tau dh/dt = -h + f(a)
//! ```
//!
//! The output is `h_t`. Without `tau` it is the `RNNCell` of BrainPy 2.2.4 (`brainpy/dyn/layers/rnncells.py`), and
//! PyTorch's `RNN` with its two biases as one. BrainPy's trained initial state is not in its gradient; here it is.
//!
//! With `excitatory`, units keep Dale's law: `W_h = s_i |theta_ij| M_ij` for source `i`, of either sign as unit `i` excites or inhibits, and a mask `M`
//! of zeros and ones, see [`bd_core::weight`].

use bd_core::kernel::{Fused, Processor};
use bd_core::{ParamPath, Result, Shared, System, state};
use bd_kernel::models::decay::check_tau;
use bd_kernel::models::rnn;
pub use bd_kernel::models::rnn::Activation;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::cell::{Weights, initial_param, initial_state};
use crate::connections::{Connections, excitatory_units};
use crate::init::Init;

/// Settings of an [`Rnn`]. The defaults are those of BrainPy's `RNNCell`.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `activation` | `relu` | `relu`, `tanh`, `identity` | | `f` |
/// | `tau_ms` | none | above 0 | as `Shared.dt` | time constant of the leak; below `dt / 2` the network is unstable; none: no leak |
/// | `input_init` | `xavier_normal` | | | initial `W_i` |
/// | `recurrent_init` | `xavier_normal` | | | initial `W_h` |
/// | `train_initial_state` | `false` | | | whether `h_0` is a parameter; otherwise it is zero |
/// | `excitatory` | none | above 0, below 1 | | share of the units whose outgoing recurrent weights stay positive; those of the others stay negative, and at first each unit receives as much of one as of the other. None: any sign |
/// | `density` | 1 | above 0, at most 1 | | probability with which a recurrent weight is there; the others stay 0 |
/// | `autapses` | `true` | | | whether a unit has a weight to itself |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct RnnConfig {
    pub activation: Activation,
    pub tau_ms: Option<f64>,
    pub input_init: Init,
    pub recurrent_init: Init,
    pub train_initial_state: bool,
    pub excitatory: Option<f64>,
    pub density: f64,
    pub autapses: bool,
}

impl Default for RnnConfig {
    fn default() -> Self {
        let Connections { excitatory, density, autapses } = Connections::ALL;
        Self {
            activation: Activation::default(),
            tau_ms: None,
            input_init: Init::default(),
            recurrent_init: Init::default(),
            train_initial_state: false,
            excitatory,
            density,
            autapses,
        }
    }
}

impl RnnConfig {
    fn connections(&self) -> Connections {
        let Self { excitatory, density, autapses, .. } = *self;
        Connections { excitatory, density, autapses }
    }

    /// How many of `n` units excite, if signs are kept: the first ones.
    pub fn excitatory_units(&self, n: i64) -> Option<i64> {
        self.excitatory.map(|share| excitatory_units(share, n))
    }
}

state! {
    /// State of an [`Rnn`].
    pub struct RnnState {
        /// Rates, `[batch, n]`.
        h: Tensor,
    }
}

/// `n` recurrently connected units: inputs `[.., n_in]` to rates `[.., n]`.
///
/// Parameters `input_weight` `[n_in, n]`, `recurrent_weight` `[n, n]`, `bias` `[n]`, which begins at zero, and
/// `initial_state` `[n]` if it is trained, which does so too; where not all recurrent weights are there, also the fixed `recurrent_mask` `[n, n]` of
/// zeros and ones. Rows of weights are sources.
#[derive(Debug)]
pub struct Rnn {
    weights: Weights,
    initial: Option<Tensor>,
    config: RnnConfig,
}

impl Rnn {
    /// A network whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n: i64, config: &RnnConfig) -> Result<Self> {
        if let Some(tau_ms) = config.tau_ms {
            check_tau("rnn", tau_ms)?;
        }
        let inits = [config.input_init, config.recurrent_init];
        let weights = Weights::connected(path, "rnn", [n_in, n], inits, &config.connections())?;
        let initial = initial_param(path, "initial_state", n, config.train_initial_state)?;
        Ok(Self { weights, initial, config: *config })
    }

    /// The settings.
    pub fn config(&self) -> &RnnConfig {
        &self.config
    }

    /// `dt/tau`, if there is a leak.
    fn gain(&self, sha: &Shared) -> Option<f64> {
        self.config.tau_ms.map(|tau_ms| sha.dt / tau_ms)
    }
}

/// The rates of potentials.
pub(crate) fn activate(activation: Activation, a: &Tensor) -> Tensor {
    match activation {
        Activation::Relu => a.relu(),
        Activation::Tanh => a.tanh(),
        Activation::Identity => a.shallow_clone(),
    }
}

impl System for Rnn {
    type State = RnnState;

    fn n_in(&self) -> i64 {
        self.weights.n_in()
    }

    fn n_out(&self) -> i64 {
        self.weights.n()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some(self.weights.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> RnnState {
        RnnState { h: initial_state(self.initial.as_ref(), self.n_out(), batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &RnnState) -> (Tensor, RnnState) {
        let a = self.weights.project(x) + s.h.matmul(&self.weights.recurrent(0, self.n_out()));
        let rate = activate(self.config.activation, &a);
        let h = match self.gain(sha) {
            Some(gain) => &s.h * (1.0 - gain) + rate * gain,
            None => rate,
        };
        (h.shallow_clone(), RnnState { h })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        self.weights.fused(rnn::units(self.config.activation, self.gain(sha)), processor)
    }
}

#[cfg(test)]
mod tests;
