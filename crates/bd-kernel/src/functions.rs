//! Exponential, logistic function and hyperbolic tangent as formulas without branches, so that loops over them become vector
//! instructions, which calls of libm do not.
//!
//! `e^x = 2^n e^r` with `n` the nearest whole number to `x / ln 2`, and `e^r - 1` by its series, `|r| <= ln 2 / 2`.
//! The last two use `e^x` of numbers below zero only, where nothing overflows:
//!
//! ```text
//! sigmoid(x) = 1 / (1 + e^-|x|)           x >= 0          tanh |x| = -m / (m + 2),  m = e^(-2 |x|) - 1
//!            = e^-|x| / (1 + e^-|x|)      x < 0
//! ```
//!
//! Relative errors are below 3e-7 in float32 and 6e-16 in float64, as compared with libm's on a dense grid; where the
//! logistic function is below 1e-37 or 1e-307 it ends in a constant. Not a number stays not a number.

use super::{Cpu, Real};

/// The series of `e^x`: `1 / k!`.
pub(crate) const EXPONENTIAL: [f64; 14] = {
    let mut all = [1.0; 14];
    let mut k = 1;
    while k < 14 {
        all[k] = all[k - 1] / k as f64;
        k += 1;
    }
    all
};

/// That of [`phi_2`]: `1 / (k + 2)!`.
pub(crate) const PHI_2: [f64; 18] = {
    let (mut all, mut k) = ([0.5; 18], 1);
    while k < 18 {
        all[k] = all[k - 1] / (k + 2) as f64;
        k += 1;
    }
    all
};

/// `(2^n, e^r - 1)` with `e^x = 2^n e^r`, of `x` from `-EXP_LIMIT` to `EXP_LIMIT`.
#[inline(always)]
fn exp_parts<C: Cpu, F: Real>(x: F) -> (F, F) {
    let whole = (x * F::of(std::f64::consts::LOG2_E)).nearest_whole();
    (whole.exp2_of_whole(), exp_rest::<C, F>(x, whole))
}

/// `e^r - 1` with `r = x - n ln 2`, small.
#[inline(always)]
fn exp_rest<C: Cpu, F: Real>(x: F, whole: F) -> F {
    let (high, low) = F::LN_2;
    let r = C::mul_add(whole, -low, C::mul_add(whole, -high, x));
    let mut sum = F::of(EXPONENTIAL[F::EXP_TERMS]);
    for k in (1..F::EXP_TERMS).rev() {
        sum = C::mul_add(sum, r, F::of(EXPONENTIAL[k]));
    }
    sum * r
}

/// `e^x`; infinite where it is above the greatest number, 0 where it is below the smallest.
#[inline(always)]
pub(crate) fn exp<C: Cpu, F: Real>(x: F) -> F {
    // Beyond these ends nothing changes, and half of the power is a number of full precision.
    let end = F::EXP_LIMIT + F::EXP_LIMIT * F::of(0.25);
    let x = at_most(if x < -end { -end } else { x }, end);
    let whole = (x * F::of(std::f64::consts::LOG2_E)).nearest_whole();
    let half = (whole * F::of(0.5)).nearest_whole();
    let (power, rest) = (half.exp2_of_whole(), exp_rest::<C, F>(x, whole));
    C::mul_add(power, rest, power) * (whole - half).exp2_of_whole()
}

/// `(e^x - 1) / x`, [`phi_1`](crate::Num::phi): 1 at 0. Above the limit of `e^x` a number of that size.
#[inline(always)]
pub(crate) fn phi_1<C: Cpu, F: Real>(x: F) -> F {
    let inside = at_most(if x < -F::EXP_LIMIT { -F::EXP_LIMIT } else { x }, F::EXP_LIMIT);
    let (power, rest) = exp_parts::<C, F>(inside);
    let y = C::mul_add(power, rest, power - F::of(1.0)) / x;
    if x == F::default() { F::of(1.0) } else { y }
}

/// `(phi_1(x) - 1) / x`, [`phi_2`](crate::Num::phi): 1/2 at 0.
#[inline(always)]
pub(crate) fn phi_2<C: Cpu, F: Real>(x: F) -> F {
    let y = (phi_1::<C, F>(x) - F::of(1.0)) / x;
    // For |x| < 1.
    let mut series = F::of(PHI_2[F::EXP_TERMS + 4]);
    for n in (0..F::EXP_TERMS + 4).rev() {
        series = C::mul_add(series, x, F::of(PHI_2[n]));
    }
    if x.abs() < F::of(1.0) { series } else { y }
}

/// The smaller one; not a number if `x` is not.
#[inline(always)]
fn at_most<F: Real>(x: F, limit: F) -> F {
    if x > limit { limit } else { x }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<C: Cpu, F: Real>(x: F) -> F {
    let (power, rest) = exp_parts::<C, F>(-at_most(x.abs(), F::EXP_LIMIT));
    let e = C::mul_add(power, rest, power);
    let one = F::of(1.0);
    let above = if x < F::default() { e } else { one };
    above / (one + e)
}

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<C: Cpu, F: Real>(x: F) -> F {
    // From 20 on it is 1 to every digit.
    let (power, rest) = exp_parts::<C, F>(at_most(x.abs(), F::of(20.0)) * F::of(-2.0));
    let m = C::mul_add(power, rest, power - F::of(1.0));
    let y = m / (m + F::of(2.0));
    if x < F::default() { y } else { -y }
}

#[cfg(test)]
mod tests {
    use super::super::{Instructions, Loops, Num, vectorised};
    use super::*;

    /// Both functions of some numbers.
    struct Both<'a, F>(&'a [F], &'a mut [(F, F)]);

    impl<F: Real> Loops for Both<'_, F> {
        #[inline(always)]
        fn run<C: Cpu>(self) {
            for (x, y) in self.0.iter().zip(self.1) {
                *y = (sigmoid::<C, F>(*x), tanh::<C, F>(*x));
            }
        }
    }

    fn every_way() -> Vec<Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten().collect()
    }

    /// From 1e-12 to 1000 in steps of 0.05 % on both sides: libm's in float64 of the same number.
    fn worst<F: Real + Into<f64>>(instructions: Instructions, within: f64) -> (f64, f64) {
        let grid = (0..70_000).map(|i| 1e-12 * 1.0005f64.powi(i)).take_while(|x| *x < 1000.0);
        let xs: Vec<F> = grid.flat_map(|x| [F::of(x), F::of(-x)]).collect();
        let mut ys = vec![(F::default(), F::default()); xs.len()];
        vectorised(instructions, Both(&xs, &mut ys));
        let mut worst = (0.0f64, 0.0f64);
        for (x, (sigmoid, tanh)) in xs.iter().zip(ys) {
            let x: f64 = (*x).into();
            let exact = if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
            if x > -within {
                worst.0 = worst.0.max((sigmoid.into() / exact - 1.0).abs());
            } else {
                assert!(sigmoid.into() <= 2.0 * (-within).exp() && sigmoid.into() >= 0.0, "sigmoid at {x}");
            }
            worst.1 = worst.1.max((tanh.into() / x.tanh() - 1.0).abs());
        }
        worst
    }

    #[test]
    fn errors_are_a_few_units_in_the_last_place() {
        for instructions in every_way() {
            let (sigmoid, tanh) = worst::<f32>(instructions, 87.0);
            assert!(sigmoid < 3e-7 && tanh < 3e-7, "{instructions:?}: {sigmoid:.1e}, {tanh:.1e}");
            let (sigmoid, tanh) = worst::<f64>(instructions, 708.0);
            assert!(sigmoid < 6e-16 && tanh < 6e-16, "{instructions:?}: {sigmoid:.1e}, {tanh:.1e}");
        }
    }

    /// `e^x`, and `phi_1` and `phi_2` of some numbers.
    struct Exponentials<'a, F>(&'a [F], &'a mut [[F; 3]]);

    impl<F: Real> Loops for Exponentials<'_, F> {
        #[inline(always)]
        fn run<C: Cpu>(self) {
            for (x, y) in self.0.iter().zip(self.1) {
                *y = [exp::<C, F>(*x), phi_1::<C, F>(*x), phi_2::<C, F>(*x)];
            }
        }
    }

    /// Largest relative errors where results are numbers of full precision, against the definitions in float64 and libm's exponential.
    fn worst_of_exponentials<F: Real + Into<f64>>(instructions: Instructions, within: f64) -> [f64; 3] {
        let grid = (0..70_000).map(|i| 1e-12 * 1.0005f64.powi(i)).take_while(|x| *x < within);
        let xs: Vec<F> = grid.flat_map(|x| [F::of(x), F::of(-x)]).collect();
        let mut ys = vec![[F::default(); 3]; xs.len()];
        vectorised(instructions, Exponentials(&xs, &mut ys));
        let mut worst = [0.0f64; 3];
        for (x, ys) in xs.iter().zip(ys) {
            let x: f64 = (*x).into();
            for (worst, (found, exact)) in worst.iter_mut().zip(ys.into_iter().zip([x.exp(), x.phi(1), x.phi(2)])) {
                *worst = worst.max((found.into() / exact - 1.0).abs());
            }
        }
        worst
    }

    #[test]
    fn exponentials_are_exact_to_a_few_units_in_the_last_place() {
        for instructions in every_way() {
            let found = worst_of_exponentials::<f32>(instructions, 87.0);
            assert!(found[0] < 5e-7 && found[1] < 5e-7 && found[2] < 9e-7, "{instructions:?}: {found:?}");
            let found = worst_of_exponentials::<f64>(instructions, 708.0);
            assert!(found[0] < 1e-15 && found[1] < 1e-15 && found[2] < 2e-15, "{instructions:?}: {found:?}");
            let xs = [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 710.0, -746.0];
            let mut ys = [[0.0; 3]; 6];
            vectorised(instructions, Exponentials(&xs, &mut ys));
            assert_eq!(ys[0], [1.0, 1.0, 0.5]);
            assert_eq!(ys.map(|y| y[0])[1..3], [f64::INFINITY, 0.0]);
            assert!(ys[3].iter().all(|y| y.is_nan()) && ys[4][0] == f64::INFINITY && ys[5][0] == 0.0, "{ys:?}");
        }
    }

    #[test]
    fn ends_and_what_is_not_a_number() {
        for instructions in every_way() {
            let xs = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
            let mut ys = [(0.0, 0.0); 5];
            vectorised(instructions, Both(&xs, &mut ys));
            assert_eq!(ys[..3], [(0.5, 0.0), (0.5, 0.0), (1.0, 1.0)]);
            assert!(ys[3].0 < 1e-300 && ys[3].1 == -1.0);
            assert!(ys[4].0.is_nan() && ys[4].1.is_nan());
        }
    }
}
