//! Loops compiled for several processors, and chosen among when they run.

use std::sync::OnceLock;

use super::Real;
use super::vector::{Transpose, Vector};

/// Which instructions loops may use. Only what the processor has can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instructions(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Any,
    Avx2,
    Avx512,
}

impl Instructions {
    /// The best that this processor has, of those that loops are compiled for; at most those that the variable `BD_INSTRUCTIONS`
    /// [names](Self::limited) when it is first asked for, if it is one of its values.
    pub fn best() -> Self {
        static BEST: OnceLock<Instructions> = OnceLock::new();
        *BEST.get_or_init(|| Self::limited().unwrap_or_else(|_| Self::all()))
    }

    /// The best of this processor, or of those that `BD_INSTRUCTIONS` allows, which is `any`, `avx2` or `avx512`, if it is set. Fails with
    /// a sentence if it is something else.
    ///
    /// With AVX2 and AVX-512 loops give the same bytes. So a run can be repeated as on another processor, and be timed as there.
    pub fn limited() -> Result<Self, String> {
        let Ok(name) = std::env::var("BD_INSTRUCTIONS") else { return Ok(Self::all()) };
        let most = match name.as_str() {
            "any" => Level::Any,
            "avx2" => Level::Avx2,
            "avx512" | "" => Level::Avx512,
            _ => return Err(format!("BD_INSTRUCTIONS is '{name}'; it is any, avx2 or avx512, or not set")),
        };
        Ok(Self::all().min(Self(most)))
    }

    fn all() -> Self {
        Self::avx512().or_else(Self::avx2).unwrap_or_else(Self::any)
    }

    /// AVX-512 with vectors of all lengths, where the processor has it. The same bytes as with AVX2.
    pub fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let found = std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512bw")
                && std::is_x86_feature_detected!("avx512dq")
                && std::is_x86_feature_detected!("avx512vl");
            Self::avx2().filter(|_| found).map(|_| Self(Level::Avx512))
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// AVX2 with FMA, where the processor has them.
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let found = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
            found.then_some(Self(Level::Avx2))
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// Those of any processor.
    pub fn any() -> Self {
        Self(Level::Any)
    }

    /// How many levels there are.
    pub(crate) const LEVELS: usize = 3;

    /// Which of them these are.
    pub(crate) fn level(self) -> usize {
        self.0 as usize
    }

    /// What allows a C++ compiler to use them.
    pub(crate) fn flags(self) -> &'static [&'static str] {
        match self.0 {
            Level::Any => &[],
            Level::Avx2 => &["-mavx2", "-mfma"],
            Level::Avx512 => &["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma"],
        }
    }

    /// Bytes of a vector.
    pub(crate) fn vector_bytes(self) -> usize {
        match self.0 {
            Level::Any => 16,
            Level::Avx2 => 32,
            Level::Avx512 => 64,
        }
    }

    /// Those with vectors of half the length at most, of AVX-512.
    pub(crate) fn shorter(self) -> Self {
        Self(self.0.min(Level::Avx2))
    }

    /// Whether these are no more than [any](Self::any) processor has.
    pub fn are_plain(self) -> bool {
        self.0 == Level::Any
    }
}

/// Loops that are compiled once for each kind of processor, see [`vectorised`]. `run` has to be marked
/// `#[inline(always)]`.
///
/// A trait and not a closure: a closure of any size is left out of line, and then compiled for the oldest processor
/// only.
pub trait Loops {
    /// Runs them.
    fn run<C: Cpu>(self);
}

/// What a processor can do.
pub trait Cpu {
    /// Its longest vectors.
    type Vector<F: Real>: Vector<F>;
    /// Vectors of which [`LANES`](super::LANES) is a multiple.
    type Short<F: Real>: Transpose<F>;
    /// Whether it has 32 registers for vectors, and not 16.
    const MANY_REGISTERS: bool;

    /// `a b + c`, by one instruction where there is one.
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F;
}

/// Any processor.
struct Plain;

impl Cpu for Plain {
    type Vector<F: Real> = F::Plain;
    type Short<F: Real> = F::Plain;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F {
        a * b + c
    }
}

/// One that multiplies and adds at once.
#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Cpu for Avx2 {
    type Vector<F: Real> = F::Avx2;
    type Short<F: Real> = F::Avx2;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F {
        a.fused_mul_add(b, c)
    }
}

/// One with longer vectors and more registers for them.
#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Cpu for Avx512 {
    type Vector<F: Real> = F::Avx512;
    type Short<F: Real> = F::Avx2;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    fn mul_add<F: Real>(a: F, b: F, c: F) -> F {
        a.fused_mul_add(b, c)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_with_avx512(loops: impl Loops) {
    loops.run::<Avx512>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_with_avx2(loops: impl Loops) {
    loops.run::<Avx2>();
}

/// Runs loops with these instructions.
#[inline]
pub fn vectorised(instructions: Instructions, loops: impl Loops) {
    match instructions.are_plain() {
        true => loops.run::<Plain>(),
        false => vectorised_beyond_plain(instructions, loops),
    }
}

/// Runs loops with the instructions of any processor. They are compiled once for all callers.
#[inline(never)]
pub(crate) fn plain(loops: impl Loops) {
    loops.run::<Plain>();
}

/// Runs loops with instructions that are not [plain](Instructions::are_plain), for which nothing is compiled.
#[inline]
pub(crate) fn vectorised_beyond_plain(instructions: Instructions, loops: impl Loops) {
    match instructions.0 {
        // SAFETY: `Instructions` of this level are made only where the processor has said that it knows them.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_with_avx512(loops) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_with_avx2(loops) },
        _ => {
            let _ = loops;
            unreachable!("these are instructions of any processor")
        }
    }
}
