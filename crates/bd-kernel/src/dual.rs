//! [`Dual`]: a number with its derivative in one direction, from which adjoints follow.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Num;

/// A value and its derivative; `None` where the value does not depend on what is varied. In compiled loops that is known
/// beforehand, so that derivatives that are zero cost nothing, and in printed code they do not appear.
#[derive(Debug, Clone, Copy)]
pub struct Dual<N> {
    /// The value.
    pub value: N,
    /// Its derivative.
    pub slope: Option<N>,
}

impl<N: Num> Dual<N> {
    /// A value that does not vary.
    #[inline(always)]
    pub fn fixed(value: N) -> Self {
        Self { value, slope: None }
    }

    /// The value that is varied, or one that is not.
    #[inline(always)]
    pub fn varied(value: N, varied: bool) -> Self {
        let slope = if varied { Some(value.lit(1.0)) } else { None };
        Self { value, slope }
    }

    /// A function of one argument: its value, and what it makes of the derivative.
    #[inline(always)]
    fn chain(self, value: N, slope: impl FnOnce(N) -> N) -> Self {
        Self { value, slope: self.slope.map(slope) }
    }
}

/// The sum of two derivatives.
#[inline(always)]
fn sum<N: Num>(a: Option<N>, b: Option<N>) -> Option<N> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, None) => a,
        (None, b) => b,
    }
}

impl<N: Num> Add for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: sum(self.slope, other.slope) }
    }
}

impl<N: Num> Sub for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let slope = match (self.slope, other.slope) {
            (Some(a), Some(b)) => Some(a - b),
            (a, None) => a,
            (None, Some(b)) => Some(-b),
        };
        Self { value: self.value - other.value, slope }
    }
}

impl<N: Num> Mul for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (left, right) = (self.value.clone(), other.value.clone());
        let slope = sum(self.slope.map(|d| d * right), other.slope.map(|d| left * d));
        Self { value: self.value * other.value, slope }
    }
}

impl<N: Num> Div for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value.clone();
        let (below, quotient) = (other.value, value.clone());
        let slope = match (self.slope, other.slope) {
            (Some(a), Some(b)) => Some((a - quotient * b) / below),
            (Some(a), None) => Some(a / below),
            (None, Some(b)) => Some(-(quotient * b) / below),
            (None, None) => None,
        };
        Self { value, slope }
    }
}

impl<N: Num> Neg for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        let value = -self.value.clone();
        self.chain(value, |d| -d)
    }
}

impl<N: Num> Num for Dual<N> {
    #[inline(always)]
    fn lit(&self, value: f64) -> Self {
        Self::fixed(self.value.lit(value))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // As in libtorch, 0 at 0.
        let x = self.value.clone();
        let sign = x.clone().heaviside() - (-x.clone()).heaviside();
        self.chain(x.abs(), |d| d * sign)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let y = self.value.clone().exp();
        self.chain(y.clone(), |d| d * y)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().ln(), |d| d / x)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let y = self.value.clone().tanh();
        self.chain(y.clone(), |d| d * (-y.square()).shift(1.0))
    }
    #[inline(always)]
    fn sin(self) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().sin(), |d| d * x.cos())
    }
    #[inline(always)]
    fn cos(self) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().cos(), |d| d * -x.sin())
    }
    #[inline(always)]
    fn atan(self) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().atan(), |d| d / x.square().shift(1.0))
    }
    #[inline(always)]
    fn erf(self) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().erf(), |d| d * (-x.square()).exp().scale(std::f64::consts::FRAC_2_SQRT_PI))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let y = self.value.clone().sqrt();
        self.chain(y.clone(), |d| d / y.scale(2.0))
    }
    #[inline(always)]
    fn phi(self, k: usize) -> Self {
        let (x, y) = (self.value.clone(), self.value.clone().phi(k));
        self.chain(y.clone(), |d| d * (y - x.phi(k + 1).scale(k as f64)))
    }
    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        let x = self.value.clone();
        self.chain(x.clone().powf(exponent), |d| d * x.powf(exponent - 1.0).scale(exponent))
    }
    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        let x = self.value;
        let slope = match (a.slope, b.slope) {
            (Some(a), Some(b)) => Some(x.clone().pick(a, b)),
            (Some(a), None) => Some(x.clone().pick(a, x.lit(0.0))),
            (None, Some(b)) => Some(x.clone().pick(x.lit(0.0), b)),
            (None, None) => None,
        };
        Self { value: x.pick(a.value, b.value), slope }
    }
    #[inline(always)]
    fn detach(self) -> Self {
        Self::fixed(self.value)
    }
    /// Without a derivative: nothing is known of `f`.
    fn apply(self, name: &'static str, f: &dyn Fn(f64) -> f64) -> Self {
        Self::fixed(self.value.apply(name, f))
    }
    /// By its own value, for the exponential may be infinite.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let y = self.value.clone().sigmoid();
        self.chain(y.clone(), |d| d * y.clone() * (-y).shift(1.0))
    }
    #[inline(always)]
    fn scale(self, c: f64) -> Self {
        let value = self.value.clone().scale(c);
        self.chain(value, |d| d.scale(c))
    }
    #[inline(always)]
    fn shift(self, c: f64) -> Self {
        let value = self.value.clone().shift(c);
        self.chain(value, |d| d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::every_operation as formula;

    /// Against five-point differences, every operation.
    #[test]
    fn derivatives_are_those_of_difference_quotients() {
        for x in [-2.5, -0.3, 0.4, 1.7f64] {
            let found = formula(Dual::varied(x, true)).slope.unwrap();
            let (h, f) = (1e-4, |k: f64| formula(x + k * 1e-4));
            let slope = (8.0 * (f(1.0) - f(-1.0)) - (f(2.0) - f(-2.0))) / (12.0 * h);
            assert!((found - slope).abs() < 1e-9 * (1.0 + slope.abs()), "at {x}: {found} and not {slope}");
        }
    }

    /// Where `e^-x` is infinite, too.
    #[test]
    fn the_slope_of_a_sigmoid_vanishes_far_from_zero() {
        for (x, value) in [(-1000.0f32, 0.0), (1000.0, 1.0)] {
            let found = Dual::varied(x, true).sigmoid();
            assert_eq!((found.value, found.slope), (value, Some(0.0)));
        }
    }

    #[test]
    fn what_is_fixed_has_no_derivative() {
        let x = Dual::fixed(0.3);
        assert!(formula(x).slope.is_none() && (Dual::varied(0.3, true).detach() * x).slope.is_none());
    }
}
