//! [`Synapse`]: weights and exponential synapses, `g <- e^(-dt/tau) g + x W`, with the input of this step or of the one before.
//!
//! As in BrainPy 2.2.4 (`brainpy/dyn/synapses/abstract_models.py`, `brainpy/dyn/synouts/conductances.py` `CUBA`): the current is
//! `g` itself, neither multiplied by `dt` nor scaled by `tau`. There, a synapse that is called before the neurons that drive it
//! sees their spikes of the step before: here that is `delayed`.

use bd_core::kernel::{Fused, Processor, step_units};
use bd_core::{ParamPath, Result, Shared, System, state};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::delay::{Delay, OneStep};
use crate::expon::{Expon, ExponConfig};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};

/// Settings of a [`Synapse`]. The defaults are those of BrainPy's tutorial.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | time constant of the decay |
/// | `init` | `kaiming_normal`, scale 20 | | | initial weights |
/// | `delayed` | `false` | | | whether an input arrives at the next step |
/// | `bias` | none | from 0 | | a tonic input `b` of each unit, trained as the weights are: `g <- e^(-dt/tau) g + x W + b`. It begins with numbers drawn evenly from `-bias` to `bias` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct SynapseConfig {
    pub tau_ms: f64,
    pub init: Init,
    pub delayed: bool,
    pub bias: Option<f64>,
}

impl Default for SynapseConfig {
    fn default() -> Self {
        Self { tau_ms: 10.0, init: Init::KaimingNormal { scale: 20.0 }, delayed: false, bias: None }
    }
}

/// Synapses from `n_in` to `n_out` units, all to all: spikes `[.., n_in]` to currents `[.., n_out]`. `Shared.dt` is in ms.
/// Parameter `weight`, `[n_in, n_out]`.
#[derive(Debug)]
pub struct Synapse {
    weights: Linear,
    delay: Option<Delay>,
    /// None: the current decays in the neurons.
    decay: Option<Expon>,
}

state! {
    /// State of a [`Synapse`].
    pub struct SynapseState {
        /// What arrives at the next step, `[batch, n_out]`; there if the synapse is delayed.
        arriving: Option<Tensor>,
        /// The current, `[batch, n_out]`; there if it decays here.
        g: Option<Tensor>,
    }
}

impl SynapseConfig {
    fn linear(&self) -> LinearConfig {
        LinearConfig { bias: self.bias.is_some(), init: self.init, bias_spread: self.bias.unwrap_or(0.0) }
    }
}

impl Synapse {
    /// Synapses whose weights are made at `path`.
    pub fn new(path: &mut ParamPath<'_>, n_in: i64, n_out: i64, config: &SynapseConfig) -> Result<Self> {
        let weights = Linear::new(path, n_in, n_out, &config.linear())?;
        // Behind the weights, where there are fewer channels than before them in most networks; the numbers are the same.
        let delay = config.delayed.then(|| Delay::new(n_out, &OneStep)).transpose()?;
        Ok(Self { weights, delay, decay: Some(Expon::new(n_out, &ExponConfig { tau_ms: config.tau_ms })?) })
    }

    /// Weights, and the delay if there is one, for neurons in which the current decays: [`CubaLif`](crate::CubaLif).
    pub fn undecayed(path: &mut ParamPath<'_>, n_in: i64, n_out: i64, config: &SynapseConfig) -> Result<Self> {
        Ok(Self { decay: None, ..Self::new(path, n_in, n_out, config)? })
    }
}

impl System for Synapse {
    type State = SynapseState;

    fn n_in(&self) -> i64 {
        self.weights.n_in()
    }

    fn n_out(&self) -> i64 {
        self.weights.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.weights.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> SynapseState {
        let zeros = || Tensor::zeros([batch, self.n_out()], on);
        SynapseState { arriving: self.delay.is_some().then(zeros), g: self.decay.is_some().then(zeros) }
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &SynapseState) -> (Tensor, SynapseState) {
        let (weighted, ()) = self.weights.step(sha, x, &());
        let (now, arriving) = match &s.arriving {
            Some(arriving) => (arriving.shallow_clone(), Some(weighted)),
            None => (weighted, None),
        };
        let (Some(decay), Some(g)) = (&self.decay, &s.g) else {
            return (now, SynapseState { arriving, g: None });
        };
        let (_, [g]) = step_units(decay.config(), sha, &now, [g]);
        (g.shallow_clone(), SynapseState { arriving, g: Some(g) })
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        let delay = self.delay.iter().map(|delay| delay.kernel(sha, processor));
        let decay = self.decay.iter().map(|decay| decay.kernel(sha, processor));
        let parts = std::iter::once(self.weights.kernel(sha, processor)).chain(delay).chain(decay);
        Some(Fused::chain(parts.collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{Inputs, Params, Tap};

    use super::*;

    #[test]
    fn scan_is_steps() {
        for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            for seed in 0..4 {
                for (delayed, bias) in [(false, None), (true, None), (false, Some(0.5)), (true, Some(0.5))] {
                    let on = (kind, Device::Cpu);
                    let mut params = Params::new(seed, on);
                    let config = SynapseConfig { delayed, bias, ..SynapseConfig::default() };
                    let synapse = Synapse::new(&mut params.at("s"), 3 + seed as i64, 5, &config).unwrap();
                    assert_scan_is_steps(&synapse, &params, ScanCase::random(seed, on, tolerance));
                }
            }
        }
    }

    /// Without a spike the current of a tonic input `b` after `n` steps is `b (1 - q^n) / (1 - q)` with `q = e^(-dt/tau)`.
    #[test]
    fn a_tonic_input_makes_a_current_that_rises_to_its_sum() {
        let on = (Kind::Double, Device::Cpu);
        let mut params = Params::new(1, on);
        let config = SynapseConfig { bias: Some(0.5), ..SynapseConfig::default() };
        let synapse = Synapse::new(&mut params.at("s"), 1, 40, &config).unwrap();
        let b = params.get("s.bias").unwrap().detach();
        assert!(b.abs().max().double_value(&[]) <= 0.5 && b.std(false).double_value(&[]) > 0.2);
        let (sha, xs) = (Shared::new(0.5), Inputs::of_steps(Tensor::zeros([60, 1, 1], on)));
        let ys = synapse.scan(&sha, &xs, synapse.init_state(1, on), &mut Tap::none()).0.detach();
        let q = (-0.05f64).exp();
        for n in [1, 5, 60] {
            let exact = &b * ((1.0 - q.powi(n)) / (1.0 - q));
            assert!((ys.get(i64::from(n) - 1).squeeze() - exact).abs().max().double_value(&[]) < 1e-12, "{n}");
        }
        let wrong = SynapseConfig { bias: Some(-0.5), ..SynapseConfig::default() };
        assert!(Synapse::new(&mut Params::new(1, on).at("s"), 1, 4, &wrong).is_err());
    }

    /// One spike through a weight `w` at step 2: `w e^(-(t - t0) dt / tau)`, from the next step on if delayed.
    #[test]
    fn a_spike_makes_a_current_that_begins_at_its_weight() {
        let on = (Kind::Double, Device::Cpu);
        for delayed in [false, true] {
            let mut params = Params::new(1, on);
            let config = SynapseConfig { delayed, ..SynapseConfig::default() };
            let synapse = Synapse::new(&mut params.at("s"), 1, 1, &config).unwrap();
            let w = params.get("s.weight").unwrap().double_value(&[0, 0]);
            let xs = Tensor::zeros([10, 1, 1], on);
            let _ = xs.get(2).fill_(1.0);
            let (ys, _) =
                synapse.scan(&Shared::new(0.5), &Inputs::of_steps(&xs), synapse.init_state(1, on), &mut Tap::none());
            for step in 0..10 {
                let since = step - 2 - i64::from(delayed);
                let exact = if since < 0 { 0.0 } else { w * (-since as f64 * 0.5 / 10.0).exp() };
                assert!((ys.double_value(&[step, 0, 0]) - exact).abs() < 1e-14, "delayed {delayed}, step {step}");
            }
        }
    }
}
