//! One step of the differential equations, by each method.

use bd_kernel::{Dual, Num};

use crate::affine::{Affine, Linearised};
use crate::dependence::dependence;
use crate::error::Result;
use crate::exact::step_matrix;
use crate::formula::{Environment, Formula};
use crate::source::Source;
use crate::text::Method;

/// Right sides of differential equations. Variable `i` is slot `i`.
#[derive(Debug, Clone)]
pub(crate) struct Equations {
    pub(crate) slopes: Vec<Formula>,
    /// Which variables stay while the neuron is refractory.
    pub(crate) held: Vec<bool>,
    /// Lines `x = f`.
    pub(crate) lines: Vec<Formula>,
    /// How many slots there are.
    pub(crate) slots: usize,
}

/// How equations are solved over steps of one length.
#[derive(Debug, Clone)]
pub(crate) enum Solver {
    Euler,
    Rk2,
    Rk4,
    /// With coefficients of linear parts.
    ExponentialEuler,
    /// With derivatives.
    Rosenbrock,
    /// Matrices of free and of refractory neurons, row by row.
    Coupled {
        free: Vec<f64>,
        refractory: Vec<f64>,
    },
}

impl Solver {
    /// Whether its numbers are.
    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Self::Coupled { free, refractory } => free.iter().chain(refractory).all(|x| x.is_finite()),
            _ => true,
        }
    }
}

impl Equations {
    fn count(&self) -> usize {
        self.slopes.len()
    }

    /// Refuses a method that does not apply, and chooses one where none is given.
    pub(crate) fn method(&self, wanted: Option<Method>, source: &Source) -> Result<Method> {
        match wanted {
            Some(Method::Exact) => self.check_exact(source).map(|()| Method::Exact),
            Some(Method::ExponentialEuler) => self.check_separable(source, true).map(|()| Method::ExponentialEuler),
            Some(method) => Ok(method),
            None if self.check_exact(source).is_ok() => Ok(Method::Exact),
            None if self.check_separable(source, false).is_ok() => Ok(Method::ExponentialEuler),
            None => Ok(Method::Rk4),
        }
    }

    /// Whether each equation is `A x + B` in its own variable. Brian2 refuses, and we do not if it is asked for, what has a
    /// part that is not linear, and none that is.
    fn check_separable(&self, source: &Source, purely_frozen: bool) -> Result<()> {
        for (i, slope) in self.slopes.iter().enumerate() {
            let other = "choose exponential_rosenbrock or rk4";
            let found = dependence(slope, &self.lines, &|slot| slot == i).map_err(|term| {
                let quoted = source.quote(term);
                source.error(term, format!("exponential_euler needs equations that are linear in their own variable, and '{quoted}' is a product of two parts that both depend on it; {other}"))
            })?;
            if found.frozen && !found.linear && !purely_frozen {
                return Err(source.error(slope.term.span, format!("it has no linear part; {other}")));
            }
        }
        Ok(())
    }

    /// Whether all equations are linear, and coefficients of coupled ones constant.
    fn check_exact(&self, source: &Source) -> Result<()> {
        let variable = |slot: usize| slot < self.count();
        let coupled = self.coupled();
        for slope in &self.slopes {
            let wrong = |span, why: &str| {
                let quoted = source.quote(span);
                let message =
                    format!("exact needs linear equations, and '{quoted}' {why}; choose exponential_euler or rk4");
                Err(source.error(span, message))
            };
            match dependence(slope, &self.lines, &variable) {
                Err(term) => return wrong(term, "is a product of variables"),
                Ok(found) if found.frozen => return wrong(slope.term.span, "is not linear in them"),
                Ok(found) if found.scaled && coupled => {
                    return wrong(slope.term.span, "is coupled to others by a coefficient that is no constant");
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a variable depends on another.
    fn coupled(&self) -> bool {
        let depends = |i: usize, j: usize| dependence(&self.slopes[i], &self.lines, &|slot| slot == j);
        let pairs = (0..self.count()).flat_map(|i| (0..self.count()).map(move |j| (i, j)));
        pairs.filter(|(i, j)| i != j).any(|(i, j)| depends(i, j).map_or(true, |found| found.any()))
    }

    /// Whether a coefficient of linear equations is no constant.
    fn scaled(&self) -> bool {
        let of = |slope| dependence(slope, &self.lines, &|slot| slot < self.count());
        self.slopes.iter().any(|slope| of(slope).map_or(true, |found| found.scaled))
    }

    /// What a method needs for steps of `h` ms.
    pub(crate) fn solver(&self, method: Method, h: f64) -> Solver {
        match method {
            Method::Euler => Solver::Euler,
            Method::Rk2 => Solver::Rk2,
            Method::Rk4 => Solver::Rk4,
            Method::ExponentialEuler => Solver::ExponentialEuler,
            Method::ExponentialRosenbrock => Solver::Rosenbrock,
            // Each by itself, with coefficients that are known in a step only.
            Method::Exact if self.scaled() => Solver::ExponentialEuler,
            Method::Exact => {
                let (matrix, n) = (self.matrix(), self.count());
                let row = |i: usize| &matrix[i * n..(i + 1) * n];
                let still: Vec<f64> =
                    (0..n).flat_map(|i| if self.held[i] { vec![0.0; n] } else { row(i).to_vec() }).collect();
                Solver::Coupled { free: step_matrix(&matrix, n, h), refractory: step_matrix(&still, n, h) }
            }
        }
    }

    /// Coefficients of linear equations, which are constants. Where the other numbers stand does not matter.
    fn matrix(&self) -> Vec<f64> {
        let along = |j: usize| {
            let slots = (0..self.slots).map(|slot| Dual::varied(1.0, slot == j)).collect();
            Environment::new(slots, self.lines.len(), &Dual::fixed(1.0))
        };
        let mut columns: Vec<_> = (0..self.count()).map(along).collect();
        let mut coefficient = |i: usize, j: usize| columns[j].value(&self.slopes[i], &self.lines).slope.unwrap_or(0.0);
        (0..self.count()).flat_map(|i| (0..self.count()).map(|j| coefficient(i, j)).collect::<Vec<_>>()).collect()
    }

    /// Values of the variables a step of `h` ms later. `free` is at least 0 where the neuron is not refractory.
    pub(crate) fn advance<N: Num>(&self, solver: &Solver, h: f64, now: &Environment<N>, free: Option<&N>) -> Vec<N> {
        let x = &now.slots[..self.count()];
        let plus =
            |k: &[N], c: f64| -> Vec<N> { x.iter().zip(k).map(|(x, k)| x.clone() + k.clone().scale(c)).collect() };
        let at = |x: Vec<N>| {
            let mut there = now.clone();
            x.into_iter().enumerate().for_each(|(slot, value)| there.set(slot, value));
            self.slopes(&mut there, free)
        };
        let first = || self.slopes(&mut now.clone(), free);
        match solver {
            Solver::Euler => plus(&first(), h),
            Solver::Rk2 => plus(&at(plus(&first(), 0.5 * h)), h),
            Solver::Rk4 => {
                let a = first();
                let b = at(plus(&a, 0.5 * h));
                let c = at(plus(&b, 0.5 * h));
                let d = at(plus(&c, h));
                let mean = |i: usize| a[i].clone() + (b[i].clone() + c[i].clone()).scale(2.0) + d[i].clone();
                plus(&(0..x.len()).map(mean).collect::<Vec<_>>(), h / 6.0)
            }
            Solver::ExponentialEuler => self.each::<N, Affine<N>>(h, now, free),
            Solver::Rosenbrock => self.each::<N, Dual<N>>(h, now, free),
            Solver::Coupled { free: matrix, refractory } => {
                let f = first();
                let moved = |i: usize| {
                    let row = |matrix: &'_ [f64]| matrix[i * f.len()..(i + 1) * f.len()].to_vec();
                    let (moving, still) = (row(matrix), row(refractory));
                    // Of what stays the slope is 0 already.
                    let alone = self.held[i] && moving.iter().enumerate().all(|(j, weight)| j == i || *weight == 0.0);
                    let change = match free {
                        Some(free) if !alone && moving != still => {
                            free.clone().pick(weighted(&f, &moving), weighted(&f, &still))
                        }
                        _ => weighted(&f, &moving),
                    };
                    x[i].clone() + change
                };
                (0..x.len()).map(moved).collect()
            }
        }
    }

    /// Right sides, 0 of what stays.
    fn slopes<N: Num>(&self, at: &mut Environment<N>, free: Option<&N>) -> Vec<N> {
        let values = self.slopes.iter().zip(&self.held);
        values.map(|(slope, held)| stay(at.value(slope, &self.lines), free.filter(|_| *held))).collect()
    }

    /// Each variable by itself, `x + h phi_1(A h) f`.
    fn each<N: Num, L: Linearised<N>>(&self, h: f64, now: &Environment<N>, free: Option<&N>) -> Vec<N> {
        let mut next = Vec::with_capacity(self.count());
        for (i, slope) in self.slopes.iter().enumerate() {
            let vary = |(slot, value): (usize, &N)| L::varied(value.clone(), slot == i);
            let slots: Vec<L> = now.slots.iter().enumerate().map(vary).collect();
            let like = slots[i].lit(0.0);
            let (f, a) = Environment::new(slots, self.lines.len(), &like).value(slope, &self.lines).parts();
            let change = stay(f, free.filter(|_| self.held[i])).scale(h);
            let change = match a {
                Some(a) => change * a.scale(h).phi(1),
                None => change,
            };
            next.push(now.slots[i].clone() + change);
        }
        next
    }
}

/// The value where the neuron is free, and else 0.
fn stay<N: Num>(value: N, free: Option<&N>) -> N {
    match free {
        Some(free) => {
            let zero = value.lit(0.0);
            free.clone().pick(value, zero)
        }
        None => value,
    }
}

/// The sum of numbers with weights, of which zeros are left out.
fn weighted<N: Num>(numbers: &[N], weights: &[f64]) -> N {
    let terms = numbers.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
    let sum = terms.map(|(x, weight)| x.clone().scale(*weight)).reduce(|a, b| a + b);
    sum.unwrap_or_else(|| numbers[0].lit(0.0))
}
