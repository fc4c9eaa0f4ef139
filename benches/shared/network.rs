//! The network of the size that the Spiking Heidelberg Digits take, for benchmarks on CPUs and GPUs; that of scripts/peers/recurrent.py.

use bd_core::{DynSystem, Params, Result, Stack};
use bd_models::{Init, Lif, LifConfig, Linear, LinearConfig, Recurrent, Reset, Surrogate};

/// Steps of a sample.
pub(crate) const STEPS: usize = 250;
/// Samples of a batch.
pub(crate) const BATCH: usize = 256;
/// Input channels, of which 2 % spike in a step.
pub(crate) const INPUTS: usize = 700;
/// Neurons of each of the two layers.
pub(crate) const NEURONS: usize = 512;
/// What is left of a potential after a step.
const BETA: f64 = 0.9;
/// Deviation of the weights from the input.
const OF_INPUT: f64 = 0.17;
/// Between the layers.
const BETWEEN: f64 = 0.1;
/// Within each.
const WITHIN: f64 = 0.015;

/// Normal weights with this deviation.
fn normal(deviation: f64, fan_in: usize) -> Init {
    Init::KaimingNormal { scale: deviation * deviation * fan_in as f64 }
}

/// Linear, recurrent neurons, linear, recurrent neurons.
pub(crate) fn network(params: &mut Params) -> Result<Stack> {
    let lif = LifConfig {
        tau_ms: -1.0 / BETA.ln(),
        resistance: 1.0 / (1.0 - BETA),
        reset: Reset::Subtract,
        surrogate: Surrogate::InvSquare { alpha: 25.0 },
        ..LifConfig::default()
    };
    let mut layers = Vec::new();
    for (i, (n_in, deviation)) in [(INPUTS, OF_INPUT), (NEURONS, BETWEEN)].into_iter().enumerate() {
        let (weights, neurons) = (format!("w{}", i + 1), format!("r{}", i + 1));
        let config = LinearConfig { bias: false, init: normal(deviation, n_in), ..LinearConfig::default() };
        let linear = Linear::new(&mut params.at(&weights), n_in as i64, NEURONS as i64, &config)?;
        let recurrent = normal(WITHIN, NEURONS);
        let recurrent = Recurrent::new(&mut params.at(&neurons), Lif::new(NEURONS as i64, &lif)?, recurrent)?;
        layers.push((weights, DynSystem::new(linear)));
        layers.push((neurons, DynSystem::new(recurrent)));
    }
    Stack::new(layers)
}
