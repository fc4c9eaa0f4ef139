//! [`Num`]: formulas written once, for numbers, for tensors, and as source text.
//!
//! | implementation | what a formula becomes |
//! |---|---|
//! | `f32`, `f64` | the loops of the fused CPU kernels |
//! | [`Dual`](super::Dual) | a value with its derivative: the adjoint, of whatever `Num` it is made |
//! | `Field` in `bd-core` | libtorch operations on a whole tensor: the definition, on any device |
//! | [`Code`](super::Code) | operations of a [`Graph`](super::Graph): CUDA C, a gradient by reverse mode, a program of the interpreter |

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number, or something that calculates like one.
pub trait Num:
    Clone + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// A constant of the same kind as `self`.
    fn lit(&self, value: f64) -> Self;
    /// `|x|`.
    fn abs(self) -> Self;
    /// `e^x`.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Sine, `x` in radians.
    fn sin(self) -> Self;
    /// Cosine, `x` in radians.
    fn cos(self) -> Self;
    /// Arc tangent, in radians.
    fn atan(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// Square root of `x >= 0`.
    fn sqrt(self) -> Self;
    /// `x^exponent` for `x > 0`.
    fn powf(self, exponent: f64) -> Self;
    /// `a` where `x >= 0`, else `b`. Both are calculated.
    fn pick(self, a: Self, b: Self) -> Self;
    /// The same value, outside the gradient.
    fn detach(self) -> Self;
    /// A Rust function, which is called `name` where it has no other form. It is outside the gradient, and has no CUDA form.
    fn apply(self, name: &'static str, f: &dyn Fn(f64) -> f64) -> Self;

    /// 1 where `x >= 0`, else 0.
    fn heaviside(self) -> Self {
        let (one, zero) = (self.lit(1.0), self.lit(0.0));
        self.pick(one, zero)
    }

    /// 1 where `x >= 0`, else -1.
    fn sign(self) -> Self {
        let (plus, minus) = (self.lit(1.0), self.lit(-1.0));
        self.pick(plus, minus)
    }

    /// `x^2`.
    fn square(self) -> Self {
        self.clone() * self
    }

    /// `c x`.
    fn scale(self, c: f64) -> Self {
        let c = self.lit(c);
        c * self
    }

    /// `x + c`.
    fn shift(self, c: f64) -> Self {
        let c = self.lit(c);
        self + c
    }

    /// `1 / x`.
    fn recip(self) -> Self {
        let one = self.lit(1.0);
        one / self
    }

    /// The greater of `x` and `c`.
    fn at_least(self, c: f64) -> Self {
        let limit = self.lit(c);
        self.clone().shift(-c).pick(self, limit)
    }

    /// The smaller of `x` and `c`.
    fn at_most(self, c: f64) -> Self {
        let limit = self.lit(c);
        self.clone().shift(-c).pick(limit, self)
    }

    /// `1 / (1 + e^-x)`.
    fn sigmoid(self) -> Self {
        (-self).exp().shift(1.0).recip()
    }

    /// `phi_k(x) = sum_n x^n / (n + k)!`, `k` from 1: `phi_1(x) = (e^x - 1) / x`, `phi_(k+1)(x) = (phi_k(x) - 1/k!) / x`, and all of
    /// them without a gap at 0. Exponential integrators are made of them (Hochbruck, Ostermann, "Exponential integrators", Acta
    /// Numerica 19, 2010, equation 2.10). `phi_k' = phi_k - k phi_(k+1)`.
    ///
    /// By the quotients where `|x| >= 1`, and else by the series, where the quotients would lose digits.
    fn phi(self, k: usize) -> Self {
        phi_by_series(self, k)
    }
}

/// The definition of [`Num::phi`].
#[inline(always)]
pub(crate) fn phi_by_series<N: Num>(x: N, k: usize) -> N {
    assert!(k > 0, "phi_0 is the exponential");
    let outside = x.clone().abs().shift(-1.0);
    // Not the quotient by zero, of which libtorch's gradient is no number even where it is not picked.
    let below = outside.clone().pick(x.clone(), x.lit(1.0));
    let (mut quotient, mut factorial) = (below.clone().exp(), 1.0);
    for j in 0..k {
        quotient = quotient.shift(-1.0 / factorial) / below.clone();
        factorial *= (j + 1) as f64;
    }
    // Of |x| < 1 the next term is below 1e-17.
    const TERMS: usize = 18;
    let inside = outside.clone().pick(x.lit(0.0), x.clone());
    let term = |n: usize| 1.0 / (1..=n + k).map(|i| i as f64).product::<f64>();
    let series = (0..TERMS - 1).rev().fold(x.lit(term(TERMS - 1)), |sum, n| (sum * inside.clone()).shift(term(n)));
    outside.pick(quotient, series)
}

macro_rules! impl_num_for_float {
    ($float:ty, $erf:path) => {
        impl Num for $float {
            #[inline(always)]
            fn lit(&self, value: f64) -> Self {
                value as $float
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn exp(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn ln(self) -> Self {
                self.ln()
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                self.tanh()
            }
            #[inline(always)]
            fn sin(self) -> Self {
                self.sin()
            }
            #[inline(always)]
            fn cos(self) -> Self {
                self.cos()
            }
            #[inline(always)]
            fn atan(self) -> Self {
                self.atan()
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $erf(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn powf(self, exponent: f64) -> Self {
                self.powf(exponent as $float)
            }
            #[inline(always)]
            fn pick(self, a: Self, b: Self) -> Self {
                if self >= 0.0 { a } else { b }
            }
            #[inline(always)]
            fn detach(self) -> Self {
                self
            }
            fn apply(self, _name: &'static str, f: &dyn Fn(f64) -> f64) -> Self {
                f(self.into()) as $float
            }
        }
    };
}

impl_num_for_float!(f32, libm::erff);
impl_num_for_float!(f64, libm::erf);

#[cfg(test)]
mod tests {
    use super::Num;
    use crate::testing::every_operation;

    #[test]
    fn both_dtypes_agree() {
        for x in [-2.5, -0.3, 0.4, 1.7f64] {
            let (single, double) = (f64::from(every_operation(x as f32)), every_operation(x));
            assert!((single / double - 1.0).abs() < 1e-5, "at {x}: {single} and not {double}");
        }
    }

    /// Values by mpmath 1.3.0 with 40 digits: `(exp(x) - sum(x^i / i!, i < k)) / x^k`, and the series where `|x| < 1.5`.
    #[test]
    fn phi_has_no_gap() {
        let golden: [(usize, f64, f64); 24] = [
            (1, -30.0, 0.03333333333333022),
            (1, -1.0, 0.6321205588285577),
            (1, -0.7, 0.7191638517265578),
            (1, -1e-09, 0.9999999995),
            (1, 0.001, 1.0005001667083417),
            (1, 0.99, 1.7083176488376386),
            (1, 1.01, 1.7283178366504124),
            (1, 20.0, 24258259.720489513),
            (2, -30.0, 0.032222222222222326),
            (2, -1.0, 0.36787944117144233),
            (2, -0.7, 0.4011944975334888),
            (2, -1e-09, 0.4999999998333333),
            (2, 0.001, 0.5001667083416681),
            (2, 0.99, 0.7154723725632713),
            (2, 1.01, 0.7211067689608043),
            (2, 20.0, 1212912.9360244756),
            (3, -30.0, 0.015592592592592588),
            (3, -1.0, 0.13212055882855767),
            (3, -0.7, 0.14115071780930172),
            (3, -1e-09, 0.166666666625),
            (3, 0.001, 0.16670834166805576),
            (3, 0.99, 0.2176488611750216),
            (3, 1.01, 0.21891759303049935),
            (3, 20.0, 60645.62180122379),
        ];
        for (k, x, value) in golden {
            assert!((x.phi(k) / value - 1.0).abs() < 2e-15, "phi_{k}({x}) = {}", x.phi(k));
        }
        assert_eq!([0.0f64.phi(1), 0.0.phi(2), 0.0.phi(3)], [1.0, 0.5, 1.0 / 6.0]);
    }
}
