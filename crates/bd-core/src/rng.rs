//! Random numbers as a function of a seed, a name and a counter: Philox 4x32-10.
//!
//! Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. libtorch's generators are
//! never used: they differ between devices, and draws from one depend on every draw before. Nor are the C library's functions, which
//! differ between systems: a seed gives the same bytes on every machine.

use bd_kernel::portable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

/// Philox 4x32 with ten rounds: four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        let (a_high, a_low) = ((a >> 32) as u32, a as u32);
        let (b_high, b_low) = ((b >> 32) as u32, b as u32);
        counter = [b_high ^ counter[1] ^ key[0], b_low, a_high ^ counter[3] ^ key[1], a_low];
    }
    counter
}

/// A stream of random numbers. Its whole state is two numbers, which can be saved and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    key: u64,
    drawn: u64,
}

impl Rng {
    /// The stream called `name` of a seed. Streams of different names or seeds have nothing in common.
    pub fn new(seed: u64, name: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
        let key = u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        Self { key, drawn: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let block = self.drawn / 2;
        let words = philox4x32([block as u32, (block >> 32) as u32, 0, 0], [self.key as u32, (self.key >> 32) as u32]);
        let at = (self.drawn % 2) as usize * 2;
        self.drawn += 1;
        u64::from(words[at]) | u64::from(words[at + 1]) << 32
    }

    /// Uniform in `[0, 1)`, with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal with mean 0 and variance 1 (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * portable::ln(1.0 - self.uniform())).sqrt();
        radius * portable::cos(std::f64::consts::TAU * self.uniform())
    }

    /// A tensor of numbers drawn one after the other by `draw`, on the host.
    pub fn tensor(&mut self, shape: &[i64], on: (Kind, Device), draw: impl Fn(&mut Self) -> f64) -> Tensor {
        let values: Vec<f64> = (0..shape.iter().product()).map(|_| draw(self)).collect();
        Tensor::from_slice(&values).reshape(shape).to_kind(on.0).to_device(on.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spikes;
    use crate::files::sha256_hex;

    /// The known answers that the authors publish with Random123 (`kat_vectors`, philox4x32 10).
    #[test]
    fn published_test_vectors() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_saved_stream_goes_on_where_it_was() {
        let mut rng = Rng::new(7, "weights");
        rng.normal();
        rng.bits();
        let saved = serde_json::to_string(&rng).unwrap();
        let expected: Vec<u64> = (0..5).map(|_| rng.bits()).collect();
        let mut resumed: Rng = serde_json::from_str(&saved).unwrap();
        assert_eq!((0..5).map(|_| resumed.bits()).collect::<Vec<_>>(), expected);
        let mut cold = Rng::new(7, "weights");
        assert_ne!((0..5).map(|_| cold.bits()).collect::<Vec<_>>(), expected);
    }

    /// What a seed has given once it gives for ever, on every machine. The hashes are of the numbers since they are drawn by [`portable`].
    #[test]
    fn a_seed_gives_the_same_bytes_everywhere() {
        let mut rng = Rng::new(0, "for ever");
        let hash = |draw: &mut dyn FnMut() -> f64| {
            let bytes: Vec<u8> = (0..10_000).flat_map(|_| draw().to_le_bytes()).collect();
            sha256_hex(&bytes)[..16].to_owned()
        };
        let (uniform, normal) = (hash(&mut || rng.uniform()), hash(&mut || rng.normal()));
        let spikes = Spikes::draw([10, 10, 100], (Kind::Double, Device::Cpu), 0.1, &mut rng).unwrap();
        let mut cells = Vec::<f64>::try_from(spikes.to_dense().flatten(0, -1)).unwrap().into_iter();
        let spikes = hash(&mut || cells.next().expect("ten thousand"));
        assert_eq!([uniform, normal, spikes], ["823a918da8d31ec9", "0d2c96495945f6c1", "630d3a1b099c11a9"]);
    }

    /// Moments of 100,000 draws against theory, at five standard errors.
    #[test]
    fn moments() {
        let n = 100_000;
        let mut rng = Rng::new(1, "moments");
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let uniform: Vec<f64> = (0..n).map(|_| rng.uniform()).collect();
        assert!(uniform.iter().all(|u| (0.0..1.0).contains(u)));
        assert!((mean(&uniform) - 0.5).abs() < 5.0 * (1.0f64 / 12.0 / n as f64).sqrt());
        let normal: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let squares: Vec<f64> = normal.iter().map(|z| z * z).collect();
        assert!(mean(&normal).abs() < 5.0 / (n as f64).sqrt());
        assert!((mean(&squares) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
    }
}
