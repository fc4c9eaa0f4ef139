//! [`memory_capacity`]: how many steps of its input a system remembers.
//!
//! ```text
//! MC_k = r(y_k(t), u(t - k))^2         y_k: a linear readout of the outputs, fitted to u(t - k)
//! MC   = sum over k of MC_k            at most the number of outputs, for independent inputs
//! ```
//!
//! `r` is Pearson's correlation over steps that the readout was not fitted to. Jaeger: "Short term memory in echo state networks", GMD
//! report 152 (2001). The defaults of [`MemoryProtocol`] are those of the notebook "Edge of Stability Echo State Network" of ReservoirPy,
//! after Ceni and Gallicchio.

use bd_core::{Error, Inputs, Result, Rng, Shared, System, Tap, catch_torch, setting};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{Ridge, RidgeFactor};

/// How the capacity is measured.
///
/// | field | default | range | meaning |
/// |---|---|---|---|
/// | `delays` | 199 | from 1 | the longest delay in steps |
/// | `limit` | 0.8 | above 0 | inputs are independent and uniform between `-limit` and `limit` |
/// | `washout` | 200 | `delays` at least | steps before the first that counts |
/// | `train` | 4800 | from 2 | steps that the readout is fitted to |
/// | `test` | 1000 | from 2 | steps after them, over which correlations are taken |
/// | `alpha` | 1e-7 | from 0 | the penalty of the readout, whose intercept is free |
/// | `seed` | 0 | | of the inputs |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct MemoryProtocol {
    pub delays: usize,
    pub limit: f64,
    pub washout: usize,
    pub train: usize,
    pub test: usize,
    pub alpha: f64,
    pub seed: u64,
}

impl Default for MemoryProtocol {
    fn default() -> Self {
        Self { delays: 199, limit: 0.8, washout: 200, train: 4800, test: 1000, alpha: 1e-7, seed: 0 }
    }
}

impl MemoryProtocol {
    /// Refuses settings outside their range.
    pub fn check(&self) -> Result<()> {
        setting::at_least("memory.delays", self.delays, 1)?;
        setting::above_zero("memory.limit", self.limit)?;
        setting::at_least("memory.washout", self.washout, self.delays)?;
        setting::at_least("memory.train", self.train, 2)?;
        setting::at_least("memory.test", self.test, 2)?;
        setting::from_zero("memory.alpha", self.alpha)
    }
}

/// What a system remembers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryCapacity {
    /// The squared correlation of each delay, from 1 step on.
    pub of_delay: Vec<f64>,
}

impl MemoryCapacity {
    /// Their sum.
    pub fn total(&self) -> f64 {
        self.of_delay.iter().sum()
    }
}

/// Drives a system of one input, with parameters in float32 or float64, from its initial state, and measures what its outputs remember.
///
/// Fails with [`Error::Config`] if the system has another number of inputs, and with [`Error::Setting`] if the protocol is outside its
/// ranges.
pub fn memory_capacity<S: System>(system: &S, sha: &Shared, protocol: &MemoryProtocol) -> Result<MemoryCapacity> {
    protocol.check()?;
    if system.n_in() != 1 {
        let found = system.n_in();
        return Err(Error::Config(format!("memory capacity is that of a system of 1 input; this one has {found}")));
    }
    let MemoryProtocol { delays, limit, washout, train, test, alpha, seed } = *protocol;
    let on = system.on().unwrap_or((Kind::Double, tch::Device::Cpu));
    let _guard = tch::no_grad_guard();
    let steps = (washout + train + test) as i64;
    let inputs =
        Rng::new(seed, "memory capacity").tensor(&[steps, 1, 1], on, |rng| limit * (2.0 * rng.uniform() - 1.0));
    let state = system.init_state(1, on);
    let states = system.try_scan(sha, &Inputs::of_steps(&inputs), state, &mut Tap::none())?.0;
    catch_torch(|| {
        let [states, inputs] = [states, inputs].map(|series| series.squeeze_dim(1).to_kind(Kind::Double));
        let part = |from: usize, count: usize| {
            let delayed = (1..=delays).map(|delay| inputs.narrow(0, (from - delay) as i64, count as i64));
            (states.narrow(0, from as i64, count as i64), Tensor::cat(&delayed.collect::<Vec<_>>(), 1))
        };
        let (x, y) = part(washout, train);
        let mut factor = RidgeFactor::new(x.size()[1], delays as i64, true, x.device());
        factor.update(&x, &y)?;
        let solution = factor.solve(&Ridge { alpha, penalise_intercept: false, ..Ridge::default() })?;
        let (x, y) = part(washout + train, test);
        Ok(MemoryCapacity { of_delay: Vec::try_from(squared_correlations(&x.matmul(&solution.weight), &y))? })
    })
}

/// Pearson's, squared, of each column; 0 where one of the two is constant.
fn squared_correlations(a: &Tensor, b: &Tensor) -> Tensor {
    let [a, b] = [a, b].map(|t| t - t.mean_dim(0, true, Kind::Double));
    let sum = |t: Tensor| t.sum_dim_intlist(0, false, Kind::Double);
    let correlations = sum(&a * &b).square() / (sum(a.square()) * sum(b.square()));
    correlations.nan_to_num(0.0, 0.0, 0.0)
}

#[cfg(test)]
mod tests {
    use bd_core::{Params, state};
    use bd_models::{Entries, Mixing, RecurrentMatrix, Reservoir, ReservoirConfig, ReservoirKind};
    use tch::Device;

    use super::*;

    state! {
        /// The last inputs, the newest first.
        struct Last {
            x: Tensor,
        }
    }

    /// Outputs are the last `0` inputs, the present one among them.
    #[derive(Debug)]
    struct DelayLine(i64);

    impl System for DelayLine {
        type State = Last;

        fn n_in(&self) -> i64 {
            1
        }

        fn n_out(&self) -> i64 {
            self.0
        }

        fn init_state(&self, batch: i64, on: (Kind, Device)) -> Last {
            Last { x: Tensor::zeros([batch, self.0], on) }
        }

        fn step(&self, _: &Shared, u: &Tensor, s: &Last) -> (Tensor, Last) {
            let x = Tensor::cat(&[u, &s.x.narrow(1, 0, self.0 - 1)], 1);
            (x.shallow_clone(), Last { x })
        }
    }

    /// A delay line of 12 outputs knows 11 inputs before the present one exactly, and of those before nothing: correlations of
    /// independent numbers, whose squares are 1 / 1,000 on average.
    #[test]
    fn a_delay_line_remembers_as_many_steps_as_it_has_outputs() {
        let protocol = MemoryProtocol { delays: 20, washout: 20, ..MemoryProtocol::default() };
        let found = memory_capacity(&DelayLine(12), &Shared::new(1.0), &protocol).unwrap();
        assert!(found.of_delay[..11].iter().all(|one| (one - 1.0).abs() < 1e-9), "{found:?}");
        assert!(found.of_delay[11..].iter().all(|one| *one < 0.02), "{found:?}");
        assert!((found.total() - 11.0).abs() < 0.1);
    }

    /// ReservoirPy's notebook: 31.9 of a leaky reservoir of 100 units, 97.4 of one at the edge of stability.
    #[test]
    fn reservoirs_remember_what_those_of_reservoirpy_do() {
        let usual = ReservoirConfig { units: 100, input_scaling: 0.1, ..ReservoirConfig::default() };
        let total = |config: ReservoirConfig| {
            let mut params = Params::new(1, (Kind::Double, Device::Cpu));
            let reservoir = Reservoir::new(&mut params.at("r"), 1, &config).unwrap();
            memory_capacity(&reservoir, &Shared::new(1.0), &MemoryProtocol::default()).unwrap().total()
        };
        // Its inputs: a tenth of the units, by weights of -0.1 or 0.1. Of five seeds it has 27.5 to 34.0.
        let leaky = total(ReservoirConfig { input_density: 0.1, input_entries: Entries::Bernoulli, ..usual });
        assert!((26.0..36.0).contains(&leaky), "{leaky}");
        let matrix = RecurrentMatrix::Random { entries: Entries::Normal, density: 1.0 };
        for mixing in [Mixing::Orthogonal, Mixing::Ring] {
            let es2n = total(ReservoirConfig { kind: ReservoirKind::Es2n { mixing }, leak: 0.05, matrix, ..usual });
            assert!(es2n > 96.5 && es2n < 102.0, "{mixing:?}: {es2n}");
        }
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let refused =
            |line: i64, protocol: &MemoryProtocol| memory_capacity(&DelayLine(line), &Shared::new(1.0), protocol);
        let usual = MemoryProtocol::default();
        for wrong in [
            MemoryProtocol { delays: 0, ..usual.clone() },
            MemoryProtocol { washout: 10, ..usual.clone() },
            MemoryProtocol { limit: f64::NAN, ..usual.clone() },
            MemoryProtocol { test: 1, ..usual.clone() },
        ] {
            assert!(matches!(refused(3, &wrong), Err(Error::Setting { .. })), "{wrong:?}");
        }
        let two =
            Reservoir::new(&mut Params::new(0, (Kind::Float, Device::Cpu)).at("r"), 2, &ReservoirConfig::default());
        let error = memory_capacity(&two.unwrap(), &Shared::new(1.0), &usual).unwrap_err().to_string();
        assert!(error.contains("1 input; this one has 2"), "{error}");
    }
}
