//! [`Decision`]: which of two alternatives noisy evidence speaks for.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;

/// Two-alternative decision by accumulated evidence: the input is that of the drift-diffusion model (Bogacz et al. 2006, "The
/// physics of optimal decision making").
///
/// `x_t = c + noise / sqrt(dt) n_t`, with a coherence `c` once a sample, uniform between `-coherence` and `coherence`, and `n_t` in
/// every step normal with mean 0 and variance 1. The label is 1 where `c >= 0`, else 0. Nobody can be right more often than the
/// sign of the sum is: with probability `Phi(|c| sqrt(steps dt) / noise)`.
///
/// Inputs `[batch, steps, 1]`, labels `[batch]`, int64.
///
/// | field | default | range |
/// |---|---|---|
/// | `steps` | 50 | from 1 |
/// | `coherence` | 1 | above 0 |
/// | `noise` | 0.2 | from 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct Decision {
    pub steps: usize,
    pub coherence: f64,
    pub noise: f64,
}

impl Default for Decision {
    fn default() -> Self {
        Self { steps: 50, coherence: 1.0, noise: 0.2 }
    }
}

impl Decision {
    pub(super) fn check(&self) -> Result<()> {
        setting::above_zero("decision.coherence", self.coherence)?;
        setting::from_zero("decision.noise", self.noise)
    }

    pub(super) fn draw(&self, rng: &mut Rng, dt: f64, drawn: &mut Drawn) {
        let coherence = self.coherence * (2.0 * rng.uniform() - 1.0);
        let noise = self.noise / dt.sqrt();
        drawn.inputs.extend((0..self.steps).map(|_| coherence + noise * rng.normal()));
        drawn.labels.push(i64::from(coherence >= 0.0));
    }
}
