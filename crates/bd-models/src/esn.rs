//! [`Esn`]: an echo state network, a [`Reservoir`] and beside it lagged inputs, with a linear readout that is fitted in closed form.
//!
//! ```text
//! x(t) = reservoir((u - mean) / std)(t)                  see [`reservoir`](crate::reservoir)
//! z(t) = nvar((u - mean) / std)(t) ++ x(t)               see [`nvar`](crate::nvar); of delay 1 and order 1 the input itself
//! y(t) = z(t) W + b    [+ u(t), if increments are learned]
//! ```
//!
//! Jaeger 2001; a reservoir with products of lagged inputs beside its states is the hybrid of Pathak et al., Chaos 28 (2018), with NVAR
//! as what is known of the system. The names of the parts, `i`, `r` and `o`, are those of BrainPy's tutorial: input, reservoir, readout.

use bd_core::{Features, Forecaster, Inputs, Params, Readout, Result, Shared, System, Tap, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::ends::{Ends, Target};
use crate::linear::{Linear, LinearConfig};
use crate::nvar::{Nvar, NvarConfig, NvarState};
use crate::reservoir::{Reservoir, ReservoirConfig, ReservoirState};

/// Settings of an [`Esn`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `reservoir` | 500 units | see [`ReservoirConfig`] |
/// | `nvar` | delay 1, order 1: the input itself | what the readout sees beside the states, see [`NvarConfig`] |
/// | `washout` | 100 | steps after which a state no longer depends on where it began |
/// | `target` | `value` | what the readout is fitted to: `value` or `increment` |
/// | `scale` | `false` | whether inputs are standardised first. Outputs are in the units of the data all the same |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct EsnConfig {
    pub reservoir: ReservoirConfig,
    pub nvar: NvarConfig,
    pub washout: usize,
    pub target: Target,
    pub scale: bool,
}

impl Default for EsnConfig {
    fn default() -> Self {
        Self {
            reservoir: ReservoirConfig::default(),
            nvar: NvarConfig { delay: 1, stride: 1, order: vec![1], constant: false },
            washout: 100,
            target: Target::default(),
            scale: false,
        }
    }
}

state! {
    /// State of an [`Esn`].
    pub struct EsnState {
        /// Lagged inputs.
        i: NvarState,
        /// The reservoir.
        r: ReservoirState,
    }
}

/// An echo state network. Parameters `o.weight` `[features, n_out]` and `o.bias`, meant to be fitted in closed form, the fixed ones of the
/// reservoir (`r`), and with `scale` the fixed `scale.mean` and `scale.std` `[n_in]`.
#[derive(Debug)]
pub struct Esn {
    /// Lagged inputs.
    pub i: Nvar,
    /// The reservoir.
    pub r: Reservoir,
    /// The readout.
    pub o: Linear,
    ends: Ends,
    washout: usize,
}

impl Esn {
    /// A model of `n_in` channels that forecasts each of them `horizons` times: outputs are `[horizon, channel]`, flattened.
    pub fn new(params: &mut Params, n_in: usize, horizons: usize, config: &EsnConfig) -> Result<Self> {
        let i = Nvar::new(n_in, &config.nvar)?;
        let r = Reservoir::new(&mut params.at("r"), n_in as i64, &config.reservoir)?;
        let ends = Ends::new(&mut params.at("scale"), [n_in, horizons], config.target, config.scale)?;
        let features = i.n_out() + r.n_out();
        let o = Linear::new(&mut params.at("o"), features, (n_in * horizons) as i64, &LinearConfig::default())?;
        Ok(Self { i, r, o, ends, washout: config.washout })
    }
}

impl System for Esn {
    type State = EsnState;

    fn n_in(&self) -> i64 {
        self.r.n_in()
    }

    fn n_out(&self) -> i64 {
        self.o.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.o.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> EsnState {
        EsnState { i: self.i.init_state(batch, on), r: self.r.init_state(batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &EsnState) -> (Tensor, EsnState) {
        let (features, s) = self.step_features(sha, x, s);
        let y = self.o.step(&sha.within("o"), &features.values, &()).0;
        (self.ends.output(x, y), s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: EsnState, tap: &mut Tap) -> (Tensor, EsnState) {
        let (features, s) = self.features(sha, inputs, s, tap);
        let ys = self.o.scan(&sha.within("o"), &Inputs::Dense(features.values), (), tap).0;
        (features.added.map_or_else(|| ys.shallow_clone(), |added| &ys + added), s)
    }
}

impl Readout for Esn {
    fn features(&self, sha: &Shared, inputs: &Inputs, s: EsnState, tap: &mut Tap) -> (Features, EsnState) {
        let xs = &inputs.time_first();
        let scaled = Inputs::Dense(self.ends.scaled(xs));
        let (lagged, i) = tap.within("i", |tap| self.i.scan(&sha.within("i"), &scaled, s.i, tap));
        let (states, r) = tap.within("r", |tap| self.r.scan(&sha.within("r"), &scaled, s.r, tap));
        let values = Tensor::cat(&[lagged, states], -1);
        (Features { values, added: self.ends.added(xs) }, EsnState { i, r })
    }

    fn step_features(&self, sha: &Shared, x: &Tensor, s: &EsnState) -> (Features, EsnState) {
        let scaled = self.ends.scaled(x);
        let (lagged, i) = self.i.step(&sha.within("i"), &scaled, &s.i);
        let (states, r) = self.r.step_by_kernel(&sha.within("r"), &scaled, &s.r);
        (Features { values: Tensor::cat(&[lagged, states], -1), added: self.ends.added(x) }, EsnState { i, r })
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        self.o.readout()
    }
}

impl Forecaster for Esn {
    /// The washout, or what the oldest lag reaches back if that is more.
    fn memory(&self) -> usize {
        self.washout.max(self.i.memory())
    }

    fn horizon(&self, index: usize) -> Self {
        let (first, channels) = (index as i64 * self.n_in(), self.n_in());
        Self {
            i: self.i.clone(),
            r: self.r.share(),
            o: self.o.outputs(first..first + channels),
            ends: self.ends.of_one_horizon(),
            washout: self.washout,
        }
    }

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

    fn config(target: Target) -> EsnConfig {
        EsnConfig {
            reservoir: ReservoirConfig { units: 23, leak: 0.4, bias_scaling: 0.1, ..ReservoirConfig::default() },
            nvar: NvarConfig { delay: 2, stride: 3, order: vec![2], constant: false },
            washout: 9,
            target,
            scale: target == Target::Increment,
        }
    }

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-4)] {
            for target in [Target::Value, Target::Increment] {
                let on = (kind, Device::Cpu);
                let mut params = Params::new(9, on);
                let esn = Esn::new(&mut params, 2, 3, &config(target)).unwrap();
                esn.fit_scale(&Rng::new(0, "x").tensor(&[20, 2], ON, Rng::normal)).unwrap();
                assert_scan_is_steps(&esn, &params, ScanCase { time: 9, batch: 2, on, tolerance, seed: 4 });
            }
        }
    }

    /// Lagged inputs: 4 values and 10 products of two of them; then 23 units.
    #[test]
    fn features_are_lagged_inputs_and_states() {
        let esn = Esn::new(&mut Params::new(0, ON), 2, 3, &config(Target::Value)).unwrap();
        assert_eq!((esn.memory(), esn.horizons(), esn.n_features()), (9, 3, 4 + 10 + 23));
        assert_eq!((esn.horizon(1).horizons(), esn.horizon(1).n_out()), (1, 2));
        let far = EsnConfig { washout: 2, ..config(Target::Value) };
        assert_eq!(Esn::new(&mut Params::new(0, ON), 2, 3, &far).unwrap().memory(), 3);
        let xs = Inputs::of_steps(Rng::new(1, "x").tensor(&[7, 1, 2], ON, Rng::normal));
        let sha = Shared::default();
        let found = esn.features(&sha, &xs, esn.init_state(1, ON), &mut Tap::none()).0.values;
        let lagged = esn.i.scan(&sha, &xs, esn.i.init_state(1, ON), &mut Tap::none()).0;
        let states = esn.r.scan(&sha, &xs, esn.r.init_state(1, ON), &mut Tap::none()).0;
        assert_close("features", &found, &Tensor::cat(&[lagged, states], -1), 1e-15);
    }

    /// Of both kinds of targets: features of one step after the other are those of the scan.
    #[test]
    fn features_of_steps_are_those_of_the_scan() {
        for target in [Target::Value, Target::Increment] {
            let esn = Esn::new(&mut Params::new(0, ON), 2, 3, &config(target)).unwrap();
            let (sha, xs) = (Shared::default(), Rng::new(1, "x").tensor(&[7, 2, 2], ON, Rng::normal));
            let all = esn.features(&sha, &Inputs::of_steps(&xs), esn.init_state(2, ON), &mut Tap::none()).0;
            let mut state = esn.init_state(2, ON);
            for i in 0..7 {
                let (found, next) = esn.step_features(&sha.ahead(i as usize), &xs.get(i), &state);
                assert_close("values", &found.values, &all.values.get(i), 1e-13);
                assert_eq!(found.added.is_some(), target == Target::Increment);
                if let (Some(found), Some(known)) = (&found.added, &all.added) {
                    assert_close("added", found, &known.get(i), 0.0);
                }
                state = next;
            }
        }
    }
}
