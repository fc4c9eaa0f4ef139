//! Prints errors of a chaotic network while it learns a sum of sines, and over 5 s on its own: below 0.1 of the target's deviation.
//!
//! FORCE learning (Sussillo and Abbott 2009): the readout of a network, whose output is its only input, learns sample by sample by recursive
//! least squares. The loop is one's own, so that the target may as well come from outside, one number at a time.

use bd_core::{Chain, Params, StateTree};
use bd_models::{ContinuousReservoir, ContinuousReservoirConfig, Linear, LinearConfig};
use bd_train::free_run;
use bd_train::online::{Online, OnlineRule, Rls};
use tch::{Device, Kind, Tensor};

/// Period of the target in steps of 1 ms.
const PERIOD: usize = 600;

/// The target at a step of 1 ms: four sines, the slowest with a period of 0.6 s.
fn target(step: usize) -> f64 {
    let phase = step as f64 / PERIOD as f64 * std::f64::consts::TAU;
    let sines = [(1.0, 1.0), (2.0, 0.5), (3.0, 1.0 / 6.0), (4.0, 1.0 / 3.0)];
    1.3 / 1.5 * sines.iter().map(|(harmonic, amplitude)| amplitude * (harmonic * phase).sin()).sum::<f64>()
}

/// Root mean square error in standard deviations of the target.
fn error(outputs: &[f64], first: usize) -> f64 {
    let targets = (first..first + outputs.len()).map(target);
    let (errors, squares) =
        outputs.iter().zip(targets).fold((0.0, 0.0), |(e, s), (z, y)| (e + (z - y).powi(2), s + y * y));
    f64::sqrt(errors / squares)
}

fn main() -> bd_core::Result<()> {
    let on = (Kind::Double, Device::Cpu);
    let mut params = Params::new(1, on);
    let config = ContinuousReservoirConfig { units: 500, ..ContinuousReservoirConfig::default() };
    let network = ContinuousReservoir::new(&mut params.at("r"), 1, &config)?;
    let readout = Linear::new(&mut params.at("o"), 500, 1, &LinearConfig { bias: false, ..LinearConfig::default() })?;
    let model = Chain::new(("r", network), ("o", readout))?;
    let mut online = Online::new(model, &OnlineRule::Rls(Rls::default()), 1.0, 1)?;

    let number = |value: f64| Tensor::from_slice(&[value]).reshape([1, 1]);
    let (learning, mut z, mut outputs) = (16 * PERIOD, number(0.0), Vec::new());
    for i in 0..learning {
        // The output comes back as the input. It is learned at every second step, as in the paper.
        z = if i % 2 == 0 { online.step(&z, &number(target(i)))? } else { online.predict(&z)? };
        outputs.push(z.double_value(&[0, 0]));
    }
    for period in [0, 1, 7, 15] {
        let first = period * PERIOD;
        println!("learning, period {period}: error {:.4}", error(&outputs[first..first + PERIOD], first));
    }

    let (run, _) = free_run(online.model(), online.now(), &z, online.state().share(), 5000)?;
    let run = Vec::<f64>::try_from(run.flatten(0, -1))?;
    for second in 0..5 {
        let first = second * 1000;
        println!("on its own, second {}: error {:.4}", second + 1, error(&run[first..first + 1000], learning + first));
    }
    Ok(())
}
