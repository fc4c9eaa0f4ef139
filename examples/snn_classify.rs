//! Prints a test accuracy of at least 0.95: a spiking network learns to tell coincident spikes from independent ones.
//!
//! Every channel spikes at the same rate under both labels, so that counting spikes tells nothing. Trained on 400 random samples,
//! saved, loaded into a fresh network, and tested on 200 others.

use std::ops::ControlFlow;

use bd_core::files::{load_tensors, save_tensors};
use bd_core::{Inputs, Params, Rng, Shared, Spikes, Tap, threads};
use bd_models::SnnConfig;
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::{Bptt, Loss, OptimConfig, OverTime, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const CHANNELS: usize = 40;
const STEPS: usize = 200;

/// Poisson spikes of 20 Hz: label 0, of all channels independently; label 1, each channel together with the one opposite.
fn samples(count: usize, rng: &mut Rng) -> bd_core::Result<Examples> {
    let labels: Vec<i64> = (0..count).map(|_| i64::from(rng.uniform() < 0.5)).collect();
    let spikes = Spikes::from_fn([STEPS, count, CHANNELS], ON, |sample, _step, spiking| {
        let mut spikes = || rng.uniform() < 0.02;
        let half = CHANNELS as u32 / 2;
        for channel in 0..half {
            let first = spikes();
            let opposite = if labels[sample] == 1 { first } else { spikes() };
            spiking.extend([(channel, first), (channel + half, opposite)].iter().filter(|at| at.1).map(|at| at.0));
        }
    })?;
    Examples::new(Inputs::Spikes(spikes), Tensor::from_slice(&labels))
}

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let mut rng = Rng::new(0, "samples");
    let (train, test) = (samples(400, &mut rng)?, samples(200, &mut rng)?);
    let sha = Shared::new(1.0); // steps of 1 ms
    let config = SnnConfig { n_in: CHANNELS as i64, hidden: vec![20], ..SnnConfig::default() };

    let mut params = Params::new(1, ON);
    let net = config.build(&mut params)?;
    let optim = OptimConfig { lr: 5e-3, ..OptimConfig::default() };
    let mut bptt = Bptt::new(&net, &params, Loss::CrossEntropy { over: OverTime::Mean }, &optim, sha)?;
    let batches = |epoch: usize| train.batches(50, Some(&mut Rng::new(1, &format!("epoch {epoch}"))));
    let losses = bptt.fit(40, batches, |_, _| Ok(ControlFlow::Continue(())))?;
    println!("loss {:.3} to {:.3} in {} updates", losses[0], losses[losses.len() - 1], losses.len());

    let file = std::env::temp_dir().join(format!("snn_classify-{}.safetensors", std::process::id()));
    save_tensors(&file, &params.named())?;
    let mut params = Params::new(2, ON); // other random weights, until they are loaded
    let net = config.build(&mut params)?;
    params.load(&load_tensors(&file)?)?;
    std::fs::remove_file(&file).map_err(bd_core::Error::storage("remove", &file))?;
    let mut tap = Tap::new(["r.spike"]);
    let (outputs, _) = predict(&net, &sha, test.inputs(), None, &mut tap)?;
    let correct = accuracy(&OverTime::Mean.scores(&outputs, None), test.targets())?;
    let spikes = tap.finish()?["r.spike"].sum(Kind::Double).double_value(&[]);
    println!("test accuracy {correct:.3}, {:.1} hidden spikes a sample", spikes / test.count() as f64);
    Ok(())
}
