//! An ordinary differential equation together with its variational equation.

use bd_core::kernel::Dual;
use bd_core::{Error, Result};

use super::{Flow, Rule};

impl Flow {
    /// The slope of `u, q_1, .., q_k` in a row: `u' = f(u)` and `q' = J(u) q` of each, `J` by dual numbers. Fails for a system that
    /// is no ordinary differential equation.
    pub(crate) fn variation(&self, params: &[f64]) -> Result<impl Fn(&[f64], &mut [f64])> {
        let Rule::Ordinary { derivative, tangent, .. } = self.rule else {
            return Err(Error::Config(format!(
                "{} is no ordinary differential equation, of which Lyapunov spectra are known here",
                self.name
            )));
        };
        let fixed: Vec<Dual<f64>> = params.iter().map(|&value| Dual::fixed(value)).collect();
        let params = params.to_vec();
        let n = self.start(&params).len();
        Ok(move |all: &[f64], slopes: &mut [f64]| {
            let (u, columns) = all.split_at(n);
            let (du, dq) = slopes.split_at_mut(n);
            derivative(&params, u, du);
            let mut found = vec![Dual::fixed(0.0); n];
            for (q, dq) in columns.chunks(n).zip(dq.chunks_mut(n)) {
                let along = |(&value, &slope): (&f64, &f64)| Dual { value, slope: Some(slope) };
                let varied: Vec<Dual<f64>> = u.iter().zip(q).map(along).collect();
                tangent(&fixed, &varied, &mut found);
                dq.iter_mut().zip(&found).for_each(|(dq, found)| *dq = found.slope.unwrap_or(0.0));
            }
        })
    }
}
