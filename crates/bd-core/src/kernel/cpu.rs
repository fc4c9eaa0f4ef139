//! Loops compiled for several processors, and chosen among when they run.

use super::Real;

/// Which instructions loops may use. Only what the processor has can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions {
    avx2_fma: bool,
}

impl Instructions {
    /// The best that this processor has, of those that loops are compiled for: AVX2 with FMA, else those of any.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        let avx2_fma = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let avx2_fma = false;
        Self { avx2_fma }
    }

    /// Those of any processor.
    pub fn any() -> Self {
        Self { avx2_fma: false }
    }
}

/// Loops that are compiled once for each [`Cpu`], see [`vectorised`]. `run` has to be marked `#[inline(always)]`.
///
/// A trait and not a closure: a closure of any size is left out of line, and then compiled for the oldest processor only.
pub trait Loops {
    /// Runs them.
    fn run<C: Cpu>(self);
}

/// What a processor can do.
pub trait Cpu {
    /// `a b + c`, by one instruction where there is one.
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F;
}

/// Any processor.
struct Plain;

impl Cpu for Plain {
    #[inline(always)]
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F {
        a * b + c
    }
}

/// One with AVX2 and FMA. (AVX-512 was tried: no faster, for the loops wait for the cache.)
#[cfg(target_arch = "x86_64")]
struct Avx2Fma;

#[cfg(target_arch = "x86_64")]
impl Cpu for Avx2Fma {
    #[inline(always)]
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F {
        a.fused_mul_add(b, c)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_with_avx2_fma(loops: impl Loops) {
    loops.run::<Avx2Fma>();
}

/// Runs loops with these instructions.
#[inline]
pub fn vectorised(instructions: Instructions, loops: impl Loops) {
    #[cfg(target_arch = "x86_64")]
    if instructions.avx2_fma {
        // SAFETY: `Instructions` with these are made only where the processor has said that it knows them.
        return unsafe { run_with_avx2_fma(loops) };
    }
    let _ = instructions;
    loops.run::<Plain>();
}
