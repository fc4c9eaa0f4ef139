//! [`Num`]: formulas written once, for numbers, for tensors, and as source text.
//!
//! | implementation | what a formula becomes |
//! |---|---|
//! | `f32`, `f64` | the loops of the fused CPU kernels |
//! | [`Dual`](super::Dual) | a value with its derivative: the adjoint, of whatever `Num` it is made |
//! | `Field` in `bd-core` | libtorch operations on a whole tensor: the definition, on any device |
//! | [`Code`](super::Code) | statements in CUDA C |

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
    use crate::testing::every_operation;

    #[test]
    fn both_dtypes_agree() {
        for x in [-2.5, -0.3, 0.4, 1.7f64] {
            let (single, double) = (f64::from(every_operation(x as f32)), every_operation(x));
            assert!((single / double - 1.0).abs() < 1e-5, "at {x}: {single} and not {double}");
        }
    }
}
