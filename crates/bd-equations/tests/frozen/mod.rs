//! Inputs that other programs were fed with, too: `scripts/frozen.py`.

/// A level from 0 to 3, another one every 10 steps: the finaliser of MurmurHash3, with 16 for all its
/// shifts.
pub(crate) fn noise(step: usize) -> f64 {
    let mix = |x: u32, factor: u32| (x ^ (x >> 16)).wrapping_mul(factor);
    let x = mix(mix(step as u32 / 10 + 1, 0x85EB_CA6B), 0xC2B2_AE35);
    3.0 * f64::from((x ^ (x >> 16)) % 101) / 100.0
}
