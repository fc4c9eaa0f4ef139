//! The classic Runge-Kutta method of order 4.

use super::Slope;

/// Steps of `dt` until `visit`, called after each, returns false.
pub(super) fn solve(slope: &Slope<'_>, start: &[f64], dt: f64, visit: &mut dyn FnMut(&[f64]) -> bool) {
    let mut u = start.to_vec();
    let mut scratch = vec![0.0; 5 * u.len()];
    loop {
        step(slope, dt, &mut u, &mut scratch);
        if !visit(&u) {
            return;
        }
    }
}

/// One step in place. The order of evaluation is BrainPy's: stages at `u + k c dt`, weights added left to right.
fn step(slope: &Slope<'_>, dt: f64, u: &mut [f64], scratch: &mut [f64]) {
    let n = u.len();
    let (stage, slopes) = scratch.split_at_mut(n);
    for (i, c) in [0.0, 0.5, 0.5, 1.0].into_iter().enumerate() {
        for j in 0..n {
            stage[j] = if i == 0 { u[j] } else { u[j] + dt * slopes[(i - 1) * n + j] * c };
        }
        slope(stage, &mut slopes[i * n..(i + 1) * n]);
    }
    for j in 0..n {
        let k = |i: usize| slopes[i * n + j];
        u[j] = u[j] + k(0) * dt / 6.0 + k(1) * dt / 3.0 + k(2) * dt / 3.0 + k(3) * dt / 6.0;
    }
}
