//! [`SnnConfig`]: spiking networks, feed-forward or recurrent, from BrainPy's tutorial upwards.
//!
//! ```text
//! input spikes -> synapse -> LIF neurons -> synapse (one step later) -> ... -> leaky integrators
//! ```
//!
//! One step, in the order of BrainPy 2.2.4's tutorial "Training a Brain Dynamics Model" (the
//! input's synapse acts at once, every other one sees the spikes of the step before):
//!
//! ```text
//! g1 = g1 e^(-dt/10) + x_t W1            current into the neurons
//! u  = v + (1 - e^(-dt/10)) (g1 - v)     s_t = H(u - 1),  v = u (1 - s_t)
//! g2 = g2 e^(-dt/10) + s_(t-1) W2        current into the integrators
//! o  = o + (1 - e^(-dt/5)) (g2 - o)      the output
//! ```

use bd_core::{DynSystem, Error, Params, Result, Stack};
use serde::{Deserialize, Serialize};

use crate::expon::ExponConfig;
use crate::init::Init;
use crate::leaky_integrator::{LeakyIntegrator, LeakyIntegratorConfig};
use crate::lif::LifConfig;
use crate::neuron::NeuronConfig;
use crate::recurrent::Recurrent;
use crate::synapse::{Synapse, SynapseConfig};

/// Settings of a spiking network. The defaults are those of BrainPy's tutorial.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `n_in` | 100 | input channels |
/// | `hidden` | 10 | LIF neurons of each hidden layer, one or more layers |
/// | `n_out` | 2 | leaky integrators |
/// | `synapse` | | all synapses; `delayed` says whether those behind neurons act one step later |
/// | `neuron` | `lif` | which neurons the hidden layers have: see [`NeuronConfig`] |
/// | `lif` | | settings of all neurons, if they are `lif` |
/// | `readout` | | the leaky integrators |
/// | `recurrent` | `false` | whether the neurons of each hidden layer have synapses among themselves |
/// | `recurrent_init` | `xavier_normal` | initial weights of these |
///
/// Layers are called `i2r`, `r`, `r2o`, `o`; of several hidden layers `i2r1`, `r1`, `r1r2`, `r2`, ..., `r2o`, `o`. A name
/// prefixes states (`r.v`, `r.spike`, `i2r.g`, `o.v`) and parameters (`i2r.weight`; `r.log_tau_ms` and the like where
/// [`LifConfig::trained`] asks for them).
///
/// In a recurrent network the currents of a hidden layer's neurons, from other layers and from within, decay in the neurons:
/// [`Recurrent`] [`Cuba`](crate::Cuba), states `r.g`, `r.v`, `r.spike`, `r.fed_back`, parameter `r.recurrent_weight`. Spikes from within
/// arrive one step later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct SnnConfig {
    pub n_in: i64,
    pub hidden: Vec<i64>,
    pub n_out: i64,
    pub synapse: SynapseConfig,
    pub neuron: NeuronConfig,
    pub lif: LifConfig,
    pub readout: LeakyIntegratorConfig,
    pub recurrent: bool,
    pub recurrent_init: Init,
}

impl Default for SnnConfig {
    fn default() -> Self {
        Self {
            n_in: 100,
            hidden: vec![10],
            n_out: 2,
            synapse: SynapseConfig { delayed: true, ..SynapseConfig::default() },
            neuron: NeuronConfig::Lif,
            lif: LifConfig::default(),
            readout: LeakyIntegratorConfig::default(),
            recurrent: false,
            recurrent_init: Init::XavierNormal,
        }
    }
}

impl SnnConfig {
    /// Names of the layers of neurons that spike, each of which has the states `spike` and [that of its potential](NeuronConfig::potential).
    pub fn neurons(&self) -> Vec<String> {
        if self.neuron.spikes() { self.layers() } else { Vec::new() }
    }

    /// Names of the layers of neurons.
    fn layers(&self) -> Vec<String> {
        match self.hidden.len() {
            1 => vec!["r".into()],
            layers => (1..=layers).map(|i| format!("r{i}")).collect(),
        }
    }

    /// The network, its weights made in `params`.
    pub fn build(&self, params: &mut Params) -> Result<Stack> {
        if self.hidden.is_empty() {
            return Err(Error::setting("hidden", "empty", "a list of at least one layer"));
        }
        let mut layers = Vec::new();
        let (mut from, mut n_from) = ("i".to_owned(), self.n_in);
        let targets = self.layers().into_iter().zip(self.hidden.iter().copied()).chain([("o".into(), self.n_out)]);
        for (to, n_to) in targets {
            let name = match (from.as_str(), to.as_str()) {
                (_, "o") => "r2o".to_owned(),
                ("i", _) => format!("i2{to}"),
                _ => format!("{from}{to}"),
            };
            let config = SynapseConfig { delayed: self.synapse.delayed && from != "i", ..self.synapse };
            let (synapse, target) = match to.as_str() {
                "o" => {
                    let config = SynapseConfig { bias: config.bias.map(|_| 0.0), ..config };
                    let synapse = Synapse::new(&mut params.at(&name), n_from, n_to, &config)?;
                    (synapse, DynSystem::new(LeakyIntegrator::new(n_to, &self.readout)?))
                }
                _ if self.recurrent => {
                    let synapse = Synapse::undecayed(&mut params.at(&name), n_from, n_to, &config)?;
                    let decay = ExponConfig { tau_ms: config.tau_ms };
                    let neurons = self.neuron.layer(&mut params.at(&to), n_to, &self.lif, Some(&decay))?;
                    let neurons = Recurrent::new(&mut params.at(&to), neurons, self.recurrent_init)?;
                    (synapse, DynSystem::new(neurons))
                }
                _ => {
                    let synapse = Synapse::new(&mut params.at(&name), n_from, n_to, &config)?;
                    (synapse, self.neuron.layer(&mut params.at(&to), n_to, &self.lif, None)?)
                }
            };
            layers.extend([(name, DynSystem::new(synapse)), (to.clone(), target)]);
            (from, n_from) = (to, n_to);
        }
        Stack::new(layers)
    }
}

#[cfg(test)]
mod tests {
    use bd_core::kernel::{Instructions, Tuning, scan_tuned};
    use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
    use bd_core::{Inputs, Rng, Shared, Spikes, StateTree, System, Tap};
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::lif::{LifTrained, Reset};
    use crate::surrogate::Surrogate;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn names(config: &SnnConfig) -> (Vec<String>, Vec<String>) {
        let mut params = Params::new(0, ON);
        let net = config.build(&mut params).unwrap();
        let first = |all: Vec<(String, tch::Tensor)>| all.into_iter().map(|(name, _)| name).collect();
        (first(params.named()), first(net.init_state(1, ON).named()))
    }

    #[test]
    fn layers_have_the_tutorials_names() {
        let (params, states) = names(&SnnConfig::default());
        assert_eq!(params, ["i2r.weight", "r2o.weight"]);
        assert_eq!(states, ["i2r.g", "r.v", "r.spike", "r2o.arriving", "r2o.g", "o.v"]);
        let (params, states) = names(&SnnConfig { hidden: vec![4, 3], ..SnnConfig::default() });
        assert_eq!(params, ["i2r1.weight", "r1r2.weight", "r2o.weight"]);
        assert!(states.contains(&"r1r2.arriving".to_owned()) && states.contains(&"r2.v".to_owned()));
    }

    #[test]
    fn a_deep_network_scans_as_it_steps() {
        let lif = LifConfig { surrogate: Surrogate::Sigmoid { alpha: 4.0 }, resistance: 3.0, ..LifConfig::default() };
        let config = SnnConfig { n_in: 6, hidden: vec![7, 4], lif, ..SnnConfig::default() };
        let mut params = Params::new(3, ON);
        let net = config.build(&mut params).unwrap();
        assert_scan_is_steps(&net, &params, ScanCase { time: 40, batch: 9, on: ON, tolerance: 1e-12, seed: 4 });
    }

    /// Two recurrent layers: fused against libtorch's own gradients, step by step.
    #[test]
    fn a_recurrent_network_scans_as_it_steps() {
        let lif = LifConfig { surrogate: Surrogate::Sigmoid { alpha: 4.0 }, resistance: 3.0, ..LifConfig::default() };
        let recurrent_init = Init::KaimingNormal { scale: 20.0 };
        let config =
            SnnConfig { n_in: 6, hidden: vec![40, 11], lif, recurrent: true, recurrent_init, ..SnnConfig::default() };
        let mut params = Params::new(3, ON);
        let net = config.build(&mut params).unwrap();
        let names: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
        let expected = ["i2r1.weight", "r1.recurrent_weight", "r1r2.weight", "r2.recurrent_weight", "r2o.weight"];
        assert_eq!(names, expected);
        for seed in 0..3 {
            assert_scan_is_steps(&net, &params, ScanCase::random(seed, ON, 1e-12));
        }
    }

    /// Neurons of both kinds of networks, in which everything is trained.
    #[test]
    fn networks_of_trained_neurons_scan_as_they_step() {
        let trained = LifTrained { tau: true, threshold: true, reset: true };
        let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
        let lif = LifConfig { surrogate, resistance: 3.0, trained, ..LifConfig::default() };
        for recurrent in [false, true] {
            let config = SnnConfig { n_in: 6, hidden: vec![9], lif, recurrent, ..SnnConfig::default() };
            let mut params = Params::new(3, ON);
            let net = config.build(&mut params).unwrap();
            let found: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
            let within = recurrent.then_some("r.recurrent_weight");
            let expected = ["i2r.weight", "r.log_tau_ms", "r.v_reset", "r.log_gap"].into_iter().chain(within);
            assert_eq!(found, expected.chain(["r2o.weight"]).collect::<Vec<_>>());
            let tonic = SynapseConfig { bias: Some(0.5), ..config.synapse };
            let mut of_tonic = Params::new(3, ON);
            let driven = SnnConfig { synapse: tonic, ..config.clone() }.build(&mut of_tonic).unwrap();
            // That of the outputs begins at zero.
            assert!(of_tonic.get("i2r.bias").is_some() && *of_tonic.get("r2o.bias").unwrap() == Tensor::zeros([2], ON));
            assert_scan_is_steps(&driven, &of_tonic, ScanCase::random(2, ON, 1e-12));
            let untrained = LifConfig { trained: LifTrained::default(), ..lif };
            assert_eq!(names(&config).1, names(&SnnConfig { lif: untrained, ..config.clone() }).1);
            assert_scan_is_steps(&net, &params, ScanCase::random(2, ON, 1e-12));
        }
    }

    /// Outputs of a network whose neurons have `tau` 20 ms, learned by one that begins with 5 ms: of surrogate gradients, which
    /// are no true ones, the sign is what is followed.
    #[test]
    fn a_network_learns_its_time_constants() {
        let config = |tau_ms: f64, tau: bool| {
            let trained = LifTrained { tau, ..LifTrained::default() };
            let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
            let lif = LifConfig { tau_ms, trained, surrogate, resistance: 3.0, ..LifConfig::default() };
            SnnConfig { n_in: 20, hidden: vec![12], lif, ..SnnConfig::default() }
        };
        let (mut params, mut others) = (Params::new(2, ON), Params::new(2, ON));
        let net = config(5.0, true).build(&mut params).unwrap();
        let target = config(20.0, false).build(&mut others).unwrap();
        let spikes = Spikes::draw([100, 32, 20], ON, 0.1, &mut Rng::new(2, "s")).unwrap();
        let outputs = |net: &Stack| {
            net.scan(&Shared::new(1.0), &Inputs::from(&spikes), net.init_state(32, ON), &mut Tap::none()).0
        };
        let wanted = outputs(&target).detach();
        let mut log_tau_ms = params.get("r.log_tau_ms").unwrap().shallow_clone();
        let loss = || (outputs(&net) - &wanted).square().mean(Kind::Double);
        let before = loss().double_value(&[]);
        for _ in 0..20 {
            let gradient = Tensor::run_backward(&[loss()], &[&log_tau_ms], false, false);
            tch::no_grad(|| log_tau_ms -= 0.05 * gradient[0].sign());
        }
        let after = loss().double_value(&[]);
        assert!(after < 0.5 * before, "the loss was {before} and is {after}");
    }

    /// Every reset, with and without a refractory period, at random sizes.
    #[test]
    fn a_shallow_network_scans_as_it_steps() {
        let resets = [Reset::Value, Reset::Subtract, Reset::None];
        for (seed, (reset, refractory_ms)) in
            resets.into_iter().flat_map(|reset| [(reset, 0.0), (reset, 0.3)]).enumerate()
        {
            // A wide surrogate, so that gradients are not all but zero, and a current that makes spikes.
            let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
            let lif = LifConfig { reset, refractory_ms, surrogate, resistance: 5.0, ..LifConfig::default() };
            let mut params = Params::new(1, ON);
            let net = SnnConfig { lif, ..SnnConfig::default() }.build(&mut params).unwrap();
            assert_scan_is_steps(&net, &params, ScanCase::random(seed as u64, ON, 1e-12));
        }
    }

    /// AVX2 and AVX-512 give the same bytes; any processor's instructions the same but for rounding twice where they round once.
    #[test]
    fn instructions_make_no_difference() {
        for kind in [Kind::Float, Kind::Double] {
            let on = (kind, Device::Cpu);
            let mut params = Params::new(5, on);
            let net = SnnConfig { hidden: vec![9, 3], ..SnnConfig::default() }.build(&mut params).unwrap();
            let spikes = Spikes::draw([120, 40, 100], on, 0.01, &mut Rng::new(5, "s")).unwrap();
            let weights: Vec<_> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
            let everything = |instructions: Instructions| {
                let tuning = Tuning { instructions, ..Tuning::of(40, kind) };
                let (sha, start) = (Shared::new(0.5), net.init_state(40, on));
                let done = scan_tuned(&net, &sha, &Inputs::from(&spikes), start, &mut Tap::none(), tuning);
                let ys = done.unwrap().0;
                let gradients = Tensor::run_backward(&[ys.square().sum(kind)], &weights, false, false);
                std::iter::once(ys.detach()).chain(gradients).collect::<Vec<_>>()
            };
            let best = everything(Instructions::best());
            if let Some(avx2) = Instructions::avx2() {
                assert_eq!(everything(avx2), best);
            }
            for (i, (any, best)) in everything(Instructions::any()).iter().zip(&best).enumerate() {
                assert_close(&format!("result {i}"), any, best, if kind == Kind::Float { 1e-4 } else { 1e-12 });
            }
        }
    }

    #[test]
    fn a_network_needs_a_hidden_layer() {
        let empty = SnnConfig { hidden: vec![], ..SnnConfig::default() };
        assert!(empty.build(&mut Params::new(0, ON)).unwrap_err().to_string().contains("hidden is empty"));
        let none = SnnConfig { hidden: vec![0], ..SnnConfig::default() };
        assert!(none.build(&mut Params::new(0, ON)).is_err());
    }
}
