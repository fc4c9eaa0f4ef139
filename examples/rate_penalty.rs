//! Prints accuracies of at least 0.9 with and without a penalty on firing rates, which takes away half of the spikes or more.
//!
//! A loss may see states over time: `WithRecords` adds a term of them to any other loss. Here it is the mean rate of the hidden
//! neurons, which keeps a spiking network sparse.

use std::ops::ControlFlow;

use bd_core::{Inputs, Params, Rng, Shared, Spikes, Tap, threads};
use bd_models::SnnConfig;
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::{Bptt, Loss, OptimConfig, OverTime, WithRecords, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const CHANNELS: usize = 20;
const STEPS: usize = 100;

/// Poisson spikes of all channels, of which the first half (label 0) or the second (label 1) has three times the rate.
fn samples(name: &str, count: usize) -> bd_core::Result<Examples> {
    let mut rng = Rng::new(0, name);
    let labels: Vec<i64> = (0..count).map(|_| i64::from(rng.uniform() < 0.5)).collect();
    let spikes = Spikes::from_fn([STEPS, count, CHANNELS], ON, |sample, _step, spiking| {
        let rate = |channel: usize| if (channel < CHANNELS / 2) == (labels[sample] == 0) { 0.03 } else { 0.01 };
        spiking.extend((0..CHANNELS).filter(|channel| rng.uniform() < rate(*channel)).map(|channel| channel as u32));
    })?;
    Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))
}

/// Accuracy, and spikes a hidden neuron and sample, after a training with `weight` times the mean rate added to the loss.
fn trained(weight: f64, train: &Examples, test: &Examples) -> bd_core::Result<(f64, f64)> {
    let sha = Shared::new(1.0); // steps of 1 ms
    let mut params = Params::new(1, ON);
    let net = SnnConfig { n_in: CHANNELS as i64, hidden: vec![20], ..SnnConfig::default() }.build(&mut params)?;
    let loss = Loss::CrossEntropy { over: OverTime::Mean };
    let loss = WithRecords::new(loss, ["r.spike"], |records, _lengths| records["r.spike"].mean(Kind::Float) * weight);
    let optim = OptimConfig { lr: 5e-3, ..OptimConfig::default() };
    let batches = |epoch: usize| train.batches(50, Some(&mut Rng::new(1, &format!("epoch {epoch}"))));
    let mut bptt = Bptt::new(&net, &params, loss, &optim, sha)?;
    bptt.fit(30, batches, |_, _| Ok(ControlFlow::Continue(())))?;

    let mut tap = Tap::new(["r.spike"]);
    let (outputs, _) = predict(&net, &sha, test.inputs(), None, &mut tap)?;
    let rate = tap.finish()?["r.spike"].mean(Kind::Double).double_value(&[]);
    Ok((accuracy(&OverTime::Mean.scores(&outputs, None), test.targets())?, rate * STEPS as f64))
}

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let (train, test) = (samples("train", 300)?, samples("test", 300)?);
    for weight in [0.0, 10.0] {
        let (accuracy, spikes) = trained(weight, &train, &test)?;
        println!("penalty {weight}: accuracy {accuracy:.3}, {spikes:.2} spikes a neuron and sample");
    }
    Ok(())
}
