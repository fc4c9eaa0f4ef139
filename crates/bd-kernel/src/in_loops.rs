//! [`InLoops`]: plain numbers whose exponential is a formula, not a call.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::functions::{exp, tanh};
use crate::{Cpu, Num, Real};

/// A number in a loop of [`vectorised`](crate::vectorised): [`Num`] as of `F`, but for `exp`, `tanh` and what is made of them. These are
/// [formulas without branches](crate::tanh), so that the loop becomes vector instructions; libm's functions are a call for each number, and
/// other systems have other ones.
pub struct InLoops<C, F>(pub F, PhantomData<C>);

impl<C, F: Debug> Debug for InLoops<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C, F: Copy> Clone for InLoops<C, F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, F: Copy> Copy for InLoops<C, F> {}

impl<C, F> InLoops<C, F> {
    /// This number.
    #[inline(always)]
    pub fn new(number: F) -> Self {
        Self(number, PhantomData)
    }
}

macro_rules! impl_operators {
    ($($operator:ident $method:ident),+) => {
        $(impl<C, F: Real> $operator for InLoops<C, F> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self::new($operator::$method(self.0, other.0))
            }
        })+
    };
}

impl_operators!(Add add, Sub sub, Mul mul, Div div);

impl<C, F: Real> Neg for InLoops<C, F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self::new(-self.0)
    }
}

/// Those that are the number's own.
macro_rules! own {
    ($($method:ident),+) => {
        $(#[inline(always)]
        fn $method(self) -> Self {
            Self::new(self.0.$method())
        })+
    };
}

impl<C: Cpu, F: Real> Num for InLoops<C, F> {
    #[inline(always)]
    fn lit(&self, value: f64) -> Self {
        Self::new(F::of(value))
    }

    own!(abs, ln, sin, cos, atan, erf, sqrt, detach);

    #[inline(always)]
    fn exp(self) -> Self {
        Self::new(exp::<C, F>(self.0))
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        Self::new(tanh::<C, F>(self.0))
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        Self::new(self.0.powf(exponent))
    }

    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        Self::new(self.0.pick(a.0, b.0))
    }

    #[inline(always)]
    fn apply(self, name: &'static str, f: &dyn Fn(f64) -> f64) -> Self {
        Self::new(self.0.apply(name, f))
    }
}
