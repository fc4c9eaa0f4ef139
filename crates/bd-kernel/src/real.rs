//! [`Real`]: what kernels calculate with, and [`Numbers`], their copies of parameters.

use std::ops::AddAssign;

use super::models::fixed::SparseNumbers;
use super::vector::{Transpose, Vector};
use super::{Block, Num, SparseWeight};

/// What kernels calculate with: `f32` or `f64`.
pub trait Real: Num + Copy + Default + AddAssign + PartialOrd + Send + Sync + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// `self b + c`, rounded once. Slow where the processor has no instruction for it: see
    /// [`Cpu::mul_add`](super::Cpu::mul_add).
    fn fused_mul_add(self, b: Self, c: Self) -> Self;

    /// `self^exponent`, by libm.
    fn power(self, exponent: Self) -> Self;

    /// Smaller numbers than this are about to underflow, which makes every operation with them many times slower: a
    /// million times the smallest number of full precision.
    const TINY: Self;

    /// Itself, or zero if it is about to [underflow](Self::TINY).
    #[inline(always)]
    fn flushed(self) -> Self {
        if self.abs() < Self::TINY { Self::default() } else { self }
    }

    /// Vectors of any processor that bd is compiled for.
    type Plain: Transpose<Self>;
    /// Vectors of AVX2.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Transpose<Self>;
    /// Vectors of AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;

    /// `2^self` of a whole number whose power is neither too small nor too large for full precision.
    fn exp2_of_whole(self) -> Self;

    /// The nearest whole number, of numbers that are not above a million.
    fn nearest_whole(self) -> Self;

    /// `ln 2` in two parts: the first has so few digits that its products with whole numbers below a thousand are
    /// exact.
    const LN_2: (Self, Self);

    /// Terms of the series of `e^x - 1` that are not lost in rounding where `|x| <= ln 2 / 2`.
    const EXP_TERMS: usize;

    /// `e^-x` of larger numbers is not a number of full precision.
    const EXP_LIMIT: Self;

    /// Numbers of this type; a panic if they are of the other. The driver takes care that they are.
    fn numbers(numbers: &Numbers) -> &[Self];

    /// Numbers of this type as those of either.
    fn stored(numbers: Block<Self>) -> Numbers;

    /// A sparse weight of this type; a panic if it is of the other.
    fn sparse(weight: &SparseNumbers) -> &SparseWeight<Self>;

    /// A sparse weight of this type as one of either.
    fn stored_sparse(weight: SparseWeight<Self>) -> SparseNumbers;
}

macro_rules! impl_real {
    ($float:ty, $variant:ident, $vectors:tt, $exp:tt) => {
        impl Real for $float {
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn fused_mul_add(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }

            #[inline(always)]
            fn power(self, exponent: Self) -> Self {
                self.powf(exponent)
            }

            const TINY: Self = 1e6 * <$float>::MIN_POSITIVE;

            impl_real!(@vectors $vectors);

            #[inline(always)]
            fn exp2_of_whole(self) -> Self {
                // Added to this number, a whole number stands in the last digits.
                const ONES: $float = 1.5 / <$float>::EPSILON;
                let exponent = (self + ONES).to_bits() << (<$float>::MANTISSA_DIGITS - 1);
                <$float>::from_bits(exponent.wrapping_add((1.0 as $float).to_bits()))
            }

            #[inline(always)]
            fn nearest_whole(self) -> Self {
                const ONES: $float = 1.5 / <$float>::EPSILON;
                (self + ONES) - ONES
            }

            impl_real!(@exp $exp);

            fn numbers(numbers: &Numbers) -> &[Self] {
                let Numbers::$variant(numbers) = numbers else {
                    panic!("parameters in {} were expected", stringify!($float))
                };
                numbers
            }

            fn stored(numbers: Block<Self>) -> Numbers {
                Numbers::$variant(numbers)
            }

            fn sparse(weight: &SparseNumbers) -> &SparseWeight<Self> {
                let SparseNumbers::$variant(weight) = weight else {
                    panic!("weights in {} were expected", stringify!($float))
                };
                weight
            }

            fn stored_sparse(weight: SparseWeight<Self>) -> SparseNumbers {
                SparseNumbers::$variant(weight)
            }
        }
    };
    (@vectors ($plain:ident, $avx2:ident, $avx512:ident)) => {
        #[cfg(target_arch = "x86_64")]
        type Plain = std::arch::x86_64::$plain;
        #[cfg(target_arch = "x86_64")]
        type Avx2 = std::arch::x86_64::$avx2;
        #[cfg(target_arch = "x86_64")]
        type Avx512 = std::arch::x86_64::$avx512;
        #[cfg(not(target_arch = "x86_64"))]
        type Plain = [Self; 4];
    };
    (@exp ($ln_2:expr, $terms:literal, $limit:literal)) => {
        const LN_2: (Self, Self) = $ln_2;
        const EXP_TERMS: usize = $terms;
        const EXP_LIMIT: Self = $limit;
    };
}

impl_real!(f32, Single, (__m128, __m256, __m512), ((355.0 / 512.0, -2.121_944_4e-4), 8, 87.0));
impl_real!(
    f64,
    Double,
    (__m128d, __m256d, __m512d),
    ((6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10), 13, 708.0)
);

/// A copy of a parameter's numbers, in its own dtype.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// float32.
    Single(Block<f32>),
    /// float64.
    Double(Block<f64>),
}

impl Numbers {
    /// A copy of some numbers.
    pub fn copy_of<F: Real>(numbers: &[F]) -> Self {
        F::stored(Block::from(numbers))
    }

    /// These, and then others of the same dtype; a panic if they are of the other.
    pub fn followed_by(&self, next: &Self) -> Self {
        match self {
            Self::Single(numbers) => Self::copy_of(&[numbers, f32::numbers(next)].concat()),
            Self::Double(numbers) => Self::copy_of(&[numbers, f64::numbers(next)].concat()),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Single(numbers) => numbers.len(),
            Self::Double(numbers) => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
