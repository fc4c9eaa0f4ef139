//! Prints a held-out accuracy of at least 0.95: a network learns delayed match to sample, a task that is a function here.
//!
//! Two stimuli of two kinds, with a gap of 2 to 7 steps between them in which there is only noise: were they the same? A task is
//! whatever draws a batch of examples; the network never sees one twice.

use bd_core::{Inputs, Params, Rng, Shared, Tap, threads};
use bd_models::{Cell, RateNetConfig};
use bd_train::data::Examples;
use bd_train::loss::accuracy;
use bd_train::{Bptt, Loss, OptimConfig, OverTime, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const STEPS: usize = 12;

/// Batch number `number` of `count` sequences: each stimulus is a pulse of two steps in the channel of its kind.
fn batch(seed: u64, number: u64, count: usize) -> bd_core::Result<Examples> {
    let mut rng = Rng::new(seed, &format!("delayed match {number}"));
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let [first, second] = [(); 2].map(|()| usize::from(rng.uniform() < 0.5));
        let gap = 2 + (6.0 * rng.uniform()) as usize;
        for step in 0..STEPS {
            let shown = |kind: usize| match step {
                1 | 2 => kind == first,
                _ if step == 3 + gap || step == 4 + gap => kind == second,
                _ => false,
            };
            inputs.extend([0, 1].map(|kind| f64::from(u8::from(shown(kind))) + 0.1 * rng.normal()));
        }
        labels.push(i64::from(first == second));
    }
    let x = Tensor::from_slice(&inputs).reshape([count as i64, STEPS as i64, 2]).to_kind(ON.0);
    Examples::new(Inputs::batch_first(&x)?, Tensor::from_slice(&labels))
}

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let sha = Shared::new(1.0);
    let [_, gru, _] = Cell::all();
    let config = RateNetConfig { n_in: 2, hidden: vec![32], n_out: 2, cell: gru, ..RateNetConfig::default() };
    let mut params = Params::new(0, ON);
    let net = config.build(&mut params)?;
    let (loss, optim) =
        (Loss::CrossEntropy { over: OverTime::Last }, OptimConfig { lr: 1e-2, ..OptimConfig::default() });
    let mut bptt = Bptt::new(&net, &params, loss, &optim, sha)?.clip(1.0)?;
    for number in 0..800 {
        let update = bptt.update(&batch(0, number, 64)?)?;
        if update.step.is_multiple_of(200) {
            println!("update {}: loss {:.4}", update.step, update.loss);
        }
    }

    let held_out = batch(1, 0, 1000)?; // of another seed
    let (outputs, _) = predict(&net, &sha, held_out.inputs(), None, &mut Tap::none())?;
    let correct = accuracy(&OverTime::Last.scores(&outputs, None), held_out.targets())?;
    println!("held-out accuracy {correct:.3}");
    Ok(())
}
