//! [`ContinuousReservoir`]: a fixed random network of rates in continuous time, which is chaotic on its own.
//!
//! ```text
//! tau dx/dt = -x + tanh(x) J + u W_in        by Euler's method
//! r = tanh(x)
//! ```
//!
//! `u` are inputs, `x` the currents of the units, `r` their rates, which are the output. The entries of `J` are drawn with probability `p`
//! from a normal distribution of variance `g^2 / (p units)`; with `g > 1` a large network is chaotic without input (Sompolinsky, Crisanti,
//! Sommers, Physical Review Letters 61, 1988). With a linear readout whose outputs come back as the inputs it is the network of FORCE
//! learning (Sussillo and Abbott, "Generating coherent patterns of activity from chaotic neural networks", Neuron 63, 2009, figure 1A).
//!
//! Different from [`Reservoir`](crate::Reservoir) with a leak: there the rates leak, here the currents do.

use bd_core::{ParamPath, Result, Shared, System, setting, state};
use bd_kernel::models::decay::check_tau;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::init::thinned;

/// Settings of a [`ContinuousReservoir`]. The defaults are those of Sussillo and Abbott.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `units` | 1000 | from 1 | | number of units |
/// | `tau_ms` | 10 | above 0 | as `Shared.dt` | time constant of the currents |
/// | `gain` | 1.5 | from 0 | | `g` |
/// | `density` | 0.1 | above 0, at most 1 | | `p` |
/// | `input_scaling` | 1 | from 0 | | greatest absolute entry of `W_in`, whose entries are uniform |
/// | `initial_scaling` | 0.5 | from 0 | | standard deviation of the currents at first, which are drawn once: at 0 a network without input stays there |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct ContinuousReservoirConfig {
    pub units: i64,
    pub tau_ms: f64,
    pub gain: f64,
    pub density: f64,
    pub input_scaling: f64,
    pub initial_scaling: f64,
}

impl Default for ContinuousReservoirConfig {
    fn default() -> Self {
        Self { units: 1000, tau_ms: 10.0, gain: 1.5, density: 0.1, input_scaling: 1.0, initial_scaling: 0.5 }
    }
}

state! {
    /// State of a [`ContinuousReservoir`].
    pub struct ContinuousReservoirState {
        /// Currents, `[batch, units]`.
        x: Tensor,
    }
}

/// A reservoir in continuous time: inputs `[.., n_in]` to rates `[.., units]`. Fixed parameters `input_weight` `[n_in, units]`,
/// `recurrent_weight` `[units, units]` and `initial_state` `[units]`, drawn by the seed and their names.
#[derive(Debug)]
pub struct ContinuousReservoir {
    input: Tensor,
    recurrent: Tensor,
    initial: Tensor,
    tau_ms: f64,
}

impl ContinuousReservoir {
    /// A reservoir whose parameters are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, config: &ContinuousReservoirConfig) -> Result<Self> {
        let ContinuousReservoirConfig { units, tau_ms, gain, density, input_scaling, initial_scaling } = *config;
        setting::at_least("reservoir.n_in", n_in, 1)?;
        setting::at_least("reservoir.units", units, 1)?;
        check_tau("reservoir", tau_ms)?;
        setting::from_zero("reservoir.gain", gain)?;
        let is_part = density > 0.0 && density <= 1.0;
        setting::check("reservoir.density", density, is_part, "above 0, at most 1")?;
        setting::from_zero("reservoir.input_scaling", input_scaling)?;
        setting::from_zero("reservoir.initial_scaling", initial_scaling)?;
        let on = (Kind::Double, Device::Cpu);
        let deviation = gain / (density * units as f64).sqrt();
        let recurrent = path
            .fixed("recurrent_weight", |rng| thinned(rng, [units, units], density, |rng| deviation * rng.normal()))?;
        let input = path.fixed("input_weight", |rng| {
            rng.tensor(&[n_in, units], on, |rng| input_scaling * (2.0 * rng.uniform() - 1.0))
        })?;
        let initial =
            path.fixed("initial_state", |rng| rng.tensor(&[units], on, |rng| initial_scaling * rng.normal()))?;
        Ok(Self { input, recurrent, initial, tau_ms })
    }
}

impl System for ContinuousReservoir {
    type State = ContinuousReservoirState;

    fn n_in(&self) -> i64 {
        self.input.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.input.size()[1]
    }

    fn on(&self) -> Option<(Kind, Device)> {
        Some((self.input.kind(), self.input.device()))
    }

    fn init_state(&self, batch: i64, _on: (Kind, Device)) -> ContinuousReservoirState {
        ContinuousReservoirState { x: self.initial.unsqueeze(0).repeat([batch, 1]) }
    }

    fn step(&self, sha: &Shared, u: &Tensor, s: &ContinuousReservoirState) -> (Tensor, ContinuousReservoirState) {
        let gain = sha.dt / self.tau_ms;
        let drive = s.x.tanh().matmul(&self.recurrent) + u.matmul(&self.input);
        let x = &s.x * (1.0 - gain) + drive * gain;
        (x.tanh(), ContinuousReservoirState { x })
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
    use bd_core::{Inputs, Params, Tap};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn scan_is_steps() {
        let mut params = Params::new(1, ON);
        let config = ContinuousReservoirConfig { units: 7, density: 0.8, ..ContinuousReservoirConfig::default() };
        let reservoir = ContinuousReservoir::new(&mut params.at("r"), 2, &config).unwrap();
        assert_scan_is_steps(&reservoir, &params, ScanCase { time: 6, batch: 3, on: ON, tolerance: 1e-13, seed: 1 });
    }

    /// One unit whose recurrent weight is 0, by hand: `x` after one step of `dt / tau = 0.1` is `0.9 x_0 + 0.1 u W_in`.
    #[test]
    fn a_step_is_eulers() {
        let mut params = Params::new(2, ON);
        let config = ContinuousReservoirConfig { units: 1, gain: 0.0, ..ContinuousReservoirConfig::default() };
        let reservoir = ContinuousReservoir::new(&mut params.at("r"), 1, &config).unwrap();
        let start = reservoir.init_state(1, ON);
        let (x, w) = (start.x.double_value(&[0, 0]), reservoir.input.double_value(&[0, 0]));
        let (r, next) = reservoir.step(&Shared::new(1.0), &Tensor::from_slice(&[3.0]).reshape([1, 1]), &start);
        let known = 0.9 * x + 0.1 * 3.0 * w;
        assert!((next.x.double_value(&[0, 0]) - known).abs() < 1e-15);
        assert!((r.double_value(&[0, 0]) - known.tanh()).abs() < 1e-15);
    }

    /// Sompolinsky, Crisanti and Sommers: below a gain of 1 activity dies, above it does not.
    #[test]
    fn a_gain_above_one_keeps_activity_alive() {
        let after = |gain: f64| {
            let mut params = Params::new(3, ON);
            let config = ContinuousReservoirConfig { units: 300, gain, ..ContinuousReservoirConfig::default() };
            let reservoir = ContinuousReservoir::new(&mut params.at("r"), 1, &config).unwrap();
            let none = Inputs::of_steps(Tensor::zeros([600, 1, 1], ON));
            let start = reservoir.init_state(1, ON);
            let rates = reservoir.scan(&Shared::new(1.0), &none, start, &mut Tap::none()).0;
            rates.get(599).square().mean(Kind::Double).sqrt().double_value(&[])
        };
        assert!(after(0.5) < 1e-6 && after(1.5) > 0.2, "{} {}", after(0.5), after(1.5));
    }

    #[test]
    fn parameters_have_the_deviation_of_the_gain() {
        let mut params = Params::new(4, ON);
        let config = ContinuousReservoirConfig { units: 400, ..ContinuousReservoirConfig::default() };
        let reservoir = ContinuousReservoir::new(&mut params.at("r"), 1, &config).unwrap();
        // The sum of the squares of a column is g^2 in the mean, here over 400 columns of some 40 entries each.
        let squares = reservoir.recurrent.square().sum_dim_intlist(0, false, Kind::Double).mean(Kind::Double);
        assert_close("g^2", &squares, &Tensor::from_slice(&[2.25]).squeeze(), 0.05);
        for wrong in [
            ContinuousReservoirConfig { density: 0.0, ..config },
            ContinuousReservoirConfig { tau_ms: 0.0, ..config },
            ContinuousReservoirConfig { gain: f64::NAN, ..config },
            ContinuousReservoirConfig { units: 0, ..config },
        ] {
            assert!(ContinuousReservoir::new(&mut params.at("other"), 1, &wrong).is_err(), "{wrong:?}");
        }
    }
}
