//! Prints a held-out error below 0.005 of the variance: a rate network learns to sum white noise, as in BrainPy's tutorial.
//!
//! The tutorial's "Training a Brain Dynamics Model" on the crates alone: 100 units, a fresh batch for every update, Adam with a
//! learning rate that decays; of its 3000 updates the first 500.

use bd_core::{Params, Shared, Tap, threads};
use bd_models::RateNetConfig;
use bd_train::metrics::forecast_error;
use bd_train::optim::{EpsOn, Rule};
use bd_train::task::Integration;
use bd_train::{Bptt, OptimConfig, Penalty, Schedule, Task, predict};
use tch::{Device, Kind};

const UPDATES: u64 = 500;

fn main() -> bd_core::Result<()> {
    threads::set(2);
    let task = Task::Integration(Integration::default());
    let sha = Shared::new(task.usual_dt());
    let mut params = Params::new(0, (Kind::Float, Device::Cpu));
    let net = RateNetConfig::default().build(&mut params)?;

    let optim = OptimConfig {
        lr: 0.025,
        schedule: Schedule::ExponentialDecay { rate: 0.99975, steps: 1.0 },
        rule: Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 0.1, eps_on: EpsOn::Uncorrected },
    };
    let penalty = Penalty { l2: 2e-4, ..Penalty::default() };
    let mut bptt = Bptt::new(&net, &params, task.loss(), &optim, sha)?.penalty(penalty)?;
    for number in 0..UPDATES {
        let update = bptt.update(&task.batch(0, number, 128, sha.dt, params.on())?)?;
        if update.step.is_multiple_of(100) {
            println!("update {}: loss {:.4}", update.step, update.loss);
        }
    }

    let held_out = task.batch(1, 0, 1000, sha.dt, params.on())?; // of another seed
    let (outputs, _) = predict(&net, &sha, held_out.inputs(), None, &mut Tap::none())?;
    let error = forecast_error(&outputs, held_out.targets())?;
    println!("held out: MSE {:.2e}, {:.4} of the variance", error.mse, error.nmse());
    Ok(())
}
