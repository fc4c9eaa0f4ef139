//! Sums over the weights of one output.

/// Partial sums, so that additions need not wait for each other.
const SUMS: usize = 8;

/// `sum_i a_i b_i`, in an order that depends on the length alone.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((blocks, rest), (others, other_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (a, b) in blocks.iter().zip(others) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let tail: f64 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + tail
}

/// `w += factor x`.
pub(super) fn add(w: &mut [f64], factor: f64, x: &[f64]) {
    for (w, x) in w.iter_mut().zip(x) {
        *w += factor * x;
    }
}
