//! The unit of a recurrent network of rates, `bd_models::Rnn`.

use serde::{Deserialize, Serialize};

use super::cell::{CellUnit, Functions};
use crate::Num;

/// What makes a rate of a potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, a)`, with slope 0 at 0.
    #[default]
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `a` itself: a linear network.
    Identity,
}

impl Activation {
    /// Every one of them.
    pub fn all() -> [Self; 3] {
        [Self::Relu, Self::Tanh, Self::Identity]
    }
}

/// `h <- f(a)`, or with a leak `h <- (1 - gain) h + gain f(a)`.
#[derive(Debug, Clone, Copy)]
pub struct RnnUnit {
    /// `f`.
    pub activation: Activation,
    /// `dt/tau`, if there is a leak.
    pub gain: Option<f64>,
}

impl CellUnit for RnnUnit {
    const NAME: &'static str = "rnn";
    const PHASES: &'static [usize] = &[1];
    const FUNCTIONS: &'static [usize] = &[1];
    const STATES: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        let a = a[0].clone();
        let rate = match self.activation {
            Activation::Relu => f.relu(a),
            Activation::Tanh => f.tanh(a),
            Activation::Identity => a,
        };
        s[0] = match self.gain {
            Some(gain) => s[0].clone().scale(1.0 - gain) + rate.scale(gain),
            None => rate,
        };
        s[0].clone()
    }
}
