//! The pair of orders 3 and 2 of Bogacki and Shampine, "A 3(2) pair of Runge-Kutta formulas", Appl. Math. Lett. 2 (1989).

use super::Slope;

/// What an error says of the next step, as in SciPy: it aims at 0.9 of the step that the error allows, and changes it by no more than
/// these factors.
const SAFETY: f64 = 0.9;
const LEAST_FACTOR: f64 = 0.2;
const MOST_FACTOR: f64 = 10.0;

/// Points of `dt` by the cubic interpolant of the steps, until `visit`, called for each, returns false.
pub(super) fn solve(
    slope: &Slope<'_>,
    start: &[f64],
    dt: f64,
    points: usize,
    tolerances: [f64; 2],
    visit: &mut dyn FnMut(&[f64]) -> bool,
) {
    let end = points as f64 * dt;
    let mut stepper = Stepper::new(slope, start, end, tolerances);
    let mut point = vec![0.0; start.len()];
    for k in 1..=points {
        let time = if k == points { end } else { k as f64 * dt };
        while stepper.now < time {
            if !stepper.step(end) {
                return;
            }
        }
        stepper.interpolate(time, &mut point);
        if !visit(&point) {
            return;
        }
    }
}

/// The last step and its solution at both ends.
struct Stepper<'a> {
    slope: &'a Slope<'a>,
    tolerances: [f64; 2],
    before: f64,
    now: f64,
    /// The next step.
    h: f64,
    /// Solution at `before` and `now`.
    ends: [Vec<f64>; 2],
    /// Slopes at `before`, of the two stages between, and at `now`.
    slopes: [Vec<f64>; 4],
    stage: Vec<f64>,
}

impl<'a> Stepper<'a> {
    fn new(slope: &'a Slope<'a>, start: &[f64], end: f64, tolerances: [f64; 2]) -> Self {
        let zeros = || vec![0.0; start.len()];
        let mut slopes = [zeros(), zeros(), zeros(), zeros()];
        slope(start, &mut slopes[3]);
        let mut new = Self {
            slope,
            tolerances,
            before: 0.0,
            now: 0.0,
            h: 0.0,
            ends: [start.to_vec(), start.to_vec()],
            slopes,
            stage: zeros(),
        };
        new.h = new.first_step(end);
        new
    }

    /// Root mean square of `value` of each component relative to its tolerance at the size `size`.
    fn norm(&self, value: impl Fn(usize) -> f64, size: impl Fn(usize) -> f64) -> f64 {
        let [relative, absolute] = self.tolerances;
        let n = self.stage.len();
        let squares = (0..n).map(|i| (value(i) / (absolute + size(i) * relative)).powi(2));
        (squares.sum::<f64>() / n as f64).sqrt()
    }

    /// Hairer, Norsett, Wanner I, II.4, starting step size.
    fn first_step(&mut self, end: f64) -> f64 {
        let u = &self.ends[1];
        let size = |i: usize| u[i].abs();
        let (of_u, of_slope) = (self.norm(|i| u[i], size), self.norm(|i| self.slopes[3][i], size));
        let small = of_u < 1e-5 || of_slope < 1e-5;
        let h = if small { 1e-6 } else { 0.01 * of_u / of_slope }.min(end);
        let mut ahead = vec![0.0; u.len()];
        let there: Vec<f64> = u.iter().zip(&self.slopes[3]).map(|(u, slope)| u + h * slope).collect();
        (self.slope)(&there, &mut ahead);
        let curvature = self.norm(|i| ahead[i] - self.slopes[3][i], size) / h;
        let by_error = match of_slope.max(curvature) {
            most if most <= 1e-15 => (h * 1e-3).max(1e-6),
            most => (0.01 / most).cbrt(),
        };
        (100.0 * h).min(by_error).min(end)
    }

    /// One step that is accepted, not beyond `end`; false if there is none.
    fn step(&mut self, end: f64) -> bool {
        let mut rejected = false;
        self.ends.swap(0, 1);
        self.slopes.swap(0, 3);
        self.before = self.now;
        loop {
            // Not a number is no step either.
            if self.h.is_nan() || self.h < 10.0 * f64::EPSILON * self.before.max(f64::MIN_POSITIVE) {
                return false;
            }
            self.now = (self.before + self.h).min(end);
            self.h = self.now - self.before;
            let error = self.attempt(self.h);
            let factor = SAFETY * error.powf(-1.0 / 3.0);
            if error < 1.0 {
                let most = if rejected { 1.0 } else { MOST_FACTOR };
                self.h *= factor.min(most);
                return true;
            }
            self.h *= factor.max(LEAST_FACTOR);
            rejected = true;
        }
    }

    /// The solution after `h`, and its error relative to the tolerance.
    fn attempt(&mut self, h: f64) -> f64 {
        let n = self.stage.len();
        for (to, weights) in [[0.5, 0.0, 0.0], [0.0, 0.75, 0.0], [2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]].iter().enumerate() {
            for i in 0..n {
                let slope: f64 = weights.iter().zip(&self.slopes).map(|(weight, slopes)| weight * slopes[i]).sum();
                self.stage[i] = self.ends[0][i] + h * slope;
            }
            (self.slope)(&self.stage, &mut self.slopes[to + 1]);
        }
        self.ends[1].copy_from_slice(&self.stage);
        const ERROR: [f64; 4] = [5.0 / 72.0, -1.0 / 12.0, -1.0 / 9.0, 1.0 / 8.0];
        let error =
            |i: usize| h * ERROR.iter().zip(&self.slopes).map(|(weight, slopes)| weight * slopes[i]).sum::<f64>();
        self.norm(error, |i| self.ends[0][i].abs().max(self.ends[1][i].abs()))
    }

    /// The cubic with the values and slopes of both ends.
    fn interpolate(&self, time: f64, point: &mut [f64]) {
        let h = self.now - self.before;
        let x = (time - self.before) / h;
        let [u, v] = &self.ends;
        for (i, value) in point.iter_mut().enumerate() {
            *value = hermite(x, [u[i], v[i]], [h * self.slopes[0][i], h * self.slopes[3][i]]);
        }
    }
}

/// The cubic on `[0, 1]` with these values and slopes at its ends, at `x`.
pub(in crate::data) fn hermite(x: f64, [u, v]: [f64; 2], [du, dv]: [f64; 2]) -> f64 {
    let y = 1.0 - x;
    u * y * y * (1.0 + 2.0 * x) + v * x * x * (1.0 + 2.0 * y) + x * y * (du * y - dv * x)
}
