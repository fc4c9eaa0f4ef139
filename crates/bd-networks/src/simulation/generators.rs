//! [`Generator`]: spikes that do not depend on the network.

use std::ops::Range;

use bd_kernel::{Rng, portable};

/// What makes the spikes of some neurons of a population, in the order of steps.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) population: usize,
    kind: Kind,
    /// All spikes before this step were made.
    made: u64,
}

#[derive(Debug)]
enum Kind {
    /// At random: the next spike of each neuron, and its stream.
    Poisson { first: usize, next: Vec<(u64, Rng)>, scale: f64 },
    /// Given: by step, and how many were sent.
    Train { spikes: Vec<(u64, u32)>, sent: usize },
}

/// No step is later.
const NEVER: u64 = u64::MAX;

impl Generator {
    /// Each neuron spikes in each step with this probability: its intervals are geometric, drawn by its number from a stream of its own.
    pub(crate) fn poisson(population: usize, range: Range<usize>, probability: f64, rng: Rng) -> Self {
        let scale = match probability {
            p if p >= 1.0 => 0.0,
            p => portable::ln_1p(-p).recip(),
        };
        let first = range.start;
        let next = range.map(|neuron| {
            let mut rng = rng.numbered(neuron as u64 + 1);
            (if probability > 0.0 { gap(&mut rng, scale) } else { NEVER }, rng)
        });
        Self { population, kind: Kind::Poisson { first, next: next.collect(), scale }, made: 0 }
    }

    /// Spikes of a file: times in ms, and neurons, of which there are `n`. A time belongs to the step that it lies in.
    pub(crate) fn train(population: usize, train: &[(f64, u32)], n: usize, dt_ms: f64) -> Result<Self, String> {
        let mut spikes = Vec::with_capacity(train.len());
        for (at, (time, neuron)) in train.iter().enumerate() {
            // A time that is a whole step but for rounding is that step.
            let step = (time / dt_ms + 1e-6).floor();
            if !(0.0..1e15).contains(&step) {
                return Err(format!("spike {} is at {time} ms; times are from 0 on", at + 1));
            }
            if *neuron as usize >= n {
                return Err(format!("spike {} is of neuron {neuron}, and there are {n}", at + 1));
            }
            spikes.push((step as u64, *neuron));
        }
        spikes.sort_unstable();
        let before = spikes.len();
        spikes.dedup();
        match before - spikes.len() {
            0 => Ok(Self { population, kind: Kind::Train { spikes, sent: 0 }, made: 0 }),
            doubles => {
                Err(format!("{doubles} spikes are in the step of another of the same neuron; take shorter steps"))
            }
        }
    }

    /// All spikes before this step were made.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// Calls `found` with step and neuron of each spike before the step `until` that was not made before.
    pub(crate) fn advance(&mut self, until: u64, found: &mut impl FnMut(u64, u32)) {
        match &mut self.kind {
            Kind::Poisson { first, next, scale } => {
                for step in self.made..until.max(self.made) {
                    for (at, (next, rng)) in next.iter_mut().enumerate().filter(|(_, (next, _))| *next == step) {
                        found(step, (*first + at) as u32);
                        *next = next.saturating_add(1).saturating_add(gap(rng, *scale));
                    }
                }
            }
            Kind::Train { spikes, sent } => {
                while let Some((step, neuron)) = spikes.get(*sent).filter(|(step, _)| *step < until) {
                    found(*step, *neuron);
                    *sent += 1;
                }
            }
        }
        self.made = self.made.max(until);
    }
}

/// Steps without a spike.
fn gap(rng: &mut Rng, scale: f64) -> u64 {
    // Beyond all steps where the number is too large for any.
    (portable::ln_1p(-rng.uniform()) * scale) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_neurons_spike_at_their_rate_whatever_the_shares() {
        let spikes = |ranges: Vec<Range<usize>>, untils: &[u64]| {
            let mut all = Vec::new();
            for range in ranges {
                let mut generator = Generator::poisson(0, range.clone(), 0.02, Rng::new(1, "in"));
                untils.iter().for_each(|until| generator.advance(*until, &mut |step, neuron| all.push((step, neuron))));
            }
            all.sort_unstable();
            all
        };
        let whole = spikes(vec![Range { start: 0, end: 100 }], &[5000]);
        // 10,000 are expected; the deviation is 99.
        assert!((whole.len() as f64 - 10_000.0).abs() < 500.0, "{}", whole.len());
        assert_eq!(spikes(vec![0..7, 7..100], &[1, 33, 4000, 5000]), whole);
        assert!(whole.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn one_in_every_step_and_none() {
        let count = |probability: f64| {
            let mut count = 0;
            Generator::poisson(0, 0..3, probability, Rng::new(1, "in")).advance(50, &mut |_, _| count += 1);
            count
        };
        assert_eq!([count(1.0), count(0.0)], [150, 0]);
    }

    #[test]
    fn trains_lie_in_their_steps() {
        let train = [(0.3, 1), (0.1, 0), (0.25, 2)];
        let mut generator = Generator::train(0, &train, 3, 0.1).unwrap();
        let mut found = Vec::new();
        generator.advance(2, &mut |step, neuron| found.push((step, neuron)));
        generator.advance(10, &mut |step, neuron| found.push((step, neuron)));
        assert_eq!(found, [(1, 0), (2, 2), (3, 1)]);
        for (train, words) in [
            ([(0.1, 0), (0.12, 0)], "1 spikes are in the step of another"),
            ([(-1.0, 0), (0.12, 0)], "spike 1 is at -1 ms"),
            ([(0.1, 0), (0.12, 7)], "spike 2 is of neuron 7, and there are 3"),
        ] {
            let error = Generator::train(0, &train, 3, 0.1).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
