//! Prints how a training of one's own went: a model and data from Rust, with validation, the best weights, checkpoints, and going on.
//! A second call with the same folder goes on where the first one was cut off: `cargo run --release --example train_own -- FOLDER`

use std::path::PathBuf;
use std::time::Duration;

use bd_core::tch::{Device, Kind};
use bd_core::{Inputs, Params, Result, Rng, Shared};
use bd_models::{Cell, RateNetConfig};
use bd_train::data::Examples;
use bd_train::{Cadence, Checkpoints, EarlyStopping, Keep, Loss, OptimConfig, Source, TrainConfig, Trainer};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("train_own.checkpoints"), PathBuf::from);
    let on = (Kind::Float, Device::Cpu);
    let mut params = Params::new(0, on);
    let net = RateNetConfig { n_in: 1, hidden: vec![16], n_out: 1, cell: Cell::all()[1], ..RateNetConfig::default() };
    let net = net.build(&mut params)?;
    // Whether the sum of 20 numbers so far is above zero.
    let draw = |name: &str, count: i64| {
        let x = Rng::new(1, name).tensor(&[count, 20, 1], on, Rng::normal);
        let y = x.cumsum(1, Kind::Float).gt(0.0).to_kind(Kind::Float);
        Examples::new(Inputs::batch_first(&x)?, y)
    };
    let (train, held) = (draw("train", 200)?, draw("held", 100)?);
    let stopping = EarlyStopping { patience: 5, ..EarlyStopping::default() };
    let optim = OptimConfig { lr: 5e-3, ..OptimConfig::default() };
    let config = TrainConfig { epochs: 40, optim, early_stopping: Some(stopping), ..TrainConfig::default() };
    let mut trainer = Trainer::new(&net, &params, Loss::BinaryCrossEntropy, &config, Shared::new(1.0))?
        .validation(&held)
        .checkpoints(Checkpoints::new(&folder, Cadence::Time(Duration::from_secs(60)), Keep::Last(2)));
    if let Some(newest) = Checkpoints::newest(&folder)? {
        println!("goes on from {}", newest.path.display());
        trainer.resume(newest.checkpoint)?;
    }
    let trained = trainer.fit(Source::Examples(&train))?;
    let best = trained.best.expect("there is a validation part");
    println!(
        "{:?} after {} updates; best after {}: loss {:.4}",
        trained.end,
        trained.losses.len(),
        best.step,
        best.loss
    );
    Ok(())
}
