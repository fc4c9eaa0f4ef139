//! [`Activity`]: what the spikes of a population say of it.

use serde::Serialize;

/// Rate, regularity and synchrony of a population.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Activity {
    /// Spikes of a neuron in a second, on average.
    pub rate_hz: f64,
    /// The coefficient of variation of the intervals between spikes of a neuron, deviation over mean, averaged over neurons with at least
    /// three spikes; 1 for a Poisson process. Nothing if there are none.
    pub cv: Option<f64>,
    /// The variance of the population's spikes in bins of 3 ms over their mean: 1 if neurons spike independently at random (Potjans, Diesmann,
    /// Cereb. Cortex 24, 2014). Nothing if there are no spikes.
    pub synchrony: Option<f64>,
}

/// The length of a bin for synchrony.
const BIN_MS: f64 = 3.0;

impl Activity {
    /// Of spikes (step and neuron) in steps `from..to` of `n` neurons. They are ordered by step.
    pub fn of(spikes: impl Iterator<Item = (u64, u32)>, n: usize, from: u64, to: u64, dt_ms: f64) -> Self {
        let in_a_bin = (BIN_MS / dt_ms).round().max(1.0) as u64;
        let mut bins = vec![0.0; ((to - from) / in_a_bin) as usize];
        // Of each neuron: the last spike, and number, sum and sum of squares of its intervals.
        let mut neurons = vec![(None::<u64>, 0.0, 0.0, 0.0); n];
        let mut count = 0.0;
        for (step, neuron) in spikes.filter(|(step, _)| (from..to).contains(step)) {
            count += 1.0;
            if let Some(bin) = bins.get_mut(((step - from) / in_a_bin) as usize) {
                *bin += 1.0;
            }
            let (last, intervals, sum, squares) = &mut neurons[neuron as usize];
            if let Some(last) = last.replace(step) {
                let interval = (step - last) as f64;
                *intervals += 1.0;
                *sum += interval;
                *squares += interval * interval;
            }
        }
        let variations = neurons.iter().filter(|(_, intervals, ..)| *intervals >= 2.0).map(|(_, k, sum, squares)| {
            let mean = sum / k;
            // Of neurons that spike at each step the difference may be below 0 by rounding.
            (squares / k - mean * mean).max(0.0).sqrt() / mean
        });
        let seconds = (to - from) as f64 * dt_ms / 1e3;
        Self {
            rate_hz: count / (n as f64 * seconds),
            cv: mean(variations),
            synchrony: mean(bins.iter().copied()).filter(|mean| *mean > 0.0).and_then(|of_bins| {
                mean(bins.iter().map(|count| (count - of_bins) * (count - of_bins))).map(|variance| variance / of_bins)
            }),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two neurons, 12 ms in steps of 1 ms. Intervals 3, 3 and 2, 4: deviations 0 and 1, means 3; bins 2, 2, 1, 1.
    #[test]
    fn by_hand() {
        let mut spikes = vec![(0, 0), (3, 0), (6, 0), (1, 1), (3, 1), (7, 1), (9, 1)];
        spikes.retain(|spike| *spike != (9, 1));
        spikes.sort_unstable();
        let found = Activity::of(spikes.into_iter(), 2, 0, 12, 1.0);
        assert!((found.rate_hz - 6.0 / 2.0 / 0.012).abs() < 1e-9);
        assert!((found.cv.unwrap() - (0.0 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
        // Bins 2, 2, 2, 0: mean 1.5, variance .75.
        assert!((found.synchrony.unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn silence_has_no_regularity() {
        let found = Activity::of(std::iter::empty(), 5, 0, 100, 0.1);
        assert_eq!((found.rate_hz, found.cv, found.synchrony), (0.0, None, None));
    }
}
