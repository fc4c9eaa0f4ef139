//! `y = x W + b` of series whose channels lie side by side in time.

use crate::{Block, Instructions, LANES, Packed, Real, Rows, RowsMut, Shape, Start, pack, product};

/// A linear map of numbers, each sum of which has the order of the inputs, whatever the number of columns: what is calculated of a whole
/// series has the bytes of what is calculated step by step.
#[derive(Debug)]
pub struct LinearInOrder<F: Real> {
    sizes: [usize; 2],
    packed: Block<F>,
    bias: Block<F>,
}

impl<F: Real> LinearInOrder<F> {
    /// From a weight `[n_in, n_out]`, row by row, and perhaps a bias `[n_out]`.
    ///
    /// # Panics
    ///
    /// If there are other numbers of them.
    pub fn new([n_in, n_out]: [usize; 2], weight: &[F], bias: Option<&[F]>) -> Self {
        let found = (weight.len(), bias.map_or(n_out, <[F]>::len));
        assert_eq!(found, (n_in * n_out, n_out), "weights of {n_in} inputs and {n_out} outputs");
        let packed = pack(n_in, n_out, |i, o| weight[i * n_out + o]);
        Self { sizes: [n_in, n_out], packed, bias: bias.map_or_else(|| Block::zeros(n_out), Block::from) }
    }

    /// Outputs `[column, n_out]` of inputs `[n_in, column]`.
    pub fn rows(&self, xs: &[F], columns: usize, ys: &mut [F]) {
        let [n_in, n_out] = self.sizes;
        let room = columns.next_multiple_of(LANES);
        let mut whole = Block::zeros(if room == columns { 0 } else { n_in * room });
        let mut rows = Rows { numbers: xs, stride: columns };
        if room != columns {
            whole
                .chunks_exact_mut(room)
                .zip(xs.chunks_exact(columns))
                .for_each(|(to, xs)| to[..columns].copy_from_slice(xs));
            rows = Rows { numbers: &whole, stride: room };
        }
        let mut out = Block::zeros(n_out * room);
        let shape = Shape { rows: n_out, terms: n_in, columns: room };
        let to = RowsMut { numbers: &mut out, stride: room };
        product(Instructions::best(), shape, Packed(&self.packed), rows, Start::Each(&self.bias), to);
        for (column, y) in ys.chunks_exact_mut(n_out).take(columns).enumerate() {
            y.iter_mut().zip(out.chunks_exact(room)).for_each(|(y, row)| *y = row[column]);
        }
    }
}
