//! Solutions of coupled linear equations, by the exponential of their matrix.

/// `h phi_1(h A)`, row by row, of a square matrix `A` of `n` rows: over a step `h` the solution of `x' = A x + b` is
/// `x + h phi_1(h A) (A x + b)`.
///
/// It is the upper right corner of `exp(h [A 1; 0 0])` (Van Loan, "Computing integrals involving the matrix exponential", IEEE
/// Trans. Automatic Control 23, 1978), by scaling, a Taylor series, and squaring.
pub(crate) fn step_matrix(a: &[f64], n: usize, h: f64) -> Vec<f64> {
    let size = 2 * n;
    let mut whole = vec![0.0; size * size];
    for i in 0..n {
        for j in 0..n {
            whole[i * size + j] = h * a[i * n + j];
        }
        whole[i * size + n + i] = h;
    }
    let exponential = exponential(whole, size);
    (0..n).flat_map(|i| exponential[i * size + n..(i + 1) * size].to_vec()).collect()
}

fn exponential(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    // 0.5^18 / 18! is below 1e-21.
    const TERMS: usize = 18;
    let norm = a.chunks(n).map(|row| row.iter().map(|x| x.abs()).sum::<f64>()).fold(0.0, f64::max);
    let squarings = (2.0 * norm).log2().ceil().clamp(0.0, 100.0) as i32;
    a.iter_mut().for_each(|x| *x *= 0.5f64.powi(squarings));
    let unit: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    let plus_unit = |m: Vec<f64>| -> Vec<f64> { m.iter().zip(&unit).map(|(x, one)| x + one).collect() };
    let mut sum = unit.clone();
    for k in (1..=TERMS).rev() {
        let scaled: Vec<f64> = a.iter().map(|x| x / k as f64).collect();
        sum = plus_unit(product(&scaled, &sum, n));
    }
    for _ in 0..squarings {
        sum = product(&sum, &sum, n);
    }
    sum
}

fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    for (row, out) in a.chunks(n).zip(c.chunks_mut(n)) {
        for (x, line) in row.iter().zip(b.chunks(n)).filter(|(x, _)| **x != 0.0) {
            out.iter_mut().zip(line).for_each(|(sum, y)| *sum += x * y);
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use bd_kernel::Num;

    use super::*;

    #[test]
    fn a_diagonal_matrix_gives_phi_of_each() {
        let found = step_matrix(&[-0.05, 0.0, 0.0, -30.0], 2, 1.5);
        let expected = [1.5 * (-0.075f64).phi(1), 0.0, 0.0, 1.5 * (-45.0f64).phi(1)];
        for (x, y) in found.iter().zip(expected) {
            assert!((x - y).abs() <= 1e-14 * y.abs().max(1e-3), "{found:?} and not {expected:?}");
        }
    }

    /// `x' = -x/a + y, y' = -y/b`, whose off-diagonal entry is the integral of `(e^(-s/a) - e^(-s/b)) / (1/b - 1/a)`.
    #[test]
    fn a_chain_gives_the_difference_of_exponentials() {
        let (a, b, h) = (20.0, 5.0, 0.7);
        let found = step_matrix(&[-1.0 / a, 1.0, 0.0, -1.0 / b], 2, h);
        let integral = |tau: f64| tau * (1.0 - (-h / tau).exp());
        let expected = (integral(a) - integral(b)) / (1.0 / b - 1.0 / a);
        assert!((found[1] / expected - 1.0).abs() < 1e-12, "{} and not {expected}", found[1]);
        assert!((found[0] / integral(a) - 1.0).abs() < 1e-14 && (found[3] / integral(b) - 1.0).abs() < 1e-14);
        assert_eq!(found[2], 0.0);
    }

    /// A rotation: the matrix of `x' = -w y, y' = w x` over a quarter of a revolution.
    #[test]
    fn a_rotation() {
        let h = std::f64::consts::FRAC_PI_2;
        let found = step_matrix(&[0.0, -1.0, 1.0, 0.0], 2, h);
        for (x, y) in found.iter().zip([1.0, -1.0, 1.0, 1.0]) {
            assert!((x - y).abs() < 1e-14, "{found:?}");
        }
    }
}
