//! Series of chaotic systems, integrated on the host in float64 by the classic Runge-Kutta method of order 4.

use bd_core::{Error, Result, setting};
use tch::Tensor;

/// A system of ordinary differential equations `du/dt = f(u)`. The next system is one more entry of [`FLOWS`].
#[derive(Debug)]
pub struct Flow {
    /// Its name.
    pub name: &'static str,
    /// Names of the variables.
    pub channels: &'static [&'static str],
    /// Names and usual values of the parameters.
    pub params: &'static [(&'static str, f64)],
    /// Usual start.
    pub start: &'static [f64],
    /// Usual step.
    pub dt: f64,
    /// Largest Lyapunov exponent at the usual parameters, per unit of time.
    pub lyapunov_exponent: f64,
    /// `f`: parameters and `u` to `du/dt`.
    derivative: fn(&[f64], &[f64], &mut [f64]),
}

/// All systems.
///
/// Lorenz 1963, exponent 0.9056 (Sprott: "Chaos and Time-Series Analysis", 2003); start as in BrainPy 2.2.4.
/// Roessler 1976, exponent 0.0714 (ibid.).
pub static FLOWS: [Flow; 2] = [
    Flow {
        name: "lorenz",
        channels: &["x", "y", "z"],
        params: &[("sigma", 10.0), ("rho", 28.0), ("beta", 8.0 / 3.0)],
        start: &[8.0, 1.0, 1.0],
        dt: 0.01,
        lyapunov_exponent: 0.9056,
        derivative: |p, u, du| {
            du[0] = p[0] * (u[1] - u[0]);
            du[1] = u[0] * (p[1] - u[2]) - u[1];
            du[2] = u[0] * u[1] - p[2] * u[2];
        },
    },
    Flow {
        name: "rossler",
        channels: &["x", "y", "z"],
        params: &[("a", 0.2), ("b", 0.2), ("c", 5.7)],
        start: &[-9.0, 0.0, 0.0],
        dt: 0.05,
        lyapunov_exponent: 0.0714,
        derivative: |p, u, du| {
            du[0] = -u[1] - u[2];
            du[1] = u[0] + p[0] * u[1];
            du[2] = p[1] + u[2] * (u[0] - p[2]);
        },
    },
];

/// Most points that a series may have; 800 MB for three variables.
pub const MAX_POINTS: usize = 1 << 25;

impl Flow {
    /// The system of this name.
    pub fn named(name: &str) -> Result<&'static Self> {
        FLOWS.iter().find(|flow| flow.name == name).ok_or_else(|| {
            let known = FLOWS.each_ref().map(|flow| flow.name).join(", ");
            Error::Config(format!("unknown system '{name}'; there are: {known}"))
        })
    }

    /// The series `[points, variables]`, float64. Point `k` is the state after `k + 1` steps of `dt`; the start itself
    /// is not in it (as in BrainPy). `params` and `start` in the order of the table.
    pub fn series(&self, params: &[f64], start: &[f64], dt: f64, points: usize) -> Result<Tensor> {
        let sizes = [("parameters", params.len(), self.params.len()), ("start values", start.len(), self.start.len())];
        for (what, found, expected) in sizes {
            if found != expected {
                return Err(Error::Config(format!("{} has {expected} {what}, got {found}", self.name)));
            }
        }
        setting::above_zero("dt", dt)?;
        setting::check("points", points, (1..=MAX_POINTS).contains(&points), &format!("1 to {MAX_POINTS} points"))?;
        let n = start.len();
        let mut u = start.to_vec();
        let mut all = Vec::with_capacity(points * n);
        let mut scratch = vec![0.0; 5 * n];
        for point in 0..points {
            self.rk4_step(params, dt, &mut u, &mut scratch);
            if !u.iter().all(|v| v.is_finite()) {
                let where_ = format!("point {point} (step {dt}, parameters {params:?}, start {start:?})");
                return Err(Error::NotFinite { what: format!("the series of {}", self.name), where_ });
            }
            all.extend_from_slice(&u);
        }
        Ok(Tensor::from_slice(&all).reshape([points as i64, n as i64]))
    }

    /// One step in place. The order of evaluation is BrainPy's: stages at `u + k c dt`, weights added left to right.
    fn rk4_step(&self, params: &[f64], dt: f64, u: &mut [f64], scratch: &mut [f64]) {
        let n = u.len();
        let (stage, slopes) = scratch.split_at_mut(n);
        for (i, c) in [0.0, 0.5, 0.5, 1.0].into_iter().enumerate() {
            for j in 0..n {
                stage[j] = if i == 0 { u[j] } else { u[j] + dt * slopes[(i - 1) * n + j] * c };
            }
            (self.derivative)(params, stage, &mut slopes[i * n..(i + 1) * n]);
        }
        for j in 0..n {
            let k = |i: usize| slopes[i * n + j];
            u[j] = u[j] + k(0) * dt / 6.0 + k(1) * dt / 3.0 + k(2) * dt / 3.0 + k(3) * dt / 6.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(flow: &Flow) -> Vec<f64> {
        flow.params.iter().map(|(_, value)| *value).collect()
    }

    fn end(flow: &Flow, dt: f64, points: usize) -> Vec<f64> {
        let series = flow.series(&values(flow), flow.start, dt, points).unwrap();
        Vec::try_from(series.get(-1)).unwrap()
    }

    /// Halving the step of a method of order 4 divides the error by 16.
    #[test]
    fn the_order_is_four() {
        for flow in &FLOWS {
            let coarse = flow.dt / 2.0;
            let error = |halvings: u32| {
                let (found, exact) =
                    (end(flow, coarse / 2f64.powi(halvings as i32), 40 << halvings), end(flow, coarse / 64.0, 40 << 6));
                found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            let order = (error(0) / error(1)).log2();
            assert!((3.7..4.3).contains(&order), "{}: order {order}", flow.name);
        }
    }

    /// The exponent in the table against the growth of a small difference over the attractor.
    #[test]
    fn the_lyapunov_exponents() {
        for (flow, time, tolerance) in [(&FLOWS[0], 500.0, 0.1), (&FLOWS[1], 4000.0, 0.02)] {
            let params = values(flow);
            let (mut scratch, distance) = (vec![0.0; 15], 1e-8);
            let mut u = end(flow, flow.dt, 4000);
            let mut v = u.clone();
            v[0] += distance;
            let mut growth = 0.0;
            let steps = (time / flow.dt) as usize;
            for _ in 0..steps {
                flow.rk4_step(&params, flow.dt, &mut u, &mut scratch);
                flow.rk4_step(&params, flow.dt, &mut v, &mut scratch);
                let now = u.iter().zip(&v).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                growth += (now / distance).ln();
                v.iter_mut().zip(&u).for_each(|(v, u)| *v = u + (*v - u) * distance / now);
            }
            let exponent = growth / (steps as f64 * flow.dt);
            assert!((exponent - flow.lyapunov_exponent).abs() < tolerance, "{}: {exponent}", flow.name);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let lorenz = Flow::named("lorenz").unwrap();
        for (params, start, dt, points, words) in [
            (vec![10.0], vec![1.0; 3], 0.01, 10, "3 parameters, got 1"),
            (vec![10.0, 28.0, 2.0], vec![1.0], 0.01, 10, "3 start values, got 1"),
            (vec![10.0, 28.0, 2.0], vec![1.0; 3], 0.0, 10, "dt is 0;"),
            (vec![10.0, 28.0, 2.0], vec![1.0; 3], 0.01, 0, "points is 0; it must be 1 to"),
            (vec![10.0, 28.0, 2.0], vec![1.0; 3], 1.0, 100, "not finite: point"),
        ] {
            let error = lorenz.series(&params, &start, dt, points).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
        assert!(Flow::named("lorentz").unwrap_err().to_string().contains("lorenz, rossler"));
    }
}
