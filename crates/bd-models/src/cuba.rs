//! [`Cuba`]: neurons with exponential synapses, "current-based" as in Norse, SpikingJelly and BrainPy.
//!
//! ```text
//! g <- e^(-dt/tau_syn) g + x        all that arrives, weighted already
//! the neurons with the current g
//! ```
//!
//! It is [`Expon`] and the neurons in a row, as one system with the states of both.

use bd_core::kernel::{Fused, Processor, step_units};
use bd_core::{ParamPath, Result, Shared, StateTree, System, join};
use tch::{Device, Kind, Tensor};

use crate::expon::{Expon, ExponConfig};
use crate::lif::{Lif, LifConfig};

/// Neurons of any kind with exponential synapses: weighted spikes `[.., n]` to the neurons' outputs `[.., n]`. `Shared.dt` is in ms.
#[derive(Debug, Clone)]
pub struct Cuba<N> {
    current: Expon,
    neurons: N,
}

/// [`Cuba`] LIF neurons, the "current-based LIF".
pub type CubaLif = Cuba<Lif>;

/// State of [`Cuba`] neurons: `g`, and that of the neurons.
#[derive(Debug)]
pub struct CubaState<S> {
    /// The current, `[batch, n]`.
    pub g: Tensor,
    /// That of the neurons, under the same path.
    pub neurons: S,
}

impl<S: StateTree> StateTree for CubaState<S> {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        f(&join(path, "g"), &self.g);
        self.neurons.visit(path, f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { g: f(&join(path, "g"), &self.g)?, neurons: self.neurons.try_map(path, f)? })
    }
}

impl<N: System> Cuba<N> {
    /// A current for each input of these neurons.
    pub fn of(neurons: N, synapse: &ExponConfig) -> Result<Self> {
        Ok(Self { current: Expon::new(neurons.n_in(), synapse)?, neurons })
    }
}

impl CubaLif {
    /// `n` neurons, each with one synaptic current.
    pub fn new(n: i64, synapse: &ExponConfig, lif: &LifConfig) -> Result<Self> {
        Self::of(Lif::new(n, lif)?, synapse)
    }

    /// The same, of which is trained what the settings of [`Lif`] say, with parameters that are made at `path`.
    pub fn trained(path: &mut ParamPath<'_>, n: i64, synapse: &ExponConfig, lif: &LifConfig) -> Result<Self> {
        Self::of(Lif::trained(path, n, lif)?, synapse)
    }
}

impl<N: System> System for Cuba<N> {
    type State = CubaState<N::State>;

    fn n_in(&self) -> i64 {
        self.neurons.n_in()
    }

    fn n_out(&self) -> i64 {
        self.neurons.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.neurons.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Self::State {
        CubaState { g: Tensor::zeros([batch, self.n_in()], on), neurons: self.neurons.init_state(batch, on) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &Self::State) -> (Tensor, Self::State) {
        let (_, [g]) = step_units(self.current.config(), sha, x, [&s.g]);
        let (y, neurons) = self.neurons.step(sha, &g, &s.neurons);
        (y, CubaState { g, neurons })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        Some(Fused::chain(vec![self.current.kernel(sha, processor)?, self.neurons.kernel(sha, processor)?]))
    }

    fn after_update(&self, updates: u64) {
        self.neurons.after_update(updates);
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
