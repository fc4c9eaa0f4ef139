//! [`Method`]: solvers of ordinary differential equations `du/dt = f(u)`, in float64 on the host.

mod bogacki_shampine;
mod extrapolation;
mod runge_kutta_4;
#[cfg(test)]
mod tests;

pub(in crate::data) use self::bogacki_shampine::hermite;
pub(crate) use self::extrapolation::Extrapolation;

/// `f`: writes `du/dt` at `u`.
pub type Slope<'a> = dyn Fn(&[f64], &mut [f64]) + 'a;

/// How an equation is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// The classic Runge-Kutta method of order 4, one step from point to point, in BrainPy's order of evaluation.
    RungeKutta4,
    /// The pair of orders 3 and 2 of Bogacki and Shampine (1989) with a step of its own, and points by its cubic interpolant. Steps
    /// are controlled as in Hairer, Norsett, Wanner, "Solving Ordinary Differential Equations I", II.4, with the constants of SciPy:
    /// `solve_ivp(method="RK23")`, whose defaults are 1e-3 and 1e-6.
    BogackiShampine {
        /// Tolerance relative to a component.
        relative: f64,
        /// Absolute tolerance.
        absolute: f64,
    },
    /// Extrapolated midpoint rule (Gragg, Bulirsch, Stoer; ibid. II.9) of order up to 16, with steps of its own that end at every
    /// point. For a reference beside other methods.
    Extrapolation {
        /// Greatest error of a step, relative to the greatest component.
        tolerance: f64,
    },
}

impl Method {
    /// The most exact one: beyond it rounding counts.
    pub const REFERENCE: Self = Self::Extrapolation { tolerance: 1e-13 };

    /// The solver of this name, with SciPy's tolerances where it has some.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "rk4" => Ok(Self::RungeKutta4),
            "rk23" => Ok(Self::BogackiShampine { relative: 1e-3, absolute: 1e-6 }),
            "extrapolation" => Ok(Self::REFERENCE),
            _ => Err("there are: rk4, rk23, extrapolation".into()),
        }
    }

    /// What the most exact one is compared with, to see for how long it is exact: its steps are longer, and its error is greater, so that
    /// both separate before the most exact one leaves the system.
    pub(super) const COARSE_REFERENCE: Self = Self::Extrapolation { tolerance: 1e-12 };

    /// The solution after 1 to `points` steps of `dt` from `start`, `[point, variable]` flattened.
    ///
    /// Fails with the number of the first point, counted from 0, where it is not finite or cannot be reached.
    pub fn series(&self, slope: &Slope<'_>, start: &[f64], dt: f64, points: usize) -> Result<Vec<f64>, usize> {
        let mut all = Vec::with_capacity(points * start.len());
        match self.visit(slope, start, dt, points, &mut |u| all.extend_from_slice(u)) {
            reached if reached == points => Ok(all),
            reached => Err(reached),
        }
    }

    /// Calls `each` with the solution at each point, as long as it is finite. Returns the number of these points.
    pub(crate) fn visit(
        &self,
        slope: &Slope<'_>,
        start: &[f64],
        dt: f64,
        points: usize,
        each: &mut dyn FnMut(&[f64]),
    ) -> usize {
        let mut reached = 0;
        let mut visit = |u: &[f64]| {
            let finite = u.iter().all(|value| value.is_finite());
            if finite {
                each(u);
                reached += 1;
            }
            finite && reached < points
        };
        match *self {
            Self::RungeKutta4 => runge_kutta_4::solve(slope, start, dt, &mut visit),
            Self::BogackiShampine { relative, absolute } => {
                bogacki_shampine::solve(slope, start, dt, points, [relative, absolute], &mut visit);
            }
            Self::Extrapolation { tolerance } => {
                let mut solver = Extrapolation::new(start.len(), tolerance, dt);
                let mut u = start.to_vec();
                while solver.advance(slope, &mut u, dt) && visit(&u) {}
            }
        }
        reached
    }
}
