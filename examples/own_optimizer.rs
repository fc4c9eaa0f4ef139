//! Prints that a training by an update rule of one's own lowers the loss to a tenth, and ends with the same weights where it was
//! stopped and resumed from a checkpoint.
//!
//! The rule is Lion (Chen et al. 2023, algorithm 2): the sign of an interpolation between gradient and momentum. It is a function of
//! the present values; clipping, checks, schedules and checkpoints are those of any other training.

use bd_core::{Checkpoint, Params, Result, Shared, threads};
use bd_models::RateNetConfig;
use bd_train::optim::{Current, Next, UpdateRule};
use bd_train::task::Integration;
use bd_train::{Bptt, Optimizer, Schedule, Task};
use tch::{Device, Kind};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const UPDATES: u64 = 200;

/// `x <- x - lr (sign(b1 m + (1 - b1) g) + decay x)`, then `m <- b2 m + (1 - b2) g`.
#[derive(Debug)]
struct Lion {
    beta1: f64,
    beta2: f64,
    decay: f64,
}

impl UpdateRule for Lion {
    fn slots(&self) -> Vec<String> {
        vec!["m".into()]
    }

    fn next(&self, _step: u64, lr: f64, params: &[Current]) -> Result<Vec<Next>> {
        let Self { beta1, beta2, decay } = *self;
        let next = |at: &Current| {
            let (x, g, m) = (at.value, at.gradient, &at.slots[0]);
            let way = (m * beta1 + g * (1.0 - beta1)).sign() + x * decay;
            Next { value: x - way * lr, slots: vec![m * beta2 + g * (1.0 - beta2)] }
        };
        Ok(params.iter().map(next).collect())
    }
}

/// Updates up to number `to`, from a checkpoint if there is one: their losses, and a checkpoint with the last weights.
fn train(from: Option<&Checkpoint>, to: u64) -> Result<(Vec<f64>, Checkpoint)> {
    let task = Task::Integration(Integration::default());
    let mut params = Params::new(1, ON);
    let net = RateNetConfig { hidden: vec![50], ..RateNetConfig::default() }.build(&mut params)?;
    let lion = Lion { beta1: 0.9, beta2: 0.99, decay: 1e-3 };
    let decaying = Schedule::ExponentialDecay { rate: 0.5, steps: 100.0 };
    let optimizer = Optimizer::with_rule(lion, 2e-3, &decaying, &params)?;
    let mut bptt =
        Bptt::with_optimizer(&net, &params, task.loss(), optimizer, Shared::new(task.usual_dt()))?.clip(1.0)?;
    from.map_or(Ok(()), |checkpoint| bptt.resume(checkpoint))?;
    let mut losses = Vec::new();
    for number in bptt.optimizer().step()..to {
        losses.push(bptt.update(&task.batch(0, number, 64, task.usual_dt(), ON)?)?.loss);
    }
    Ok((losses, bptt.checkpoint()?))
}

fn main() -> Result<()> {
    threads::set(2);
    let (losses, whole) = train(None, UPDATES)?;
    println!("loss {:.4} to {:.4} in {UPDATES} updates", losses[0], losses[losses.len() - 1]);
    let (_, halfway) = train(None, UPDATES / 2)?;
    let (_, resumed) = train(Some(&halfway), UPDATES)?;
    let same = whole.model.iter().zip(&resumed.model).all(|((_, a), (_, b))| a == b);
    println!("resumed after {} updates: {}", UPDATES / 2, if same { "the same weights" } else { "other weights" });
    Ok(())
}
