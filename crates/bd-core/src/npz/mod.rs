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

use crate::stored::Stored;

pub use read::{MAX_BYTES, load_npy, load_npz};
pub(crate) use read::{members, npy_of_bytes};
pub use write::{npz_to_bytes, save_npz, save_npz_with_text};

/// What an `.npy` file begins with.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// numpy's codes of the dtypes that are read, without the byte order before them. Those that libtorch has are written too.
const DTYPES: [(&str, Stored); 12] = [
    ("f2", Stored::F16),
    ("f4", Stored::As(Kind::Float)),
    ("f8", Stored::As(Kind::Double)),
    ("i1", Stored::As(Kind::Int8)),
    ("i2", Stored::As(Kind::Int16)),
    ("i4", Stored::As(Kind::Int)),
    ("i8", Stored::As(Kind::Int64)),
    ("u1", Stored::As(Kind::Uint8)),
    ("u2", Stored::U16),
    ("u4", Stored::U32),
    ("u8", Stored::U64),
    ("b1", Stored::As(Kind::Bool)),
];
