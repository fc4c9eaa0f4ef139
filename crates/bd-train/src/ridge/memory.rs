//! What regressions take of memory, by their sizes.
//!
//! The factors are measured: the peaks of whole runs with 28 to 5,000 features, of each to the next tenth or so.

use super::wide::{NEW, WIDE};

/// Bytes of a number.
const NUMBER: f64 = 8.0;

/// What the fit by a [`RidgeFactor`](super::RidgeFactor) takes at its peak, in bytes: of `rows` samples, `chunk_rows` at once, with `columns`
/// features and targets.
///
/// There are the features of a chunk and what they are made of, and while they are made those of the chunk before; the rows that are factorised and the copy in which that is done; matrices
/// of columns by columns, of which the solution for a penalty takes most; and those of the products that extend a factor.
pub fn factor_bytes(rows: usize, chunk_rows: usize, columns: usize) -> u64 {
    let [rows, chunk_rows, columns] = [rows, chunk_rows, columns].map(|count| count as f64);
    let (chunk, is_wide) = (rows.min(chunk_rows), columns >= WIDE as f64);
    let before = if rows > chunk_rows { chunk } else { 0.0 };
    let factorised = if is_wide { chunk.min(NEW as f64 * columns) } else { chunk };
    let products = if is_wide && rows > factorised { columns } else { 0.0 };
    let beside_columns = 2.0 * chunk + before + 2.0 * factorised + 8.0 * rows.min(columns) + 8.0 * products;
    (beside_columns * columns * NUMBER) as u64
}

/// What the elastic net takes at its peak beside the factor, in bytes, with `columns` features and so many targets at once: of each target
/// the factor, its columns, those that have weights, and what their factorisation takes.
pub fn sparse_bytes(columns: usize, targets: usize) -> u64 {
    (OF_PATH * targets as f64 * (columns as f64).powi(2) * NUMBER) as u64
}

/// Matrices of columns by columns of one target.
const OF_PATH: f64 = 11.0;

/// Steps whose features are in memory at once in a warm-up or a test, more than are learned from at once.
const ONLINE_ROWS: f64 = 4096.0;

/// What learning sample by sample takes at its peak, in bytes, with a matrix of columns by columns (`rls`) or without (`lms`).
///
/// There are the features of some samples and what they are made of, and the matrix, a copy of it and what it is written to a checkpoint from.
pub fn online_bytes(rows: usize, columns: usize, has_matrix: bool) -> u64 {
    let [rows, columns] = [rows, columns].map(|count| count as f64);
    let matrices = if has_matrix { 3.0 * columns } else { 0.0 };
    ((3.0 * rows.min(ONLINE_ROWS) + matrices) * columns * NUMBER) as u64
}

/// What the fit by a [`RidgeSpectrum`](super::RidgeSpectrum) takes at its peak, in bytes: of `rows` samples with `columns` features.
///
/// There are the features, raw, standardised and less their means, and the basis; and matrices of the smaller side.
pub fn spectrum_bytes(rows: usize, columns: usize) -> u64 {
    let [rows, columns] = [rows, columns].map(|count| count as f64);
    let least = rows.min(columns);
    (((2.5 * columns + least) * rows + 4.0 * least * least) * NUMBER) as u64
}

/// What the fit by [`RidgeFolds`](super::RidgeFolds) takes at its peak, in bytes: of `rows` samples with `columns` features.
///
/// There are the features, raw and standardised, and the sums of folds and what is decomposed of them.
pub fn folds_bytes(rows: usize, columns: usize) -> u64 {
    let [rows, columns] = [rows, columns].map(|count| count as f64);
    ((3.0 * rows + 14.0 * columns) * columns * NUMBER) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 50 columns of 1,000 rows at once; 1,000 columns, of 16,384 of 20,000 rows 6,000 by Householder.
    #[test]
    fn bytes_are_their_formula() {
        assert_eq!(factor_bytes(5000, 1000, 50), (3 * 1000 + 2 * 1000 + 8 * 50) * 50 * 8);
        assert_eq!(factor_bytes(20_000, 16_384, 1000), (3 * 16_384 + 2 * 6000 + 8 * 1000 + 8 * 1000) * 1000 * 8);
        assert_eq!(factor_bytes(500, 16_384, 1000), (2 * 500 + 2 * 500 + 8 * 500) * 1000 * 8);
        assert_eq!(spectrum_bytes(100, 1000), (250_000 + 100 * 100 + 4 * 100 * 100) * 8);
        assert_eq!(online_bytes(5000, 10, true), (3 * 4096 + 30) * 10 * 8);
        assert_eq!(folds_bytes(1000, 10), (3 * 1000 + 14 * 10) * 10 * 8);
        assert_eq!(factor_bytes(usize::MAX, usize::MAX, usize::MAX), u64::MAX);
    }
}
