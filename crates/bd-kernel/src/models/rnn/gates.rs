//! The step of a unit of a recurrent network as a formula, for GPUs.

use crate::Num;
use crate::models::cell::Gates;

use super::Activation;

/// `h <- f(a)`, or with a leak `h <- (1 - gain) h + gain f(a)`.
#[derive(Debug, Clone, Copy)]
pub struct RnnGates {
    /// `f`.
    pub activation: Activation,
    /// `dt/tau`, if there is a leak.
    pub gain: Option<f64>,
}

impl Gates for RnnGates {
    const NAME: &'static str = "rnn";
    const PHASES: &'static [usize] = &[1];
    const STATES: usize = 1;

    fn phase<N: Num>(&self, _phase: usize, a: &[N], h: &[N]) -> (N, Vec<N>) {
        let a = a[0].clone();
        let rate = match self.activation {
            // Zero at zero, where its slope is zero too.
            Activation::Relu => (-a.clone()).pick(a.lit(0.0), a),
            Activation::Tanh => a.tanh(),
            Activation::Identity => a,
        };
        let h = match self.gain {
            Some(gain) => h[0].clone().scale(1.0 - gain) + rate.scale(gain),
            None => rate,
        };
        (h.clone(), vec![h])
    }
}
