//! Which products are libtorch's, and how its library is called.

use std::sync::Mutex;

use tch::{Kind, Tensor};

use super::memory::host;
use crate::fused::Element;
use crate::threads::{self, in_parallel};

/// Rows of a product, which are samples times steps, from which on it may be the library's; inputs likewise.
const ROWS: usize = 64;
const INPUTS: usize = 256;
/// Numbers of the weight, likewise: inputs times outputs.
const WEIGHTS: usize = 1 << 17;
/// An input of which less than one number in so many is other than zero is the kernels', which read rows of the weight.
const WORTH: usize = 8;
/// Into how many blocks, downwards and across, a product may be divided.
const BLOCKS: [[i64; 2]; 3] = [[4, 1], [2, 2], [1, 4]];
/// Rows and columns of a block at least.
const LEAST_SIDE: u64 = 64;
/// Rows of an input that are looked at to find out.
const LOOKED_AT: usize = 64;

/// Whose product a linear map is that a scan of numbers begins with: that of the kernels, stretch by stretch, or
/// that of the library that libtorch was built with, over many steps at once.
///
/// The kernels' products come to the same bytes on AVX2 and AVX-512. The library's do not, and libtorch says nothing about other
/// versions of it. Neither depends on the number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Library {
    /// The library's where it [is faster](is_librarys), unless the input is almost all zeros: less than an eighth of 64 rows
    /// of it, evenly spaced.
    #[default]
    ByShape,
    /// Always the library's, but for lists of spikes.
    Always,
    /// Never the library's.
    Never,
}

/// Whether a product of so many rows (samples times steps), inputs and outputs is the library's: from 64 rows, 256 inputs and 131,072
/// weights on. A rule of its shape alone, the same on every machine. Below, the kernels' products are as fast, and what they write stays in a
/// cache (`cargo bench --bench products`).
pub fn is_librarys([rows, n_in, n_out]: [usize; 3]) -> bool {
    rows >= ROWS && n_in >= INPUTS && n_in * n_out >= WEIGHTS
}

impl Library {
    /// Whether the product of such a shape may be the library's, whatever the numbers.
    pub(super) fn may_take(self, shape: [usize; 3]) -> bool {
        match self {
            Self::ByShape => is_librarys(shape),
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// Whether the product of numbers `[time, batch, n_in]` with a weight of so many outputs is the library's.
    pub(super) fn takes<F: Element>(self, xs: &Tensor, n_out: usize) -> bool {
        let (n_in, all) = (xs.size()[2] as usize, xs.numel());
        let is_almost_zero = || is_almost_zero(host::<F>(&xs.detach().contiguous()), n_in);
        self.may_take([all / n_in.max(1), n_in, n_out]) && (self == Self::Always || !is_almost_zero())
    }
}

fn is_almost_zero<F: Element>(xs: &[F], n_in: usize) -> bool {
    let rows = xs.len() / n_in;
    let looked_at = LOOKED_AT.min(rows);
    let others = |row: usize| xs[row * n_in..][..n_in].iter().filter(|x| **x != F::default()).count();
    let found: usize = (0..looked_at).map(|i| others(i * rows / looked_at)).sum();
    found * WORTH < looked_at * n_in
}

/// Rows and columns of a block of a product. Each block copies what it multiplies: they are few, and as square as can be.
fn block_of(rows: i64, columns: i64) -> [i64; 2] {
    let cost = |&[down, across]: &[i64; 2]| across * rows + down * columns;
    let [down, across] = BLOCKS.into_iter().min_by_key(cost).unwrap_or([1, 1]);
    // Whole lines of a cache, and no slivers.
    let side = |size: i64, count: i64| {
        let least = (size.unsigned_abs().div_ceil(count.unsigned_abs())).max(LEAST_SIDE);
        least.next_multiple_of(16) as i64
    };
    [side(rows, down), side(columns, across)]
}

/// Numbers that the library copies at most of what it multiplies, to lie in its own order, where so many threads each have a block of a
/// product of so many rows, terms of a sum and columns. An estimate: as much as there is.
pub(super) fn copied([rows, terms, columns]: [i64; 3], on_threads: usize) -> usize {
    let [high, wide] = block_of(rows, columns);
    let blocks =
        [rows.unsigned_abs().div_ceil(high.unsigned_abs()), columns.unsigned_abs().div_ceil(wide.unsigned_abs())];
    let at_once = on_threads.min((blocks[0] * blocks[1]) as usize);
    ((high.min(rows) + wide.min(columns)) * terms) as usize * at_once
}

/// `out = start + a b`, of matrices outside of any graph.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) out: Tensor,
    pub(super) a: Tensor,
    pub(super) b: Tensor,
    pub(super) start: Start,
}

/// What the sums of a [`Product`] begin with.
#[derive(Debug)]
pub(super) enum Start {
    Zero,
    /// One row, the same for all.
    Row(Tensor),
    /// What is there.
    There,
}

impl Product {
    /// Blocks of the result, each of which is a product of its own: a function of its shape alone, so that the number of threads changes
    /// no byte.
    fn blocks(self) -> Vec<Self> {
        let [rows, columns] = [0, 1].map(|dim| self.out.size()[dim]);
        let [high, wide] = block_of(rows, columns);
        let mut blocks = Vec::new();
        for row in (0..rows).step_by(high as usize) {
            let count = high.min(rows - row);
            for column in (0..columns).step_by(wide as usize) {
                let width = wide.min(columns - column);
                blocks.push(Self {
                    out: self.out.narrow(0, row, count).narrow(1, column, width),
                    a: self.a.narrow(0, row, count),
                    b: self.b.narrow(1, column, width),
                    start: match &self.start {
                        Start::Zero => Start::Zero,
                        Start::Row(first) => Start::Row(first.narrow(0, column, width)),
                        Start::There => Start::There,
                    },
                });
            }
        }
        blocks
    }

    fn run(&mut self) {
        let Self { out, a, b, start } = self;
        let _ = match start {
            Start::Zero => a.mm_out(out, b),
            Start::Row(first) => first.addmm_out(out, a, b),
            Start::There => out.addmm_(a, b),
        };
    }
}

/// Products that do not wait for each other, on so many threads of ours with one of libtorch's each. Where libtorch was
/// [given](threads::set_libtorch) several, these share each of them instead.
pub(super) fn multiply(products: Vec<Product>, on_threads: usize) {
    let blocks: Vec<Mutex<Product>> = products.into_iter().flat_map(Product::blocks).map(Mutex::new).collect();
    let on_threads = if tch::get_num_threads() > 1 { 1 } else { on_threads };
    let enter = || {
        if on_threads > 1 {
            threads::set_libtorch(1); // each thread has a number of its own
        }
        tch::no_grad_guard()
    };
    in_parallel(blocks.len(), on_threads, enter, |_, i| {
        blocks[i].lock().expect("a block is one thread's").run();
    });
}

/// Rows of ones, with which a product sums rows.
pub(super) fn ones(rows: i64, kind: Kind) -> Tensor {
    Tensor::ones([1, rows], (kind, tch::Device::Cpu))
}
