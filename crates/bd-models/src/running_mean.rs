//! [`RunningMean`]: its input, and beside it the mean of all inputs so far.
//!
//! ```text
//! k_t = k_(t-1) + 1                              steps so far
//! m_t = m_(t-1) + (x_t - m_(t-1)) / k_t          their mean
//! y_t = (x_t, m_t)
//! ```
//!
//! In front of a linear readout, what a state has gathered counts, and so does what it was at any time: the readout at the last step
//! of a sequence is that of the last state and of the mean over time, each with weights of its own. It looks at no later step, so
//! that a network with it can be run step by step, and says at each step what it has seen so far.

use bd_core::{Error, Inputs, Result, Shared, StateTree, System, Tap, join};
use tch::{Device, Kind, Tensor};

/// `n` inputs to `2 n` outputs: the input itself, then the mean of all inputs so far.
///
/// A count in float32 is exact up to 16,777,216 steps; the mean goes on with equal weights thereafter, as one that forgets.
#[derive(Debug, Clone)]
pub struct RunningMean {
    n: i64,
}

/// State of a [`RunningMean`].
#[derive(Debug)]
pub struct RunningMeanState {
    /// Mean of the inputs so far, `[batch, n]`; zero at first.
    pub mean: Tensor,
    /// Steps so far, `[batch, 1]`; zero at first.
    pub steps: Tensor,
}

impl StateTree for RunningMeanState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        f(&join(path, "mean"), &self.mean);
        f(&join(path, "steps"), &self.steps);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { mean: f(&join(path, "mean"), &self.mean)?, steps: f(&join(path, "steps"), &self.steps)? })
    }
}

impl RunningMean {
    /// Of `n` channels. Fails if that is less than 1.
    pub fn new(n: i64) -> Result<Self> {
        if n < 1 {
            return Err(Error::setting("n", n, "at least 1"));
        }
        Ok(Self { n })
    }
}

impl System for RunningMean {
    type State = RunningMeanState;

    fn n_in(&self) -> i64 {
        self.n
    }

    fn n_out(&self) -> i64 {
        2 * self.n
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> RunningMeanState {
        RunningMeanState { mean: Tensor::zeros([batch, self.n], on), steps: Tensor::zeros([batch, 1], on) }
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &RunningMeanState) -> (Tensor, RunningMeanState) {
        let steps = &s.steps + 1.0;
        let mean = &s.mean + (x - &s.mean) / &steps;
        (Tensor::cat(&[x, &mean], -1), RunningMeanState { mean, steps })
    }

    /// All means from one running sum.
    fn scan(&self, _sha: &Shared, inputs: &Inputs, s: RunningMeanState, tap: &mut Tap) -> (Tensor, RunningMeanState) {
        let xs = inputs.time_first();
        let time = xs.size()[0];
        let steps = &s.steps + Tensor::arange_start(1, time + 1, (xs.kind(), xs.device())).reshape([-1, 1, 1]);
        let means = (&s.mean * &s.steps + xs.cumsum(0, xs.kind())) / &steps;
        // Copies, or the last step would keep the whole sequence in memory.
        let last = |all: &Tensor| all.select(0, -1).copy();
        let state = RunningMeanState { mean: last(&means), steps: last(&steps) };
        for (name, values) in [("mean", &means), ("steps", &steps)] {
            if tap.wants(name) {
                tap.put(name, values.shallow_clone());
            }
        }
        (Tensor::cat(&[&xs, &means], -1), state)
    }
}

#[cfg(test)]
mod tests {
    use bd_core::Params;
    use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn scan_is_steps() {
        for seed in 0..4 {
            let model = RunningMean::new(3).unwrap();
            assert_scan_is_steps(&model, &Params::new(0, ON), ScanCase::random(seed, ON, 1e-12));
        }
    }

    /// By hand: of 1, 3, 8 the means so far are 1, 2, 4; and a sequence that goes on keeps its mean.
    #[test]
    fn means_are_those_so_far() {
        let model = RunningMean::new(1).unwrap();
        let scan = |xs: &[f64], s| {
            let xs = Tensor::from_slice(xs).reshape([-1, 1, 1]);
            model.scan(&Shared::new(1.0), &Inputs::Dense(xs), s, &mut Tap::none())
        };
        let (first, state) = scan(&[1.0, 3.0], model.init_state(1, ON));
        let (second, state) = scan(&[8.0], state);
        let expected = Tensor::from_slice(&[1.0, 1.0, 3.0, 2.0, 8.0, 4.0]).reshape([3, 1, 2]);
        assert_close("outputs", &Tensor::cat(&[first, second], 0), &expected, 1e-15);
        assert_eq!((state.mean.double_value(&[0, 0]), state.steps.double_value(&[0, 0])), (4.0, 3.0));
        assert!(RunningMean::new(0).is_err());
    }
}
