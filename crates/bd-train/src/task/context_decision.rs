//! [`ContextDecision`]: a decision by one of two modalities, as a context says.

use bd_core::{Error, Result, Rng, portable, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;
use super::trial::{Judged, Sheet, check_coherences, check_periods, choose, ring, steps_of, steps_of_all};

/// A decision by one of two modalities that are shown together, while a context says which one counts (Mante et al. 2013, "Context-dependent computation by
/// recurrent dynamics in prefrontal cortex"), in the form of NeuroGym 2.3's `ContextDecisionMaking` with `use_expl_context`.
///
/// A trial has the periods fixation, stimulus, delay and decision. Inputs are a fixation signal, 1 in the first period; of each modality two channels,
/// as in [`PerceptualDecision`](super::PerceptualDecision), each modality with a coherence and a stronger channel of its own; and two channels of which
/// one is 1 in all steps, that of the context: of the first, modality 1 counts, of the second, modality 2. The delay is drawn from an exponential
/// distribution of mean `delay_mean_ms` that is cut at `delay_min_ms` and `delay_max_ms`, so that trials have several lengths; where these two are equal it is fixed.
/// Classes are 0, and in the decision 1 or 2.
///
/// Inputs `[batch, steps, 7]`, labels `[batch, steps]`, int64, lengths `[batch]`; shorter trials are padded at their ends.
///
/// | field | default | range |
/// |---|---|---|
/// | `coherences` | 5, 15, 50 | from 0 to 100, in percent |
/// | `noise` | 1 | from 0 |
/// | `judged` | `fixation_and_decision` | `fixation_and_decision`, `all`: the steps that the loss counts |
/// | `fixation_ms`, `stimulus_ms`, `decision_ms` | 300, 750, 100 | from 0; the decision has a step at least |
/// | `delay_mean_ms` | 600 | above 0 |
/// | `delay_min_ms`, `delay_max_ms` | 300, 3000 | from 0, in this order |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct ContextDecision {
    pub coherences: Vec<f64>,
    pub noise: f64,
    pub judged: Judged,
    pub fixation_ms: f64,
    pub stimulus_ms: f64,
    pub delay_mean_ms: f64,
    pub delay_min_ms: f64,
    pub delay_max_ms: f64,
    pub decision_ms: f64,
}

impl Default for ContextDecision {
    fn default() -> Self {
        Self {
            coherences: vec![5.0, 15.0, 50.0],
            noise: 1.0,
            judged: Judged::default(),
            fixation_ms: 300.0,
            stimulus_ms: 750.0,
            delay_mean_ms: 600.0,
            delay_min_ms: 300.0,
            delay_max_ms: 3000.0,
            decision_ms: 100.0,
        }
    }
}

impl ContextDecision {
    pub(super) const NAME: &'static str = "context_decision";
    pub(super) const CHANNELS: i64 = 7;

    pub(super) fn check(&self, dt_ms: f64) -> Result<()> {
        check_coherences(Self::NAME, &self.coherences)?;
        setting::from_zero(&format!("{}.noise", Self::NAME), self.noise)?;
        setting::above_zero(&format!("{}.delay_mean_ms", Self::NAME), self.delay_mean_ms)?;
        let periods = [
            ("fixation_ms", self.fixation_ms),
            ("stimulus_ms", self.stimulus_ms),
            ("delay_max_ms", self.delay_max_ms),
            ("decision_ms", self.decision_ms),
        ];
        check_periods(Self::NAME, &periods, dt_ms)?;
        setting::from_zero(&format!("{}.delay_min_ms", Self::NAME), self.delay_min_ms)?;
        if self.delay_min_ms > self.delay_max_ms {
            let most = format!("at most delay_max_ms, {}", self.delay_max_ms);
            return Err(Error::setting(format!("{}.delay_min_ms", Self::NAME), self.delay_min_ms, most));
        }
        Ok(())
    }

    /// Those of the longest trial.
    pub(super) fn steps(&self, dt_ms: f64) -> usize {
        steps_of_all(&[self.fixation_ms, self.stimulus_ms, self.delay_max_ms, self.decision_ms], dt_ms)
    }

    /// Whether trials have several lengths.
    pub(super) fn is_padded(&self) -> bool {
        self.delay_min_ms < self.delay_max_ms
    }

    /// An exponential distribution has no memory: what is behind its least value is such a one again, cut by its quantile.
    fn delay_ms(&self, rng: &mut Rng) -> f64 {
        let (mean, most) = (self.delay_mean_ms, self.delay_max_ms - self.delay_min_ms);
        let inside = -portable::expm1(-most / mean);
        self.delay_min_ms - mean * portable::ln(1.0 - rng.uniform() * inside)
    }

    pub(super) fn draw(&self, rng: &mut Rng, dt_ms: f64, drawn: &mut Drawn) {
        let [right, other] = [(); 2].map(|()| choose(rng, &[1, 2]));
        let context: usize = choose(rng, &[0, 1]);
        let coherences = [(); 2].map(|()| choose(rng, &self.coherences));
        let delay_ms = if self.is_padded() { self.delay_ms(rng) } else { self.delay_max_ms };
        let mut sheet = Sheet::new(drawn, Self::CHANNELS, self.steps(dt_ms));
        let fixation = sheet.period(steps_of(self.fixation_ms, dt_ms));
        sheet.show(&fixation, 0, 1.0);
        let stimulus = sheet.period(steps_of(self.stimulus_ms, dt_ms));
        for (modality, coherence) in coherences.into_iter().enumerate() {
            let class = if modality == context { right } else { other };
            for (channel, value) in ring(class, coherence).into_iter().enumerate() {
                sheet.show(&stimulus, 1 + 2 * modality + channel, value);
            }
        }
        sheet.noise(&stimulus, 1..5, self.noise / dt_ms.sqrt(), rng);
        let _delay = sheet.period(steps_of(delay_ms, dt_ms));
        let decision = sheet.period(steps_of(self.decision_ms, dt_ms));
        sheet.show(&(0..decision.end), 5 + context, 1.0);
        let signed = |class: i64, coherence: f64| if class == 1 { coherence } else { -coherence };
        let evidence = vec![signed(right, coherences[context]), signed(other, coherences[1 - context])];
        sheet.decide(self.judged, fixation, decision, right, evidence);
    }
}
