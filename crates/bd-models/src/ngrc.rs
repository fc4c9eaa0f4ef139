//! [`Ngrc`]: next-generation reservoir computing, an [`Nvar`] with a linear readout.
//!
//! ```text
//! y(t) = nvar((x - mean) / std)(t) W + b    [+ x(t), if increments are learned]
//! ```
//!
//! Gauthier et al. 2021 (see [`nvar`](crate::nvar)) learn increments, BrainPy's tutorial values. The names of the parts, `r` and
//! `o`, are the tutorial's.

use bd_core::{Features, Forecaster, Inputs, Params, Readout, Result, Shared, System, Tap, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::ends::Ends;
pub use crate::ends::Target;
use crate::linear::{Linear, LinearConfig};
use crate::nvar::{Nvar, NvarConfig, NvarState};

/// Settings of an [`Ngrc`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `nvar` | BrainPy's tutorial | the features, see [`NvarConfig`] |
/// | `target` | `value` | what the readout is fitted to: `value` or `increment` |
/// | `scale` | `false` | whether inputs are standardised first, see [`Ngrc::fit_scale`]. Outputs are in the units of the data all the same |
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct NgrcConfig {
    pub nvar: NvarConfig,
    pub target: Target,
    pub scale: bool,
}

state! {
    /// State of an [`Ngrc`].
    pub struct NgrcState {
        /// The reservoir's history.
        r: NvarState,
    }
}

/// Next-generation reservoir computing. Parameters `o.weight` (`[n_features, n_out]`) and `o.bias`, meant to be fitted in closed
/// form; with `scale` also the fixed `scale.mean` and `scale.std` (`[n_in]`).
#[derive(Debug)]
pub struct Ngrc {
    /// The features.
    pub r: Nvar,
    /// The readout.
    pub o: Linear,
    ends: Ends,
}

impl Ngrc {
    /// A model of `n_in` channels that forecasts each of them `horizons` times: outputs are `[horizon, channel]`, flattened.
    pub fn new(params: &mut Params, n_in: usize, horizons: usize, config: &NgrcConfig) -> Result<Self> {
        let r = Nvar::new(n_in, &config.nvar)?;
        let ends = Ends::new(&mut params.at("scale"), [n_in, horizons], config.target, config.scale)?;
        let o = Linear::new(&mut params.at("o"), r.n_out(), (n_in * horizons) as i64, &LinearConfig::default())?;
        Ok(Self { r, o, ends })
    }
}

impl System for Ngrc {
    type State = NgrcState;

    fn n_in(&self) -> i64 {
        self.r.n_in()
    }

    fn n_out(&self) -> i64 {
        self.o.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.o.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> NgrcState {
        NgrcState { r: self.r.init_state(batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &NgrcState) -> (Tensor, NgrcState) {
        let (features, s) = self.step_features(sha, x, s);
        let y = self.o.step(&sha.within("o"), &features.values, &()).0;
        (self.ends.output(x, y), s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: NgrcState, tap: &mut Tap) -> (Tensor, NgrcState) {
        let (features, s) = self.features(sha, inputs, s, tap);
        let ys = self.o.scan(&sha.within("o"), &Inputs::Dense(features.values), (), tap).0;
        (features.added.map_or_else(|| ys.shallow_clone(), |added| &ys + added), s)
    }
}

impl Readout for Ngrc {
    fn features(&self, sha: &Shared, inputs: &Inputs, s: NgrcState, tap: &mut Tap) -> (Features, NgrcState) {
        let xs = &inputs.time_first();
        let scaled = Inputs::Dense(self.ends.scaled(xs));
        let (values, r) = tap.within("r", |tap| self.r.scan(&sha.within("r"), &scaled, s.r, tap));
        (Features { values, added: self.ends.added(xs) }, NgrcState { r })
    }

    fn step_features(&self, sha: &Shared, x: &Tensor, s: &NgrcState) -> (Features, NgrcState) {
        let (values, r) = self.r.step(&sha.within("r"), &self.ends.scaled(x), &s.r);
        (Features { values, added: self.ends.added(x) }, NgrcState { r })
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        self.o.readout()
    }
}

impl Forecaster for Ngrc {
    /// What the oldest lag reaches back.
    fn memory(&self) -> usize {
        self.r.memory()
    }

    fn horizon(&self, index: usize) -> Self {
        let (first, channels) = (index as i64 * self.n_in(), self.n_in());
        Self { r: self.r.clone(), o: self.o.outputs(first..first + channels), ends: self.ends.of_one_horizon() }
    }

    /// Takes mean and standard deviation of each channel from data `[.., n_in]`, see [`Standardise::fit`](crate::Standardise::fit). Without `scale` in the
    /// settings there is nothing to do.
    fn fit_scale(&self, x: &Tensor) -> Result<()> {
        self.ends.fit_scale(x)
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;
    use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn config(target: Target, scale: bool) -> NgrcConfig {
        NgrcConfig { nvar: NvarConfig { delay: 3, stride: 2, order: vec![2, 3], constant: true }, target, scale }
    }

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            for (target, scale) in [(Target::Value, false), (Target::Increment, true)] {
                let on = (kind, Device::Cpu);
                let mut params = Params::new(9, on);
                let ngrc = Ngrc::new(&mut params, 2, 3, &config(target, scale)).unwrap();
                ngrc.fit_scale(&Rng::new(0, "x").tensor(&[20, 2], ON, Rng::normal)).unwrap();
                assert_scan_is_steps(&ngrc, &params, ScanCase { time: 9, batch: 2, on, tolerance, seed: 4 });
            }
        }
    }

    /// With weights of zero an increment is none: the forecast is the present value, at every horizon.
    #[test]
    fn increments_are_added_to_the_input() {
        let mut params = Params::new(0, ON);
        let ngrc = Ngrc::new(&mut params, 2, 3, &config(Target::Increment, true)).unwrap();
        let _ = tch::no_grad(|| params.get("o.weight").unwrap().shallow_clone().zero_());
        let xs = Rng::new(1, "x").tensor(&[5, 1, 2], ON, Rng::normal);
        let run = |model: &Ngrc| {
            model.scan(&Shared::default(), &Inputs::of_steps(&xs), model.init_state(1, ON), &mut Tap::none()).0.detach()
        };
        assert_close("all horizons", &run(&ngrc), &Tensor::cat(&[&xs, &xs, &xs], -1), 1e-15);
        assert_close("the last one", &run(&ngrc.horizon(2)), &xs, 1e-15);
    }

    /// Delay 3 and stride 2: the oldest lag is 4 points back. Features: a constant, 6 lagged values, 21 products of two and 56 of
    /// three of them.
    #[test]
    fn sizes_are_those_of_its_settings() {
        let ngrc = Ngrc::new(&mut Params::new(0, ON), 2, 3, &config(Target::Value, false)).unwrap();
        assert_eq!((ngrc.memory(), ngrc.channels(), ngrc.horizons(), ngrc.n_features()), (4, 2, 3, 1 + 6 + 21 + 56));
        assert_eq!((ngrc.horizon(1).horizons(), ngrc.horizon(1).n_out()), (1, 2));
    }

    /// The features of scaled data are those of data that somebody has scaled before.
    #[test]
    fn scaling_is_part_of_the_model() {
        let x = Rng::new(2, "x").tensor(&[40, 1, 2], ON, Rng::normal) * 7.0 + 100.0;
        let features = |model: &Ngrc, x: &Tensor| {
            model.features(&Shared::default(), &Inputs::of_steps(x), model.init_state(1, ON), &mut Tap::none()).0.values
        };
        let inside = Ngrc::new(&mut Params::new(0, ON), 2, 1, &config(Target::Value, true)).unwrap();
        inside.fit_scale(&x).unwrap();
        let outside = Ngrc::new(&mut Params::new(0, ON), 2, 1, &config(Target::Value, false)).unwrap();
        let rows = x.flatten(0, 1);
        let scaled = (&x - rows.mean_dim(0, false, Kind::Double)) / rows.std_dim(0, false, false);
        assert_close("features", &features(&inside, &x), &features(&outside, &scaled), 1e-12);
    }
}
