//! What [`Lif`](super::Lif) neurons learn of themselves.

use bd_core::{ParamPath, Result, portable};
use bd_kernel::models::lif::OWN;
use tch::{Kind, Tensor};

use super::LifConfig;
use crate::decay::Decay;

/// The parameters of trained neurons, each `[n]`. What is not there is as in the settings.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) log_tau_ms: Option<Tensor>,
    pub(super) v_reset: Option<Tensor>,
    /// Logarithm of the distance from `v_reset` to `v_th`.
    pub(super) log_gap: Option<Tensor>,
    /// As many numbers as there are neurons, to make others like them.
    pub(super) zeros: Tensor,
}

impl Parameters {
    pub(super) fn new(path: &mut ParamPath<'_>, n: i64, config: &LifConfig) -> Result<Self> {
        let LifConfig { tau_ms, v_th, v_reset, trained, .. } = *config;
        let on = path.on();
        let mut make = |name: &str, wanted: bool, value: f64| {
            // Drawn from nothing, and in float64: the path rounds it.
            let init = |_: &mut _| Tensor::full([n], value, (Kind::Double, on.1));
            wanted.then(|| path.param(name, init)).transpose()
        };
        Ok(Self {
            log_tau_ms: make("log_tau_ms", trained.tau, portable::ln(tau_ms))?,
            v_reset: make("v_reset", trained.threshold && trained.reset, v_reset)?,
            log_gap: make("log_gap", trained.threshold || trained.reset, portable::ln(v_th - v_reset))?,
            zeros: Tensor::zeros([n], on),
        })
    }

    /// `gain`, `v_th` and `v_reset`, each `[n]`, for steps of `dt_ms`.
    pub(super) fn own(&self, config: &LifConfig, dt_ms: f64) -> [Tensor; OWN] {
        let constant = |value: f64| self.zeros.full_like(value);
        // As for constants: in float64, then rounded.
        let exp = |log: &Tensor| log.to_kind(Kind::Double).exp();
        let kind = self.zeros.kind();
        let gain = match &self.log_tau_ms {
            Some(log_tau_ms) => (-(exp(&-log_tau_ms) * -dt_ms).expm1()).to_kind(kind),
            None => constant(Decay::new(dt_ms, config.tau_ms).gain),
        };
        let gap = self.log_gap.as_ref().map(|log_gap| exp(log_gap).to_kind(kind));
        let (v_th, v_reset) = match (gap, &self.v_reset) {
            (None, _) => (constant(config.v_th), constant(config.v_reset)),
            (Some(gap), Some(v_reset)) => (v_reset + gap, v_reset.shallow_clone()),
            (Some(gap), None) if config.trained.threshold => (gap + config.v_reset, constant(config.v_reset)),
            (Some(gap), None) => (constant(config.v_th), -gap + config.v_th),
        };
        [gain, v_th, v_reset]
    }
}

/// The same parameters once more.
impl Clone for Parameters {
    fn clone(&self) -> Self {
        let handle = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::shallow_clone);
        Self {
            log_tau_ms: handle(&self.log_tau_ms),
            v_reset: handle(&self.v_reset),
            log_gap: handle(&self.log_gap),
            zeros: self.zeros.shallow_clone(),
        }
    }
}
