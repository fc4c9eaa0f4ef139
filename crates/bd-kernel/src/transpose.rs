//! Matrices transposed: what lies channel after channel becomes sample after sample, and back.

use super::product::{Rows, RowsMut, reach};
use super::vector::{Transpose, Vector};
use super::{Cpu, Instructions, Loops, Real, vectorised};

/// `to[column, row] = from[row, column]`.
pub fn transpose<F: Real>(
    instructions: Instructions,
    [rows, columns]: [usize; 2],
    from: Rows<'_, F>,
    to: RowsMut<'_, F>,
) {
    vectorised(instructions, TurnLoops { rows, columns, from, to });
}

struct TurnLoops<'a, F> {
    rows: usize,
    columns: usize,
    from: Rows<'a, F>,
    to: RowsMut<'a, F>,
}

impl<F: Real> Loops for TurnLoops<'_, F> {
    #[inline(always)]
    fn run<C: Cpu>(self) {
        transpose_loops::<C, F>([self.rows, self.columns], self.from, self.to);
    }
}

/// [`transpose`] within other loops: squares as long as vectors; number by number what is narrower than that.
#[inline(always)]
pub fn transpose_loops<C: Cpu, F: Real>([rows, columns]: [usize; 2], from: Rows<'_, F>, to: RowsMut<'_, F>) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(reach(rows, from.stride, columns) <= from.numbers.len(), "numbers to be transposed are missing");
    assert!(reach(columns, to.stride, rows) <= to.numbers.len(), "there is too little workspace");
    let side = C::Short::<F>::LEN;
    // The last square ends where the matrix does, over numbers that others have as well: they are written twice.
    let begins = |len: usize| (0..len.div_ceil(side)).map(move |i| (i * side).min(len - side));
    if rows >= side && columns >= side {
        for row in begins(rows) {
            for column in begins(columns) {
                // SAFETY: the assertions above: the square is within both; this is called by loops that `vectorised` runs.
                unsafe {
                    let read = from.numbers.as_ptr().add(row * from.stride + column);
                    let write = to.numbers.as_mut_ptr().add(column * to.stride + row);
                    C::Short::<F>::transpose(read, from.stride, write, to.stride);
                }
            }
        }
        return;
    }
    for row in 0..rows {
        for column in 0..columns {
            to.numbers[column * to.stride + row] = from.numbers[row * from.stride + column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<F: Real>(instructions: Instructions) {
        for (rows, columns) in [(1, 1), (8, 8), (3, 16), (16, 9), (21, 13), (2, 32)] {
            let (from_stride, to_stride) = (columns + 3, rows + 1);
            let from: Vec<F> = (0..rows * from_stride).map(|i| F::of(i as f64)).collect();
            let mut to = vec![F::of(-1.0); columns * to_stride];
            let (read, write) =
                (Rows { numbers: &from, stride: from_stride }, RowsMut { numbers: &mut to, stride: to_stride });
            transpose(instructions, [rows, columns], read, write);
            for (at, found) in to.iter().enumerate() {
                let (column, row) = (at / to_stride, at % to_stride);
                let expected = if row < rows { from[row * from_stride + column] } else { F::of(-1.0) };
                assert!(*found == expected, "{rows} x {columns}, column {column}, row {row}");
            }
        }
    }

    #[test]
    fn matrices_of_every_size() {
        for instructions in
            [Some(Instructions::any()), Instructions::avx2(), Instructions::avx512()].into_iter().flatten()
        {
            check::<f32>(instructions);
            check::<f64>(instructions);
        }
    }
}
