//! The delay equation of Mackey and Glass, "Oscillation and chaos in physiological control systems", Science 197 (1977).
//!
//! ```text
//! x'(t) = a x(t - tau) / (1 + x(t - tau)^n) - b x(t),   x(t) = x(0) for t < 0
//! ```
//!
//! By the classic Runge-Kutta method with steps of at most 0.1. Delayed values between points are those of the cubic with the
//! values and slopes of the points beside them, so that the order stays 4. ReservoirPy instead holds the delayed value constant over
//! its step, which is the sampling interval.

use std::collections::VecDeque;

use bd_core::{Result, setting};

use crate::data::ode::hermite;

/// Longest step of the integration.
const LONGEST_STEP: f64 = 0.1;

/// Most points of the past that are kept.
const MOST_PAST: f64 = 1e7;

pub(super) fn check(params: &[f64]) -> Result<()> {
    let tau = params[3];
    let fits = (LONGEST_STEP..=MOST_PAST * LONGEST_STEP).contains(&tau);
    setting::check("tau", tau, fits, &format!("{LONGEST_STEP} to {}", MOST_PAST * LONGEST_STEP))
}

/// Refuses steps of which the delay has too many.
pub(super) fn check_steps(params: &[f64], dt: f64) -> Result<()> {
    let least = params[3] / MOST_PAST;
    setting::check("dt", dt, dt >= least, &format!("at least {least}, of which tau is {MOST_PAST}"))
}

/// `points` values, `dt` apart, of which the first is `dt` after the start; fails with the number of the first that is not finite.
pub(super) fn series(params: &[f64], start: f64, dt: f64, points: usize) -> Result<Vec<f64>, usize> {
    let steps = (dt / LONGEST_STEP).ceil().max(1.0);
    let mut state = State::new(params, start, dt / steps);
    let mut all = Vec::with_capacity(points);
    for point in 0..points {
        (0..steps as usize).for_each(|_| state.step());
        let x = state.now().0;
        if !x.is_finite() {
            return Err(point);
        }
        all.push(x);
    }
    Ok(all)
}

/// The solution over the last `tau`.
#[derive(Debug, Clone)]
struct State<'a> {
    params: &'a [f64],
    h: f64,
    /// Values and slopes at steps of `h`, the oldest first: as far back as `tau` or, if time has not come as far, the start.
    past: VecDeque<(f64, f64)>,
    /// Steps that a delayed value lies behind: a whole number and a fraction.
    delay: (usize, f64),
    first: f64,
}

impl<'a> State<'a> {
    fn new(params: &'a [f64], start: f64, h: f64) -> Self {
        let steps = params[3] / h;
        let whole = (steps * (1.0 + 1e-12)).floor();
        let delay = (whole as usize, (steps - whole).max(0.0));
        let mut state = Self { params, h, past: VecDeque::with_capacity(delay.0 + 3), delay, first: start };
        state.past.push_back((start, state.slope(start, start)));
        state
    }

    fn now(&self) -> (f64, f64) {
        *self.past.back().expect("the present is never dropped")
    }

    fn slope(&self, x: f64, delayed: f64) -> f64 {
        let [a, b, n] = [self.params[0], self.params[1], self.params[2]];
        a * delayed / (1.0 + delayed.powf(n)) - b * x
    }

    /// The value `tau` before the time that is `ahead` steps after now, `ahead` from 0 to 1.
    fn delayed(&self, ahead: f64) -> f64 {
        let position = self.past.len() as f64 - 1.0 - self.delay.0 as f64 + (ahead - self.delay.1);
        if position < 0.0 {
            return self.first;
        }
        let at = (position as usize).min(self.past.len() - 1);
        let (u, du) = self.past[at];
        match self.past.get(at + 1) {
            Some(&(v, dv)) => hermite(position - at as f64, [u, v], [self.h * du, self.h * dv]),
            None => u,
        }
    }

    fn step(&mut self) {
        let (h, (x, first)) = (self.h, self.now());
        let [half, whole] = [self.delayed(0.5), self.delayed(1.0)];
        let second = self.slope(x + 0.5 * h * first, half);
        let third = self.slope(x + 0.5 * h * second, half);
        let fourth = self.slope(x + h * third, whole);
        let next = x + h / 6.0 * (first + 2.0 * (second + third) + fourth);
        self.past.push_back((next, self.slope(next, whole)));
        if self.past.len() > self.delay.0 + 3 {
            self.past.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: [f64; 4] = [0.2, 0.1, 10.0, 17.0];

    /// By the method of steps: each stretch of `tau` an ordinary differential equation, solved by SciPy 1.17.1
    /// (`solve_ivp(method="DOP853", rtol=1e-13, atol=1e-14)`) with its dense output as the next one's past.
    #[test]
    fn the_solution_is_that_of_another_method() {
        let found = series(&USUAL, 1.2, 1.0, 200).unwrap();
        for (time, expected) in [
            (10, 0.652_404_292_504_964_5),
            (50, 1.060_954_362_897_548_2),
            (100, 1.013_724_016_524_118),
            (200, 1.186_718_107_116_615_5),
        ] {
            let error = found[time - 1] - expected;
            assert!(error.abs() < 1e-6, "{error} at {time}");
        }
    }

    /// Whether the delay is a whole number of steps or not; within the first stretch, after which a solution is smooth only in parts.
    #[test]
    fn the_order_is_four() {
        for tau in [2.0, 2.03] {
            let at_end = |dt: f64| {
                *series(&[0.2, 0.1, 10.0, tau], 1.2, dt, (1.6 * tau / dt).round() as usize).unwrap().last().unwrap()
            };
            let exact = at_end(tau / 3200.0);
            let [coarse, fine] = [tau / 40.0, tau / 80.0].map(|dt| (at_end(dt) - exact).abs());
            let order = (coarse / fine).log2();
            assert!((3.5..4.6).contains(&order), "{order} at {tau}");
        }
    }

    /// The exponent in the table against the growth of a small difference of the whole past.
    #[test]
    fn the_lyapunov_exponent() {
        let (distance, span, spans) = (1e-8, 100, 3000);
        let mut near = State::new(&USUAL, 1.2, 0.1);
        (0..20_000).for_each(|_| near.step());
        let mut far = near.clone();
        far.past.iter_mut().for_each(|(x, _)| *x += distance);
        let mut growth = 0.0;
        for _ in 0..spans {
            for _ in 0..span {
                near.step();
                far.step();
            }
            let apart = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).powi(2);
            let now = (near.past.iter().zip(&far.past).map(apart).sum::<f64>() / near.past.len() as f64).sqrt();
            growth += (now / distance).ln();
            for (far, near) in far.past.iter_mut().zip(&near.past) {
                *far = (near.0 + (far.0 - near.0) * distance / now, near.1 + (far.1 - near.1) * distance / now);
            }
        }
        let exponent = growth / f64::from(spans * span) / 0.1;
        assert!((exponent - 0.0051).abs() < 0.0005, "{exponent}");
    }
}
