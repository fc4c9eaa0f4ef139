//! [`Trial`]: what is decided in a trial and how strongly the evidence speaks; [`Sheet`]: its inputs and labels, period by period.

use std::ops::Range;

use bd_core::{Error, Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;
use crate::data::events::MOST_STEPS;
use crate::loss::UNCOUNTED;

/// The class of a step in which nothing is to be decided: fixate.
pub const FIXATE: i64 = 0;

/// Which steps of a trial the loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Those of fixation and decision, as Song, Yang and Wang 2016 do: what happens in between is the network's own business. A decision of one step in
    /// twenty would otherwise be a twentieth of the loss, and many networks learn nothing but to fixate.
    #[default]
    FixationAndDecision,
    /// All of them.
    All,
}

/// A trial of a task in which one of two alternatives, the classes 1 and 2, is chosen in the period of the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The class that is right.
    pub right: i64,
    /// Steps of the decision.
    pub decision: Range<usize>,
    /// How strongly each kind of [evidence](super::Task::evidence) speaks for class 1; below 0 for class 2.
    pub evidence: Vec<f64>,
}

/// Whole steps in a duration, as NeuroGym counts them.
pub(super) fn steps_of(duration_ms: f64, dt_ms: f64) -> usize {
    // A quotient that rounding has left a little below a whole number.
    (duration_ms / dt_ms + 1e-9).floor() as usize
}

/// Steps of all periods.
pub(super) fn steps_of_all(durations_ms: &[f64], dt_ms: f64) -> usize {
    durations_ms.iter().map(|duration_ms| steps_of(*duration_ms, dt_ms)).fold(0, usize::saturating_add)
}

/// Refuses periods that cannot be, of which the last is that of the decision.
pub(super) fn check_periods(task: &str, periods: &[(&str, f64)], dt_ms: f64) -> Result<()> {
    for (name, duration_ms) in periods {
        setting::from_zero(&format!("{task}.{name}"), *duration_ms)?;
    }
    if let Some((name, duration_ms)) = periods.last().filter(|(_, duration_ms)| steps_of(*duration_ms, dt_ms) == 0) {
        return Err(Error::setting(
            format!("{task}.{name}"),
            duration_ms,
            format!("at least a step, which is {dt_ms} ms: in it the decision is made"),
        ));
    }
    let durations: Vec<f64> = periods.iter().map(|(_, duration_ms)| *duration_ms).collect();
    match steps_of_all(&durations, dt_ms) {
        0..=MOST_STEPS => Ok(()),
        steps => Err(Error::Config(format!(
            "a trial of {task} has {steps} steps of {dt_ms} ms; there are at most {MOST_STEPS}"
        ))),
    }
}

/// Refuses coherences that cannot be.
pub(super) fn check_coherences(task: &str, coherences: &[f64]) -> Result<()> {
    let name = format!("{task}.coherences");
    if coherences.is_empty() {
        return Err(Error::setting(name, "empty", "a list of at least one coherence in percent"));
    }
    coherences.iter().try_for_each(|coherence| {
        setting::check(&name, coherence, (0.0..=100.0).contains(coherence), "from 0 to 100 percent each")
    })
}

/// One of several things, at equal chance.
pub(super) fn choose<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[((rng.uniform() * of.len() as f64) as usize).min(of.len() - 1)]
}

/// What two channels show of a stimulus: `1/2 + cos(angle) coherence / 200` for two places on a ring that are opposite each other, the first of which has
/// the stronger one for class 1.
pub(super) fn ring(class: i64, coherence: f64) -> [f64; 2] {
    let half = coherence / 200.0;
    if class == 1 { [0.5 + half, 0.5 - half] } else { [0.5 - half, 0.5 + half] }
}

/// Inputs and labels of one trial, zero where nothing is shown. Padding is zero, too.
pub(super) struct Sheet<'a> {
    drawn: &'a mut Drawn,
    /// Its first step among all that were drawn, and its steps with padding.
    from: usize,
    channels: usize,
    /// Steps without padding.
    steps: usize,
}

impl<'a> Sheet<'a> {
    /// A trial of so many channels, padded to so many steps.
    pub(super) fn new(drawn: &'a mut Drawn, channels: i64, padded: usize) -> Self {
        let (from, channels) = (drawn.labels.len(), channels as usize);
        drawn.labels.resize(from + padded, FIXATE);
        drawn.inputs.resize((from + padded) * channels, 0.0);
        Self { drawn, from, channels, steps: 0 }
    }

    /// The next period, of so many steps.
    pub(super) fn period(&mut self, steps: usize) -> Range<usize> {
        let from = self.steps;
        self.steps += steps;
        from..self.steps
    }

    /// Shows a value in a channel.
    pub(super) fn show(&mut self, period: &Range<usize>, channel: usize, value: f64) {
        for step in period.clone() {
            self.drawn.inputs[(self.from + step) * self.channels + channel] += value;
        }
    }

    /// Adds white noise to some channels.
    pub(super) fn noise(&mut self, period: &Range<usize>, channels: Range<usize>, deviation: f64, rng: &mut Rng) {
        for step in period.clone() {
            for channel in channels.clone() {
                self.drawn.inputs[(self.from + step) * self.channels + channel] += deviation * rng.normal();
            }
        }
    }

    /// The trial, all of whose periods are there.
    pub(super) fn decide(
        self,
        judged: Judged,
        fixation: Range<usize>,
        decision: Range<usize>,
        right: i64,
        evidence: Vec<f64>,
    ) {
        if judged == Judged::FixationAndDecision {
            self.drawn.labels[self.from + fixation.end..self.from + decision.start].fill(UNCOUNTED);
        }
        self.drawn.labels[self.from + decision.start..self.from + decision.end].fill(right);
        self.drawn.lengths.push(self.steps as i64);
        self.drawn.trials.push(Trial { right, decision, evidence });
    }
}
