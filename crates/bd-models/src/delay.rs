//! [`Delay`]: each output is the input of the step before; zero at first.

use std::sync::Arc;

use bd_core::kernel::{AnyKernel, NoSpikes, Num, Then, Unit, UnitKernel, Units};

use crate::expon::ExponConfig;
use crate::leaky_integrator::LeakyIntegratorConfig;
use crate::lif::{Free, Refractory};

/// One step of delay: the unit of [`Delay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OneStep;

/// A delay of one step, for `n` channels. State `last`, the input of the last step.
pub type Delay = Units<OneStep, 1>;

impl Unit<1> for OneStep {
    const NAME: &'static str = "delay";
    const STATES: [&'static str; 1] = ["last"];
    type Constants = ();
    type Surrogate = NoSpikes;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    fn before(kernel: &UnitKernel<Self, 1>, next: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        type Driven<U, const S: usize> = Then<ExponConfig, U, 1, S>;
        type DrivenFree<const DETACHED: bool> = Driven<Free<DETACHED>, 2>;
        type DrivenRefractory<const DETACHED: bool> = Driven<Refractory<DETACHED>, 3>;
        let free =
            || kernel.then::<DrivenFree<true>, 3, 4>(next).or_else(|| kernel.then::<DrivenFree<false>, 3, 4>(next));
        let refractory = || {
            kernel
                .then::<DrivenRefractory<true>, 4, 5>(next)
                .or_else(|| kernel.then::<DrivenRefractory<false>, 4, 5>(next))
        };
        kernel.then::<Driven<LeakyIntegratorConfig, 1>, 2, 3>(next).or_else(free).or_else(refractory)
    }

    #[inline(always)]
    fn step<N: Num>(&self, _constants: &(), x: N, [last]: [N; 1], _spike: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        (last, [x])
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Params;
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn scan_is_steps() {
        let on = (Kind::Double, Device::Cpu);
        let case = |time| ScanCase { time, batch: 2, on, tolerance: 0.0, seed: 1 };
        for case in [case(1), case(2)].into_iter().chain((0..8).map(|seed| ScanCase::random(seed, on, 0.0))) {
            assert_scan_is_steps(&Delay::new(3, &OneStep).unwrap(), &Params::new(0, on), case);
        }
    }
}
