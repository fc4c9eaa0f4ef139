//! The units of reservoirs, `bd_models::Reservoir`, that are not those of a [leaky network](super::rnn::LeakyRnnUnit).

use super::cell::{CellUnit, CellUnits, Functions};
use super::rnn::{Activation, RateOf, with_rate};
use crate::Num;

/// [`Es2nUnit`]s with their loops; `proximity` is above 0 and at most 1.
pub fn es2n(activation: Activation, proximity: f64) -> CellUnits {
    with_rate!(activation, rate => Es2nUnit { activation: rate, proximity })
}

/// [`EulerUnit`]s with their loops; `gain` is the step of Euler's method.
pub fn euler(activation: Activation, gain: f64) -> CellUnits {
    with_rate!(activation, rate => EulerUnit { activation: rate, gain })
}

/// Of an edge-of-stability network: `h <- (1 - proximity) o + proximity f(a)`, with `o` the orthogonal image of all units.
#[derive(Debug, Clone, Copy)]
pub struct Es2nUnit<R> {
    /// `f`.
    pub activation: R,
    /// How near the network is to one without the orthogonal part.
    pub proximity: f64,
}

impl<R: RateOf> CellUnit for Es2nUnit<R> {
    const NAME: &'static str = "es2n";
    const PHASES: &'static [usize] = &[2];
    const FUNCTIONS: &'static [usize] = &[1];
    const STATES: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        s[0] = a[1].clone().scale(1.0 - self.proximity) + R::rate(a[0].clone(), f).scale(self.proximity);
        s[0].clone()
    }
}

/// Of an Euler state network: `h <- h + gain f(a)`.
#[derive(Debug, Clone, Copy)]
pub struct EulerUnit<R> {
    /// `f`.
    pub activation: R,
    /// The step of Euler's method.
    pub gain: f64,
}

impl<R: RateOf> CellUnit for EulerUnit<R> {
    const NAME: &'static str = "euler";
    const PHASES: &'static [usize] = &[1];
    const FUNCTIONS: &'static [usize] = &[1];
    const STATES: usize = 1;

    #[inline(always)]
    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        s[0] = s[0].clone() + R::rate(a[0].clone(), f).scale(self.gain);
        s[0].clone()
    }
}
