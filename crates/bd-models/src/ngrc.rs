//! [`Ngrc`]: next-generation reservoir computing, an [`Nvar`] with a linear readout.

use bd_core::{Params, Readout, Result, Shared, System, Tap, state};
use tch::{Device, Kind, Tensor};

use crate::linear::{Linear, LinearConfig};
use crate::nvar::{Nvar, NvarConfig, NvarState};

state! {
    /// State of an [`Ngrc`].
    pub struct NgrcState {
        /// The reservoir's history.
        r: NvarState,
    }
}

/// Next-generation reservoir computing: `y(t) = nvar(x)(t) W + b`. Parameters `o.weight` (`[n_features, n_out]`) and
/// `o.bias`, meant to be fitted in closed form (Gauthier et al. 2021; BrainPy's tutorial names the parts `r` and `o`).
#[derive(Debug)]
pub struct Ngrc {
    /// The features.
    pub r: Nvar,
    /// The readout.
    pub o: Linear,
}

impl Ngrc {
    /// A model from `n_in` to `n_out` channels.
    pub fn new(params: &mut Params, n_in: usize, n_out: usize, config: &NvarConfig) -> Result<Self> {
        let r = Nvar::new(n_in, config)?;
        let o = Linear::new(&mut params.at("o"), r.n_out(), n_out as i64, &LinearConfig::default())?;
        Ok(Self { r, o })
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

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> NgrcState {
        NgrcState { r: self.r.init_state(batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &NgrcState) -> (Tensor, NgrcState) {
        let (features, r) = self.r.step(&sha.within("r"), x, &s.r);
        (self.o.step(&sha.within("o"), &features, &()).0, NgrcState { r })
    }

    fn scan(&self, sha: &Shared, xs: &Tensor, s: NgrcState, tap: &mut Tap) -> (Tensor, NgrcState) {
        let (features, s) = self.features(sha, xs, s, tap);
        (self.o.scan(&sha.within("o"), &features, (), tap).0, s)
    }
}

impl Readout for Ngrc {
    fn features(&self, sha: &Shared, xs: &Tensor, s: NgrcState, tap: &mut Tap) -> (Tensor, NgrcState) {
        let (features, r) = tap.within("r", |tap| self.r.scan(&sha.within("r"), xs, s.r, tap));
        (features, NgrcState { r })
    }

    fn readout(&self) -> (&Tensor, Option<&Tensor>) {
        self.o.readout()
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};

    use super::*;

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(9, on);
            let config = NvarConfig { delay: 3, stride: 2, order: vec![2, 3], constant: true };
            let ngrc = Ngrc::new(&mut params, 2, 3, &config).unwrap();
            assert_scan_is_steps(&ngrc, &params, ScanCase { time: 9, batch: 2, on, tolerance, seed: 4 });
        }
    }
}
