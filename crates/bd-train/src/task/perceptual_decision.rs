//! [`PerceptualDecision`]: which of two noisy stimuli is stronger.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;
use super::trial::{Judged, Sheet, check_coherences, check_periods, choose, ring, steps_of, steps_of_all};

/// Which of two noisy stimuli is stronger, said after they have ended: the task with moving dots (Britten et al. 1992), in the form of NeuroGym 2.3's
/// `PerceptualDecisionMaking`.
///
/// A trial has the periods fixation, stimulus, delay and decision, each of as many whole steps as it has. Inputs are a fixation signal, 1 in the first
/// period, and two channels, in the stimulus `1/2 + c/200` and `1/2 - c/200` with a coherence `c` of those given, the stronger one at random, and noise
/// of deviation `noise / sqrt(dt)` in each step and channel. Classes are 0 in all periods but the decision, and there 1 or 2, the channel that is
/// stronger (at coherence 0 one at random). An ideal observer of `n` steps of stimulus is right with probability
/// `Phi(c/100 sqrt(n dt / 2) / noise)`.
///
/// Inputs `[batch, steps, 3]`, labels `[batch, steps]`, int64.
///
/// | field | default | range |
/// |---|---|---|
/// | `coherences` | 0, 6.4, 12.8, 25.6, 51.2 | from 0 to 100, in percent |
/// | `noise` | 1 | from 0 |
/// | `judged` | `fixation_and_decision` | `fixation_and_decision`, `all`: the steps that the loss counts |
/// | `fixation_ms`, `stimulus_ms`, `delay_ms`, `decision_ms` | 100, 2000, 0, 100 | from 0; the decision has a step at least |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct PerceptualDecision {
    pub coherences: Vec<f64>,
    pub noise: f64,
    pub judged: Judged,
    pub fixation_ms: f64,
    pub stimulus_ms: f64,
    pub delay_ms: f64,
    pub decision_ms: f64,
}

impl Default for PerceptualDecision {
    fn default() -> Self {
        Self {
            coherences: vec![0.0, 6.4, 12.8, 25.6, 51.2],
            noise: 1.0,
            judged: Judged::default(),
            fixation_ms: 100.0,
            stimulus_ms: 2000.0,
            delay_ms: 0.0,
            decision_ms: 100.0,
        }
    }
}

impl PerceptualDecision {
    pub(super) const NAME: &'static str = "perceptual_decision";
    pub(super) const CHANNELS: i64 = 3;

    pub(super) fn check(&self, dt_ms: f64) -> Result<()> {
        check_coherences(Self::NAME, &self.coherences)?;
        setting::from_zero(&format!("{}.noise", Self::NAME), self.noise)?;
        let periods = [
            ("fixation_ms", self.fixation_ms),
            ("stimulus_ms", self.stimulus_ms),
            ("delay_ms", self.delay_ms),
            ("decision_ms", self.decision_ms),
        ];
        check_periods(Self::NAME, &periods, dt_ms)
    }

    pub(super) fn steps(&self, dt_ms: f64) -> usize {
        steps_of_all(&[self.fixation_ms, self.stimulus_ms, self.delay_ms, self.decision_ms], dt_ms)
    }

    pub(super) fn draw(&self, rng: &mut Rng, dt_ms: f64, drawn: &mut Drawn) {
        let right = choose(rng, &[1, 2]);
        let coherence = choose(rng, &self.coherences);
        let mut sheet = Sheet::new(drawn, Self::CHANNELS, self.steps(dt_ms));
        let fixation = sheet.period(steps_of(self.fixation_ms, dt_ms));
        sheet.show(&fixation, 0, 1.0);
        let stimulus = sheet.period(steps_of(self.stimulus_ms, dt_ms));
        for (channel, value) in (1..).zip(ring(right, coherence)) {
            sheet.show(&stimulus, channel, value);
        }
        sheet.noise(&stimulus, 1..3, self.noise / dt_ms.sqrt(), rng);
        let _delay = sheet.period(steps_of(self.delay_ms, dt_ms));
        let decision = sheet.period(steps_of(self.decision_ms, dt_ms));
        sheet.decide(self.judged, fixation, decision, right, vec![if right == 1 { coherence } else { -coherence }]);
    }
}
