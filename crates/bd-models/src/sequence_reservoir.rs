//! [`SequenceReservoir`]: features of whole sequences, the states of a reservoir that a sequence leaves behind.

use bd_core::{Inputs, ParamPath, Result, Shared, System, Tap};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::reservoir::{Reservoir, ReservoirConfig};

/// Sequences that run side by side.
const SIDE_BY_SIDE: usize = 64;

/// Which states of a reservoir are features of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadStates {
    /// Their mean over time.
    Mean,
    /// The last one.
    Last,
    /// Both, side by side.
    #[default]
    MeanAndLast,
    /// That of each step, for an output at each step.
    Each,
}

/// Settings of a [`SequenceReservoir`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `reservoir` | 500 units | see [`ReservoirConfig`] |
/// | `reads` | `mean_and_last` | `mean`, `last` or `mean_and_last`: the states over time that are features of a sequence; `each`: those of its steps. Inputs stand beside them |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SequenceReservoirConfig {
    /// The reservoir.
    pub reservoir: ReservoirConfig,
    /// Which states.
    pub reads: ReadStates,
}

impl SequenceReservoirConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<()> {
        self.reservoir.check()
    }

    /// Number of features of sequences of so many channels: of each unit and each channel one or two.
    pub fn n_features(&self, channels: usize) -> usize {
        let reads = if self.reads == ReadStates::MeanAndLast { 2 } else { 1 };
        reads * (self.reservoir.n_states() as usize + channels)
    }
}

/// A reservoir that runs over each sequence from a state of zero. Its fixed parameters are those of a [`Reservoir`].
#[derive(Debug)]
pub struct SequenceReservoir {
    reservoir: Reservoir,
    reads: ReadStates,
}

impl SequenceReservoir {
    /// For `channels` channels, with parameters made at `path`.
    pub fn new(path: &mut ParamPath<'_>, channels: i64, config: &SequenceReservoirConfig) -> Result<Self> {
        Ok(Self { reservoir: Reservoir::new(path, channels, &config.reservoir)?, reads: config.reads })
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        let config = SequenceReservoirConfig { reservoir: *self.reservoir.config(), reads: self.reads };
        config.n_features(self.reservoir.n_in() as usize)
    }

    /// Whether the features are of steps, and not of sequences.
    pub(crate) fn of_steps(&self) -> bool {
        self.reads == ReadStates::Each
    }

    /// The features of sequences `[time, channel]`, float64 `[sample, feature]`; of steps `[row, feature]`, the steps of each sequence after
    /// those of the one before. Sequences of like lengths run side by side.
    pub fn features(&self, sequences: &[Tensor]) -> Result<Tensor> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| sequences[i].size()[0]);
        let mut features: Vec<Option<Tensor>> = sequences.iter().map(|_| None).collect();
        for some in order.chunks(SIDE_BY_SIDE) {
            let found = self.side_by_side(&some.iter().map(|&i| &sequences[i]).collect::<Vec<_>>())?;
            some.iter().zip(found).for_each(|(&i, of_one)| features[i] = Some(of_one));
        }
        let all: Vec<Tensor> = features.into_iter().flatten().collect();
        Ok(if self.of_steps() { Tensor::f_cat(&all, 0)? } else { Tensor::f_stack(&all, 0)? })
    }

    fn side_by_side(&self, sequences: &[&Tensor]) -> Result<Vec<Tensor>> {
        let (kind, device) = self.reservoir.on().unwrap_or((Kind::Double, Device::Cpu));
        let longest = sequences.iter().map(|sequence| sequence.size()[0]).max().unwrap_or(0);
        let padded = |sequence: &&Tensor| sequence.f_constant_pad_nd([0, 0, 0, longest - sequence.size()[0]]);
        let xs = sequences.iter().map(padded).collect::<std::result::Result<Vec<_>, _>>()?;
        let xs = Tensor::f_stack(&xs, 1)?.f_to_kind(kind)?.f_to_device(device)?;
        let state = self.reservoir.init_state(sequences.len() as i64, (kind, device));
        let states = self.reservoir.scan(&Shared::new(1.0), &Inputs::of_steps(&xs), state, &mut Tap::none()).0;
        let seen = Tensor::cat(&[states, xs], 2).to_kind(Kind::Double);
        let of_one = |(i, sequence): (usize, &&Tensor)| {
            let own = seen.select(1, i as i64).narrow(0, 0, sequence.size()[0]);
            let mean = || own.mean_dim(0, false, Kind::Double);
            let last = || own.get(own.size()[0] - 1);
            match self.reads {
                ReadStates::Mean => mean(),
                ReadStates::Last => last(),
                ReadStates::MeanAndLast => Tensor::cat(&[mean(), last()], 0),
                ReadStates::Each => own,
            }
        };
        Ok(sequences.iter().enumerate().map(of_one).collect())
    }
}

#[cfg(test)]
mod tests {
    use bd_core::{Params, Rng};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn made(reads: ReadStates) -> SequenceReservoir {
        let reservoir = ReservoirConfig { units: 20, leak: 0.5, bias_scaling: 0.1, ..ReservoirConfig::default() };
        SequenceReservoir::new(&mut Params::new(1, ON).at("r"), 2, &SequenceReservoirConfig { reservoir, reads })
            .unwrap()
    }

    /// Step by step, one sequence at a time, whatever stands beside it.
    #[test]
    fn features_are_states_and_inputs_or_their_mean_and_last() {
        let sequences: Vec<Tensor> =
            (0..70).map(|i| Rng::new(i, "x").tensor(&[1 + (i as i64 * 7) % 13, 2], ON, Rng::normal)).collect();
        let [mean, last, both, each] = [ReadStates::Mean, ReadStates::Last, ReadStates::MeanAndLast, ReadStates::Each]
            .map(|reads| (made(reads).features(&sequences).unwrap(), made(reads).n_features()));
        assert_eq!([mean.1, last.1, both.1, each.1], [22, 22, 44, 22]);
        let mut first = 0;
        assert_eq!(both.0, Tensor::cat(&[&mean.0, &last.0], 1));
        let reservoir = made(ReadStates::Mean).reservoir;
        for (i, sequence) in sequences.iter().enumerate() {
            let mut state = reservoir.init_state(1, ON);
            let mut seen = Vec::new();
            for t in 0..sequence.size()[0] {
                let u = sequence.narrow(0, t, 1);
                let (x, next) = reservoir.step(&Shared::new(1.0), &u, &state);
                seen.push(Tensor::cat(&[x, u], 1));
                state = next;
            }
            let seen = Tensor::cat(&seen, 0);
            let apart = |a: &Tensor, b: Tensor| (a - b).abs().max().double_value(&[]);
            assert!(apart(&last.0.get(i as i64), seen.get(seen.size()[0] - 1)) < 1e-13);
            assert!(apart(&mean.0.get(i as i64), seen.mean_dim(0, false, Kind::Double)) < 1e-13);
            assert!(apart(&each.0.narrow(0, first, seen.size()[0]), seen.shallow_clone()) < 1e-13);
            first += seen.size()[0];
        }
        assert_eq!(each.0.size()[0], first);
    }
}
