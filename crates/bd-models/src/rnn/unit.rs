//! What a unit of an [`Rnn`](super::Rnn) makes of all that it gets, as a formula: for GPUs, where recurrent units are written once.

use bd_core::kernel::{NoSpikes, Num, Unit};

use super::{Activation, RnnConfig};

/// `h <- f(a)`, or with a leak `h <- (1 - dt/tau) h + dt/tau f(a)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateUnit(pub(super) RnnConfig);

impl Unit<1> for RateUnit {
    const NAME: &'static str = "rnn";
    const STATES: [&'static str; 1] = ["h"];
    /// `dt/tau`, if there is a leak.
    type Constants = Option<f64>;
    type Surrogate = NoSpikes;

    fn constants(&self, dt_ms: f64) -> Option<f64> {
        self.0.tau_ms.map(|tau_ms| dt_ms / tau_ms)
    }

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    #[inline(always)]
    fn step<N: Num>(&self, gain: &Option<f64>, a: N, [h]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let rate = match self.0.activation {
            // Zero at zero, where its slope is zero too.
            Activation::Relu => (-a.clone()).pick(a.lit(0.0), a),
            Activation::Tanh => a.tanh(),
            Activation::Identity => a,
        };
        let h = match gain {
            Some(gain) => h.scale(1.0 - gain) + rate.scale(*gain),
            None => rate,
        };
        (h.clone(), [h])
    }
}
