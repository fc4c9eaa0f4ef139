//! One way of computing on all processors, so that results are the same bytes on each that has AVX2 and FMA.
//!
//! Libraries choose their instructions by the processor, and another choice rounds otherwise. Each has a variable that holds it to one, and
//! reads it once, when it is first used: who wants that sets [`VARIABLES`] before the process starts, as `bd train --deterministic` does.

use crate::error::{Error, Result};
use crate::kernel::Instructions;

/// The variables, with their values.
///
/// | variable | holds |
/// |---|---|
/// | `BD_INSTRUCTIONS` | the loops of `bd`, which give these bytes with AVX-512 too |
/// | `ATEN_CPU_CAPABILITY` | those of libtorch |
/// | `ONEDNN_MAX_CPU_ISA` | oneDNN below it |
/// | `MKL_CBWR` | MKL below it, to what is the same on the processors of all makers ("conditional numerical reproducibility" in its manual) |
pub const VARIABLES: [(&str, &str); 4] = [
    ("BD_INSTRUCTIONS", "avx2"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
    ("MKL_CBWR", "COMPATIBLE"),
];

/// Whether this process computes so: all variables are set.
pub fn is_held() -> bool {
    VARIABLES.iter().all(|(name, value)| std::env::var_os(name).is_some_and(|found| found == *value))
}

/// Fails where it cannot be promised: on a processor without AVX2 and FMA.
pub fn check_processor() -> Result<()> {
    Instructions::avx2().map(drop).ok_or_else(|| {
        Error::Config(
            "the same bytes on all processors are promised of those with AVX2 and FMA, and this one lacks them; leave out `deterministic`"
                .into(),
        )
    })
}

/// Why a GPU is refused: its sums have an order of their own.
pub(crate) fn of_a_gpu(device: &str) -> Error {
    Error::Config(format!(
        "the same bytes on all processors are promised of CPUs, and {device} sums in another order; leave out `deterministic`, or \
         compute on the CPU"
    ))
}
