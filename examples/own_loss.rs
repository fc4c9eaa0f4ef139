//! Prints fractions of truth below a forecast, near 0.9 for a loss of one's own, the pinball loss, and near 0.5 for another.
//!
//! Any closure of outputs and targets is a loss. That of a quantile q is `max(q d, (q - 1) d)` with `d` target minus output: at
//! its least, a fraction q of the truth lies below the forecast. `EachStep` says that each step is judged alone, so that
//! sequences may also be cut in pieces.

use std::ops::ControlFlow;

use bd_core::{Inputs, Params, Rng, Shared, Tap, threads};
use bd_models::{Cell, RateNetConfig};
use bd_train::data::Examples;
use bd_train::{Bptt, EachStep, OptimConfig, predict};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// A signal `x`, and noise about it whose size is the signal's: what is above 90 % of it depends on `x`.
fn samples(name: &str, count: i64) -> bd_core::Result<Examples> {
    let mut rng = Rng::new(0, name);
    let x = rng.tensor(&[count, 20, 1], ON, |rng| 2.0 * rng.uniform() - 1.0);
    let y = &x + x.abs() * rng.tensor(&[count, 20, 1], ON, Rng::normal);
    Examples::new(Inputs::batch_first(&x)?, y)
}

/// Trains for a quantile: the fraction of what was held out that lies below the network's outputs.
fn below(quantile: f64, train: &Examples, test: &Examples) -> bd_core::Result<f64> {
    let sha = Shared::new(1.0);
    let pinball = EachStep(move |outputs: &Tensor, targets: &Tensor| {
        let d = targets - outputs;
        (&d * quantile).maximum(&(&d * (quantile - 1.0))).mean(Kind::Float)
    });
    let [_, gru, _] = Cell::all();
    let config = RateNetConfig { n_in: 1, hidden: vec![16], n_out: 1, cell: gru, ..RateNetConfig::default() };
    let mut params = Params::new(1, ON);
    let net = config.build(&mut params)?;
    let optim = OptimConfig { lr: 1e-2, ..OptimConfig::default() };
    let mut bptt = Bptt::new(&net, &params, pinball, &optim, sha)?.clip(1.0)?.truncate(10)?;
    let batches = |epoch: usize| train.batches(50, Some(&mut Rng::new(1, &format!("epoch {epoch}"))));
    bptt.fit(20, batches, |_, _| Ok(ControlFlow::Continue(())))?;
    let (outputs, _) = predict(&net, &sha, test.inputs(), None, &mut Tap::none())?;
    Ok(test.targets().lt_tensor(&outputs).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]))
}

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let (train, test) = (samples("train", 500)?, samples("test", 500)?);
    for quantile in [0.9, 0.5] {
        println!("quantile {quantile}: {:.3} of the truth is below", below(quantile, &train, &test)?);
    }
    Ok(())
}
