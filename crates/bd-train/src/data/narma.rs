//! [`Narma`]: a nonlinear moving average with memory, driven by random numbers: an input and the target that depends on it.
//!
//! ```text
//! y(t+1) = a y(t) + b y(t) (y(t) + .. + y(t-n+1)) + c u(t-n+1) u(t) + d,   u uniform in [0, 0.5)
//! ```
//!
//! Atiya and Parlos, "New results on recurrent network training", IEEE Trans. Neural Netw. 11 (2000); with the usual values and
//! order 10 it is NARMA10. Of higher orders most inputs make it grow beyond all bounds.

use bd_core::{Error, Result, Rng, setting};
use tch::Tensor;

use super::Series;
use super::flow::{MAX_POINTS, position, whole};

/// The series of a seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Narma {
    /// `n`, `a`, `b`, `c`, `d`, see [`Narma::PARAMS`].
    pub params: [f64; 5],
    /// Of the input.
    pub seed: u64,
}

impl Default for Narma {
    fn default() -> Self {
        Self { params: Self::PARAMS.map(|(_, value)| value), seed: 0 }
    }
}

impl Narma {
    /// Names and usual values of the parameters.
    pub const PARAMS: [(&'static str, f64); 5] = [("n", 10.0), ("a", 0.3), ("b", 0.05), ("c", 1.5), ("d", 0.1)];

    /// Names of the channels.
    pub const CHANNELS: [&'static str; 2] = ["input", "target"];

    /// Changes a parameter by its name.
    pub fn set(&mut self, name: &str, value: f64) -> Result<()> {
        self.params[position("narma", &Self::PARAMS, name)?] = value;
        Ok(())
    }

    /// The input `u(t)` and the target `y(t+1)`, which depends on the input so far. The first `transient` points, which begin with
    /// zeros as history, are left out.
    ///
    /// Fails where the target leaves all bounds: above 1e3 it never returns.
    pub fn series(&self, transient: usize, points: usize) -> Result<Series> {
        let [order, a, b, c, d] = self.params;
        whole("n", order, 1, 1000)?;
        Self::PARAMS.iter().zip(self.params).try_for_each(|((name, _), value)| setting::finite(name, value))?;
        let fits = points >= 1 && transient.saturating_add(points) <= MAX_POINTS;
        setting::check("points", points, fits, &format!("1 to {MAX_POINTS}, together with the transient"))?;
        let (order, all) = (order as usize, transient + points);
        let mut rng = Rng::new(self.seed, "narma");
        // With zeros before the first one.
        let mut u = vec![0.0; order - 1];
        u.extend((0..all).map(|_| 0.5 * rng.uniform()));
        let mut y = vec![0.0; order];
        for t in 0..all {
            let (recent, now) = (&y[t..], y[t + order - 1]);
            let next = a * now + b * now * recent.iter().sum::<f64>() + c * u[t] * u[t + order - 1] + d;
            if next.is_nan() || next.abs() > 1e3 {
                let where_ =
                    format!("point {t} (order {order}, seed {}); try another seed or a lower order", self.seed);
                return Err(Error::NotFinite { what: "the series of narma".into(), where_ });
            }
            y.push(next);
        }
        let rows: Vec<f64> = (transient..all).flat_map(|t| [u[t + order - 1], y[t + order]]).collect();
        Ok(Series {
            channels: Self::CHANNELS.map(str::to_owned).to_vec(),
            values: Tensor::from_slice(&rows).reshape([points as i64, 2]),
            start: transient as f64,
            dt: 1.0,
            times: None,
            in_seconds: false,
            guess: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The equation, term by term, on what comes out of it.
    #[test]
    fn the_equation() {
        for order in [1, 2, 10] {
            let mut narma = Narma { seed: 3, ..Narma::default() };
            narma.set("n", order as f64).unwrap();
            let rows = Vec::<Vec<f64>>::try_from(narma.series(50, 100).unwrap().values).unwrap();
            let (u, y): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row[0], row[1])).unzip();
            for t in order..100 {
                // The target of a row is the value after it.
                let past: f64 = (1..=order).map(|back| y[t - back]).sum();
                let expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * past + 1.5 * u[t + 1 - order] * u[t] + 0.1;
                assert!((y[t] - expected).abs() < 1e-15, "order {order}, row {t}");
            }
            assert!(u.iter().all(|u| (0.0..0.5).contains(u)));
        }
    }

    /// A longer transient leaves out more of the same series.
    #[test]
    fn a_seed_has_one_series() {
        let series = |transient, points| Narma::default().series(transient, points).unwrap().values;
        assert_eq!(series(20, 5), series(0, 25).narrow(0, 20, 5));
        assert_ne!(series(0, 5), Narma { seed: 1, ..Narma::default() }.series(0, 5).unwrap().values);
    }

    #[test]
    fn what_grows_beyond_all_bounds_is_refused() {
        let mut far = Narma::default();
        far.set("n", 40.0).unwrap();
        let error = far.series(0, 10_000).unwrap_err().to_string();
        assert!(error.contains("not finite: point") && error.contains("lower order"), "{error}");
        far.set("n", 2.5).unwrap();
        assert!(far.series(0, 10).unwrap_err().to_string().contains("n is 2.5; it must be a whole number from 1"));
    }
}
