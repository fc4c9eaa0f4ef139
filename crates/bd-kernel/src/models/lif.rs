//! Leaky integrate-and-fire neurons, as units. The equations stand in `bd_models::lif`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decay::check_tau;
use super::surrogate::Surrogate;
use crate::{AnyKernel, Error, Numbers, Result, UnitKernel, setting};
pub use unit::{Free, OWN, Own, Refractory};

mod unit;

/// What a spike does to the potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Sets it to `v_reset`.
    #[default]
    Value,
    /// Subtracts `v_th - v_reset`.
    Subtract,
    /// Nothing.
    None,
}

/// Settings of leaky integrate-and-fire neurons. The defaults are those of BrainPy's tutorial.
///
/// | field | default | range | unit | meaning |
/// |---|---|---|---|---|
/// | `tau_ms` | 10 | above 0 | ms | membrane time constant |
/// | `v_rest` | 0 | | as `v` | potential without input |
/// | `v_th` | 1 | above `v_reset` | as `v` | threshold |
/// | `v_reset` | 0 | | as `v` | potential after a spike, see `reset` |
/// | `resistance` | 1 | | `v` per input | `R` |
/// | `refractory_ms` | 0 | from 0 | ms | time after a spike in which the potential stays; rounded to whole steps, at least one |
/// | `reset` | `value` | `value`, `subtract`, `none` | | what a spike does to the potential |
/// | `detach_reset` | `true` | | | whether the reset is outside the gradient |
/// | `surrogate` | `inv_square`, alpha 100 | | | derivative of a spike |
/// | `trained` | nothing | | | what each neuron has of its own, and learns; the numbers above are then the first ones. See [`LifTrained`] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct LifConfig {
    pub tau_ms: f64,
    pub v_rest: f64,
    pub v_th: f64,
    pub v_reset: f64,
    pub resistance: f64,
    pub refractory_ms: f64,
    pub reset: Reset,
    pub detach_reset: bool,
    pub surrogate: Surrogate,
    pub trained: LifTrained,
}

impl Default for LifConfig {
    fn default() -> Self {
        Self {
            tau_ms: 10.0,
            v_rest: 0.0,
            v_th: 1.0,
            v_reset: 0.0,
            resistance: 1.0,
            refractory_ms: 0.0,
            reset: Reset::default(),
            detach_reset: true,
            surrogate: Surrogate::default(),
            trained: LifTrained::default(),
        }
    }
}

impl LifConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        check_tau("lif", self.tau_ms)?;
        let Self { v_rest, v_th, v_reset, resistance, .. } = *self;
        let numbers = [("v_rest", v_rest), ("v_th", v_th), ("v_reset", v_reset), ("resistance", resistance)];
        numbers.into_iter().try_for_each(|(name, value)| setting::finite(&format!("lif.{name}"), value))?;
        setting::check("lif.v_th", v_th, v_th > v_reset, &format!("above v_reset, {v_reset}"))?;
        setting::from_zero("lif.refractory_ms", self.refractory_ms)?;
        if self.trained.reset && self.reset == Reset::None {
            return Err(Error::Config(
                "lif: trained.reset is true, but reset is none, so that v_reset has no effect; leave one of them out"
                    .into(),
            ));
        }
        self.surrogate.check()
    }
}

/// What is trained of neurons, one number of each neuron: nothing, unless it is said. `bd_models::lif` has the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LifTrained {
    /// The membrane time constant.
    pub tau: bool,
    /// The threshold.
    pub threshold: bool,
    /// The potential after a spike.
    pub reset: bool,
}

impl LifTrained {
    /// Whether anything is.
    pub fn any(&self) -> bool {
        self.tau || self.threshold || self.reset
    }
}

/// The kernel of `n` neurons for steps of `dt_ms`. Trained ones [hold](UnitKernel::holding) numbers of their own, `[OWN, n]`: `gain`,
/// `v_th`, `v_reset`. Only a GPU, which reads them from its own memory, does without `own`.
pub fn kernel(n: usize, config: &LifConfig, dt_ms: f64, own: Option<Numbers>) -> Arc<dyn AnyKernel> {
    if config.detach_reset {
        kernel_of::<true>(n, config, dt_ms, own)
    } else {
        kernel_of::<false>(n, config, dt_ms, own)
    }
}

fn kernel_of<const DETACHED: bool>(
    n: usize,
    config: &LifConfig,
    dt_ms: f64,
    own: Option<Numbers>,
) -> Arc<dyn AnyKernel> {
    let (free, refractory) = (Free::<DETACHED>(*config), Refractory::<DETACHED>(*config));
    match (config.refractory_ms > 0.0, config.trained.any()) {
        (false, false) => Arc::new(UnitKernel::new(n as i64, &free, dt_ms)),
        (true, false) => Arc::new(UnitKernel::new(n as i64, &refractory, dt_ms)),
        (false, true) => Arc::new(UnitKernel::new(n as i64, &Own(free), dt_ms).holding(own)),
        (true, true) => Arc::new(UnitKernel::new(n as i64, &Own(refractory), dt_ms).holding(own)),
    }
}
