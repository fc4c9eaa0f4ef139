//! [`Vector`]: numbers side by side in a register, for the innermost loop of products.
//!
//! Loops over arrays become vector instructions only as long as LLVM recognises them: a block of 8 x 16 sums, written
//! like that, ran at 6 GFLOP/s where one of 6 x 32 reached 180.

use super::Real;

/// Asks for what will be wanted soon: a hint that changes nothing.
#[inline(always)]
pub fn prefetch<F>(at: *const F) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of this kind has the instruction, which takes any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// `LEN` numbers in a register.
pub trait Vector<F: Real>: Copy {
    /// How many there are.
    const LEN: usize;

    /// The same number everywhere.
    ///
    /// # Safety
    ///
    /// The processor has the instructions of this type. It has those of [`Cpu::Vector`](super::Cpu::Vector) in
    /// [`Loops::run`](super::Loops::run) when [`vectorised`](super::vectorised) calls it.
    unsafe fn splat(value: F) -> Self;

    /// Reads `LEN` numbers.
    ///
    /// # Safety
    ///
    /// As for [`splat`](Self::splat), and `from` points to `LEN` numbers.
    unsafe fn load(from: *const F) -> Self;

    /// Writes `LEN` numbers.
    ///
    /// # Safety
    ///
    /// As for [`splat`](Self::splat), and `to` points to room for `LEN` numbers.
    unsafe fn store(self, to: *mut F);

    /// `self b + c`, rounded once where the processor can.
    ///
    /// # Safety
    ///
    /// As for [`splat`](Self::splat).
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;

    /// A bit for each number that is not zero, the first one lowest.
    ///
    /// # Safety
    ///
    /// As for [`splat`](Self::splat).
    unsafe fn nonzero(self) -> u32;
}

/// Vectors of which as many as they are long are transposed as a square.
pub trait Transpose<F: Real>: Vector<F> {
    /// Writes columns as rows: `LEN` rows of `LEN` numbers, `from_stride` apart, to as many, `to_stride` apart.
    ///
    /// # Safety
    ///
    /// As for [`splat`](Vector::splat), and all rows are there.
    unsafe fn transpose(from: *const F, from_stride: usize, to: *mut F, to_stride: usize);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Transpose, Vector};

    impl Transpose<f32> for __m256 {
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller's.
            unsafe {
                // Halves of rows i and i + 4 side by side, then squares of four within the halves.
                let half = |i: usize, at: usize| {
                    let (low, high) = (from.add(i * from_stride + at), from.add((i + 4) * from_stride + at));
                    _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1)
                };
                for at in [0, 4] {
                    let [a, b, c, d] = [half(0, at), half(1, at), half(2, at), half(3, at)];
                    let (ab, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                    let (cd, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                    let rows = [
                        _mm256_shuffle_ps(ab, cd, 0x44),
                        _mm256_shuffle_ps(ab, cd, 0xee),
                        _mm256_shuffle_ps(ab_high, cd_high, 0x44),
                        _mm256_shuffle_ps(ab_high, cd_high, 0xee),
                    ];
                    for (i, row) in rows.into_iter().enumerate() {
                        _mm256_storeu_ps(to.add((at + i) * to_stride), row);
                    }
                }
            }
        }
    }

    impl Transpose<f64> for __m256d {
        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
            // SAFETY: the caller's.
            unsafe {
                let half = |i: usize, at: usize| {
                    let (low, high) = (from.add(i * from_stride + at), from.add((i + 2) * from_stride + at));
                    _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high), 1)
                };
                for at in [0, 2] {
                    let (a, b) = (half(0, at), half(1, at));
                    _mm256_storeu_pd(to.add(at * to_stride), _mm256_unpacklo_pd(a, b));
                    _mm256_storeu_pd(to.add((at + 1) * to_stride), _mm256_unpackhi_pd(a, b));
                }
            }
        }
    }

    impl Transpose<f32> for __m128 {
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller's.
            unsafe {
                let row = |i: usize| _mm_loadu_ps(from.add(i * from_stride));
                let [mut a, mut b, mut c, mut d] = [row(0), row(1), row(2), row(3)];
                _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
                for (i, row) in [a, b, c, d].into_iter().enumerate() {
                    _mm_storeu_ps(to.add(i * to_stride), row);
                }
            }
        }
    }

    impl Transpose<f64> for __m128d {
        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
            // SAFETY: the caller's.
            unsafe {
                let (a, b) = (_mm_loadu_pd(from), _mm_loadu_pd(from.add(from_stride)));
                _mm_storeu_pd(to, _mm_unpacklo_pd(a, b));
                _mm_storeu_pd(to.add(to_stride), _mm_unpackhi_pd(a, b));
            }
        }
    }

    macro_rules! vector {
        ($name:ty, $float:ty, $len:literal, $splat:path, $load:path, $store:path, |$a:ident, $b:ident, $c:ident| $mul_add:expr, |$x:ident| $nonzero:expr) => {
            impl Vector<$float> for $name {
                const LEN: usize = $len;

                #[inline(always)]
                unsafe fn splat(value: $float) -> Self {
                    // SAFETY: the caller's: the processor has the instruction.
                    unsafe { $splat(value) }
                }

                #[inline(always)]
                unsafe fn load(from: *const $float) -> Self {
                    // SAFETY: the caller's, as above, and the numbers are there; they need not be aligned.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut $float) {
                    // SAFETY: the caller's, as above.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                #[allow(unused_unsafe)] // of SSE2 the compiler knows that it is there
                unsafe fn mul_add(self, $b: Self, $c: Self) -> Self {
                    let $a = self;
                    // SAFETY: the caller's: the processor has the instruction.
                    unsafe { $mul_add }
                }

                #[inline(always)]
                #[allow(unused_unsafe)] // as above
                unsafe fn nonzero(self) -> u32 {
                    let $x = self;
                    // SAFETY: the caller's: the processor has the instruction.
                    let bits = unsafe { $nonzero };
                    bits as u32
                }
            }
        };
    }

    vector!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        |a, b, c| _mm512_fmadd_ps(a, b, c),
        |x| _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ)
    );
    vector!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        |a, b, c| _mm512_fmadd_pd(a, b, c),
        |x| _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ)
    );
    vector!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        |a, b, c| _mm256_fmadd_ps(a, b, c),
        |x| _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ))
    );
    vector!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        |a, b, c| _mm256_fmadd_pd(a, b, c),
        |x| _mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_NEQ_UQ))
    );
    vector!(__m128, f32, 4, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, |a, b, c| _mm_add_ps(_mm_mul_ps(a, b), c), |x| {
        _mm_movemask_ps(_mm_cmpneq_ps(x, _mm_setzero_ps()))
    });
    vector!(
        __m128d,
        f64,
        2,
        _mm_set1_pd,
        _mm_loadu_pd,
        _mm_storeu_pd,
        |a, b, c| _mm_add_pd(_mm_mul_pd(a, b), c),
        |x| _mm_movemask_pd(_mm_cmpneq_pd(x, _mm_setzero_pd()))
    );
}

/// For processors whose instructions are not named here.
#[cfg(not(target_arch = "x86_64"))]
impl<F: Real> Vector<F> for [F; 4] {
    const LEN: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: F) -> Self {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const F) -> Self {
        // SAFETY: the caller's: four numbers are there.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut F) {
        // SAFETY: the caller's: there is room for four numbers.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|l| self[l] * b[l] + c[l])
    }

    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        (0..4).map(|l| u32::from(self[l] != F::default()) << l).sum()
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl<F: Real> Transpose<F> for [F; 4] {
    #[inline(always)]
    unsafe fn transpose(from: *const F, from_stride: usize, to: *mut F, to_stride: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: the caller's: all rows are there.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) };
            }
        }
    }
}
