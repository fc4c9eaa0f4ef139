//! [`Integration`]: the sum of white noise.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;

/// The sum of white noise around a mean that each sample has of its own, as in BrainPy's tutorial "Training a Brain Dynamics Model".
///
/// `x_t = 2 mean (n - 1/2) + scale / sqrt(dt) n_t` and target `y_t = x_0 + ... + x_t`, with `n` once a sample and `n_t` in every
/// step normal with mean 0 and variance 1. So the mean over all samples is `-mean`: the tutorial's formula is that of a uniform
/// `n`, and its `n` is normal.
///
/// Inputs and targets `[batch, steps, 1]`.
///
/// | field | default | range |
/// |---|---|---|
/// | `steps` | 25 | from 1 |
/// | `mean` | 0.025 | any |
/// | `scale` | 0.01 | from 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct Integration {
    pub steps: usize,
    pub mean: f64,
    pub scale: f64,
}

impl Default for Integration {
    fn default() -> Self {
        Self { steps: 25, mean: 0.025, scale: 0.01 }
    }
}

impl Integration {
    pub(super) fn check(&self) -> Result<()> {
        setting::finite("integration.mean", self.mean)?;
        setting::from_zero("integration.scale", self.scale)
    }

    pub(super) fn draw(&self, rng: &mut Rng, dt: f64, drawn: &mut Drawn) {
        let bias = 2.0 * self.mean * (rng.normal() - 0.5);
        let scale = self.scale / dt.sqrt();
        let mut sum = 0.0;
        for _ in 0..self.steps {
            let x = bias + scale * rng.normal();
            sum += x;
            drawn.inputs.push(x);
            drawn.targets.push(sum);
        }
    }
}
