//! [`LyapunovSpectrum`]: how fast small differences grow and shrink along a solution, in each of several directions.
//!
//! Benettin, Galgani, Giorgilli, Strelcyn, "Lyapunov characteristic exponents for smooth dynamical systems and for Hamiltonian
//! systems", Meccanica 15 (1980): an orthonormal frame is carried along by the derivative of the flow and made orthonormal again
//! after each stretch; the exponents are the mean logarithms of the lengths that it had, over time.

mod flow;
mod frame;
mod model;

pub use self::flow::lyapunov_of_flow;
use self::frame::Frame;
pub use self::model::lyapunov_of_model;

/// More steps than this are a mistake in writing.
const MOST_STEPS: usize = 1_000_000_000;

/// Exponents of a solution.
#[derive(Debug, Clone, PartialEq)]
pub struct LyapunovSpectrum {
    /// Per unit of time, the greatest first. Minus infinity where a direction vanishes at once.
    pub exponents: Vec<f64>,
    /// Standard error of each, from the exponents of ten parts of the solution. What is not averaged away in a part, such as a slow
    /// drift, is not in it.
    pub errors: Vec<f64>,
    /// Length of the solution.
    pub time: f64,
}

impl LyapunovSpectrum {
    /// Sum of the exponents: of all of them the mean divergence.
    pub fn sum(&self) -> f64 {
        self.exponents.iter().sum()
    }

    /// The dimension of Kaplan and Yorke: `j + (l_1 + .. + l_j) / |l_(j+1)|`, `j` the most exponents whose sum is not negative. `None`
    /// where the sum of all exponents that are known is not negative.
    pub fn kaplan_yorke(&self) -> Option<f64> {
        let mut sum = 0.0;
        for (j, exponent) in self.exponents.iter().enumerate() {
            if sum + exponent < 0.0 {
                return Some(j as f64 + sum / -exponent);
            }
            sum += exponent;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the exponents of Lorenz 1963, the dimension that Sprott (2003) has: 2.062.
    #[test]
    fn dimension_of_kaplan_and_yorke() {
        let spectrum =
            |exponents: &[f64]| LyapunovSpectrum { exponents: exponents.to_vec(), errors: vec![], time: 1.0 };
        let found = spectrum(&[0.9056, 0.0, -14.5723]).kaplan_yorke().unwrap();
        assert!((found - 2.0621).abs() < 1e-4, "{found}");
        assert_eq!(spectrum(&[-1.0, -2.0]).kaplan_yorke(), Some(0.0));
        assert_eq!(spectrum(&[0.9, 0.0]).kaplan_yorke(), None);
        assert_eq!(spectrum(&[0.5, f64::NEG_INFINITY]).kaplan_yorke(), Some(1.0));
    }
}
