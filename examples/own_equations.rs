//! Prints intervals between spikes that grow to more than twice the first, and a loss that falls below 0.35: a neuron written as text, alone
//! under a constant current, and trained in a network.
//!
//! The neuron is not in the zoo: a leaky integrator whose spikes slow it down, by a current that decays slowly. See docs/your-own-neuron.md.

use std::ops::ControlFlow;

use bd_core::{DynSystem, Inputs, Params, Rng, Shared, Spikes, Stack, threads};
use bd_equations::NeuronText;
use bd_models::{EquationNeurons, LeakyIntegrator, LeakyIntegratorConfig, Synapse, SynapseConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, Loss, OptimConfig, OverTime};
use tch::{Device, Kind, Tensor};

const NEURON: &str = r#"
equations = """
dv/dt = (I - a - v) / tau : 1
da/dt = -a / tau_a : 1
I : 1
tau : second (trained, positive)
tau_a : second (trained, positive)
"""
threshold = "v > 1"
reset = """
v = 0
a += 0.3
"""
method = "exponential_euler"
initial = { tau = "10*ms", tau_a = "50*ms" }
inputs = { I = 1 }
"#;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);
const NEURONS: i64 = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    threads::set(2);
    let text = NeuronText::parse(NEURON)?;

    // Alone, under a current of 3 for 200 ms, in steps of 0.1 ms.
    let spikes = text.build()?.simulate(0.1, [3.0; 2000])?.spikes;
    let interval_ms = |at: usize| (spikes[at + 1] - spikes[at]) as f64 * 0.1;
    println!(
        "{} spikes, intervals from {:.1} to {:.1} ms",
        spikes.len(),
        interval_ms(0),
        interval_ms(spikes.len() - 2)
    );

    // In a network that learns random labels of random spikes.
    let mut rng = Rng::new(0, "data");
    let spikes = Spikes::draw([100, 64, 40], ON, 0.02, &mut rng)?;
    let labels: Vec<i64> = (0..64).map(|_| i64::from(rng.uniform() < 0.5)).collect();
    let examples = Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))?;
    let mut params = Params::new(1, ON);
    let net = Stack::new([
        ("i2r", DynSystem::new(Synapse::new(&mut params.at("i2r"), 40, NEURONS, &SynapseConfig::default())?)),
        ("r", DynSystem::new(EquationNeurons::new(&mut params.at("r"), NEURONS, &text)?)),
        ("r2o", DynSystem::new(Synapse::new(&mut params.at("r2o"), NEURONS, 2, &SynapseConfig::default())?)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default())?)),
    ])?;
    let optim = OptimConfig { lr: 1e-2, ..OptimConfig::default() };
    let mut bptt = Bptt::new(&net, &params, Loss::CrossEntropy { over: OverTime::Max }, &optim, Shared::new(1.0))?;
    let losses = bptt.fit(80, |_| examples.batches(64, None), |_, _| Ok(ControlFlow::Continue(())))?;
    println!("loss {:.3} to {:.3}", losses[0], losses[losses.len() - 1]);
    Ok(())
}
