//! [`Num`]: formulas written once, for numbers, for tensors, and as source text.
//!
//! | implementation | what a formula becomes |
//! |---|---|
//! | `f32`, `f64` | the loops of the fused CPU kernels |
//! | [`Field`] | libtorch operations on a whole tensor: the definition, on any device |
//! | [`Code`] | an expression in CUDA C |

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use tch::Tensor;

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
        }
    };
}

impl_num_for_float!(f32, libm::erff);
impl_num_for_float!(f64, libm::erf);

/// A tensor that calculates like a number, element by element.
#[derive(Debug)]
pub struct Field(pub Tensor);

impl Clone for Field {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

macro_rules! impl_field_operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Field {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self($trait::$method(&self.0, &other.0))
            }
        }
    };
}

impl_field_operator!(Add, add);
impl_field_operator!(Sub, sub);
impl_field_operator!(Mul, mul);
impl_field_operator!(Div, div);

impl Neg for Field {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-&self.0)
    }
}

impl Num for Field {
    /// Without dimensions, so that it takes the shape of what it meets.
    fn lit(&self, value: f64) -> Self {
        Self(Tensor::full([0i64; 0], value, (self.0.kind(), self.0.device())))
    }
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    fn exp(self) -> Self {
        Self(self.0.exp())
    }
    fn ln(self) -> Self {
        Self(self.0.log())
    }
    fn sin(self) -> Self {
        Self(self.0.sin())
    }
    fn cos(self) -> Self {
        Self(self.0.cos())
    }
    fn atan(self) -> Self {
        Self(self.0.atan())
    }
    fn erf(self) -> Self {
        Self(self.0.erf())
    }
    fn powf(self, exponent: f64) -> Self {
        Self(self.0.pow_tensor_scalar(exponent))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        Self(a.0.where_self(&self.0.ge(0.0), &b.0))
    }
}

/// A formula as an expression in CUDA C. Every operation is in brackets; functions are the overloaded ones, which
/// take the type of their argument, and constants are cast to `real`, which the kernel's text defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A name that the surrounding text defines.
    pub fn name(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.0
    }

    fn call(self, function: &str) -> Self {
        Self(format!("{function}({})", self.0))
    }

    fn infix(self, operator: char, other: Self) -> Self {
        Self(format!("({} {operator} {})", self.0, other.0))
    }
}

macro_rules! impl_code_operator {
    ($trait:ident, $method:ident, $sign:literal) => {
        impl $trait for Code {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.infix($sign, other)
            }
        }
    };
}

impl_code_operator!(Add, add, '+');
impl_code_operator!(Sub, sub, '-');
impl_code_operator!(Mul, mul, '*');
impl_code_operator!(Div, div, '/');

impl Neg for Code {
    type Output = Self;
    fn neg(self) -> Self {
        Self(format!("(-{})", self.0))
    }
}

impl Num for Code {
    fn lit(&self, value: f64) -> Self {
        // `{:e}` writes the shortest digits that read back as the same number.
        Self(format!("real({value:e})"))
    }
    fn abs(self) -> Self {
        self.call("fabs")
    }
    fn exp(self) -> Self {
        self.call("exp")
    }
    fn ln(self) -> Self {
        self.call("log")
    }
    fn sin(self) -> Self {
        self.call("sin")
    }
    fn cos(self) -> Self {
        self.call("cos")
    }
    fn atan(self) -> Self {
        self.call("atan")
    }
    fn erf(self) -> Self {
        self.call("erf")
    }
    fn powf(self, exponent: f64) -> Self {
        Self(format!("pow({}, {})", self.0, self.lit(exponent).0))
    }
    fn pick(self, a: Self, b: Self) -> Self {
        Self(format!("({} >= 0 ? {} : {})", self.0, a.0, b.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses every operation once.
    fn formula<N: Num>(x: N) -> N {
        let y = (x.clone() * x.lit(0.5) + x.lit(0.1)).exp() / (x.clone().abs() + x.lit(1.0)).ln();
        let z = x.clone().sin() - x.clone().cos() * x.clone().atan() + (-x.clone()).erf();
        let w = (x.clone().square() + x.lit(0.1)).powf(-1.5);
        let v = x.clone().at_least(-1.0).at_most(1.0).sigmoid().shift(0.2).recip() * x.clone().sign();
        x.clone().pick(y.clone() + z.clone(), y * w) + x.heaviside() * z + v
    }

    #[test]
    fn numbers_and_tensors_agree() {
        let xs = [-2.5, -0.3, 0.4, 1.7];
        let wide = Vec::<f64>::try_from(formula(Field(Tensor::from_slice(&xs))).0).unwrap();
        for (x, wide) in xs.iter().zip(wide) {
            assert!((formula(*x) / wide - 1.0).abs() < 1e-14, "{x}");
            assert!((f64::from(formula(*x as f32)) / wide - 1.0).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn code_is_the_formula() {
        let x = Code::name("x");
        let text = (x.lit(1.0) / (x.lit(100.0) * x.clone().abs() + x.lit(1.0)).square()).pick(x.lit(0.1), -x);
        assert_eq!(
            text.text(),
            "((real(1e0) / (((real(1e2) * fabs(x)) + real(1e0)) * ((real(1e2) * fabs(x)) + real(1e0)))) >= 0 ? real(1e-1) : (-x))"
        );
    }
}
