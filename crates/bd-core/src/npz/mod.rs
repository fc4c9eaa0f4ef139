//! numpy's `.npy`, one array, and `.npz`, a zip of them under names.
//!
//! Format: numpy's documentation, `numpy.lib.format`. Files from elsewhere are read without trust: no pickle, no memory
//! before there are data to fill it, and every length checked.

mod header;
mod read;
#[cfg(test)]
mod tests;
mod write;

use tch::Kind;

pub use read::{MAX_BYTES, load_npy, load_npz, load_npz_hashed};
pub use write::save_npz;

/// What an `.npy` file begins with.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// numpy's codes of the dtypes that are read and written, without the byte order before them.
const DTYPES: [(&str, Kind); 8] = [
    ("f4", Kind::Float),
    ("f8", Kind::Double),
    ("i1", Kind::Int8),
    ("i2", Kind::Int16),
    ("i4", Kind::Int),
    ("i8", Kind::Int64),
    ("u1", Kind::Uint8),
    ("b1", Kind::Bool),
];
