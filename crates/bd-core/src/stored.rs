//! [`Stored`]: number types as files have them, and what they are read as.

use tch::{Kind, Tensor};

/// An array of a file, or why it cannot be read, in a sentence.
pub(crate) type Read = Result<Member, String>;

/// An array of a file.
#[derive(Debug)]
pub enum Member {
    /// Of numbers.
    Numbers(Tensor),
    /// Of text.
    Text(Text),
}

/// An array of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its dimensions.
    pub shape: Vec<i64>,
    /// Its elements in the order of rows.
    pub items: Vec<String>,
}

/// A number type of a file.
///
/// libtorch has no unsigned whole numbers beyond a byte worth the name: they are read as the next wider signed ones. float16 is read as
/// float32, which holds all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// float16.
    F16,
    /// bfloat16: the first half of a float32.
    BF16,
    /// uint16.
    U16,
    /// uint32.
    U32,
    /// uint64; none of them may be beyond what int64 holds.
    U64,
    /// One of libtorch's own.
    As(Kind),
}

impl Stored {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 | Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 => 8,
            Self::As(kind) => kind.elt_size_in_bytes(),
        }
    }

    /// The numbers of `data`, the first byte of each the least, in the order of rows; or what is wrong with them, in a sentence without
    /// its subject; such as that there are not as many as the shape says.
    pub(crate) fn tensor(self, data: &[u8], shape: &[i64]) -> Result<Tensor, String> {
        // libtorch copies as many bytes as the shape says.
        let count = shape.iter().try_fold(1usize, |all, size| all.checked_mul(usize::try_from(*size).ok()?));
        if count.and_then(|count| count.checked_mul(self.size())) != Some(data.len()) {
            return Err(format!("it holds {} bytes, which are no {shape:?} of {} bytes each", data.len(), self.size()));
        }
        let of =
            |data: &[u8], kind: Kind| Tensor::f_from_data_size(data, shape, kind).map_err(|error| error.to_string());
        match self {
            Self::As(Kind::Bool) if data.iter().any(|&byte| byte > 1) => Err("a bool of it is neither 0 nor 1".into()),
            Self::As(kind) => of(data, kind),
            Self::F16 => of(data, Kind::Half)?.f_to_kind(Kind::Float).map_err(|error| error.to_string()),
            Self::BF16 => of(data, Kind::BFloat16)?.f_to_kind(Kind::Float).map_err(|error| error.to_string()),
            Self::U16 => {
                let wider = each(data, |bytes| i32::from(u16::from_le_bytes(bytes)).to_le_bytes());
                of(&wider, Kind::Int)
            }
            Self::U32 => {
                let wider = each(data, |bytes| i64::from(u32::from_le_bytes(bytes)).to_le_bytes());
                of(&wider, Kind::Int64)
            }
            Self::U64 => {
                let numbers = data.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
                match numbers.enumerate().find(|(_, number)| i64::try_from(*number).is_err()) {
                    Some((at, number)) => {
                        Err(format!("its number {at} (counted from 0) is {number}, which is more than int64 holds"))
                    }
                    None => of(data, Kind::Int64),
                }
            }
        }
    }
}

fn each<const N: usize, const M: usize>(data: &[u8], widen: impl Fn([u8; N]) -> [u8; M]) -> Vec<u8> {
    data.as_chunks::<N>().0.iter().flat_map(|bytes| widen(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(stored: Stored, data: &[u8]) -> Vec<f64> {
        let count = (data.len() / stored.size()) as i64;
        Vec::try_from(stored.tensor(data, &[count]).unwrap().to_kind(Kind::Double)).unwrap()
    }

    #[test]
    fn unsigned_and_short_numbers_keep_their_values() {
        assert_eq!(numbers(Stored::U16, &[0, 0, 0xff, 0xff]), [0.0, 65_535.0]);
        assert_eq!(numbers(Stored::U32, &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), [1.0, 4_294_967_295.0]);
        assert_eq!(numbers(Stored::U64, &7u64.to_le_bytes()), [7.0]);
        // IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. 0x3555 is the number next to a third, 0xfc00 minus infinity.
        let halves = [0x00, 0x3c, 0x55, 0x35, 0x00, 0xfc];
        assert_eq!(numbers(Stored::F16, &halves), [1.0, 0.333_251_953_125, f64::NEG_INFINITY]);
        assert_eq!(numbers(Stored::BF16, &[0x80, 0x3f, 0x40, 0xc0]), [1.0, -3.0]);
    }

    /// libtorch would read beyond the end.
    #[test]
    fn numbers_are_as_many_as_the_shape_says() {
        for (bytes, shape) in [(0, &[][..]), (8, &[3]), (8, &[-1]), (0, &[1 << 62, 1 << 62]), (12, &[2])] {
            let error = Stored::As(Kind::Float).tensor(&vec![0; bytes], shape).unwrap_err();
            assert!(error.starts_with(&format!("it holds {bytes} bytes, which are no")), "{error}");
        }
        assert_eq!(Stored::As(Kind::Float).tensor(&[], &[0, 3]).unwrap().size(), [0, 3]);
    }

    /// libtorch would keep the byte, and compare it as a number.
    #[test]
    fn a_bool_is_zero_or_one() {
        let bools = Stored::As(Kind::Bool);
        assert_eq!(bools.tensor(&[1, 0, 2], &[3]).unwrap_err(), "a bool of it is neither 0 nor 1");
        assert_eq!(numbers(bools, &[1, 0]), [1.0, 0.0]);
    }

    #[test]
    fn what_no_signed_number_holds_is_refused() {
        let data = [1u64.to_le_bytes(), (1u64 << 63).to_le_bytes()].concat();
        let error = Stored::U64.tensor(&data, &[2]).unwrap_err();
        assert_eq!(error, "its number 1 (counted from 0) is 9223372036854775808, which is more than int64 holds");
    }
}
