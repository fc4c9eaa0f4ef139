//! Exponents of a known system.

use bd_core::{Error, Result, setting};

use super::{Frame, LyapunovSpectrum, MOST_STEPS};
use crate::data::Flow;
use crate::data::ode::Extrapolation;

/// Greatest error of a step, relative to the greatest component of the state and of the frame.
const TOLERANCE: f64 = 1e-12;

/// The `count` greatest exponents of `flow` over `time` after a `transient`, both rounded to stretches of its usual `dt`. The
/// variational equation is solved together with the system, its Jacobian by dual numbers.
///
/// Fails if the system is no ordinary differential equation, if the solution ends, or if settings are not allowed.
pub fn lyapunov_of_flow(
    flow: &Flow,
    params: &[f64],
    start: &[f64],
    count: usize,
    [transient, time]: [f64; 2],
) -> Result<LyapunovSpectrum> {
    let slope = flow.variation(params)?;
    let n = flow.channels(params).len();
    setting::check("exponents", count, (1..=n).contains(&count), &format!("1 to {n}, the number of variables"))?;
    setting::from_zero("transient", transient)?;
    setting::above_zero("time", time)?;
    let stretches = (transient + time) / flow.dt;
    setting::check(
        "time",
        time,
        stretches <= MOST_STEPS as f64,
        &format!("at most {MOST_STEPS} steps of {}", flow.dt),
    )?;
    if start.len() != n {
        return Err(Error::Config(format!("{} has {n} start values, got {}", flow.name, start.len())));
    }
    let [transient, stretches] = [transient, time].map(|time| (time / flow.dt).round() as usize);
    let stretches = stretches.max(2);
    let mut frame = Frame::new(n, count);
    let mut all = [start, frame.columns()].concat();
    let mut solver = Extrapolation::new(all.len(), TOLERANCE, flow.dt);
    for stretch in 0..transient + stretches {
        if !solver.advance(&slope, &mut all, flow.dt) {
            let where_ = format!("time {} (parameters {params:?}, start {start:?})", stretch as f64 * flow.dt);
            return Err(Error::NotFinite { what: format!("the solution of {}", flow.name), where_ });
        }
        match stretch.checked_sub(transient) {
            Some(index) => frame.carry(&all[n..], index, stretches),
            None => frame.carry_through_transient(&all[n..]),
        }
        all[n..].copy_from_slice(frame.columns());
    }
    Ok(frame.spectrum(stretches as f64 * flow.dt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(name: &str, changed: &[(&str, f64)], count: usize, time: f64) -> LyapunovSpectrum {
        let flow = Flow::named(name).unwrap();
        let params = flow.params_with(changed.iter().copied()).unwrap();
        lyapunov_of_flow(flow, &params, &flow.start(&params), count, [flow.transient, time]).unwrap()
    }

    fn close(found: &LyapunovSpectrum, expected: &[f64], tolerances: &[f64]) {
        for ((found, expected), tolerance) in found.exponents.iter().zip(expected).zip(tolerances) {
            assert!((found - expected).abs() < *tolerance, "{found} and not {expected}");
        }
    }

    /// Sprott, "Chaos and Time-Series Analysis" (2003): 0.9056, 0, -14.5723; the sum is the divergence, -(sigma + 1 + beta).
    #[test]
    fn lorenz() {
        let found = usual("lorenz", &[], 3, 2000.0);
        close(&found, &[0.9056, 0.0, -14.5723], &[0.01, 1e-3, 0.01]);
        assert!((found.sum() + 41.0 / 3.0).abs() < 1e-6, "{}", found.sum());
        assert!((0.001..0.02).contains(&found.errors[0]), "{:?}", found.errors);
    }

    /// Ibid.: 0.0714, 0, -5.3943.
    #[test]
    fn rossler() {
        let found = usual("rossler", &[], 3, 4000.0);
        close(&found, &[0.0714, 0.0, -5.3943], &[0.003, 1e-3, 0.05]);
    }

    /// 0.0902 over 8000 units of time by classic Runge-Kutta steps of 0.02 and a Jacobian by hand, in NumPy. Gauthier et al. (2021) have
    /// 0.128, an estimate from a series.
    #[test]
    fn double_scroll() {
        close(&usual("double-scroll", &[], 1, 4000.0), &[0.0902], &[0.004]);
    }

    /// Lorenz and Emanuel (1998), 40 sites and a forcing of 8: small errors double in 2.1 days of 0.2 units of time, and the dimension
    /// of Kaplan and Yorke is 27.1. The divergence is -1 for each site.
    #[test]
    fn lorenz96() {
        let days = 2f64.ln() / usual("lorenz96", &[], 1, 500.0).exponents[0] / 0.2;
        assert!((days - 2.1).abs() < 0.1, "{days}");
        let found = usual("lorenz96", &[], 40, 80.0);
        assert!((found.kaplan_yorke().unwrap() - 27.1).abs() < 0.6, "{:?}", found.kaplan_yorke());
        assert!((found.sum() + 40.0).abs() < 1e-6, "{}", found.sum());
    }

    /// With a forcing of 0.5 every site is at rest there: `J = -1 + 0.5 (shift ahead - two behind)`, a circulant, whose eigenvalues
    /// have the real parts `-1 + 0.5 (cos k - cos 2k)`.
    #[test]
    fn at_rest_they_are_the_real_parts_of_eigenvalues() {
        let found = usual("lorenz96", &[("n", 6.0), ("forcing", 0.5)], 6, 60.0);
        let part = |mode: i32| {
            let angle = std::f64::consts::TAU * f64::from(mode) / 6.0;
            -1.0 + 0.5 * (angle.cos() - (2.0 * angle).cos())
        };
        let mut expected: Vec<f64> = (0..6).map(part).collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        close(&found, &expected, &[0.01; 6]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let flow = Flow::named("lorenz").unwrap();
        let params = flow.usual_params();
        for (count, start, time, words) in [
            (4, vec![1.0; 3], 1.0, "exponents is 4; it must be 1 to 3"),
            (3, vec![1.0; 2], 1.0, "3 start values, got 2"),
            (3, vec![1.0; 3], 0.0, "time is 0"),
        ] {
            let error = lyapunov_of_flow(flow, &params, &start, count, [0.0, time]).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
        let delay = Flow::named("mackey-glass").unwrap();
        let error = lyapunov_of_flow(delay, &delay.usual_params(), &[1.2], 1, [0.0, 1.0]).unwrap_err().to_string();
        assert!(error.starts_with("mackey-glass is no ordinary differential equation"), "{error}");
    }
}
