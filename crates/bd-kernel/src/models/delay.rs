//! [`OneStep`]: each output is the input of the step before; zero at first.

use crate::{NoSpikes, Num, Unit};

/// One step of delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OneStep;

impl Unit<1> for OneStep {
    const NAME: &'static str = "delay";
    const STATES: [&'static str; 1] = ["last"];
    type Constants = ();
    type Surrogate = NoSpikes;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    #[inline(always)]
    fn step<N: Num>(&self, _constants: &(), x: N, [last]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        (last, [x])
    }
}
