//! The R factor of more rows of many columns: by a substitution and a product of matrices, of which threads can make as many parts as
//! there are, without a factorisation of what each of them has found, and without laying out rows by columns.
//!
//! With the factor `R` of the rows so far and further rows `A`:
//!
//! ```text
//! Y = A R^-1        by substitution, whose backward error is that of each row
//! L L' = I + Y'Y    Cholesky
//! R <- L' R         since R'R + A'A = R' (I + Y'Y) R
//! ```
//!
//! `I + Y'Y` is no Gram matrix of the features: its eigenvalues lie between 1 and `1 + |Y|^2`, however large the condition number of `A`
//! is, for `Y` has the scale that `R` has taken out. (CholeskyQR with a preconditioner, as in Fukaya et al., "Shifted Cholesky QR", SIAM J.
//! Sci. Comput. 42, 2020.) If rows say something that is new to `R`, `|Y|` is large, and the factorisation is that of Householder.

use std::ops::Range;

use bd_core::threads;
use tch::{Device, Kind, Tensor};

use super::algebra::r_factor;

/// Columns from which on it is done. It pays from some 64 on; the job of the NGRC tutorial has 100, and its bytes are to stay.
pub(super) const WIDE: i64 = 101;
/// Rows for each column that are taken at once where little is known.
const FIRST: i64 = 3;
/// Rows for each column that a factorisation by Householder is of: a good deal more than the factor above them.
pub(super) const NEW: i64 = 6;
/// Rows whose numbers stay in a cache that cores share: 16 MB of 1,000 columns.
const ROWS: i64 = 2048;
/// Columns of a block, of which those above the diagonal are not needed.
const COLUMNS: i64 = 192;
/// The greatest entry of `I + Y'Y` up to which it is a safe way: round-off grows with it.
const GREATEST: f64 = 1e3;

/// The factor of the `seen` rows behind `r` and those of `chunk`, whose parts stand side by side.
///
/// As many rows again as there were before say little that is new, if they are like those: `|Y|` is about 1. So the rows that are taken at
/// once grow with those that were.
pub(super) fn extended(r: &Tensor, seen: usize, chunk: &[Tensor; 3]) -> Tensor {
    let (rows, width) = (chunk[0].size()[0], r.size()[1]);
    let first = FIRST * width;
    let (mut r, mut from) = (r.shallow_clone(), 0);
    let mut count = first.max(i64::try_from(seen).unwrap_or(i64::MAX));
    while from < rows {
        let to = rows.min(from.saturating_add(count));
        (r, from, count) = match by_products(&r, chunk, from..to) {
            Some(next) => (next, to, count.saturating_mul(2)),
            None => {
                let to = rows.min(from + NEW * width);
                (r_factor(&Tensor::cat(&[&r, &rows_of(chunk, from, to)], 0)), to, first)
            }
        };
    }
    r
}

/// Some rows, whole.
fn rows_of(chunk: &[Tensor; 3], from: i64, to: i64) -> Tensor {
    Tensor::cat(&chunk.each_ref().map(|part| part.narrow(0, from, to - from)), 1)
}

/// Of some of the rows, by products; `None` where that would not be safe, of numbers that are not finite, too.
fn by_products(r: &Tensor, chunk: &[Tensor; 3], rows: Range<i64>) -> Option<Tensor> {
    let width = r.size()[1];
    if r.size()[0] != width {
        return None;
    }
    // Two halves, whoever makes them: what comes out does not depend on the number of threads.
    let middle = rows.start + (rows.end - rows.start) / 2;
    let half = |from: i64, to: i64| squares(r, &chunk.each_ref().map(|part| part.narrow(0, from, to - from)));
    let halves = if threads::kernel_threads() > 1 && r.device() == Device::Cpu {
        std::thread::scope(|scope| {
            let parts = chunk.each_ref().map(Tensor::shallow_clone);
            let r = r.shallow_clone();
            let second = scope.spawn(move || {
                threads::set_libtorch(1);
                let _guard = tch::no_grad_guard();
                squares(&r, &parts.each_ref().map(|part| part.narrow(0, middle, rows.end - middle)))
            });
            let first = half(rows.start, middle);
            [first, second.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))]
        })
    } else {
        [half(rows.start, middle), half(middle, rows.end)]
    };
    let all = &halves[0] + &halves[1] + Tensor::eye(width, (Kind::Double, r.device()));
    let greatest = all.diag(0).max().double_value(&[]);
    if greatest.is_nan() || greatest >= GREATEST {
        return None;
    }
    let (lower, info) = Tensor::linalg_cholesky_ex(&all, false, false);
    // Columns side by side, as a factorisation by Householder gives it.
    (info.int64_value(&[]) == 0).then(|| r.tr().matmul(&lower).contiguous().tr())
}

/// The lower triangle of blocks of `Y'Y`, of which no more is read.
fn squares(r: &Tensor, chunk: &[Tensor; 3]) -> Tensor {
    let (rows, width) = (chunk[0].size()[0], r.size()[1]);
    let sum = Tensor::zeros([width, width], (Kind::Double, r.device()));
    for from in (0..rows).step_by(ROWS as usize) {
        let y = r.linalg_solve_triangular(&rows_of(chunk, from, rows.min(from + ROWS)), true, false, false);
        for column in (0..width).step_by(COLUMNS as usize) {
            let count = COLUMNS.min(width - column);
            let mut below = sum.narrow(0, column, count).narrow(1, 0, column + count);
            let _ = below.addmm_(&y.narrow(1, column, count).tr(), &y.narrow(1, 0, column + count));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ridge::drawn::{drawn, ill_conditioned};
    use crate::ridge::{Ridge, RidgeFactor};

    fn by_householder(x: &Tensor, y: &Tensor) -> Tensor {
        let ones = x.ones_like().narrow(1, 0, 1);
        Tensor::linalg_qr(&Tensor::cat(&[&ones, x, y], 1), "r").1
    }

    /// The rows that R stands for, up to their signs.
    fn with_positive_diagonal(r: &Tensor) -> Tensor {
        r * r.diag(0).sign().unsqueeze(1)
    }

    /// Beside one factorisation of all rows, in chunks that do not divide them: the same residuals of the fit, and columns of the same
    /// length to the last digits, where the normal equations have lost everything.
    #[test]
    fn a_factor_in_chunks_is_as_accurate_as_one_of_all_rows() {
        let x = ill_conditioned([5000, 250], 13.0);
        let noise = drawn(&[5000, 1], "noise") * 1e-9;
        let y = x.matmul(&drawn(&[250, 1], "w")) + noise;
        let mut factor = RidgeFactor::new(250, 1, true, Device::Cpu);
        for (from, to) in [(0, 90), (90, 1100), (1100, 1101), (1101, 3400), (3400, 5000)] {
            factor.update(&x.narrow(0, from, to - from), &y.narrow(0, from, to - from)).unwrap();
        }
        let known = by_householder(&x, &y);
        assert!(factor.r().tril(-1).abs().max().double_value(&[]) == 0.0);
        let lengths = |r: &Tensor| r.square().sum_dim_intlist(0, false, Kind::Double).sqrt();
        let apart = (lengths(factor.r()) / lengths(&known) - 1.0).abs().max().double_value(&[]);
        assert!(apart < 1e-13, "{apart:e}");
        let exact = RidgeFactor::new(250, 1, true, Device::Cpu).restored(&known, 5000).unwrap();
        let residual = |factor: &RidgeFactor| {
            let solution = factor.solve(&Ridge { alpha: 1e-20, ..Ridge::default() }).unwrap();
            let fitted = x.matmul(&solution.weight) + solution.bias.unwrap();
            (&y - fitted).norm().double_value(&[])
        };
        let (found, known) = (residual(&factor), residual(&exact));
        assert!((found / known - 1.0).abs() < 1e-2, "{found:e} and {known:e}");
    }

    /// Rows that are new in all directions, a million times as long, and a column that repeats another: by Householder, and all the same.
    #[test]
    fn rows_that_say_something_new_go_the_safe_way() {
        // More of them than are factorised at once, in three lengths.
        let far = |rows: i64, scale: f64| drawn(&[rows, 250], &format!("far {scale}")) * scale;
        let x = Tensor::cat(&[drawn(&[2000, 250], "x"), far(2 * NEW * 250 + 100, 1e6), far(NEW * 250, 1e9)], 0);
        let twice = Tensor::cat(&[&x, &x.narrow(1, 7, 1)], 1);
        let rows = x.size()[0];
        let y = drawn(&[rows, 1], "y");
        for x in [x, twice] {
            let mut factor = RidgeFactor::new(x.size()[1], 1, true, Device::Cpu);
            for (from, count) in [(0, 2000), (2000, rows - 2000)] {
                factor.update(&x.narrow(0, from, count), &y.narrow(0, from, count)).unwrap();
            }
            let known = by_householder(&x, &y);
            let gram = |r: &Tensor| r.tr().matmul(r);
            let (found, known) = (gram(factor.r()), gram(&known));
            let lengths = known.diag(0).sqrt();
            let apart = ((found - &known) / lengths.outer(&lengths)).abs().max().double_value(&[]);
            assert!(apart < 1e-12, "{apart:e}");
        }
    }

    /// The same bytes with one thread and with two.
    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let (x, y) = (drawn(&[3000, 230], "x"), drawn(&[3000, 2], "y"));
        let of = |threads: usize| {
            let mut factor = RidgeFactor::new(230, 2, true, Device::Cpu);
            threads::set(threads);
            factor.update(&x, &y).unwrap();
            factor.r
        };
        let (one, two) = (of(1), of(2));
        threads::set(0);
        assert_eq!(one, two);
        let known = with_positive_diagonal(&by_householder(&x, &y));
        assert!((with_positive_diagonal(&two) - known).abs().max().double_value(&[]) < 1e-11);
    }
}
