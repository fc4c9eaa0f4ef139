//! [`DelayedMatch`]: whether a stimulus is the one that was shown before a delay.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;
use super::trial::{Judged, Sheet, check_periods, choose, ring, steps_of, steps_of_all};

/// Delayed match to sample: whether a test stimulus is the one that was shown before a delay (Miller, Erickson and Desimone 1996), in the form of NeuroGym
/// 2.3's `DelayMatchSample`.
///
/// A trial has the periods fixation, sample, delay, test and decision. Inputs are a fixation signal, 1 in all periods but the last, and two channels, one of
/// which is 1 in the sample, and the same or the other one in the test, at equal chance, with noise of deviation `noise / sqrt(dt)` in each step and
/// channel of both. Classes are 0, and in the decision 1 where the test is the sample, 2 where it is not.
///
/// Inputs `[batch, steps, 3]`, labels `[batch, steps]`, int64.
///
/// | field | default | range |
/// |---|---|---|
/// | `noise` | 1 | from 0 |
/// | `judged` | `fixation_and_decision` | `fixation_and_decision`, `all`: the steps that the loss counts |
/// | `fixation_ms`, `sample_ms`, `delay_ms`, `test_ms`, `decision_ms` | 300, 500, 1000, 500, 900 | from 0; the decision has a step at least |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct DelayedMatch {
    pub noise: f64,
    pub judged: Judged,
    pub fixation_ms: f64,
    pub sample_ms: f64,
    pub delay_ms: f64,
    pub test_ms: f64,
    pub decision_ms: f64,
}

impl Default for DelayedMatch {
    fn default() -> Self {
        Self {
            noise: 1.0,
            judged: Judged::default(),
            fixation_ms: 300.0,
            sample_ms: 500.0,
            delay_ms: 1000.0,
            test_ms: 500.0,
            decision_ms: 900.0,
        }
    }
}

impl DelayedMatch {
    pub(super) const NAME: &'static str = "delayed_match";
    pub(super) const CHANNELS: i64 = 3;

    pub(super) fn check(&self, dt_ms: f64) -> Result<()> {
        setting::from_zero(&format!("{}.noise", Self::NAME), self.noise)?;
        let periods = [
            ("fixation_ms", self.fixation_ms),
            ("sample_ms", self.sample_ms),
            ("delay_ms", self.delay_ms),
            ("test_ms", self.test_ms),
            ("decision_ms", self.decision_ms),
        ];
        check_periods(Self::NAME, &periods, dt_ms)
    }

    pub(super) fn steps(&self, dt_ms: f64) -> usize {
        let periods = [self.fixation_ms, self.sample_ms, self.delay_ms, self.test_ms, self.decision_ms];
        steps_of_all(&periods, dt_ms)
    }

    pub(super) fn draw(&self, rng: &mut Rng, dt_ms: f64, drawn: &mut Drawn) {
        let right = choose(rng, &[1, 2]);
        let sample: i64 = choose(rng, &[1, 2]);
        let shown = [sample, if right == 1 { sample } else { 3 - sample }];
        let mut sheet = Sheet::new(drawn, Self::CHANNELS, self.steps(dt_ms));
        let fixation = sheet.period(steps_of(self.fixation_ms, dt_ms));
        let first = sheet.period(steps_of(self.sample_ms, dt_ms));
        let _delay = sheet.period(steps_of(self.delay_ms, dt_ms));
        let second = sheet.period(steps_of(self.test_ms, dt_ms));
        for (period, class) in [&first, &second].into_iter().zip(shown) {
            for (channel, value) in (1..).zip(ring(class, 100.0)) {
                sheet.show(period, channel, value);
            }
            sheet.noise(period, 1..3, self.noise / dt_ms.sqrt(), rng);
        }
        let decision = sheet.period(steps_of(self.decision_ms, dt_ms));
        sheet.show(&(0..decision.start), 0, 1.0);
        sheet.decide(self.judged, fixation, decision, right, vec![if right == 1 { 1.0 } else { -1.0 }]);
    }
}
