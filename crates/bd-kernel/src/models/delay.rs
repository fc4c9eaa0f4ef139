//! [`OneStep`]: each output is the input of the step before; zero at first.

use std::sync::Arc;

use crate::{AnyKernel, NoSpikes, Num, Unit, UnitKernel};

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

    // Repeated so that the loops are compiled in this crate.
    fn kernel(&self, n: usize, dt: f64) -> Arc<dyn AnyKernel> {
        Arc::new(UnitKernel::new(n as i64, self, dt))
    }

    #[inline(always)]
    fn step<N: Num>(&self, _constants: &(), x: N, [last]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        (last, [x])
    }
}
