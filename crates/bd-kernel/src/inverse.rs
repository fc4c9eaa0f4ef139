//! [`InverseFactor`]: the inverse of a sum of outer products, kept as `U D U^T` and updated one vector after the other.
//!
//! What recursive least squares carries from sample to sample is `P = (sum x x^T + alpha I)^-1`. The update `P -= k k^T / (1 + x^T P x)` of
//! the matrix itself loses symmetry and then positive values to rounding, and works with squares of what the data's condition allows. This
//! is Bierman's update of the factors: `U` has ones on its diagonal and zeros below it, `D` is diagonal. Each entry of `D` is multiplied by a
//! ratio of positive numbers, so that `P` is symmetric and positive after any number of updates.
//!
//! ```text
//! a = f;  for each column j:   f_j = x_j + sum_(i<j) U_ij x_i      v_j = D_j f_j      b = a + v_j f_j
//!                              D_j <- D_j a / f / b
//!                              (U_ij, k_i) <- (U_ij - f_j / a k_i, k_i + v_j U_ij) for i < j;   k_j = v_j;   a = b
//! gain = k / a
//! ```
//!
//! `f` is the factor of forgetting: `P <- (P - k k^T / a) / f`. Bierman, "Factorization methods for discrete sequential estimation",
//! Academic Press 1977, V.3. A column is read once for all three of its uses, and once for several vectors.

// Loops over partial sums are written with indices: so they are sure to become a few vector instructions.
#![allow(clippy::needless_range_loop)]

use super::{Cpu, Instructions, Loops, vectorised};

/// Partial sums of a product of two columns: two of the longest vectors, so that additions need not wait for each other.
const SUMS: usize = 16;

/// Vectors that are worth taking in at once: a column then comes from a far cache once for all of them.
const VECTORS: usize = 16;

/// `P = U D U^T` of `n` rows and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct InverseFactor {
    /// The columns of `U` above the diagonal, one after the other: `n (n - 1) / 2` numbers.
    u: Vec<f64>,
    /// The diagonal, above 0.
    d: Vec<f64>,
}

impl InverseFactor {
    /// A diagonal matrix, whose numbers are above 0.
    pub fn diagonal(d: Vec<f64>) -> Self {
        let n = d.len();
        Self { u: vec![0.0; n * n.saturating_sub(1) / 2], d }
    }

    /// Of its parts, the columns of `U` above the diagonal and `D`. `None` if they do not belong together, if a number is not finite, or if
    /// one of `D` is not above 0.
    pub fn of_parts(u: Vec<f64>, d: Vec<f64>) -> Option<Self> {
        let n = d.len();
        let fits = u.len() == n * n.saturating_sub(1) / 2
            && u.iter().all(|u| u.is_finite())
            && d.iter().all(|d| d.is_finite() && *d > 0.0);
        fits.then_some(Self { u, d })
    }

    /// The columns of `U` above the diagonal, one after the other.
    pub fn u(&self) -> &[f64] {
        &self.u
    }

    /// The diagonal.
    pub fn d(&self) -> &[f64] {
        &self.d
    }

    /// Takes in vectors `[vector, n]`, one after the other, with a factor of forgetting, and writes the gain `P x / (f + x^T P x)` of each,
    /// with `P` before it, to `gains` `[vector, n]`. No number of `D` becomes greater than `most`.
    ///
    /// The bytes are those of one vector a call.
    pub fn update(&mut self, instructions: Instructions, forgetting: f64, most: f64, xs: &[f64], gains: &mut [f64]) {
        assert_eq!(xs.len(), gains.len(), "a gain for each vector");
        assert!(xs.len().is_multiple_of(self.d.len().max(1)), "vectors have {} numbers", self.d.len());
        for (xs, gains) in xs.chunks(VECTORS * self.d.len()).zip(gains.chunks_mut(VECTORS * self.d.len())) {
            let Self { u, d } = self;
            vectorised(instructions, Update { u, d, forgetting, most, xs, gains });
        }
    }

    /// An infinite first entry of `D`, replaced by what an update by a vector with a first entry of 1 leaves of it. The gain of that update is
    /// 1 for the first entry and 0 for the others. To be called before any other update.
    pub fn begin_free(&mut self, forgetting: f64, x: &[f64]) {
        assert_eq!(x.len(), self.d.len(), "a vector of {} numbers", self.d.len());
        self.d[0] = 1.0;
        for j in 1..x.len() {
            self.d[j] /= forgetting;
            self.u[column(j).start] = -x[j];
        }
    }

    /// The whole matrix, by rows: for tests and reports.
    pub fn matrix(&self) -> Vec<f64> {
        let n = self.d.len();
        let u = |i: usize, j: usize| match i {
            _ if i < j => self.u[column(j).start + i],
            _ if i == j => 1.0,
            _ => 0.0,
        };
        let entry = |i: usize, j: usize| (0..n).map(|k| u(i, k) * self.d[k] * u(j, k)).sum();
        (0..n * n).map(|at| entry(at / n, at % n)).collect()
    }
}

/// Where the numbers of a column above the diagonal lie.
#[inline(always)]
fn column(j: usize) -> std::ops::Range<usize> {
    let start = j * j.saturating_sub(1) / 2;
    start..start + j
}

struct Update<'a> {
    u: &'a mut [f64],
    d: &'a mut [f64],
    forgetting: f64,
    most: f64,
    xs: &'a [f64],
    gains: &'a mut [f64],
}

impl Loops for Update<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        let Self { u, d, forgetting, most, xs, gains } = self;
        let n = d.len();
        let mut sums = [forgetting; VECTORS];
        for (j, d) in d.iter_mut().enumerate() {
            let u = &mut u[column(j)];
            for ((x, k), a) in xs.chunks_exact(n).zip(gains.chunks_exact_mut(n)).zip(&mut sums) {
                let f = x[j] + dot::<C>(u, &x[..j]);
                let v = *d * f;
                let b = C::mul_add(v, f, *a);
                // In this order nothing underflows, however little is left of a forgotten sample.
                *d = (*d * (*a / forgetting / b)).min(most);
                advance::<C>(u, &mut k[..j], -f / *a, v);
                k[j] = v;
                *a = b;
            }
        }
        for (k, a) in gains.chunks_exact_mut(n).zip(sums) {
            k.iter_mut().for_each(|k| *k /= a);
        }
    }
}

/// `sum_i a_i b_i`, in an order that depends on the length alone.
#[inline(always)]
fn dot<C: Cpu>(a: &[f64], b: &[f64]) -> f64 {
    let ((blocks, rest), (others, other_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (a, b) in blocks.iter().zip(others) {
        for i in 0..SUMS {
            sums[i] = C::mul_add(a[i], b[i], sums[i]);
        }
    }
    let mut width = SUMS / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    rest.iter().zip(other_rest).fold(sums[0], |sum, (a, b)| C::mul_add(*a, *b, sum))
}

/// `(u, k) <- (u + lambda k, k + v u)`.
#[inline(always)]
fn advance<C: Cpu>(u: &mut [f64], k: &mut [f64], lambda: f64, v: f64) {
    for (u, k) in u.iter_mut().zip(k) {
        let before = *u;
        *u = C::mul_add(lambda, *k, before);
        *k = C::mul_add(v, before, *k);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1, from Knuth's linear congruential generator (MMIX).
    fn drawn(count: usize, mut seed: u64) -> Vec<f64> {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// The update of the matrix itself.
    fn plain(p: &mut [f64], forgetting: f64, x: &[f64]) -> Vec<f64> {
        let n = x.len();
        let k: Vec<f64> = p.chunks(n).map(|row| row.iter().zip(x).map(|(p, x)| p * x).sum()).collect();
        let a = forgetting + k.iter().zip(x).map(|(k, x)| k * x).sum::<f64>();
        for (at, p) in p.iter_mut().enumerate() {
            *p = (*p - k[at / n] * k[at % n] / a) / forgetting;
        }
        k.iter().map(|k| k / a).collect()
    }

    fn all() -> Vec<Instructions> {
        [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten().collect()
    }

    #[test]
    fn factors_and_gains_are_those_of_the_matrix() {
        for n in [1, 2, 5, 16, 17, 40] {
            for forgetting in [1.0, 0.9] {
                let xs = drawn(n * 30, n as u64);
                let mut p: Vec<f64> = (0..n * n).map(|at| if at / n == at % n { 2.0 } else { 0.0 }).collect();
                let expected: Vec<f64> = xs.chunks(n).flat_map(|x| plain(&mut p, forgetting, x)).collect();
                for instructions in all() {
                    let mut factor = InverseFactor::diagonal(vec![2.0; n]);
                    let mut gains = vec![0.0; xs.len()];
                    factor.update(instructions, forgetting, f64::INFINITY, &xs, &mut gains);
                    let apart = |found: &[f64], known: &[f64]| {
                        let greatest = known.iter().fold(0.0f64, |most, one| most.max(one.abs()));
                        found.iter().zip(known).all(|(a, b)| (a - b).abs() < 1e-12 * greatest)
                    };
                    assert!(apart(&gains, &expected), "gains, {n}, {forgetting}, {instructions:?}");
                    assert!(apart(&factor.matrix(), &p), "factors, {n}, {forgetting}, {instructions:?}");
                }
            }
        }
    }

    /// However many vectors there are in a call, and with long vectors as with short ones.
    #[test]
    fn bytes_do_not_depend_on_how_vectors_come() {
        let n = 37;
        let xs = drawn(n * 2 * VECTORS + 3 * n, 5);
        let updated = |instructions: Instructions, at_once: usize| {
            let mut factor = InverseFactor::diagonal(vec![0.5; n]);
            let mut gains = vec![0.0; xs.len()];
            for (xs, gains) in xs.chunks(at_once * n).zip(gains.chunks_mut(at_once * n)) {
                factor.update(instructions, 0.99, 1e9, xs, gains);
            }
            (factor, gains)
        };
        for instructions in all() {
            let one = updated(instructions, 1);
            assert!([3, VECTORS, 100].iter().all(|&at_once| updated(instructions, at_once) == one), "{instructions:?}");
        }
        if let (Some(avx2), Some(avx512)) = (Instructions::avx2(), Instructions::avx512()) {
            assert!(updated(avx2, 4) == updated(avx512, 4));
        }
    }

    /// A first entry that is free is the limit of a great one.
    #[test]
    fn a_free_entry_is_the_limit_of_a_great_one() {
        let n = 4;
        let xs: Vec<f64> = drawn(n * 6, 9).chunks(n).flat_map(|x| [&[1.0], &x[1..]].concat()).collect();
        let mut great = InverseFactor::diagonal(vec![1e12, 0.5, 0.5, 0.5]);
        let mut free = InverseFactor::diagonal(vec![1.0, 0.5, 0.5, 0.5]);
        let (mut gains, mut others) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
        great.update(Instructions::any(), 0.9, f64::INFINITY, &xs, &mut gains);
        free.begin_free(0.9, &xs[..n]);
        free.update(Instructions::any(), 0.9, f64::INFINITY, &xs[n..], &mut others[n..]);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(&gains[n..], &others[n..]) && close(&great.matrix(), &free.matrix()));
        assert!(close(&gains[..n], &[1.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_none() {
        assert!(InverseFactor::of_parts(vec![1.0; 3], vec![1.0; 3]).is_some());
        assert!(InverseFactor::of_parts(vec![1.0; 2], vec![1.0; 3]).is_none());
        assert!(InverseFactor::of_parts(vec![f64::NAN; 1], vec![1.0; 2]).is_none());
        assert!(InverseFactor::of_parts(vec![1.0; 1], vec![1.0, 0.0]).is_none());
    }
}
