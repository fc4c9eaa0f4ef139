//! The units of a recurrent network of rates, `bd_models::Rnn`: without and with a leak.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::cell::{CellUnit, CellUnits, Functions};
use crate::Num;

/// What makes a rate of a potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// An [`Activation`] as a type, so that loops are compiled for it.
pub trait RateOf: Debug + Copy + Send + Sync + 'static {
    /// The rate of a potential.
    fn rate<N: Num>(a: N, f: &mut impl Functions<N>) -> N;
}

/// [`Activation::Relu`].
#[derive(Debug, Clone, Copy)]
pub struct Relu;

impl RateOf for Relu {
    #[inline(always)]
    fn rate<N: Num>(a: N, f: &mut impl Functions<N>) -> N {
        f.relu(a)
    }
}

/// [`Activation::Tanh`].
#[derive(Debug, Clone, Copy)]
pub struct Tanh;

impl RateOf for Tanh {
    #[inline(always)]
    fn rate<N: Num>(a: N, f: &mut impl Functions<N>) -> N {
        f.tanh(a)
    }
}

/// [`Activation::Identity`].
#[derive(Debug, Clone, Copy)]
pub struct Identity;

impl RateOf for Identity {
    #[inline(always)]
    fn rate<N: Num>(a: N, _f: &mut impl Functions<N>) -> N {
        a
    }
}

/// The [`CellUnits`] of units that are made of the [`RateOf`] that an [`Activation`] names.
macro_rules! with_rate {
    ($activation:expr, $rate:ident => $unit:expr) => {
        with_rate!($activation, $rate => $unit, Relu, Tanh, Identity)
    };
    ($activation:expr, $rate:ident => $unit:expr, $($name:ident),+) => {
        match $activation {
            $($crate::models::rnn::Activation::$name => {
                let $rate = $crate::models::rnn::$name;
                $crate::models::cell::CellUnits::from($unit)
            })+
        }
    };
}
pub(super) use with_rate;

/// [`LeakyRnnUnit`]s with a leak of `gain`, `dt/tau`, or [`RnnUnit`]s without, with their loops.
pub fn units(activation: Activation, gain: Option<f64>) -> CellUnits {
    match gain {
        Some(gain) => with_rate!(activation, rate => LeakyRnnUnit { activation: rate, gain }),
        None => with_rate!(activation, rate => RnnUnit(rate)),
    }
}

/// `h <- f(a)`.
#[derive(Debug, Clone, Copy)]
pub struct RnnUnit<R>(pub R);

impl<R: RateOf> CellUnit for RnnUnit<R> {
    const NAME: &'static str = "rnn";
    const PHASES: &'static [usize] = &[1];
    const FUNCTIONS: &'static [usize] = &[1];
    const STATES: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        s[0] = R::rate(a[0].clone(), f);
        s[0].clone()
    }
}

/// `h <- (1 - gain) h + gain f(a)`.
#[derive(Debug, Clone, Copy)]
pub struct LeakyRnnUnit<R> {
    /// `f`.
    pub activation: R,
    /// `dt/tau`.
    pub gain: f64,
}

impl<R: RateOf> CellUnit for LeakyRnnUnit<R> {
    const NAME: &'static str = "leaky rnn";
    const PHASES: &'static [usize] = &[1];
    const FUNCTIONS: &'static [usize] = &[1];
    const STATES: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        s[0] = s[0].clone().scale(1.0 - self.gain) + R::rate(a[0].clone(), f).scale(self.gain);
        s[0].clone()
    }
}
