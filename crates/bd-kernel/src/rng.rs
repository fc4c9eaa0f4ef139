//! Random numbers as a function of a seed, a name and a counter: Philox 4x32-10.
//!
//! Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. libtorch's generators are
//! never used: they differ between devices, and draws from one depend on every draw before. Nor are the C library's functions, which
//! differ between systems: a seed gives the same bytes on every machine.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::portable;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Philox 4x32 with ten rounds: four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
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

/// Eight times [`philox4x32`], of counters whose third word is that of the first, and the next ones: `[word][counter]`. To be inlined into
/// [loops](crate::Loops), whose vectors have all eight.
#[inline(always)]
pub fn philox4x32_of_8(counter: [u32; 4], mut key: [u32; 2]) -> [[u32; 8]; 4] {
    let mut words = counter.map(|word| [word; 8]);
    words[2].iter_mut().zip(0..).for_each(|(word, i)| *word = word.wrapping_add(i));
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let before = words;
        for i in 0..8 {
            let a = u64::from(MULTIPLIERS[0]) * u64::from(before[0][i]);
            let b = u64::from(MULTIPLIERS[1]) * u64::from(before[2][i]);
            words[0][i] = (b >> 32) as u32 ^ before[1][i] ^ key[0];
            words[1][i] = b as u32;
            words[2][i] = (a >> 32) as u32 ^ before[3][i] ^ key[1];
            words[3][i] = a as u32;
        }
    }
    words
}

/// A stream of random numbers. Its whole state is a few numbers, which can be saved and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    key: u64,
    drawn: u64,
    /// Which of the streams of this name.
    #[serde(default, skip_serializing_if = "is_first")]
    stream: u64,
}

fn is_first(stream: &u64) -> bool {
    *stream == 0
}

impl Rng {
    /// The stream called `name` of a seed. Streams of different names or seeds have nothing in common.
    pub fn new(seed: u64, name: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
        let key = u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        Self { key, drawn: 0, stream: 0 }
    }

    /// Another stream of the same name and seed, from its beginning: one for each neuron, for example. Number 0 is that of
    /// [`new`](Self::new).
    pub fn numbered(&self, stream: u64) -> Self {
        Self { key: self.key, drawn: 0, stream }
    }

    /// The key of its name and seed, for those who count themselves.
    pub fn key(&self) -> [u32; 2] {
        [self.key as u32, (self.key >> 32) as u32]
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let block = self.drawn / 2;
        let counter = [block, self.stream].map(|word| [word as u32, (word >> 32) as u32]);
        let words = philox4x32([counter[0][0], counter[0][1], counter[1][0], counter[1][1]], self.key());
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn eight_at_once_are_eight() {
        let (counter, key) = ([0x243f_6a88, 0x85a3_08d3, u32::MAX - 3, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        let words = philox4x32_of_8(counter, key);
        for i in 0..8 {
            let [a, b, c, d] = counter;
            assert_eq!(words.map(|word| word[i as usize]), philox4x32([a, b, c.wrapping_add(i), d], key));
        }
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

    #[test]
    fn numbered_streams_have_nothing_in_common() {
        let rng = Rng::new(3, "neurons");
        let first = |mut rng: Rng| (0..4).map(|_| rng.bits()).collect::<Vec<_>>();
        assert_eq!(first(rng.numbered(0)), first(rng.clone()));
        let mut seen: Vec<u64> = (0..100).flat_map(|stream| first(rng.numbered(stream))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 400);
        let mut saved: Rng = serde_json::from_str(&serde_json::to_string(&rng.numbered(7)).unwrap()).unwrap();
        assert_eq!(saved.bits(), rng.numbered(7).bits());
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
