//! [`Delay`]: each output is the input of the step before; zero at first.

use bd_core::kernel::Units;
pub use bd_kernel::models::OneStep;

/// A delay of one step, for `n` channels. State `last`, the input of the last step.
pub type Delay = Units<OneStep, 1>;

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
