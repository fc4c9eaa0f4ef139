//! Tasks of rate networks, drawn as they are needed: [`Task`] makes a fresh batch of [`Examples`] for every update.
//!
//! A batch is a function of the task, a seed and its number, drawn on the host in float64 and then rounded: it is the same on every
//! device and in every order, and a larger batch begins with a smaller one.

mod context_decision;
mod decision;
mod decisions;
mod delayed_match;
mod flip_flop;
mod integration;
mod perceptual_decision;
mod trial;

use bd_core::device::move_to;
use bd_core::{Error, Inputs, Result, Rng, setting};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use self::context_decision::ContextDecision;
pub use self::decision::Decision;
pub use self::decisions::{Decisions, Level, Psychometric, binomial_interval};
pub use self::delayed_match::DelayedMatch;
pub use self::flip_flop::FlipFlop;
pub use self::integration::Integration;
pub use self::perceptual_decision::PerceptualDecision;
pub use self::trial::{FIXATE, Judged, Trial};
use crate::data::Examples;
use crate::loss::{Loss, OverTime};

/// A task with its parameters. Each struct's doc has equations, shapes and source.
///
/// | name | inputs | targets | usual loss |
/// |---|---|---|---|
/// | `integration`, [`Integration`] | white noise around a mean | its sum up to every step | `mse` |
/// | `decision`, [`Decision`] | noisy evidence for one of two alternatives | which one | `cross_entropy` over last |
/// | `flip_flop`, [`FlipFlop`] | pulses up and down in some channels | the last pulse of every channel | `mse` |
/// | `perceptual_decision`, [`PerceptualDecision`] | fixation, two noisy stimuli | fixate, then which is stronger | `cross_entropy` over every |
/// | `context_decision`, [`ContextDecision`] | fixation, two modalities, a context | fixate, then which is stronger of the modality that counts | `cross_entropy` over every |
/// | `delayed_match`, [`DelayedMatch`] | fixation, a sample and a test | fixate, then whether they are the same | `cross_entropy` over every |
///
/// The last three have [trials](Self::trials) of periods, of which one is that of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
#[allow(missing_docs)] // the table has them
pub enum Task {
    Integration(Integration),
    Decision(Decision),
    FlipFlop(FlipFlop),
    PerceptualDecision(PerceptualDecision),
    ContextDecision(ContextDecision),
    DelayedMatch(DelayedMatch),
}

impl Task {
    /// Every task, with its default parameters.
    pub fn all() -> [Self; 6] {
        [
            Self::Integration(Integration::default()),
            Self::Decision(Decision::default()),
            Self::FlipFlop(FlipFlop::default()),
            Self::PerceptualDecision(PerceptualDecision::default()),
            Self::ContextDecision(ContextDecision::default()),
            Self::DelayedMatch(DelayedMatch::default()),
        ]
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Integration(_) => "integration",
            Self::Decision(_) => "decision",
            Self::FlipFlop(_) => "flip_flop",
            Self::PerceptualDecision(_) => PerceptualDecision::NAME,
            Self::ContextDecision(_) => ContextDecision::NAME,
            Self::DelayedMatch(_) => DelayedMatch::NAME,
        }
    }

    /// Number of input channels.
    pub fn n_in(&self) -> i64 {
        match self {
            Self::Integration(_) | Self::Decision(_) => 1,
            Self::FlipFlop(task) => task.channels as i64,
            Self::PerceptualDecision(_) => PerceptualDecision::CHANNELS,
            Self::ContextDecision(_) => ContextDecision::CHANNELS,
            Self::DelayedMatch(_) => DelayedMatch::CHANNELS,
        }
    }

    /// Number of outputs that a model needs.
    pub fn n_out(&self) -> i64 {
        match self {
            Self::Integration(_) => 1,
            Self::Decision(_) => 2,
            Self::FlipFlop(task) => task.channels as i64,
            Self::PerceptualDecision(_) | Self::ContextDecision(_) | Self::DelayedMatch(_) => 3,
        }
    }

    /// Number of steps of `dt` of a sequence; where trials have several lengths, of the longest.
    pub fn steps(&self, dt: f64) -> usize {
        match self {
            Self::Integration(Integration { steps, .. })
            | Self::Decision(Decision { steps, .. })
            | Self::FlipFlop(FlipFlop { steps, .. }) => *steps,
            Self::PerceptualDecision(task) => task.steps(dt),
            Self::ContextDecision(task) => task.steps(dt),
            Self::DelayedMatch(task) => task.steps(dt),
        }
    }

    /// Whether sequences have several lengths and are padded.
    pub fn is_padded(&self) -> bool {
        matches!(self, Self::ContextDecision(task) if task.is_padded())
    }

    /// The usual length of a step, in the unit of the task's parameters.
    pub fn usual_dt(&self) -> f64 {
        match self {
            Self::Integration(_) | Self::Decision(_) => 0.04,
            Self::FlipFlop(_) => 1.0,
            Self::PerceptualDecision(_) | Self::ContextDecision(_) | Self::DelayedMatch(_) => 100.0,
        }
    }

    /// The loss that belongs to it.
    pub fn loss(&self) -> Loss {
        match self {
            Self::Integration(_) | Self::FlipFlop(_) => Loss::Mse,
            Self::Decision(_) => Loss::CrossEntropy { over: OverTime::Last },
            Self::PerceptualDecision(_) | Self::ContextDecision(_) | Self::DelayedMatch(_) => {
                Loss::CrossEntropy { over: OverTime::Every }
            }
        }
    }

    /// What the [evidence](Trial::evidence) of its trials is, the first kind that by which they are decided; empty where it has no trials.
    pub fn evidence(&self) -> &'static [&'static str] {
        match self {
            Self::Integration(_) | Self::Decision(_) | Self::FlipFlop(_) => &[],
            Self::PerceptualDecision(_) => &["coherence (%)"],
            Self::ContextDecision(_) => {
                &["coherence of the modality that counts (%)", "coherence of the other modality (%)"]
            }
            Self::DelayedMatch(_) => &["cosine of the angle between sample and test"],
        }
    }

    /// The names of the classes by their labels, where they have some.
    pub fn classes(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Integration(_) | Self::Decision(_) | Self::FlipFlop(_) => None,
            Self::PerceptualDecision(_) | Self::ContextDecision(_) => Some(&["fixate", "choice 1", "choice 2"]),
            Self::DelayedMatch(_) => Some(&["fixate", "match", "non-match"]),
        }
    }

    /// Refuses parameters that cannot be with steps of `dt`.
    pub fn check(&self, dt: f64) -> Result<()> {
        match self {
            Self::Integration(task) => task.check(),
            Self::Decision(task) => task.check(),
            Self::FlipFlop(task) => task.check(),
            Self::PerceptualDecision(task) => task.check(dt),
            Self::ContextDecision(task) => task.check(dt),
            Self::DelayedMatch(task) => task.check(dt),
        }?;
        setting::at_least(&format!("{}.steps", self.name()), self.steps(dt), 1)
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
        let drawn = self.draw(seed, number, count, dt)?;
        let steps = self.steps(dt) as i64;
        let series =
            |values: &[f64], n: i64| Tensor::from_slice(values).reshape([count as i64, steps, n]).to_kind(on.0);
        // Targets stay on the host: `Examples` moves them, and has read them by then.
        let targets = match drawn.labels.len() {
            0 => series(&drawn.targets, self.n_out()),
            labels if labels == count => Tensor::from_slice(&drawn.labels),
            _ => Tensor::from_slice(&drawn.labels).reshape([count as i64, steps]),
        };
        let inputs = move_to(&series(&drawn.inputs, self.n_in()), on.1)?;
        let examples = Examples::new(Inputs::batch_first(&inputs)?, targets)?;
        if self.is_padded() { examples.with_lengths(&Tensor::from_slice(&drawn.lengths)) } else { Ok(examples) }
    }

    /// What is decided in each sequence of a [batch](Self::batch), and by what evidence; empty where the task has no trials.
    pub fn trials(&self, seed: u64, number: u64, count: usize, dt: f64) -> Result<Vec<Trial>> {
        Ok(if self.evidence().is_empty() { Vec::new() } else { self.draw(seed, number, count, dt)?.trials })
    }

    fn draw(&self, seed: u64, number: u64, count: usize, dt: f64) -> Result<Drawn> {
        setting::above_zero("dt", dt)?;
        self.check(dt)?;
        setting::at_least("the number of sequences of a batch", count, 1)?;
        let mut rng = Rng::new(seed, &format!("task {} {number}", self.name()));
        let numbers = |n: i64| count.saturating_mul(self.steps(dt)).saturating_mul(n as usize);
        let mut drawn = Drawn { inputs: reserved(numbers(self.n_in()))?, ..Drawn::default() };
        if matches!(self, Self::Integration(_) | Self::FlipFlop(_)) {
            drawn.targets = reserved(numbers(self.n_out()))?;
        }
        for _ in 0..count {
            match self {
                Self::Integration(task) => task.draw(&mut rng, dt, &mut drawn),
                Self::Decision(task) => task.draw(&mut rng, dt, &mut drawn),
                Self::FlipFlop(task) => task.draw(&mut rng, &mut drawn),
                Self::PerceptualDecision(task) => task.draw(&mut rng, dt, &mut drawn),
                Self::ContextDecision(task) => task.draw(&mut rng, dt, &mut drawn),
                Self::DelayedMatch(task) => task.draw(&mut rng, dt, &mut drawn),
            }
        }
        Ok(drawn)
    }
}

/// Room for so many numbers: more than the machine has is an error, where a vector that grows would end the program.
fn reserved(numbers: usize) -> Result<Vec<f64>> {
    let mut room = Vec::new();
    let had = room.try_reserve_exact(numbers);
    had.map_err(|_| {
        Error::OutOfMemory(format!("a batch of a task has {numbers} numbers, and there is no room for them"))
    })?;
    Ok(room)
}

/// What was drawn, sample by sample, in the order of time: either series or labels as targets, a label for each sample or each step.
#[derive(Debug, Default)]
struct Drawn {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    labels: Vec<i64>,
    /// Of trials.
    lengths: Vec<i64>,
    trials: Vec<Trial>,
}

#[cfg(test)]
mod tests;
