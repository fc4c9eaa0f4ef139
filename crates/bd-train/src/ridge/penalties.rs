//! Weights for each of several penalties by few factorisations.
//!
//! With `R0` the R factor of `[A; sqrt(a0) I]` and `R0 w = q` the weights for the penalty `a0`, those for a greater penalty `a`:
//!
//! ```text
//! (R0'R0 + (a - a0) I) w = R0' q
//! K = R0^-T R0^-1            once
//! L L' = I + (a - a0) K      Cholesky
//! R0 w = (L L')^-1 q         by substitution
//! ```
//!
//! No eigenvalue of `K` is above `1 / a0`, for none of `R0'R0` is below `a0`, so that the condition number of what is decomposed is at most
//! `a / a0`, whatever that of `A` is. A Cholesky decomposition costs an eighth of the factorisation of twice as many rows as columns that
//! a penalty takes by itself.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::algebra::{Rows, Triangle, qr, triangle};

/// The greatest ratio of penalties that share a factorisation. It loses as many digits, here six of sixteen.
const WIDEST: f64 = 1e6;

/// Weights for a penalty with the rank, or why they are refused.
pub(super) type Weights = Result<(Tensor, usize)>;

/// Weights for each penalty, in the order of `alphas`, see [`qr`]; and whether they are by a factorisation of their own, without a loss.
pub(super) fn of_each(design: &Tensor, targets: &Tensor, alphas: &[f64]) -> Vec<(Weights, bool)> {
    if design.size()[0] < design.size()[1] && alphas.iter().all(|&alpha| alpha > 0.0) {
        let rows = Rows::of(design);
        let found = of_each(&rows.design, targets, alphas);
        return found.into_iter().map(|(one, own)| (one.map(|found| rows.weights_of_all(found)), own)).collect();
    }
    let mut order: Vec<usize> = (0..alphas.len()).collect();
    order.sort_by(|&a, &b| alphas[a].total_cmp(&alphas[b]));
    let mut found: Vec<Option<(Weights, bool)>> = alphas.iter().map(|_| None).collect();
    let mut left = order.as_slice();
    while let Some((&first, rest)) = left.split_first() {
        let least = alphas[first];
        let sharing = rest.iter().take_while(|&&i| alphas[i] <= least * WIDEST).count();
        let (sharing, after) = rest.split_at(sharing);
        left = after;
        if sharing.is_empty() {
            found[first] = Some((qr(design, targets, least), true));
            continue;
        }
        let rank = design.size()[1] as usize;
        match triangle(design, targets, least) {
            Ok(triangle) => {
                let greater = Greater::than(&triangle);
                found[first] = Some((Ok((triangle.weights(&triangle.rhs), rank)), true));
                for &i in sharing {
                    let weights = greater.weights(&triangle, alphas[i] - least);
                    found[i] = Some(match weights {
                        Some(weights) => (Ok((weights, rank)), false),
                        None => (qr(design, targets, alphas[i]), true),
                    });
                }
            }
            // The next one may be large enough.
            Err(refusal) => {
                found[first] = Some((Err(refusal), true));
                left = rest;
            }
        }
    }
    found.into_iter().map(|one| one.expect("each has had its turn")).collect()
}

/// `K`: what weights for greater penalties take beside the factor.
struct Greater(Tensor);

impl Greater {
    fn than(triangle: &Triangle) -> Self {
        let n = triangle.factor.size()[1];
        let inverse = triangle.weights(&Tensor::eye(n, (Kind::Double, triangle.factor.device())));
        Self(inverse.tr().matmul(&inverse))
    }

    /// For a penalty that is `more` than that of the factor; `None` where the decomposition fails.
    fn weights(&self, triangle: &Triangle, more: f64) -> Option<Tensor> {
        let matrix = &self.0 * more;
        let _ = matrix.diagonal(0, 0, 1).g_add_scalar_(1.0);
        let (lower, info) = Tensor::linalg_cholesky_ex(&matrix, false, false);
        (info.int64_value(&[]) == 0).then(|| triangle.weights(&triangle.rhs.cholesky_solve(&lower, false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ridge::drawn::{drawn, ill_conditioned};

    /// What is minimised is, at the weights that share a factorisation, what it is at those by a factorisation of their own: of many
    /// rows, and of fewer than columns; whatever the order of the penalties.
    #[test]
    fn weights_that_share_a_factorisation_are_those_of_their_own() {
        let alphas = [1.0, 1e-12, 1e-3, 1e-9, 1e-8, 1e-4, 1e3, 1e-7, 1e-10];
        for rows in [300, 40] {
            let (design, targets) = (ill_conditioned([rows, 60], 9.0), drawn(&[rows, 2], "targets"));
            let found = of_each(&design, &targets, &alphas);
            assert_eq!(found.iter().filter(|(_, own)| *own).count(), 3, "three factorisations");
            for (&alpha, (found, _)) in alphas.iter().zip(found) {
                let cost = |w: &Tensor| {
                    let misfit = (design.matmul(w) - &targets).square().sum(Kind::Double).double_value(&[]);
                    misfit + alpha * w.square().sum(Kind::Double).double_value(&[])
                };
                let (found, rank) = found.unwrap();
                let (known, known_rank) = qr(&design, &targets, alpha).unwrap();
                assert_eq!(rank, known_rank);
                let apart = cost(&found) / cost(&known) - 1.0;
                assert!(apart.abs() < 1e-9, "{rows} rows, {alpha:e}: {apart:e}");
                let apart = ((&found - &known).norm() / known.norm()).double_value(&[]);
                assert!(apart < 1e-5, "{rows} rows, {alpha:e}: {apart:e}");
            }
        }
    }

    /// Of a column that is there twice a small penalty chooses nothing and is refused, and a greater one is not.
    #[test]
    fn a_refused_penalty_refuses_no_other() {
        let one = drawn(&[50, 3], "x");
        let twice = Tensor::cat(&[&one, &one.narrow(1, 0, 1)], 1);
        let found = of_each(&twice, &drawn(&[50, 1], "y"), &[1e-3, 0.0, 1e-40, 1e-2]);
        let taken: Vec<bool> = found.iter().map(|(found, _)| found.is_ok()).collect();
        assert_eq!(taken, [true, false, false, true]);
    }
}
