//! The linear algebra of ridge regression: factors and solutions of matrices.

use bd_core::{Error, Result, threads};
use tch::{Device, Kind, Tensor};

/// Rows from which on a factorisation is done in halves: each takes more than a millisecond then, and a thread 30 us.
const HALVED_ROWS: i64 = 4096;

/// The R factor. Of many rows on the CPU, that of the factors of their halves, on two threads if there are: what comes out does not
/// depend on whether there are.
pub(super) fn r_factor(rows: &Tensor) -> Tensor {
    let whole = |rows: &Tensor| Tensor::linalg_qr(rows, "r").1;
    let count = rows.size()[0];
    if count < HALVED_ROWS || rows.device() != Device::Cpu {
        return whole(rows);
    }
    let (first, second) = (rows.narrow(0, 0, count / 2), rows.narrow(0, count / 2, count - count / 2));
    let halves = if threads::kernel_threads() > 1 {
        std::thread::scope(|scope| {
            let second = scope.spawn(move || {
                threads::set_libtorch(1);
                let _guard = tch::no_grad_guard();
                whole(&second)
            });
            let first = whole(&first);
            [first, second.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))]
        })
    } else {
        [whole(&first), whole(&second)]
    };
    whole(&Tensor::cat(&halves, 0))
}

/// Weights and rank by QR of `[R; sqrt(alpha) I]`.
pub(super) fn qr(design: &Tensor, targets: &Tensor, alpha: f64) -> Result<(Tensor, usize)> {
    if alpha > 0.0 && design.size()[0] < design.size()[1] {
        let rows = Rows::of(design);
        return qr(&rows.design, targets, alpha).map(|found| rows.weights_of_all(found));
    }
    let triangle = triangle(design, targets, alpha)?;
    Ok((triangle.weights(&triangle.rhs), design.size()[1] as usize))
}

/// Fewer rows than columns. The smallest weights lie in the space of the rows: with orthonormal columns `basis` of it a problem of as
/// many unknowns as there are rows, and as accurate. The others would cost their cube.
pub(super) struct Rows {
    basis: Tensor,
    pub(super) design: Tensor,
}

impl Rows {
    pub(super) fn of(design: &Tensor) -> Self {
        let (basis, r) = Tensor::linalg_qr(&design.transpose(0, 1), "reduced");
        Self { basis, design: r.transpose(0, 1) }
    }

    /// With a penalty no direction is without a weight.
    pub(super) fn weights_of_all(&self, (weights, rank): (Tensor, usize)) -> (Tensor, usize) {
        debug_assert_eq!(rank as i64, self.basis.size()[1]);
        (self.basis.matmul(&weights), self.basis.size()[0] as usize)
    }
}

/// `factor w = rhs` are the weights: `factor` is the R factor of `[R; sqrt(alpha) I]`.
pub(super) struct Triangle {
    pub(super) factor: Tensor,
    pub(super) rhs: Tensor,
}

impl Triangle {
    /// Whether or not columns are [dependent](Self::depends).
    pub(super) fn of(design: &Tensor, targets: &Tensor, alpha: f64) -> Self {
        let n = design.size()[1];
        let all = Tensor::cat(&[design, targets], 1);
        let penalty = Tensor::eye(n, (Kind::Double, design.device())) * alpha.sqrt();
        let penalty = penalty.constant_pad_nd([0, targets.size()[1]]);
        let (_, r) = Tensor::linalg_qr(&Tensor::cat(&[all, penalty], 0), "r");
        Self { factor: r.narrow(0, 0, n).narrow(1, 0, n), rhs: r.narrow(0, 0, n).narrow(1, n, targets.size()[1]) }
    }

    /// Of each column, whether it depends on those before it. A diagonal entry is what is left of a column once those are taken out.
    /// Round-off leaves up to n eps of the column itself (measured: 9.7 eps with 4 columns in chunks); independent columns are far above.
    pub(super) fn depends(&self) -> Tensor {
        let remainder = self.factor.diag(0).abs() / self.factor.square().sum_dim_intlist(0, false, Kind::Double).sqrt();
        remainder.gt(10.0 * self.factor.size()[1] as f64 * f64::EPSILON).logical_not()
    }

    /// `factor^-1 rhs`.
    pub(super) fn weights(&self, rhs: &Tensor) -> Tensor {
        self.factor.linalg_solve_triangular(rhs, true, true, false)
    }
}

/// Fails if columns are dependent and alpha does not choose among their solutions.
pub(super) fn triangle(design: &Tensor, targets: &Tensor, alpha: f64) -> Result<Triangle> {
    let (n, triangle) = (design.size()[1], Triangle::of(design, targets, alpha));
    let dependent = triangle.depends().sum(Kind::Int64).int64_value(&[]);
    if dependent > 0 {
        return Err(Error::Config(format!(
            "of {n} columns of the design matrix only {} are independent, and ridge.alpha = {alpha:e} is too small to \
             choose among their solutions; use a larger alpha or ridge.solver = \"svd\", or leave out features that say \
             the same",
            n - dependent
        )));
    }
    Ok(triangle)
}

pub(super) fn svd(design: &Tensor, targets: &Tensor, alpha: f64) -> (Tensor, usize) {
    let (u, s, v) = design.svd(true, true);
    let n = design.size()[0].max(design.size()[1]) as f64;
    let kept = s.gt(s.max().double_value(&[]) * n * f64::EPSILON);
    let gain = &s / (s.square() + alpha);
    let gain = gain.where_self(&kept, &s.zeros_like());
    (
        v.matmul(&(u.transpose(0, 1).matmul(targets) * gain.unsqueeze(1))),
        kept.sum(Kind::Int64).int64_value(&[]) as usize,
    )
}

pub(super) fn gram_pinv(design: &Tensor, targets: &Tensor, alpha: f64) -> (Tensor, usize) {
    let n = design.size()[1];
    let transposed = design.transpose(0, 1);
    let gram = transposed.matmul(design) + Tensor::eye(n, (Kind::Double, design.device())) * alpha;
    let (u, s, v) = gram.svd(true, true);
    let kept = s.gt(s.max().double_value(&[]) * 10.0 * n as f64 * f64::EPSILON);
    let gain = s.reciprocal().where_self(&kept, &s.zeros_like());
    let rhs = u.transpose(0, 1).matmul(&transposed.matmul(targets));
    (v.matmul(&(rhs * gain.unsqueeze(1))), kept.sum(Kind::Int64).int64_value(&[]) as usize)
}
