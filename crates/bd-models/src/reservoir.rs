//! [`Reservoir`]: a fixed recurrent network of rates, of which only a readout is fitted.
//!
//! ```text
//! x_t = (1 - leak) x_(t-1) + leak f(u_t W_in + x_(t-1) W + b)
//! ```
//!
//! `u` are inputs, `x` the states of the units, which are the output. Jaeger: "The echo state approach to analysing and training
//! recurrent neural networks", GMD report 148 (2001), with the leak of Jaeger, Lukosevicius, Popovici, Siewert: "Optimization and
//! applications of echo state networks with leaky-integrator neurons", Neural Networks 20 (2007). Weights are drawn once, by the seed and
//! their names, and never trained.

mod matrix;
mod spectral_radius;
#[cfg(test)]
mod tests;

use bd_core::kernel::{Fused, Processor};
use bd_core::{Error, ParamPath, Result, Shared, System, setting, state};
use bd_kernel::models::rnn::{Activation, Identity, LeakyRnnUnit, Relu, Tanh};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use self::matrix::{Entries, RecurrentMatrix};
pub use self::spectral_radius::spectral_radius;
use crate::cell::Weights;
use crate::rnn::activate;

/// Settings of a [`Reservoir`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `units` | 500 | from 1 | number of units |
/// | `leak` | 1 | above 0, at most 1 | how much of its new value a unit takes on in a step; 1 keeps nothing of the old one |
/// | `spectral_radius` | 0.9 | from 0 | greatest absolute eigenvalue of `W` |
/// | `input_scaling` | 1 | from 0 | greatest absolute entry of `W_in`, whose entries are uniform |
/// | `bias_scaling` | 0 | from 0 | greatest absolute entry of `b`, whose entries are uniform |
/// | `matrix` | `random`, normal, density 0.1 | | what `W` looks like, see [`RecurrentMatrix`] |
/// | `activation` | `tanh` | | `f` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct ReservoirConfig {
    pub units: i64,
    pub leak: f64,
    pub spectral_radius: f64,
    pub input_scaling: f64,
    pub bias_scaling: f64,
    pub matrix: RecurrentMatrix,
    pub activation: Activation,
}

impl Default for ReservoirConfig {
    fn default() -> Self {
        Self {
            units: 500,
            leak: 1.0,
            spectral_radius: 0.9,
            input_scaling: 1.0,
            bias_scaling: 0.0,
            matrix: RecurrentMatrix::default(),
            activation: Activation::Tanh,
        }
    }
}

impl ReservoirConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::at_least("reservoir.units", self.units, 1)?;
        if !(self.leak > 0.0 && self.leak <= 1.0) {
            return Err(Error::setting("reservoir.leak", self.leak, "above 0, at most 1"));
        }
        setting::from_zero("reservoir.spectral_radius", self.spectral_radius)?;
        setting::from_zero("reservoir.input_scaling", self.input_scaling)?;
        setting::from_zero("reservoir.bias_scaling", self.bias_scaling)?;
        self.matrix.check()
    }
}

state! {
    /// State of a [`Reservoir`].
    pub struct ReservoirState {
        /// The units, `[batch, units]`; zero at first.
        x: Tensor,
    }
}

/// A reservoir: inputs `[.., n_in]` to states `[.., units]`. Fixed parameters `input_weight` `[n_in, units]`, `recurrent_weight` `[units,
/// units]` and `bias` `[units]`.
#[derive(Debug)]
pub struct Reservoir {
    weights: Weights,
    config: ReservoirConfig,
}

impl Reservoir {
    /// A reservoir whose parameters are made at `path`. Fails if the settings cannot be, or if no matrix of this kind has a spectral
    /// radius above 0.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, config: &ReservoirConfig) -> Result<Self> {
        config.check()?;
        setting::at_least("reservoir.n_in", n_in, 1)?;
        let ReservoirConfig { units, input_scaling, bias_scaling, .. } = *config;
        let mut failed = None;
        let recurrent = path.fixed("recurrent_weight", |rng| {
            config.matrix.draw(rng, units, config.spectral_radius).unwrap_or_else(|error| {
                failed = Some(error);
                Tensor::zeros([units, units], (Kind::Double, Device::Cpu))
            })
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let uniform = |rng: &mut bd_core::Rng, size: &[i64], most: f64| {
            rng.tensor(size, (Kind::Double, Device::Cpu), |rng| most * (2.0 * rng.uniform() - 1.0))
        };
        let input = path.fixed("input_weight", |rng| uniform(rng, &[n_in, units], input_scaling))?;
        let bias = path.fixed("bias", |rng| uniform(rng, &[units], bias_scaling))?;
        Ok(Self { weights: Weights::of(input, recurrent, bias), config: *config })
    }

    /// The same with handles on the same parameters.
    pub(crate) fn share(&self) -> Self {
        Self { weights: self.weights.share(), config: self.config }
    }

    /// The settings.
    pub fn config(&self) -> &ReservoirConfig {
        &self.config
    }
}

impl System for Reservoir {
    type State = ReservoirState;

    fn n_in(&self) -> i64 {
        self.weights.n_in()
    }

    fn n_out(&self) -> i64 {
        self.weights.n()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some(self.weights.on())
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> ReservoirState {
        ReservoirState { x: Tensor::zeros([batch, self.n_out()], on) }
    }

    fn step(&self, _sha: &Shared, u: &Tensor, s: &ReservoirState) -> (Tensor, ReservoirState) {
        let a = self.weights.project(u) + s.x.matmul(&self.weights.recurrent(0, self.n_out()));
        let leak = self.config.leak;
        let x = &s.x * (1.0 - leak) + activate(self.config.activation, &a) * leak;
        (x.shallow_clone(), ReservoirState { x })
    }

    fn kernel(&self, _sha: &Shared, processor: Processor) -> Option<Fused> {
        let gain = self.config.leak;
        match self.config.activation {
            Activation::Relu => self.weights.fused(LeakyRnnUnit { activation: Relu, gain }, processor),
            Activation::Tanh => self.weights.fused(LeakyRnnUnit { activation: Tanh, gain }, processor),
            Activation::Identity => self.weights.fused(LeakyRnnUnit { activation: Identity, gain }, processor),
        }
    }
}
