//! Tasks of rate networks, drawn as they are needed: [`Task`] makes a fresh batch of [`Examples`] for every update.
//!
//! A batch is a function of the task, a seed and its number, drawn on the host in float64 and then rounded: it is the same on every
//! device and in every order, and a larger batch begins with a smaller one.

mod decision;
mod flip_flop;
mod integration;

use bd_core::device::move_to;
use bd_core::{Inputs, Result, Rng, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use self::decision::Decision;
pub use self::flip_flop::FlipFlop;
pub use self::integration::Integration;
use crate::data::Examples;
use crate::loss::{Loss, OverTime};

/// A task with its parameters. Each struct's doc has equations, shapes and source.
///
/// | name | inputs | targets | usual loss |
/// |---|---|---|---|
/// | `integration`, [`Integration`] | white noise around a mean | its sum up to every step | `mse` |
/// | `decision`, [`Decision`] | noisy evidence for one of two alternatives | which one | `cross_entropy` over last |
/// | `flip_flop`, [`FlipFlop`] | pulses up and down in some channels | the last pulse of every channel | `mse` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[allow(missing_docs)] // the table has them
pub enum Task {
    Integration(Integration),
    Decision(Decision),
    FlipFlop(FlipFlop),
}

impl Task {
    /// Every task, with its default parameters.
    pub fn all() -> [Self; 3] {
        [
            Self::Integration(Integration::default()),
            Self::Decision(Decision::default()),
            Self::FlipFlop(FlipFlop::default()),
        ]
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Integration(_) => "integration",
            Self::Decision(_) => "decision",
            Self::FlipFlop(_) => "flip_flop",
        }
    }

    /// Number of input channels.
    pub fn n_in(&self) -> i64 {
        match self {
            Self::Integration(_) | Self::Decision(_) => 1,
            Self::FlipFlop(task) => task.channels as i64,
        }
    }

    /// Number of outputs that a model needs.
    pub fn n_out(&self) -> i64 {
        match self {
            Self::Integration(_) => 1,
            Self::Decision(_) => 2,
            Self::FlipFlop(task) => task.channels as i64,
        }
    }

    /// Number of steps of a sequence.
    pub fn steps(&self) -> usize {
        match self {
            Self::Integration(Integration { steps, .. })
            | Self::Decision(Decision { steps, .. })
            | Self::FlipFlop(FlipFlop { steps, .. }) => *steps,
        }
    }

    /// The usual length of a step, in the unit of the task's parameters.
    pub fn usual_dt(&self) -> f64 {
        match self {
            Self::Integration(_) | Self::Decision(_) => 0.04,
            Self::FlipFlop(_) => 1.0,
        }
    }

    /// The loss that belongs to it.
    pub fn loss(&self) -> Loss {
        match self {
            Self::Integration(_) | Self::FlipFlop(_) => Loss::Mse,
            Self::Decision(_) => Loss::CrossEntropy { over: OverTime::Last },
        }
    }

    /// Refuses parameters that cannot be.
    pub fn check(&self) -> Result<()> {
        setting::at_least(&format!("{}.steps", self.name()), self.steps(), 1)?;
        match self {
            Self::Integration(task) => task.check(),
            Self::Decision(task) => task.check(),
            Self::FlipFlop(task) => task.check(),
        }
    }

    /// Batch number `number` of a seed, of `count` sequences with steps of `dt`: inputs `[count, steps, n_in]` and targets, as
    /// [`loss`](Self::loss) takes them.
    ///
    /// Streams of a seed are told apart by the task's name and the number: number updates from 0, and what is held out from
    /// somewhere far away, or take another seed for it.
    ///
    /// ```no_run
    /// use bd_core::{Params, Shared};
    /// use bd_train::{Bptt, OptimConfig, Penalty, Task, task::Integration};
    /// # fn run(net: bd_core::Stack, params: Params) -> bd_core::Result<()> {
    /// let task = Task::Integration(Integration::default());
    /// let dt = task.usual_dt();
    /// let penalty = Penalty { l2: 2e-4, ..Penalty::default() };
    /// let mut bptt = Bptt::new(&net, &params, task.loss(), &OptimConfig::default(), Shared::new(dt))?.penalty(penalty)?;
    /// for number in 0..3000 {
    ///     let update = bptt.update(&task.batch(0, number, 128, dt, params.on())?)?;
    ///     println!("{} {}", update.step, update.loss);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(&self, seed: u64, number: u64, count: usize, dt: f64, on: (Kind, Device)) -> Result<Examples> {
        self.check()?;
        setting::at_least("the number of sequences of a batch", count, 1)?;
        setting::above_zero("dt", dt)?;
        let mut rng = Rng::new(seed, &format!("task {} {number}", self.name()));
        let mut drawn = Drawn::default();
        match self {
            Self::Integration(task) => (0..count).for_each(|_| task.draw(&mut rng, dt, &mut drawn)),
            Self::Decision(task) => (0..count).for_each(|_| task.draw(&mut rng, dt, &mut drawn)),
            Self::FlipFlop(task) => (0..count).for_each(|_| task.draw(&mut rng, &mut drawn)),
        }
        let series = |values: &[f64], n: i64| {
            let shape = [count as i64, self.steps() as i64, n];
            Tensor::from_slice(values).reshape(shape).to_kind(on.0)
        };
        // Targets stay on the host: `Examples` moves them, and has read them by then.
        let targets = match drawn.labels.is_empty() {
            true => series(&drawn.targets, self.n_out()),
            false => Tensor::from_slice(&drawn.labels),
        };
        let inputs = move_to(&series(&drawn.inputs, self.n_in()), on.1)?;
        Examples::new(Inputs::batch_first(&inputs)?, targets)
    }
}

/// What was drawn, sample by sample, in the order of time: either series or labels as targets.
#[derive(Debug, Default)]
struct Drawn {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    labels: Vec<i64>,
}

#[cfg(test)]
mod tests;
