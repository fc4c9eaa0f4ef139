//! [`Flow`]: systems in continuous time whose equations are known, and their series, integrated on the host in float64.

mod equations;
mod kuramoto_sivashinsky;
mod mackey_glass;
mod series;
mod table;
#[cfg(test)]
mod tests;
mod variation;

use bd_core::kernel::Dual;
use bd_core::{Error, Result, catch_torch, setting};
use tch::Tensor;

pub use self::series::FlowSeries;
pub use self::table::FLOWS;
use super::ode::Method;

/// A system in continuous time. The next one is one more entry of [`FLOWS`].
#[derive(Debug)]
pub struct Flow {
    /// Its name.
    pub name: &'static str,
    /// Its equations, for people.
    pub equations: &'static str,
    /// Who has published them.
    pub source: &'static str,
    /// Names and usual values of the parameters.
    pub params: &'static [(&'static str, f64)],
    /// The variables, with their usual start.
    pub variables: Variables,
    /// Usual time between two points.
    pub dt: f64,
    /// Time after which the usual start no longer shows.
    pub transient: f64,
    /// Largest Lyapunov exponent at the usual parameters, per unit of time.
    pub lyapunov_exponent: f64,
    rule: Rule,
    /// Refuses parameters that are not allowed.
    check: fn(&[f64]) -> Result<()>,
}

/// Variables of a [`Flow`].
#[derive(Debug)]
pub enum Variables {
    /// A few, with names and usual starts.
    Named(&'static [(&'static str, f64)]),
    /// One at each of as many places as the first parameter says: `x0, x1, ..`.
    Sites {
        /// What their names begin with.
        name: &'static str,
        /// From the parameters to the usual start.
        start: fn(&[f64]) -> Vec<f64>,
    },
}

/// How a series is made.
#[derive(Debug)]
enum Rule {
    /// `f`, from parameters and `u` to `du/dt`: of numbers, and of numbers with derivatives; and the usual solver.
    Ordinary { derivative: Derivative<f64>, tangent: Derivative<Dual<f64>>, method: Method },
    /// See [`mackey_glass`].
    Delay,
    /// See [`kuramoto_sivashinsky`].
    KuramotoSivashinsky,
}

type Derivative<N> = fn(&[N], &[N], &mut [N]);

/// Most points that a series may have; 800 MB for three variables.
pub const MAX_POINTS: usize = 1 << 25;

/// Most numbers of a series.
const MAX_NUMBERS: usize = 3 * MAX_POINTS;

impl Flow {
    /// The system of this name.
    pub fn named(name: &str) -> Result<&'static Self> {
        FLOWS.iter().find(|flow| flow.name == name).ok_or_else(|| {
            let known = FLOWS.each_ref().map(|flow| flow.name).join(", ");
            Error::Config(format!("unknown system '{name}'; there are: {known}"))
        })
    }

    /// Whether it is an ordinary differential equation: [`series_by`](Self::series_by) takes any solver, and its Lyapunov spectrum is
    /// known here.
    pub fn is_ordinary(&self) -> bool {
        matches!(self.rule, Rule::Ordinary { .. })
    }

    /// The usual values of the parameters, in the order of the table.
    pub fn usual_params(&self) -> Vec<f64> {
        self.params.iter().map(|(_, value)| *value).collect()
    }

    /// The parameters in the order of the table: those that `changed` names, and usual values. Fails for a name that is not in the
    /// table, and for values that are not allowed.
    pub fn params_with<'a>(&self, changed: impl IntoIterator<Item = (&'a str, f64)>) -> Result<Vec<f64>> {
        let mut params = self.usual_params();
        for (name, value) in changed {
            params[position(self.name, self.params, name)?] = value;
        }
        self.check_params(&params)?;
        Ok(params)
    }

    /// Names of the variables at these parameters.
    pub fn channels(&self, params: &[f64]) -> Vec<String> {
        match self.variables {
            Variables::Named(all) => all.iter().map(|&(name, _)| name.to_owned()).collect(),
            Variables::Sites { name, .. } => (0..params[0] as usize).map(|site| format!("{name}{site}")).collect(),
        }
    }

    /// The usual start at these parameters.
    pub fn start(&self, params: &[f64]) -> Vec<f64> {
        match self.variables {
            Variables::Named(all) => all.iter().map(|&(_, start)| start).collect(),
            Variables::Sites { start, .. } => start(params),
        }
    }

    /// A solution by the system's usual method: of `lorenz` and `rossler` the classic Runge-Kutta method with steps of `dt`, as in
    /// BrainPy; of the other ordinary differential equations [`Method::REFERENCE`]; of the rest the one that their module describes.
    ///
    /// The series is `[points, variables]`, float64. Point `k` is the state after `k + 1` steps of `dt`; the start itself is not in it
    /// (as in BrainPy). `params` and `start` are in the order of the table.
    pub fn series(&self, params: &[f64], start: &[f64], dt: f64, points: usize) -> Result<Tensor> {
        self.series_by(None, params, start, dt, points)
    }

    /// [`series`](Self::series) by another solver, where one is named. Fails for a system that is no ordinary differential equation.
    pub fn series_by(
        &self,
        method: impl Into<Option<Method>>,
        params: &[f64],
        start: &[f64],
        dt: f64,
        points: usize,
    ) -> Result<Tensor> {
        self.check_series(params, start, dt, points)?;
        let n = start.len();
        let ended = |point: usize| {
            let where_ = format!("point {point} (step {dt}, parameters {params:?}, start {start:?})");
            Error::NotFinite { what: format!("the series of {}", self.name), where_ }
        };
        let method = method.into();
        let all = match self.rule {
            Rule::Ordinary { derivative, method: usual, .. } => {
                method.unwrap_or(usual).series(&|u, du| derivative(params, u, du), start, dt, points).map_err(ended)?
            }
            _ if method.is_some() => {
                let words = "is no ordinary differential equation and has one method of its own";
                return Err(Error::Config(format!("{} {words}", self.name)));
            }
            Rule::Delay => mackey_glass::series(params, start[0], dt, points).map_err(ended)?,
            Rule::KuramotoSivashinsky => {
                let starts = Tensor::from_slice(start).unsqueeze(0);
                let all = catch_torch(|| Ok(kuramoto_sivashinsky::series(params, &starts, dt, points, 1)))?;
                let all = Vec::<f64>::try_from(all.flatten(0, -1))?;
                match all.iter().position(|value| !value.is_finite()) {
                    Some(at) => return Err(ended(at / n)),
                    None => all,
                }
            }
        };
        Ok(Tensor::from_slice(&all).reshape([points as i64, n as i64]))
    }

    /// What a second solver makes of each of `starts`, `[batch, variables]`, beside [`series_by`](Self::series_by) with `first`:
    /// `[batch, points, variables]`, not a number where a solution has ended. Where both agree, the series is a solution of the
    /// equations; later each is one of its own.
    ///
    /// It is [`Method::REFERENCE`] or, beside this itself, one of a tenfold tolerance and half the steps; of the equation
    /// of Kuramoto and Sivashinsky the same with a quarter of the steps. `None` for a delay equation, whose state is more than a point.
    pub fn second_solution(
        &self,
        first: Option<Method>,
        params: &[f64],
        starts: &Tensor,
        dt: f64,
        points: usize,
    ) -> Result<Option<Tensor>> {
        let rows: Vec<Vec<f64>> = Vec::try_from(starts)?;
        rows.iter().try_for_each(|start| self.check_series(params, start, dt, points))?;
        Ok(match self.rule {
            Rule::Ordinary { derivative, method: usual, .. } => {
                // Beside itself with steps that end in the middle, too: of short steps another tolerance makes no difference.
                let (second, parts) = match first.unwrap_or(usual) == Method::REFERENCE {
                    true => (Method::COARSE_REFERENCE, 2),
                    false => (Method::REFERENCE, 1),
                };
                let slope = |u: &[f64], du: &mut [f64]| derivative(params, u, du);
                let solve = |start: &Vec<f64>| {
                    let (mut all, mut seen) = (Vec::with_capacity(points * start.len()), 0);
                    second.visit(&slope, start, dt / parts as f64, points * parts, &mut |u| {
                        seen += 1;
                        if seen % parts == 0 {
                            all.extend_from_slice(u);
                        }
                    });
                    all.resize(points * start.len(), f64::NAN);
                    Tensor::from_slice(&all).reshape([points as i64, start.len() as i64])
                };
                Some(Tensor::stack(&rows.iter().map(solve).collect::<Vec<_>>(), 0))
            }
            Rule::Delay => None,
            Rule::KuramotoSivashinsky => {
                Some(catch_torch(|| Ok(kuramoto_sivashinsky::series(params, starts, dt, points, 4)))?)
            }
        })
    }

    fn check_params(&self, params: &[f64]) -> Result<()> {
        self.check_count("parameters", params.len(), self.params.len())?;
        self.params.iter().zip(params).try_for_each(|((name, _), &value)| setting::finite(name, value))?;
        (self.check)(params)
    }

    fn check_count(&self, what: &str, found: usize, expected: usize) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(Error::Config(format!("{} has {expected} {what}, got {found}", self.name)))
    }

    fn check_series(&self, params: &[f64], start: &[f64], dt: f64, points: usize) -> Result<()> {
        self.check_params(params)?;
        let variables = match self.variables {
            Variables::Named(all) => all.len(),
            Variables::Sites { .. } => params[0] as usize,
        };
        self.check_count("start values", start.len(), variables)?;
        setting::above_zero("dt", dt)?;
        setting::check("dt", dt, SHORTEST_AND_LONGEST.contains(&dt), "1e-9 to 1e4")?;
        if let Rule::Delay = self.rule {
            mackey_glass::check_steps(params, dt)?;
        }
        let most = (MAX_NUMBERS / variables).min(MAX_POINTS);
        setting::check("points", points, (1..=most).contains(&points), &format!("1 to {most} points"))
    }
}

/// What a series is a solution of.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The system.
    pub flow: &'static Flow,
    /// Its parameters, in the order of its table.
    pub params: Vec<f64>,
    /// The solver, if not the system's usual one.
    pub method: Option<Method>,
}

impl Solution {
    /// What a second solver makes of `starts`, see [`Flow::second_solution`].
    pub(crate) fn beside(&self, starts: &Tensor, dt: f64, points: usize) -> Result<Option<Tensor>> {
        self.flow.second_solution(self.method, &self.params, starts, dt, points)
    }
}

/// Steps of a series, in the unit of time of its system: beyond them memory or time would end first.
const SHORTEST_AND_LONGEST: std::ops::RangeInclusive<f64> = 1e-9..=1e4;

/// Where a parameter stands in a table.
pub(super) fn position(system: &str, params: &[(&str, f64)], name: &str) -> Result<usize> {
    params.iter().position(|(known, _)| *known == name).ok_or_else(|| {
        let known = params.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        Error::Config(format!("{system} has no parameter '{name}'; it has: {known}"))
    })
}

/// Refuses what is not a whole number in a range.
pub(super) fn whole(name: &str, value: f64, least: usize, most: usize) -> Result<()> {
    let fits = value.fract() == 0.0 && value >= least as f64 && value <= most as f64;
    setting::check(name, value, fits, &format!("a whole number from {least} to {most}"))
}
