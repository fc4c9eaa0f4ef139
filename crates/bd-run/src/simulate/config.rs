//! [`SimulateConfig`]: what a simulation is to do.

use std::path::{Path, PathBuf};

use bd_core::text::plural;
use bd_core::{Error, Result};
use bd_train::data::dataset::member_seed;
use serde::{Deserialize, Serialize};

use super::trained::populations;
use crate::Run;
use crate::config::{Dtype, absolute, check_threads, cores};

/// Most steps of a simulation: 28 hours of 0.1 ms.
pub const MOST_STEPS: f64 = 1e9;

/// What a simulation is to do: all of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulateConfig {
    /// `simulate`.
    pub job: String,
    /// The file of the network, and files that it names are beside it; or the folder of a run that has trained one.
    pub network: PathBuf,
    /// SHA-256 of that file; set when it is read.
    pub network_sha256: Option<String>,
    /// How long the network is simulated.
    pub duration_ms: f64,
    /// What is left out of the statistics at the beginning.
    pub discard_ms: f64,
    /// Seed of synapses, initial values and noise.
    pub seed: u64,
    /// Number type of states and weights.
    pub dtype: Dtype,
    /// Threads, which change no result.
    pub threads: usize,
    /// Whether the loops of neurons are compiled by the machine's C++ compiler, if it has one, which changes no result.
    #[serde(default)]
    pub compile: bool,
    /// Of a run of several networks the number of one, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<usize>,
    /// SHA-256 of the weights of a run; set when they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Spikes of the population of kind `input`, in place of those of the file that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spikes: Option<PathBuf>,
    /// Data as those that a run has learned from, of which a sample is the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Which sample, from 0. The first without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// SHA-256 of the file of spikes or of data; set when it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<String>,
    /// Whether it is written who is connected with whom.
    #[serde(default, skip_serializing_if = "is_false")]
    pub save_synapses: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_false(value: &bool) -> bool {
    !value
}

/// Steps of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// All of them.
    pub(super) all: u64,
    /// Those at the beginning that are left out of the statistics.
    pub(super) discarded: u64,
}

impl SimulateConfig {
    /// A network for so long, with seed 0, in float64, on all cores, with statistics of the whole time.
    pub fn new(network: impl Into<PathBuf>, duration_ms: f64) -> Self {
        Self {
            job: "simulate".into(),
            network: network.into(),
            network_sha256: None,
            duration_ms,
            discard_ms: 0.0,
            seed: 0,
            dtype: Dtype::F64,
            threads: cores(),
            compile: false,
            member: None,
            weights_sha256: None,
            spikes: None,
            data: None,
            sample: None,
            input_sha256: None,
            save_synapses: false,
        }
    }

    /// The same, of a run, with its dtype and the seed of its network `member`, from 1; without `member` the first. Of a file it is [`new`](Self::new).
    pub fn of(network: &Path, duration_ms: f64, member: Option<usize>) -> Result<Self> {
        let usual = Self { member, ..Self::new(network, duration_ms) };
        if !network.is_dir() {
            return Ok(usual);
        }
        let run = Run::open(network)?;
        let (config, _) = populations(&run)?;
        let number = member.unwrap_or(1).clamp(1, config.ensemble);
        Ok(Self { dtype: config.dtype, seed: member_seed(config.seed, number - 1), ..usual })
    }

    /// So that a simulation can be repeated from anywhere.
    pub(super) fn make_absolute(&mut self) {
        self.network = absolute(&self.network);
        for file in [&mut self.spikes, &mut self.data] {
            *file = file.take().map(|path| absolute(&path));
        }
    }

    /// Refuses what needs no network to be seen.
    pub(super) fn check(&self) -> Result<()> {
        check_threads(self.threads)?;
        let Self { duration_ms, discard_ms, .. } = *self;
        if !(duration_ms > 0.0 && duration_ms.is_finite()) {
            return Err(Error::setting("duration_ms", duration_ms, "a number above 0"));
        }
        if !(0.0..duration_ms).contains(&discard_ms) {
            let allowed = format!("from 0 on and below the duration of {duration_ms} ms");
            return Err(Error::setting("discard_ms", discard_ms, allowed));
        }
        Ok(())
    }

    /// Whole steps, to the nearest; and what is to be said of that.
    pub(super) fn steps(&self, dt_ms: f64) -> Result<(Steps, Option<String>)> {
        let Self { duration_ms, discard_ms, .. } = *self;
        let [all, discarded] = [duration_ms, discard_ms].map(|ms| (ms / dt_ms).round());
        if !(1.0..=MOST_STEPS).contains(&all) {
            let allowed =
                format!("from {dt_ms} to {} in steps of {dt_ms} ms, at most {MOST_STEPS:e}", MOST_STEPS * dt_ms);
            return Err(Error::setting("duration_ms", duration_ms, allowed));
        }
        if discarded >= all {
            let allowed = format!("a step of {dt_ms} ms below the duration of {duration_ms} ms, or more");
            return Err(Error::setting("discard_ms", discard_ms, allowed));
        }
        // Beyond rounding of the quotient.
        let differs = (all * dt_ms / duration_ms - 1.0).abs() > 1e-9;
        let words = format!(
            "{duration_ms} ms are no whole steps of {dt_ms} ms; {} are simulated",
            plural(all as usize, "step")
        );
        Ok((Steps { all: all as u64, discarded: discarded as u64 }, differs.then_some(words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_steps() {
        let of = |duration_ms: f64, discard_ms: f64, dt_ms: f64| {
            let config = SimulateConfig { discard_ms, threads: 1, ..SimulateConfig::new("n.toml", duration_ms) };
            config.check().and_then(|()| config.steps(dt_ms)).map_err(|error| error.to_string())
        };
        assert_eq!(of(1000.0, 200.0, 0.1), Ok((Steps { all: 10_000, discarded: 2000 }, None)));
        let (steps, words) = of(10.06, 0.0, 0.1).unwrap();
        assert_eq!(steps.all, 101);
        assert_eq!(words.unwrap(), "10.06 ms are no whole steps of 0.1 ms; 101 steps are simulated");
        for (duration_ms, discard_ms, words) in [
            (0.0, 0.0, "duration_ms is 0; it must be a number above 0"),
            (f64::NAN, 0.0, "duration_ms is NaN; it must be a number above 0"),
            (f64::INFINITY, 0.0, "duration_ms is inf; it must be a number above 0"),
            (0.04, 0.0, "duration_ms is 0.04; it must be from 0.1 to 100000000 in steps of 0.1 ms, at most 1e9"),
            (1e9, 0.0, "it must be from 0.1 to 100000000 in steps of 0.1 ms, at most 1e9"),
            (10.0, 10.0, "discard_ms is 10; it must be from 0 on and below the duration of 10 ms"),
            (10.0, -1.0, "discard_ms is -1; it must be from 0 on"),
            (10.0, 9.99, "discard_ms is 9.99; it must be a step of 0.1 ms below the duration"),
        ] {
            let error = of(duration_ms, discard_ms, 0.1).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
