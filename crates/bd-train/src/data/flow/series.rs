//! [`FlowSeries`]: which series of a system is to be made.

use bd_core::{Error, Result, Rng, setting};

use super::Flow;
use crate::data::Series;
use crate::data::ode::Method;

/// Greatest difference of a random start from the one that is given.
const SPREAD: f64 = 0.1;

/// Settings of a series of a [`Flow`].
#[derive(Debug, Clone, PartialEq)]
pub struct FlowSeries {
    /// In the order of the table.
    pub params: Vec<f64>,
    /// State at time 0.
    pub start: Vec<f64>,
    /// Time between two points.
    pub dt: f64,
    /// Time at the beginning that is left out, rounded to points.
    pub transient: f64,
    /// Number of points.
    pub points: usize,
    /// With a seed each value of the start is moved by a random number, uniform from -0.1 to 0.1.
    pub seed: Option<u64>,
    /// A solver of ordinary differential equations, instead of the system's usual one.
    pub method: Option<Method>,
}

impl FlowSeries {
    /// The usual settings of `flow` with these parameters and this number of points: its usual start, step and transient.
    pub fn of(flow: &Flow, params: Vec<f64>, points: usize) -> Self {
        let start = flow.start(&params);
        Self { params, start, dt: flow.dt, transient: flow.transient, points, seed: None, method: None }
    }

    /// The series. Its time goes on from 0, the time of the start.
    pub fn make(&self, flow: &Flow) -> Result<Series> {
        setting::above_zero("dt", self.dt)?;
        setting::from_zero("transient", self.transient)?;
        let dropped = (self.transient / self.dt).round();
        // No number of points is refused here that the system would take.
        let all = (dropped + self.points as f64).min(1e15) as usize;
        if self.points == 0 {
            return Err(Error::setting("points", 0, "at least 1"));
        }
        let mut start = self.start.clone();
        if let Some(seed) = self.seed {
            let mut rng = Rng::new(seed, "start");
            start.iter_mut().for_each(|value| *value += SPREAD * (2.0 * rng.uniform() - 1.0));
        }
        let values = flow.series_by(self.method, &self.params, &start, self.dt, all)?;
        Ok(Series {
            channels: flow.channels(&self.params),
            // A copy, or the transient would stay in memory.
            values: values.narrow(0, dropped as i64, self.points as i64).copy(),
            start: (dropped + 1.0) * self.dt, // the first point is one step after the start
            dt: self.dt,
            times: None,
            in_seconds: false,
            guess: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transient_is_left_out() {
        let lorenz = Flow::named("lorenz").unwrap();
        let usual = FlowSeries { transient: 0.0, ..FlowSeries::of(lorenz, lorenz.usual_params(), 30) };
        let whole = usual.make(lorenz).unwrap();
        let late = FlowSeries { transient: 0.2, points: 10, ..usual.clone() }.make(lorenz).unwrap();
        assert_eq!(late.values, whole.values.narrow(0, 20, 10));
        assert!((late.start - 0.21).abs() < 1e-15 && whole.start == 0.01);
        let [one, again, other] =
            [1, 1, 2].map(|seed| FlowSeries { seed: Some(seed), ..usual.clone() }.make(lorenz).unwrap());
        assert_eq!(one.values, again.values);
        assert_ne!(one.values, other.values);
        for (wrong, words) in [
            (FlowSeries { points: 0, ..usual.clone() }, "points is 0"),
            (FlowSeries { transient: -1.0, ..usual.clone() }, "transient is -1"),
            (FlowSeries { transient: 1e300, ..usual.clone() }, "points is 1000000000000000; it must be 1 to"),
        ] {
            let error = wrong.make(lorenz).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
