//! [`Affine`]: a number with its linear coefficient, everything else being frozen.

use std::ops::{Add, Div, Mul, Neg, Sub};

use bd_kernel::{Dual, Num};

/// A value and the coefficient `A` of one variable in it, if it is written as `A x + B`. Functions of `x` that are not linear,
/// and denominators, are taken as constants: this is what Brian2's `exponential_euler` does. A product of two numbers that both
/// have a coefficient is refused [before](crate::dependence); here it would be a constant.
#[derive(Debug, Clone)]
pub(crate) struct Affine<N> {
    value: N,
    slope: Option<N>,
}

/// A number that knows how it depends on one variable.
pub(crate) trait Linearised<N>: Num {
    /// The variable itself, or a number that does not depend on it.
    fn varied(value: N, varied: bool) -> Self;
    /// The value and its coefficient, nothing being 0.
    fn parts(self) -> (N, Option<N>);
}

impl<N: Num> Linearised<N> for Dual<N> {
    fn varied(value: N, varied: bool) -> Self {
        Dual::varied(value, varied)
    }
    fn parts(self) -> (N, Option<N>) {
        (self.value, self.slope)
    }
}

impl<N: Num> Linearised<N> for Affine<N> {
    fn varied(value: N, varied: bool) -> Self {
        let slope = varied.then(|| value.lit(1.0));
        Self { value, slope }
    }
    fn parts(self) -> (N, Option<N>) {
        (self.value, self.slope)
    }
}

impl<N: Num> Affine<N> {
    fn frozen(value: N) -> Self {
        Self { value, slope: None }
    }
}

impl<N: Num> Add for Affine<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let slope = match (self.slope, other.slope) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        Self { value: self.value + other.value, slope }
    }
}

impl<N: Num> Sub for Affine<N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        let slope = match (self.slope, other.slope) {
            (Some(a), Some(b)) => Some(a - b),
            (a, b) => a.or(b.map(|b| -b)),
        };
        Self { value: self.value - other.value, slope }
    }
}

impl<N: Num> Mul for Affine<N> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let slope = match (self.slope, other.slope) {
            (Some(a), None) => Some(a * other.value.clone()),
            (None, Some(b)) => Some(self.value.clone() * b),
            _ => None,
        };
        Self { value: self.value * other.value, slope }
    }
}

impl<N: Num> Div for Affine<N> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let slope = self.slope.map(|a| a / other.value.clone());
        Self { value: self.value / other.value, slope }
    }
}

impl<N: Num> Neg for Affine<N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: self.slope.map(|a| -a) }
    }
}

impl<N: Num> Num for Affine<N> {
    fn lit(&self, value: f64) -> Self {
        Self::frozen(self.value.lit(value))
    }
    fn abs(self) -> Self {
        Self::frozen(self.value.abs())
    }
    fn exp(self) -> Self {
        Self::frozen(self.value.exp())
    }
    fn ln(self) -> Self {
        Self::frozen(self.value.ln())
    }
    fn tanh(self) -> Self {
        Self::frozen(self.value.tanh())
    }
    fn sin(self) -> Self {
        Self::frozen(self.value.sin())
    }
    fn cos(self) -> Self {
        Self::frozen(self.value.cos())
    }
    fn atan(self) -> Self {
        Self::frozen(self.value.atan())
    }
    fn erf(self) -> Self {
        Self::frozen(self.value.erf())
    }
    fn sqrt(self) -> Self {
        Self::frozen(self.value.sqrt())
    }
    fn powf(self, exponent: f64) -> Self {
        Self::frozen(self.value.powf(exponent))
    }
    fn phi(self, k: usize) -> Self {
        Self::frozen(self.value.phi(k))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        Self::frozen(self.value.pick(a.value, b.value))
    }
    /// With its coefficient, which is part of the value of a step.
    fn detach(self) -> Self {
        Self { value: self.value.detach(), slope: self.slope.map(N::detach) }
    }
    fn apply(self, name: &'static str, f: &dyn Fn(f64) -> f64) -> Self {
        Self::frozen(self.value.apply(name, f))
    }
    fn scale(self, c: f64) -> Self {
        Self { value: self.value.scale(c), slope: self.slope.map(|a| a.scale(c)) }
    }
    fn shift(self, c: f64) -> Self {
        Self { value: self.value.shift(c), slope: self.slope }
    }
}
