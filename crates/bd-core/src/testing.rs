//! Contract tests for systems. Feature `testing`; everything here panics with what disagreed.

mod emulated;
mod hooks;
mod races;
mod watch;

use tch::Tensor;

pub use crate::contract::ScanCase;
use crate::contract::{Size, Trial, Way, central_differences, compare, difference};
use crate::params::Params;
use crate::system::System;
pub use emulated::{ARCHITECTURES, OnGpu, emulated, emulated_without_nvrtc};
pub use races::races;

/// Resident memory of this process in KiB. A test that looks at it wants a process of its own: an integration test.
pub fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("VmRSS is a number of kB")
}

/// Largest absolute difference over the largest absolute entry of `expected` (or 1e-300).
#[track_caller]
pub fn relative_to_scale(found: &Tensor, expected: &Tensor) -> f64 {
    match difference("it", found, expected).size {
        Size::Relative(size) => size,
        other => panic!("{other:?}"),
    }
}

/// Panics with `what` unless `found` equals `expected` to `tolerance` of its scale.
#[track_caller]
pub fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    let difference = difference(what, found, expected);
    assert!(!difference.exceeds(tolerance), "{difference}, allowed is {tolerance:.0e}");
}

/// Checks that `system.scan` equals [`scan_by_step`]: outputs, final state, recorded states, and the gradients of
/// every parameter, of the input and of the initial state. In both phases, with a clock that does not begin at 0, a step
/// that is not 1 and a key of its own, so that a scan that forgets one of them is found out; and with nothing recorded as
/// well, for a scan may then take another way; from numbers, from almost nothing but zeros, and from a list of spikes.
#[track_caller]
pub fn assert_scan_is_steps<S: System>(system: &S, params: &Params, case: ScanCase) {
    for way in Way::ALL {
        let trial = Trial { system, params, case, way };
        for difference in compare(&trial.by_scan(), &trial.by_step()) {
            let allowed = case.tolerance;
            assert!(
                !difference.exceeds(allowed),
                "{difference}, allowed is {allowed:.0e}: {system:?} ({case:?}, {way:?})"
            );
        }
    }
}

/// Checks the gradient that autograd gives of `f`, a scalar in float64, against central differences, for every entry
/// of every input. `tolerance` is relative to the largest entry of each gradient.
#[track_caller]
pub fn grad_check(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], tolerance: f64) {
    let leaves: Vec<_> = inputs.iter().map(|t| t.detach().copy().set_requires_grad(true)).collect();
    let gradients = Tensor::run_backward(&[f(&leaves)], &leaves, false, false);
    for (which, gradient) in gradients.iter().enumerate() {
        let moved: Vec<_> = inputs.iter().map(Tensor::copy).collect();
        let numeric = central_differences(|| f(&moved).double_value(&[]), &moved[which]);
        assert_close(&format!("gradient of input {which}"), gradient, &numeric, tolerance);
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::{Inputs, Phase, Rng, Shared, StateTree, Tap, scan_by_step};

    /// A leaky integrator with a trainable leak, and a scan that can be made wrong in chosen ways.
    #[derive(Debug)]
    struct Leaky {
        leak: Tensor,
        wrong: &'static str,
    }

    crate::state! {
        /// A potential, and a counter to make sure that integers are no trouble.
        struct LeakyState { v: Tensor, steps: Tensor }
    }

    impl System for Leaky {
        type State = LeakyState;

        fn n_in(&self) -> i64 {
            2
        }

        fn n_out(&self) -> i64 {
            2
        }

        fn init_state(&self, batch: i64, on: (Kind, Device)) -> LeakyState {
            LeakyState { v: Tensor::zeros([batch, 2], on), steps: Tensor::zeros([batch, 1], (Kind::Int64, on.1)) }
        }

        fn step(&self, sha: &Shared, x: &Tensor, s: &LeakyState) -> (Tensor, LeakyState) {
            let gain = if sha.phase == Phase::Fit { 1.1 } else { 1.0 }
                + sha.dt
                + sha.i as f64
                + (sha.key % 7 + sha.sample as u64) as f64;
            let v = &s.v * &self.leak + x * gain;
            (&v * &v, LeakyState { v, steps: &s.steps + 1 })
        }

        fn scan(&self, sha: &Shared, inputs: &Inputs, s: LeakyState, tap: &mut Tap) -> (Tensor, LeakyState) {
            let xs = &inputs.time_first();
            let wrong_leak = Leaky { leak: self.leak.detach(), wrong: "" };
            match self.wrong {
                "output" => {
                    let (ys, s) = scan_by_step(self, sha, xs, s, tap);
                    (ys * (1.0 + 1e-9), s)
                }
                "final state" => {
                    let (ys, s) = scan_by_step(self, sha, xs, s, tap);
                    (ys, LeakyState { v: s.v + 1e-9, ..s })
                }
                "clock" => scan_by_step(self, &Shared { i: 0, t: 0.0, ..*sha }, xs, s, tap),
                "step size" => scan_by_step(self, &Shared { dt: 1.0, ..*sha }, xs, s, tap),
                "key" => scan_by_step(self, &Shared { key: 0, ..*sha }, xs, s, tap),
                "samples" => scan_by_step(self, &Shared { sample: 0, ..*sha }, xs, s, tap),
                "phase" => scan_by_step(self, &sha.in_phase(Phase::Predict), xs, s, tap),
                "dtype" => {
                    let (ys, s) = scan_by_step(self, sha, xs, s, tap);
                    (ys.to_kind(Kind::Float), s)
                }
                "parameter's gradient" => scan_by_step(&wrong_leak, sha, xs, s, tap),
                "initial state's gradient" => scan_by_step(self, sha, xs, s.detach(), tap),
                "input's gradient" => scan_by_step(self, sha, &xs.detach(), s, tap),
                _ => scan_by_step(self, sha, xs, s, tap),
            }
        }
    }

    fn check(wrong: &'static str) {
        let on = (Kind::Double, Device::Cpu);
        let mut params = Params::new(1, on);
        let leak = params.at("r").param("leak", |rng| rng.tensor(&[2], on, Rng::uniform)).unwrap();
        let case = ScanCase { time: 7, batch: 3, on, tolerance: 1e-12, seed: 5 };
        assert_scan_is_steps(&Leaky { leak, wrong }, &params, case);
    }

    #[test]
    fn the_contract_holds_for_an_honest_scan_and_catches_every_dishonest_one() {
        check("nothing");
        let gradients = ["parameter's gradient", "initial state's gradient", "input's gradient"];
        let values = ["output", "final state", "clock", "step size", "key", "samples", "phase", "dtype"];
        for wrong in gradients.into_iter().chain(values) {
            let caught = std::panic::catch_unwind(|| check(wrong));
            assert!(caught.is_err(), "a wrong {wrong} went unnoticed");
        }
    }

    #[test]
    fn gradients_are_checked_against_differences() {
        let x = Tensor::from_slice(&[0.3f64, -1.2, 0.8]);
        let y = Tensor::from_slice(&[1.1f64, 0.4, -0.6]);
        grad_check(|v| (v[0].sin() * v[1].exp()).sum(Kind::Double), &[x.copy(), y.copy()], 1e-9);
        let lies = |v: &[Tensor]| (v[0].detach() * &v[0] * &v[1]).sum(Kind::Double);
        assert!(std::panic::catch_unwind(|| grad_check(lies, &[x, y], 1e-9)).is_err());
    }
}
