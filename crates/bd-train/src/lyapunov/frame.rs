//! [`Frame`]: directions that are carried along, and how much each has grown.

use bd_core::Rng;

use super::LyapunovSpectrum;

/// Parts of a solution by which the standard error is known.
const PARTS: usize = 10;

/// Orthonormal columns between two stretches.
#[derive(Debug)]
pub(super) struct Frame {
    /// `k` columns of `n` numbers, one after the other.
    columns: Vec<f64>,
    n: usize,
    /// Of each part, for each column, the logarithms of its lengths.
    parts: Vec<Vec<f64>>,
}

impl Frame {
    /// `k` random columns of length `n`.
    pub(super) fn new(n: usize, k: usize) -> Self {
        let mut rng = Rng::new(0, "lyapunov");
        let columns = (0..n * k).map(|_| rng.normal()).collect();
        let mut frame = Self { columns, n, parts: Vec::new() };
        frame.orthonormalise();
        frame
    }

    pub(super) fn columns(&self) -> &[f64] {
        &self.columns
    }

    /// What the columns have become after stretch `index` of `count`.
    pub(super) fn carry(&mut self, columns: &[f64], index: usize, count: usize) {
        self.columns.copy_from_slice(columns);
        let lengths = self.orthonormalise();
        let part = index * PARTS.min(count) / count;
        if part == self.parts.len() {
            self.parts.push(vec![0.0; lengths.len()]);
        }
        self.parts[part].iter_mut().zip(lengths).for_each(|(sum, length)| *sum += length.ln());
    }

    /// What the columns have become in a stretch that does not count.
    pub(super) fn carry_through_transient(&mut self, columns: &[f64]) {
        self.columns.copy_from_slice(columns);
        self.orthonormalise();
    }

    /// Gram and Schmidt's, each column twice, so that rounding leaves nothing: the lengths before. A column of length zero stays.
    fn orthonormalise(&mut self) -> Vec<f64> {
        let n = self.n;
        let mut lengths = Vec::new();
        for at in (0..self.columns.len()).step_by(n) {
            let (before, rest) = self.columns.split_at_mut(at);
            let column = &mut rest[..n];
            for _ in 0..2 {
                for unit in before.chunks(n) {
                    let along: f64 = unit.iter().zip(&*column).map(|(a, b)| a * b).sum();
                    column.iter_mut().zip(unit).for_each(|(value, unit)| *value -= along * unit);
                }
            }
            let length = column.iter().map(|value| value * value).sum::<f64>().sqrt();
            if length > 0.0 {
                column.iter_mut().for_each(|value| *value /= length);
            }
            lengths.push(length);
        }
        lengths
    }

    /// The exponents of all stretches, which took `time` together.
    pub(super) fn spectrum(&self, time: f64) -> LyapunovSpectrum {
        let (k, parts) = (self.columns.len() / self.n, self.parts.len() as f64);
        let of_column = |c: usize| {
            let rates: Vec<f64> = self.parts.iter().map(|part| part[c] * parts / time).collect();
            let mean = rates.iter().sum::<f64>() / parts;
            let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (parts - 1.0);
            (mean, (variance / parts).sqrt())
        };
        let mut all: Vec<(f64, f64)> = (0..k).map(of_column).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (exponents, errors) = all.into_iter().unzip();
        LyapunovSpectrum { exponents, errors, time }
    }
}
