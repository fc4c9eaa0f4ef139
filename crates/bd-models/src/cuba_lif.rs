//! [`CubaLif`]: LIF neurons with exponential synapses, the "current-based LIF" of Norse, SpikingJelly and BrainPy.
//!
//! ```text
//! g <- e^(-dt/tau_syn) g + x        all that arrives, weighted already
//! Lif with the current g
//! ```
//!
//! It is [`Expon`] and [`Lif`] in a row, as one system with the states of both.

use bd_core::kernel::{Fused, Processor, step_units};
use bd_core::{ParamPath, Result, Shared, StateTree, System, join};
use tch::{Device, Kind, Tensor};

use crate::expon::{Expon, ExponConfig};
use crate::lif::{Lif, LifConfig, LifState};

/// LIF neurons with exponential synapses: weighted spikes `[.., n]` to spikes `[.., n]`. `Shared.dt` is in ms.
#[derive(Debug, Clone)]
pub struct CubaLif {
    current: Expon,
    lif: Lif,
}

/// State of [`CubaLif`] neurons: `g`, and those of [`Lif`].
#[derive(Debug)]
pub struct CubaLifState {
    /// The current, `[batch, n]`.
    pub g: Tensor,
    /// That of the neurons, under the same path.
    pub lif: LifState,
}

impl StateTree for CubaLifState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        f(&join(path, "g"), &self.g);
        self.lif.visit(path, f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { g: f(&join(path, "g"), &self.g)?, lif: self.lif.try_map(path, f)? })
    }
}

impl CubaLif {
    /// `n` neurons, each with one synaptic current.
    pub fn new(n: i64, synapse: &ExponConfig, lif: &LifConfig) -> Result<Self> {
        Ok(Self { current: Expon::new(n, synapse)?, lif: Lif::new(n, lif)? })
    }

    /// The same, of which is trained what the settings of [`Lif`] say, with parameters that are made at `path`.
    pub fn trained(path: &mut ParamPath<'_>, n: i64, synapse: &ExponConfig, lif: &LifConfig) -> Result<Self> {
        Ok(Self { current: Expon::new(n, synapse)?, lif: Lif::trained(path, n, lif)? })
    }
}

impl System for CubaLif {
    type State = CubaLifState;

    fn n_in(&self) -> i64 {
        self.lif.n_in()
    }

    fn n_out(&self) -> i64 {
        self.lif.n_out()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> CubaLifState {
        CubaLifState { g: Tensor::zeros([batch, self.n_in()], on), lif: self.lif.init_state(batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &CubaLifState) -> (Tensor, CubaLifState) {
        let (_, [g]) = step_units(self.current.config(), sha, x, [&s.g]);
        let (spike, lif) = self.lif.step(sha, &g, &s.lif);
        (spike, CubaLifState { g, lif })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        Some(Fused::chain(vec![self.current.kernel(sha, processor)?, self.lif.kernel(sha, processor)?]))
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Params;
    use bd_core::testing::{ScanCase, assert_scan_is_steps};

    use super::*;
    use crate::lif::LifTrained;
    use crate::surrogate::Surrogate;

    #[test]
    fn scan_is_steps() {
        for (seed, refractory_ms) in [0.0, 0.3].into_iter().enumerate() {
            let on = (Kind::Double, Device::Cpu);
            let lif = LifConfig {
                refractory_ms,
                surrogate: Surrogate::Sigmoid { alpha: 4.0 },
                resistance: 3.0,
                ..LifConfig::default()
            };
            let layer = CubaLif::new(7, &ExponConfig { tau_ms: 2.0 }, &lif).unwrap();
            assert_scan_is_steps(&layer, &Params::new(0, on), ScanCase::random(seed as u64, on, 1e-12));
            let lif = LifConfig { trained: LifTrained { tau: true, threshold: true, reset: true }, ..lif };
            let mut params = Params::new(0, on);
            let layer = CubaLif::trained(&mut params.at("r"), 7, &ExponConfig { tau_ms: 2.0 }, &lif).unwrap();
            assert_eq!(params.named().len(), 3);
            assert_scan_is_steps(&layer, &params, ScanCase::random(seed as u64, on, 1e-12));
        }
    }
}
