//! Contract tests for systems. Feature `testing`; everything here panics with what disagreed.

mod emulated;

use tch::{Device, Kind, Tensor};

use crate::params::Params;
use crate::rng::Rng;
use crate::shared::{Phase, Shared};
use crate::spikes::Spikes;
use crate::state::StateTree;
use crate::system::{System, scan_by_step};
use crate::tap::Tap;
pub use emulated::{ARCHITECTURES, OnGpu, emulated};

/// Sizes and tolerance of one [`assert_scan_is_steps`].
#[derive(Debug, Clone, Copy)]
pub struct ScanCase {
    /// Number of steps.
    pub time: i64,
    /// Number of sequences.
    pub batch: i64,
    /// Dtype and device.
    pub on: (Kind, Device),
    /// Largest difference allowed, relative to the largest entry of the reference.
    pub tolerance: f64,
    /// Seed of inputs and weights of the loss.
    pub seed: u64,
}

impl ScanCase {
    /// Random sizes: up to 40 steps, and a batch that fills no tile, a few, or the wide ones that large batches get.
    pub fn random(seed: u64, on: (Kind, Device), tolerance: f64) -> Self {
        let mut rng = Rng::new(seed, "sizes");
        let mut between = |from: u64, to: u64| (from + rng.bits() % (to - from + 1)) as i64;
        let (from, to) = [(1, 9), (10, 40), (128, 140), (256, 270)][between(0, 3) as usize];
        Self { time: between(1, 40), batch: between(from, to), on, tolerance, seed }
    }
}

/// Resident memory of this process in KiB. A test that looks at it wants a process of its own: an integration test.
pub fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("VmRSS is a number of kB")
}

/// Largest absolute difference over the largest absolute entry of `expected` (or 1e-300).
pub fn relative_to_scale(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!((found.size(), found.kind()), (expected.size(), expected.kind()), "shapes or dtypes differ");
    if expected.numel() == 0 {
        return 0.0;
    }
    let largest = |t: Tensor| t.abs().max().double_value(&[]);
    let (found, expected) = (found.to_kind(Kind::Double), expected.to_kind(Kind::Double));
    largest(found - &expected) / largest(expected).max(1e-300)
}

/// Panics with `what` unless `found` equals `expected` to `tolerance` of its scale.
#[track_caller]
pub fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    let difference = relative_to_scale(found, expected);
    assert!(difference <= tolerance, "{what} differs by {difference:.3e} of scale, allowed is {tolerance:.0e}");
}

/// What a scan is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Numbers, whose gradient is asked for.
    Dense,
    /// Numbers that are almost all zero, whose gradient is not asked for: a scan may pass over them.
    Sparse,
    /// A list of spikes.
    Spikes,
}

/// Everything that a scan gives: outputs, final state, states over time, and the gradients of a loss over all of it.
fn everything<S: System>(
    system: &S,
    params: &Params,
    case: &ScanCase,
    sha: &Shared,
    record: bool,
    form: Form,
    scan: impl Fn(&Tensor, Option<&Spikes>, S::State, &mut Tap) -> (Tensor, S::State),
) -> Vec<(String, Tensor)> {
    let mut rng = Rng::new(case.seed, "testing");
    let mut normal = |shape: &[i64]| rng.tensor(shape, case.on, Rng::normal);
    // A state that is not the initial one, reached by a few steps.
    let lead = normal(&[3, case.batch, system.n_in()]);
    let start = scan_by_step(system, sha, &lead, system.init_state(case.batch, case.on), &mut Tap::none());
    let start = start.1.map(&mut |t| {
        let leaf = t.detach().copy();
        if leaf.is_floating_point() { leaf.set_requires_grad(true) } else { leaf }
    });
    let shape = [case.time, case.batch, system.n_in()];
    let spikes = (form == Form::Spikes).then(|| {
        let shape = shape.map(|n| n as usize);
        Spikes::draw(shape, case.on, 0.05, &mut Rng::new(case.seed, "spikes")).expect("a probability")
    });
    let xs = match form {
        Form::Dense => normal(&shape).set_requires_grad(true),
        Form::Sparse => {
            let kept = Rng::new(case.seed, "kept").tensor(&shape, case.on, |rng| f64::from(rng.uniform() < 0.05));
            normal(&shape) * kept
        }
        Form::Spikes => spikes.as_ref().expect("they were drawn").to_dense(),
    };

    let mut inputs = vec![("input".to_owned(), xs.shallow_clone())];
    inputs.extend(start.named().into_iter().map(|(name, t)| (format!("initial {name}"), t)));
    inputs.extend(params.trainable());
    let names = start.named().into_iter().map(|(name, _)| name).filter(|_| record);
    let mut tap = Tap::new(names);

    let (ys, last) = scan(&xs, spikes.as_ref(), start, &mut tap);
    let mut outputs = vec![("output".to_owned(), ys)];
    outputs.extend(last.named().into_iter().map(|(name, t)| (format!("final {name}"), t)));
    let taps = tap.finish().expect("every state is recorded");
    outputs.extend(taps.into_iter().map(|(name, t)| (format!("trace of {name}"), t)));

    // A loss with a weight of its own for every number that the scan gives.
    let loss =
        outputs.iter().map(|(_, t)| (t.to_kind(case.on.0) * normal(&t.size())).sum(case.on.0)).reduce(|a, b| a + b);
    let loss = loss.expect("a scan has outputs");
    if loss.requires_grad() {
        inputs.retain(|(_, t)| t.requires_grad());
        let tensors: Vec<_> = inputs.iter().map(|(_, t)| t).collect();
        let gradients = Tensor::run_backward(&[&loss], &tensors, false, false);
        for ((name, input), gradient) in inputs.iter().zip(gradients) {
            let gradient = if gradient.defined() { gradient } else { input.zeros_like() };
            outputs.push((format!("gradient of {name}"), gradient));
        }
    }
    outputs
}

/// Checks that `system.scan` equals [`scan_by_step`]: outputs, final state, recorded states, and the gradients of
/// every parameter, of the input and of the initial state. In both phases, with a clock that does not begin at 0, a step
/// that is not 1 and a key of its own, so that a scan that forgets one of them is found out; and with nothing recorded as
/// well, for a scan may then take another way; from numbers, from almost nothing but zeros, and from a list of spikes.
#[track_caller]
pub fn assert_scan_is_steps<S: System>(system: &S, params: &Params, case: ScanCase) {
    let ways = [
        (Phase::Predict, true, Form::Dense),
        (Phase::Fit, true, Form::Dense),
        (Phase::Predict, false, Form::Dense),
        (Phase::Fit, false, Form::Dense),
        (Phase::Fit, false, Form::Sparse),
        (Phase::Fit, false, Form::Spikes),
        (Phase::Predict, true, Form::Spikes),
    ];
    for (phase, record, form) in ways {
        let sha = Shared { key: case.seed.wrapping_add(0x5eed), ..Shared::new(0.1).ahead(7).in_phase(phase) };
        let by_step = |xs: &Tensor, _: Option<&Spikes>, s, tap: &mut Tap| scan_by_step(system, &sha, xs, s, tap);
        let by_scan = |xs: &Tensor, spikes: Option<&Spikes>, s, tap: &mut Tap| match spikes {
            Some(spikes) => system.scan_spikes(&sha, spikes, s, tap),
            None => system.scan(&sha, xs, s, tap),
        };
        let expected = everything(system, params, &case, &sha, record, form, by_step);
        let found = everything(system, params, &case, &sha, record, form, by_scan);
        assert_eq!(found.len(), expected.len());
        for ((name, found), (known, expected)) in found.iter().zip(&expected) {
            assert_eq!(name, known);
            assert_close(
                &format!("{name} of {system:?} ({case:?}, {sha:?}, record {record}, {form:?})"),
                found,
                expected,
                case.tolerance,
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
        let numeric = numeric_gradient(&f, inputs, which);
        assert_close(&format!("gradient of input {which}"), gradient, &numeric, tolerance);
    }
}

fn numeric_gradient(f: &impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], which: usize) -> Tensor {
    let _guard = tch::no_grad_guard();
    let at = |entry: i64, step: f64| {
        let moved: Vec<_> = inputs.iter().map(Tensor::copy).collect();
        let _ = moved[which].view([-1]).get(entry).g_add_scalar_(step);
        f(&moved).double_value(&[])
    };
    let flat: Vec<f64> = (0..inputs[which].numel() as i64)
        .map(|entry| {
            // The step that balances truncation (h^2) against rounding (eps / h) for values of order one.
            let step = 6e-6;
            (at(entry, step) - at(entry, -step)) / (2.0 * step)
        })
        .collect();
    Tensor::from_slice(&flat).reshape(inputs[which].size())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let gain = if sha.phase == Phase::Fit { 1.1 } else { 1.0 } + sha.dt + sha.i as f64 + (sha.key % 7) as f64;
            let v = &s.v * &self.leak + x * gain;
            (&v * &v, LeakyState { v, steps: &s.steps + 1 })
        }

        fn scan(&self, sha: &Shared, xs: &Tensor, s: LeakyState, tap: &mut Tap) -> (Tensor, LeakyState) {
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
        let values = ["output", "final state", "clock", "step size", "key", "phase", "dtype"];
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
