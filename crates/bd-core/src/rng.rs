//! [`Rng`]: random tensors as a function of a seed, a name and a counter.
//!
//! libtorch's generators are never used: they differ between devices, and draws from one depend on every draw before.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// A [stream of random numbers](bd_kernel::Rng) that fills tensors, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rng(bd_kernel::Rng);

impl Deref for Rng {
    type Target = bd_kernel::Rng;

    fn deref(&self) -> &bd_kernel::Rng {
        &self.0
    }
}

impl DerefMut for Rng {
    fn deref_mut(&mut self) -> &mut bd_kernel::Rng {
        &mut self.0
    }
}

impl Rng {
    /// The stream called `name` of a seed. Streams of different names or seeds have nothing in common.
    pub fn new(seed: u64, name: &str) -> Self {
        Self(bd_kernel::Rng::new(seed, name))
    }

    /// [`bd_kernel::Rng::uniform`], so that it has this path, too.
    pub fn uniform(&mut self) -> f64 {
        self.0.uniform()
    }

    /// [`bd_kernel::Rng::normal`], so that it has this path, too.
    pub fn normal(&mut self) -> f64 {
        self.0.normal()
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
}
