//! Exact solutions, resets and their gradients, and the kernel against the steps.

use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{Inputs, Params, Tap, scan_by_step};
use bd_kernel::models::Surrogate;

mod trained;

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Steps at which a neuron under a constant current spikes.
fn spike_steps(config: LifConfig, current: f64, dt: f64, steps: i64) -> Vec<i64> {
    let lif = Lif::new(1, &config).unwrap();
    let xs = Tensor::full([steps, 1, 1], current, ON);
    let (ys, _) = scan_by_step(&lif, &Shared::new(dt), &xs, lif.init_state(1, ON), &mut Tap::none());
    Vec::try_from(ys.flatten(0, -1).nonzero().flatten(0, -1)).unwrap()
}

/// Period of a neuron under a constant current I > v_th: `tau ln(I / (I - v_th))`, and the refractory period.
#[test]
fn the_firing_rate_is_the_exact_one() {
    let dt = 0.001;
    for (current, refractory_ms) in [(1.5, 0.0), (3.0, 0.0), (1.5, 2.0)] {
        let config = LifConfig { refractory_ms, ..LifConfig::default() };
        let spikes = spike_steps(config, current, dt, 60_000);
        let period = 10.0 * (current / (current - 1.0f64)).ln() + refractory_ms;
        for pair in spikes.windows(2) {
            let found = (pair[1] - pair[0]) as f64 * dt;
            assert!((found - period).abs() <= 2.0 * dt, "current {current}: {found} ms and not {period}");
        }
        assert!(spikes.len() >= 2);
    }
    assert!(spike_steps(LifConfig::default(), 0.999, 0.1, 5000).is_empty(), "below threshold for ever");
}

/// Reset by subtraction keeps what is above the threshold, so that in the long run the rate is the charge's.
#[test]
fn resets_do_what_they_say() {
    let run = |reset| {
        let lif = Lif::new(1, &LifConfig { reset, v_reset: 0.25, ..LifConfig::default() }).unwrap();
        let start = LifState { v: Tensor::full([1, 1], 0.9, ON), ..lif.init_state(1, ON) };
        let (spike, s) = lif.step(&Shared::new(1.0), &Tensor::full([1, 1], 4.0, ON), &start);
        (spike.double_value(&[0, 0]), s.v.double_value(&[0, 0]))
    };
    let u = 4.0 + (0.9 - 4.0) * (-0.1f64).exp();
    for (reset, v) in [(Reset::Value, 0.25), (Reset::Subtract, u - 0.75), (Reset::None, u)] {
        let (spike, found) = run(reset);
        assert!(spike == 1.0 && (found - v).abs() < 1e-15, "{reset:?}: {found} and not {v}");
    }
}

/// dv/du through a reset to a value is `1 - spike`, and `+ (v_reset - u) g(u - v_th)` if the reset is in the gradient.
#[test]
fn the_gradient_of_the_reset() {
    for (detach_reset, current) in [(true, 4.0), (false, 4.0), (true, 0.5), (false, 0.5)] {
        let lif = Lif::new(1, &LifConfig { detach_reset, ..LifConfig::default() }).unwrap();
        let v0 = Tensor::full([1, 1], 0.9, ON).set_requires_grad(true);
        let start = LifState { v: v0.shallow_clone(), ..lif.init_state(1, ON) };
        let (_, s) = lif.step(&Shared::new(1.0), &Tensor::full([1, 1], current, ON), &start);
        let found = Tensor::run_backward(&[s.v], &[&v0], false, false)[0].double_value(&[0, 0]);
        let keep = (-0.1f64).exp();
        let u = current + (0.9 - current) * keep;
        let spike = f64::from(u8::from(u >= 1.0));
        let through_spike = if detach_reset { 0.0 } else { -u / (100.0 * (u - 1.0).abs() + 1.0).powi(2) };
        let expected = keep * (1.0 - spike + through_spike);
        assert!((found - expected).abs() < 1e-14, "{found} and not {expected}");
    }
}

/// The loop equals the step, with its adjoint: every reset, gradient through the reset or not, refractory or not, both
/// dtypes, random sizes; six surrogates in full, the others once each.
#[test]
fn scan_is_steps() {
    let mut seed = 0;
    let mut check = |config: LifConfig, kind| {
        seed += 1;
        let on = (kind, Device::Cpu);
        let tolerance = if kind == Kind::Double { 1e-12 } else { 2e-4 };
        let config = LifConfig { v_reset: -0.2, v_rest: 0.1, resistance: 30.0, ..config };
        let lif = Lif::new(1 + seed as i64 % 7, &config).unwrap();
        assert_scan_is_steps(&lif, &Params::new(0, on), ScanCase::random(seed, on, tolerance));
    };
    let once = Surrogate::all().into_iter().chain([Surrogate::custom("boxcar", &|x| f64::from(x.abs() < 0.5))]);
    for (i, surrogate) in once.enumerate() {
        if i >= 6 {
            check(LifConfig { surrogate, ..LifConfig::default() }, Kind::Double);
            continue;
        }
        for reset in [Reset::Value, Reset::Subtract, Reset::None] {
            for (detach_reset, refractory_ms) in [(true, 0.0), (false, 0.0), (true, 0.4), (false, 0.4)] {
                let config = LifConfig { surrogate, reset, detach_reset, refractory_ms, ..LifConfig::default() };
                check(config, Kind::Double);
                check(config, Kind::Float);
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (config, words) in [
        (LifConfig { tau_ms: 0.0, ..LifConfig::default() }, "tau_ms is 0"),
        (LifConfig { v_th: 0.0, ..LifConfig::default() }, "it must be above v_reset"),
        (LifConfig { refractory_ms: -1.0, ..LifConfig::default() }, "refractory_ms is -1"),
        (LifConfig { v_rest: f64::NAN, ..LifConfig::default() }, "lif.v_rest is NaN; it must be a number"),
        (LifConfig { surrogate: Surrogate::Erf { alpha: -1.0 }, ..LifConfig::default() }, "alpha of the surrogate erf"),
    ] {
        let error = Lif::new(1, &config).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    assert!(Lif::new(0, &LifConfig::default()).is_err());
}

/// Shorter than a step is still a step.
#[test]
fn a_short_refractory_period_is_not_lost() {
    let spikes = |refractory_ms| spike_steps(LifConfig { refractory_ms, ..LifConfig::default() }, 1e3, 0.1, 10);
    assert_eq!((spikes(0.0).len(), spikes(0.04).len(), spikes(0.1).len()), (10, 5, 5));
}

/// The sigmoid's derivative is about `4 e^(-4 |x|)`: at potentials of 0 to -25 from 1e-2 to below what float32 can hold. Gradients that
/// are handed on are zero before they lose precision.
#[test]
fn no_gradient_is_about_to_underflow() {
    let on = (Kind::Float, Device::Cpu);
    let config = LifConfig { surrogate: Surrogate::Sigmoid { alpha: 4.0 }, ..LifConfig::default() };
    let lif = Lif::new(26, &config).unwrap();
    let xs = Tensor::arange(26, on).neg().expand([80, 8, 26], false).contiguous().set_requires_grad(true);
    let (ys, _) = lif.scan(&Shared::new(1.0), &Inputs::of_steps(&xs), lif.init_state(8, on), &mut Tap::none());
    let gradient = Tensor::run_backward(&[ys.sum(Kind::Float)], &[&xs], false, false).remove(0);
    let sizes = Vec::<f32>::try_from(gradient.abs().flatten(0, -1)).unwrap();
    let tiny = 1e6 * f32::MIN_POSITIVE;
    assert!(sizes.iter().all(|size| *size == 0.0 || *size >= tiny));
    let some = |test: fn(&f32) -> bool| sizes.iter().any(test);
    assert!(some(|size| *size > 1e-3) && some(|size| *size == 0.0) && some(|size| *size > 0.0 && *size < 1e-25));
}
