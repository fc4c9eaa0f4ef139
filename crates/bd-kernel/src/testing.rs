//! What tests of several crates share.

use std::time::{Duration, Instant};

use crate::Num;

/// A formula with every operation of [`Num`] in it, for tests of its implementations.
pub fn every_operation<N: Num>(x: N) -> N {
    let y = (x.clone() * x.lit(0.5) + x.lit(0.1)).exp() / (x.clone().abs() + x.lit(1.0)).ln();
    let z = x.clone().sin() - x.clone().cos() * x.clone().atan() + (-x.clone()).erf();
    let w = (x.clone().square() + x.lit(0.1)).powf(-1.5);
    let v = x.clone().at_least(-1.0).at_most(1.0).sigmoid().shift(0.2).recip() * x.clone().sign() + x.clone().tanh();
    let u = (x.clone().square() + x.lit(0.2)).sqrt() * x.clone().phi(1) - x.clone().phi(2);
    x.clone().pick(y.clone() + z.clone(), y * w) + x.heaviside() * z + v + u
}

/// Numbers of the cases of a test whose inputs are drawn: so many, and then further ones for as many seconds as `BD_FUZZ_SECONDS` says, if
/// it is set.
pub fn cases(least: usize) -> impl Iterator<Item = usize> {
    let seconds = std::env::var("BD_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let (began, long) = (Instant::now(), Duration::from_secs(seconds));
    (0..).take_while(move |case| *case < least || began.elapsed() < long)
}

/// Numbers that look random and are the same in every run: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Noise(pub u64);

impl Noise {
    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}
