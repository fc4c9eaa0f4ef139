//! [`Reservoir`]: a fixed recurrent network of rates, of which only a readout is fitted.
//!
//! ```text
//! a_t = u_t W_in + x_(t-1) W + b
//! x_t = (1 - leak) x_(t-1)   + leak f(a_t)      leaky
//!     = (1 - leak) x_(t-1) O + leak f(a_t)      es2n, O orthogonal
//!     = x_(t-1) + leak f(a_t)                   eusn, with W - W' - diffusion I for W
//! ```
//!
//! `u` are inputs, `x` the states of the units, which are the output. Jaeger: "The echo state approach to analysing and training
//! recurrent neural networks", GMD report 148 (2001), with the leak of Jaeger, Lukosevicius, Popovici, Siewert: "Optimization and
//! applications of echo state networks with leaky-integrator neurons", Neural Networks 20 (2007); the other kinds are those of
//! [`ReservoirKind`]. Several layers in a row, each of which sees the states of the one before at the same step, with the states of all
//! layers as output, are a deep echo state network (Gallicchio, Micheli, Pedrelli: "Deep reservoir computing", Neurocomputing 268, 2017).
//! Weights are drawn once, by the seed and their names, and never trained.

mod kind;
mod layer;
mod matrix;
mod spectral_radius;
#[cfg(test)]
mod tests;

use bd_core::kernel::{Fused, Processor};
use bd_core::{Inputs, ParamPath, Result, Shared, System, Tap, setting, state};
use bd_kernel::models::rnn::Activation;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use self::kind::{Mixing, ReservoirKind};
use self::layer::Layer;
pub use self::matrix::{Entries, RecurrentMatrix};
pub use self::spectral_radius::spectral_radius;

/// Settings of a [`Reservoir`].
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `units` | 500 | from 1 | number of units of a layer |
/// | `layers` | 1 | from 1 | layers in a row. In a deeper one a unit sees 10 units of the layer below on average, by weights whose greatest is `input_scaling` over the root of that number |
/// | `kind` | `leaky` | | how states are updated, see [`ReservoirKind`] |
/// | `leak` | 1 | above 0, at most 1 | how much of its new value a unit takes on in a step; 1 keeps nothing of the old one. The proximity of `es2n` and the step of `eusn` |
/// | `spectral_radius` | 0.9 | from 0 | greatest absolute eigenvalue of `W` as it is drawn |
/// | `input_scaling` | 1 | from 0 | greatest absolute entry of `W_in`; the standard deviation of normal ones |
/// | `input_entries` | `uniform` | `uniform`, `normal`, `bernoulli` | what the entries of `W_in` are drawn from, before the scaling |
/// | `input_density` | 1 | above 0, at most 1 | share of the entries of `W_in` that are drawn; the others are 0 |
/// | `bias_scaling` | 0 | from 0 | greatest absolute entry of `b`, whose entries are uniform |
/// | `matrix` | `random`, normal, density 0.1 | | what `W` looks like, see [`RecurrentMatrix`] |
/// | `activation` | `tanh` | | `f` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct ReservoirConfig {
    pub units: i64,
    pub layers: i64,
    pub kind: ReservoirKind,
    pub leak: f64,
    pub spectral_radius: f64,
    pub input_scaling: f64,
    pub input_entries: Entries,
    pub input_density: f64,
    pub bias_scaling: f64,
    pub matrix: RecurrentMatrix,
    pub activation: Activation,
}

impl Default for ReservoirConfig {
    fn default() -> Self {
        Self {
            units: 500,
            layers: 1,
            kind: ReservoirKind::default(),
            leak: 1.0,
            spectral_radius: 0.9,
            input_scaling: 1.0,
            input_entries: Entries::Uniform,
            input_density: 1.0,
            bias_scaling: 0.0,
            matrix: RecurrentMatrix::default(),
            activation: Activation::Tanh,
        }
    }
}

/// A dense matrix of so many units takes 80 GB.
const MOST_STATES: i64 = 100_000;

impl ReservoirConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::at_least("reservoir.units", self.units, 1)?;
        setting::at_least("reservoir.layers", self.layers, 1)?;
        self.kind.check()?;
        kind::check_share("reservoir.leak", self.leak)?;
        kind::check_share("reservoir.input_density", self.input_density)?;
        setting::from_zero("reservoir.spectral_radius", self.spectral_radius)?;
        setting::from_zero("reservoir.input_scaling", self.input_scaling)?;
        setting::from_zero("reservoir.bias_scaling", self.bias_scaling)?;
        let allowed = format!("1 to {MOST_STATES}, of all layers together");
        setting::check("reservoir.units", self.units, self.n_states() <= MOST_STATES, &allowed)?;
        self.matrix.check(self.units)
    }

    /// States of all layers together: the outputs of the reservoir.
    pub fn n_states(&self) -> i64 {
        self.units.saturating_mul(self.layers)
    }
}

state! {
    /// State of a [`Reservoir`].
    pub struct ReservoirState {
        /// The units of all layers, `[batch, layers units]`; zero at first.
        x: Tensor,
    }
}

/// A reservoir: inputs `[.., n_in]` to states `[.., layers units]`. Fixed parameters `input_weight` `[n_in, units]`, `recurrent_weight`
/// `[units, units]`, `bias` `[units]` and, of `es2n`, `orthogonal_weight` `[units, units]`; those of a second layer, of `units` inputs,
/// stand under `2`, and so on.
///
/// On the CPU, weights most of which are zero take products with the others alone. What is laid out for that is kept until the
/// parameters change.
#[derive(Debug)]
pub struct Reservoir {
    layers: Vec<Layer>,
    config: ReservoirConfig,
}

impl Reservoir {
    /// A reservoir whose parameters are made at `path`. Fails if a setting is outside its range, or if no matrix of this kind has a
    /// spectral radius above 0.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, config: &ReservoirConfig) -> Result<Self> {
        config.check()?;
        setting::at_least("reservoir.n_in", n_in, 1)?;
        let mut layers = vec![Layer::new(path, n_in, config, false)?];
        for number in 2..=config.layers {
            layers.push(Layer::new(&mut path.at(&number.to_string()), config.units, config, true)?);
        }
        Ok(Self { layers, config: *config })
    }

    /// The same with handles on the same parameters.
    pub(crate) fn share(&self) -> Self {
        Self { layers: self.layers.iter().map(Layer::share).collect(), config: self.config }
    }

    /// The settings.
    pub fn config(&self) -> &ReservoirConfig {
        &self.config
    }

    /// [`step`](System::step) by the kernel, which does without what is zero of the weights: for runs on own outputs.
    pub(crate) fn step_by_kernel(&self, sha: &Shared, u: &Tensor, s: &ReservoirState) -> (Tensor, ReservoirState) {
        let s = ReservoirState { x: s.x.shallow_clone() };
        let (states, s) = self.scan(sha, &Inputs::Dense(u.unsqueeze(0)), s, &mut Tap::none());
        (states.squeeze_dim(0), s)
    }

    /// The layers, each with its part of the state.
    fn with_states(&self, s: &ReservoirState) -> impl Iterator<Item = (&Layer, ReservoirState)> {
        let units = self.config.units;
        let part = move |x: &Tensor, i: i64| ReservoirState { x: x.narrow(1, i * units, units) };
        let x = s.x.shallow_clone();
        self.layers.iter().zip(0..).map(move |(layer, i)| (layer, part(&x, i)))
    }
}

impl System for Reservoir {
    type State = ReservoirState;

    fn n_in(&self) -> i64 {
        self.layers[0].n_in()
    }

    fn n_out(&self) -> i64 {
        self.config.n_states()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.layers[0].on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> ReservoirState {
        ReservoirState { x: Tensor::zeros([batch, self.n_out()], on) }
    }

    fn step(&self, sha: &Shared, u: &Tensor, s: &ReservoirState) -> (Tensor, ReservoirState) {
        let mut below = u.shallow_clone();
        let mut all = Vec::with_capacity(self.layers.len());
        for (layer, s) in self.with_states(s) {
            below = layer.step(sha, &below, &s).0;
            all.push(below.shallow_clone());
        }
        let x = Tensor::cat(&all, -1);
        (x.shallow_clone(), ReservoirState { x })
    }

    /// Layer after layer, each over all steps.
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: ReservoirState, tap: &mut Tap) -> (Tensor, ReservoirState) {
        if let [layer] = &self.layers[..] {
            return layer.scan(sha, inputs, s, tap);
        }
        let (mut all, mut last) = (Vec::<Tensor>::new(), Vec::new());
        for (layer, s) in self.with_states(&s) {
            let below = all.last().map(|below| Inputs::Dense(below.shallow_clone()));
            let (states, s) = layer.scan(sha, below.as_ref().unwrap_or(inputs), s, &mut Tap::none());
            all.push(states);
            last.push(s.x);
        }
        let states = Tensor::cat(&all, -1);
        // The outputs are the states after each step.
        tap.put("x", states.shallow_clone());
        (states, ReservoirState { x: Tensor::cat(&last, -1) })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        match &self.layers[..] {
            [layer] => layer.kernel(sha, processor),
            _ => None,
        }
    }
}
