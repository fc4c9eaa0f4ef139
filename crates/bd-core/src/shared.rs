//! [`Shared`]: what every node of a model sees at a step (BrainPy calls it `sha`).

use crate::error::{Error, Result};

/// Whether a step belongs to training or to evaluation. Nodes that behave alike in both ignore it.
///
/// Entries that check what they are given ([`Stepper`](crate::Stepper), [`System::try_step`](crate::System::try_step), and
/// `predict` of the trainers) record no graph of gradients in [`Phase::Predict`]. A bare [`System::step`](crate::System::step)
/// leaves that to libtorch in either phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Parameters are being fitted.
    Fit,
    /// Nothing is being fitted.
    #[default]
    Predict,
}

/// The arguments that all nodes share at a step. A plain value: there is no ambient time, step size or phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shared {
    /// Time at the beginning of this step, `i * dt`, in the unit of `dt`. Computed, never accumulated.
    pub t: f64,
    /// Length of a step. Milliseconds for neurons; the series' own unit for reservoirs.
    pub dt: f64,
    /// Number of this step, from 0.
    pub i: usize,
    /// Training or evaluation.
    pub phase: Phase,
    /// Key of the random numbers drawn inside steps.
    pub key: u64,
    /// The number of the batch's first sample: of each sample other random numbers are drawn, by its number.
    pub sample: usize,
}

impl Shared {
    /// Step 0 with the given `dt`, in [`Phase::Predict`], with key 0 and sample 0.
    pub fn new(dt: f64) -> Self {
        Self { t: 0.0, dt, i: 0, phase: Phase::Predict, key: 0, sample: 0 }
    }

    /// Refuses a step size that is not a number above 0, and a time that is not a number.
    pub fn check(&self) -> Result<()> {
        if !(self.dt > 0.0 && self.dt.is_finite()) {
            return Err(Error::setting("dt", self.dt, "a number above 0"));
        }
        if !self.t.is_finite() {
            return Err(Error::setting("t", self.t, "a number"));
        }
        Ok(())
    }

    /// The same at `steps` steps further on.
    pub fn ahead(&self, steps: usize) -> Self {
        self.at(self.i + steps)
    }

    /// The same at step number `i`.
    pub fn at(&self, i: usize) -> Self {
        Self { t: i as f64 * self.dt, i, ..*self }
    }

    /// The same for the part of a model called `name`: with a key of its own, so that two parts never draw the same
    /// random numbers. Whoever holds a part under a name hands it this.
    pub fn within(&self, name: &str) -> Self {
        // FNV-1a over the name, then the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut key = name.bytes().fold(self.key ^ 0xcbf2_9ce4_8422_2325, step);
        key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { key: key ^ (key >> 31), ..*self }
    }

    /// The same for a batch whose first sample is so many samples further on.
    pub fn samples_ahead(self, samples: usize) -> Self {
        Self { sample: self.sample + samples, ..self }
    }

    /// The same in another phase.
    pub fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }
}

impl Default for Shared {
    /// `dt = 1`: time counted in steps, for models that have no clock.
    fn default() -> Self {
        Self::new(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_computed_and_never_accumulated() {
        let stepwise = (0..100_000).fold(Shared::new(0.1), |sha, _| sha.ahead(1));
        assert_eq!(stepwise.t, 100_000.0 * 0.1);
        assert_eq!(stepwise, Shared::new(0.1).ahead(100_000));
    }

    #[test]
    fn step_sizes_that_cannot_be_are_refused() {
        for dt in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            let error = Shared::new(dt).check().unwrap_err();
            assert_eq!(error.to_string(), format!("dt is {dt}; it must be a number above 0"));
        }
        assert!(Shared { t: f64::NAN, ..Shared::default() }.check().is_err());
        Shared::new(0.1).check().unwrap();
    }

    #[test]
    fn parts_have_keys_of_their_own() {
        let keys = |key: u64| {
            let sha = Shared { key, ..Shared::default() };
            [sha, sha.within("a"), sha.within("b"), sha.within("a").within("b"), sha.within("b").within("a")]
                .map(|s| s.key)
        };
        let mut all: Vec<_> = [0, 1, u64::MAX].into_iter().flat_map(keys).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 15);
        assert_eq!(Shared::default().ahead(3).within("a").i, 3);
    }
}
