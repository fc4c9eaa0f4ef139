//! [`FlipFlop`]: a memory of some bits.

use bd_core::{Result, Rng, setting};
use serde::{Deserialize, Serialize};

use super::Drawn;

/// A memory of some bits, each set by pulses of its own channel (Sussillo and Barak 2013, "Opening the black box").
///
/// `x_(t,k)` is 0, or with `probability` a pulse of one step, 1 or -1 at equal chance. The target `y_(t,k)` is the last pulse of the
/// channel up to and with step `t`, and 0 before its first.
///
/// Inputs and targets `[batch, steps, channels]`.
///
/// | field | default | range |
/// |---|---|---|
/// | `steps` | 100 | from 1 |
/// | `channels` | 3 | from 1 |
/// | `probability` | 0.05 | from 0 to 1 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct FlipFlop {
    pub steps: usize,
    pub channels: usize,
    pub probability: f64,
}

impl Default for FlipFlop {
    fn default() -> Self {
        Self { steps: 100, channels: 3, probability: 0.05 }
    }
}

impl FlipFlop {
    pub(super) fn check(&self) -> Result<()> {
        setting::at_least("flip_flop.channels", self.channels, 1)?;
        let fits = (0.0..=1.0).contains(&self.probability);
        setting::check("flip_flop.probability", self.probability, fits, "from 0 to 1")
    }

    pub(super) fn draw(&self, rng: &mut Rng, drawn: &mut Drawn) {
        let mut memory = vec![0.0; self.channels];
        for _ in 0..self.steps {
            for bit in &mut memory {
                // One number decides on both: below half of the probability up, below all of it down.
                let u = rng.uniform();
                let pulse = match u < self.probability {
                    true if u < 0.5 * self.probability => 1.0,
                    true => -1.0,
                    false => 0.0,
                };
                if pulse != 0.0 {
                    *bit = pulse;
                }
                drawn.inputs.push(pulse);
                drawn.targets.push(*bit);
            }
        }
    }
}
